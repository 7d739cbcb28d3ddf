//! What guests can and cannot do, proved with the fixtures of
//! `plugins/fixtures` over real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly, in its supporting code too"
)]

mod action;
mod capabilities;
mod fairness;
mod inventory;
mod limits;
mod load;
mod log;
mod policy;
mod scep;
mod server;
mod support;
mod wasi;
mod way_out;
