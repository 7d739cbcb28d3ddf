//! What guests can and cannot do, proved with the fixtures of
//! `plugins/fixtures` over real sockets.

mod capabilities;
mod fairness;
mod limits;
mod load;
mod log;
mod policy;
mod server;
mod support;
mod wasi;
mod way_out;
