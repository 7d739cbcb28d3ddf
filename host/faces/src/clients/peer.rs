//! Where a connection comes from.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use rustls_pki_types::CertificateDer;

use super::certificate::Presented;
use super::recent::Recent;
use super::{Client, Roster};

/// Where a connection comes from.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    identity: Option<Arc<Identity>>,
    recent: Arc<Recent>,
}

/// Who the connection itself proves to belong to. Without one a header says.
#[derive(Debug)]
enum Identity {
    /// The administrator of this machine.
    Local(Arc<Resolved>),
    /// Who a verified certificate belongs to, as far as clients go.
    Certified {
        presented: Presented,
        resolved: ArcSwap<Resolved>,
    },
}

/// Whose a connection is, by one roster.
#[derive(Debug)]
struct Resolved {
    roster: u64,
    client: Option<Arc<Client>>,
}

/// Borrows the client of a connection.
#[derive(Debug)]
pub(crate) struct Certified(Option<Guard<Arc<Resolved>>>);

impl Certified {
    pub(crate) fn client(&self) -> Option<&Arc<Client>> {
        self.0.as_ref()?.client.as_ref()
    }
}

impl Peer {
    /// A connection that proves nothing by itself.
    pub(crate) fn unproven(address: IpAddr) -> Self {
        Self::new(address, None)
    }

    fn new(address: IpAddr, identity: Option<Identity>) -> Self {
        Self {
            address,
            identity: identity.map(Arc::new),
            recent: Arc::default(),
        }
    }

    /// The administrator of this machine.
    pub(crate) fn local(address: IpAddr, client: Arc<Client>) -> Self {
        let client = Some(client);
        let resolved = Arc::new(Resolved { roster: 0, client });
        Self::new(address, Some(Identity::Local(resolved)))
    }

    /// With the certificates that TLS has verified, the client's own first.
    pub(crate) fn certified(
        address: IpAddr,
        chain: Option<&[CertificateDer<'_>]>,
        roster: &Roster,
    ) -> Self {
        let Some(presented) = chain.and_then(Presented::read) else {
            return Self::unproven(address);
        };
        let resolved = ArcSwap::from_pointee(Resolved::of(&presented, roster));
        let identity = Identity::Certified {
            presented,
            resolved,
        };
        Self::new(address, Some(identity))
    }

    /// The header that it was recognised by.
    pub(super) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Whose connection this is by a roster. Found out again when the clients
    /// are others, so that who was taken out is refused on the connections that
    /// he has.
    pub(crate) fn client(&self, roster: &Roster) -> Certified {
        let (presented, resolved) = match self.identity.as_deref() {
            None => return Certified(None),
            Some(Identity::Local(resolved)) => {
                return Certified(Some(Guard::from_inner(Arc::clone(resolved))));
            }
            Some(Identity::Certified {
                presented,
                resolved,
            }) => (presented, resolved),
        };
        let known = resolved.load();
        if known.roster == roster.number() {
            return Certified(Some(known));
        }
        let now = Arc::new(Resolved::of(presented, roster));
        resolved.store(Arc::clone(&now));
        Certified(Some(Guard::from_inner(now)))
    }
}

impl Resolved {
    fn of(presented: &Presented, roster: &Roster) -> Self {
        Self {
            roster: roster.number(),
            client: roster.of_certificate(presented).cloned(),
        }
    }
}
