//! What may be reached: granted hosts, URL scopes of credentials and usable addresses.

mod address;
mod grant;
mod origin;
mod resolver;
mod scope;

pub use address::is_public;
pub use grant::HostGrant;
pub use origin::{PatternError, Scheme};
pub use scope::UrlScope;

pub(crate) use address::AddressGuard;
pub(crate) use origin::HostPattern;
pub(crate) use resolver::{GuardedResolver, ResolveError};

#[cfg(test)]
mod tests;
