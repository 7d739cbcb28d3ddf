//! What benches measure alone and nobody else sees.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use crate::clients::{Clients, Peer, RosterSettings};
use crate::{ClientSettings, ClientsError, Face};

/// Finding out who asks, as a hit does.
#[derive(Debug)]
pub struct Authentication {
    clients: Clients,
    headers: HeaderMap,
}

/// A connection of somebody who asks.
#[derive(Debug)]
pub struct Connection(Peer);

impl Default for Connection {
    fn default() -> Self {
        Self(Peer::unproven(IpAddr::from(Ipv4Addr::LOCALHOST)))
    }
}

impl Authentication {
    /// Requests with this header, to a gateway with these clients.
    pub fn new(
        clients: Vec<ClientSettings>,
        authorization: HeaderValue,
    ) -> Result<Self, ClientsError> {
        let clients = Clients::new(RosterSettings {
            clients,
            sources: &[],
            issuers: &[],
        })?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
        Ok(Self { clients, headers })
    }

    /// Whether the client of this request is known and may ask in the face
    /// REST.
    pub fn is_admitted(&self, connection: &Connection) -> bool {
        let Connection(peer) = connection;
        let roster = self.clients.now();
        let certified = peer.client(&roster);
        let client = roster.authenticate(&self.headers, certified.client(), peer);
        client.is_ok_and(|it| it.may_use(Face::Rest) && it.admit(Instant::now()).is_ok())
    }
}
