//! A gateway asked on behalf of a SCEP server that cannot ask itself.

mod depot;
mod gate;
mod gateway;
mod notify;
mod request;
mod spool;
mod verifier;

pub(super) use notify::run as notify;
pub(super) use verifier::run as verify;
