//! Starts the simulated tenant and the real gateway, for black-box tests and
//! the demo.
//!
//! A [`Stand`] is a tenant in this process, a gateway process with a
//! configuration of its own in a folder of its own, throw-away certificates for
//! both, and a client that asks over TLS. When it is dropped, all of it is gone.

mod certificates;
mod client;
mod gateway;
mod guests;
mod program;
mod source;
mod stand;
mod stopped;

pub use certificates::{Authority, Certificate, certificates_of, write_private};
pub use client::{Client, Reply, Told, member};
pub use gateway::Gateway;
pub use guests::{guest, program};
pub use program::{Following, Output, until};
pub use stand::{ADMIN_KEY, Credential, RADIUS_PASSWORD, REST_KEY, Stand, StandBuilder};
pub use stopped::Stopped;
