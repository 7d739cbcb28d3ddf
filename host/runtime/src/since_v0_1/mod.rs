//! Track 0.1 of the interfaces in `wit/`.
//!
//! Everything generated from WIT and everything that speaks it is in here. What
//! leaves are the domain's types and this crate's own.

mod action;
mod bindings;
mod capabilities;
mod common;
mod connector;
mod decision;
mod describe;
mod device;
mod http;
mod inventory;
mod policy;
mod scep;
mod stdio;
mod subject;
mod worlds;

pub(crate) use action::ActionsGuest;
pub(crate) use common::Common;
pub(crate) use connector::{ConnectorData, ConnectorGuest, ConnectorStart};
pub(crate) use describe::describe;
pub(crate) use inventory::InventoryGuest;
pub(crate) use policy::{PolicyData, PolicyGuest, PolicyStart};
pub(crate) use scep::ScepGuest;
pub(crate) use worlds::{ConnectorPre, PolicyPre, Worlds, forbidden_imports, kinds};
