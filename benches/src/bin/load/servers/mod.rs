//! What the gateway is compared with.

mod bare;
mod constant;
mod nginx;

pub(crate) use bare::{Bare, serve};
pub(crate) use constant::Constant;
pub(crate) use nginx::Nginx;

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    /// `http://127.0.0.1:PORT`
    pub(crate) plain: String,
    /// `https://127.0.0.1:PORT`
    pub(crate) tls: String,
}
