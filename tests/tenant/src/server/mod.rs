//! From sockets to answers.

mod listener;
mod service;
mod target;

pub(crate) use listener::Listener;
pub(crate) use service::{Address, Service, Unit};
