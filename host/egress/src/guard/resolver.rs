//! Name resolution by the host, filtered by the address guard.

use std::{net::IpAddr, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::AddressGuard;

/// Why a name leads nowhere. Found again in the error chain of the HTTP client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveError {
    /// Every address of the name is one that may not be reached.
    #[error("address {0} is not granted")]
    Refused(IpAddr),
    /// The name has no address, or nobody could be asked.
    #[error("{0}")]
    NotFound(String),
}

/// The system's resolver behind the address guard. The connection goes to exactly the addresses
/// that were checked, so a name that changes its mind between check and use (DNS rebinding) gains
/// nothing.
#[derive(Debug)]
pub(crate) struct GuardedResolver {
    guard: Arc<AddressGuard>,
    /// Where the operator's proxy is, mostly at a private address: its name needs no grant.
    proxy: Option<String>,
}

impl GuardedResolver {
    pub(crate) fn new(guard: Arc<AddressGuard>, proxy: Option<&str>) -> Self {
        Self {
            guard,
            proxy: proxy.map(str::to_owned),
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.guard);
        let is_proxy = self.proxy.as_deref() == Some(name.as_str());
        Box::pin(async move {
            // Port 0 tells the client to use the port of the URL.
            let found = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map_err(|error| ResolveError::NotFound(error.to_string()))?;
            if is_proxy {
                let found: Vec<_> = found.collect();
                return Ok(Box::new(found.into_iter()) as Addrs);
            }
            let usable = guard.choose(found).map_err(|refused| match refused {
                Some(address) => ResolveError::Refused(address),
                None => ResolveError::NotFound("the name has no address".to_owned()),
            })?;
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}
