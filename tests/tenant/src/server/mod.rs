//! From sockets to answers.

mod action;
mod listener;
mod service;
mod target;

pub(crate) use action::Actions;
pub(crate) use listener::Listener;
pub(crate) use service::{Address, Service, Unit};
