//! The faces through real sockets: a gateway with a native source and policy
//! behind, clients that were not written here in front.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what stands beside the tests may fail as loudly as they"
)]

mod admin;
mod alike;
mod answers;
mod authentication;
mod authority;
mod errors;
mod imitated;
mod intune;
mod inventory;
mod ise;
mod limits;
mod local;
mod operations;
mod overload;
mod prepared;
mod pubsub;
mod pxgrid;
mod quarantine;
mod reload;
mod scep;
mod schema;
mod sessions;
mod shutdown;
mod stand;
mod subscriber;
