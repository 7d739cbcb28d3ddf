//! The pxGrid face: control, the services `com.cisco.ise.mdm` and
//! `com.cisco.ise.config.anc`, and publish-subscribe, for products that would
//! otherwise talk to Cisco ISE.
//!
//! Whoever asks here is a *node*. It has an account that the operator approved,
//! proves itself with a password that the gateway made or with the certificate
//! of a configured client, and gets a secret for each node it talks to. What it
//! may do the [`Rights`] of its account say; by default nothing.

mod access;
mod account;
mod accounts;
pub(crate) mod admin;
mod anc;
mod asker;
mod control;
mod credential;
mod endpoint;
mod mdm;
mod name;
pub(crate) mod pubsub;
mod right;
mod services;
mod settings;

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use http::HeaderMap;
use parking_lot::RwLock;
use portreeve_domain::Timestamp;
use portreeve_store::Store;
use prometheus::Registry;
use tokio::sync::{Semaphore, watch};

use crate::BindError;
use crate::clients::{AuthenticationFailure, Face, Peer, Roster};
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};

use access::{AccessSecrets, Side};
use account::{AccountState, Proof};
use accounts::Accounts;
use anc::Operations;
use asker::Partial;
use credential::{Basic, basic};
pub(crate) use name::NodeName;
use pubsub::{Permissions, Pubsub};
use right::Right;
use services::Services;
pub use settings::PxgridSettings;

/// The service that says what is known about endpoints.
pub(crate) const MDM: &str = "com.cisco.ise.mdm";
/// The service that carries topics.
pub(crate) const PUBSUB: &str = "com.cisco.ise.pubsub";
/// The service of the quarantine ("adaptive network control").
pub(crate) const ANC: &str = "com.cisco.ise.config.anc";
/// Every change of an endpoint.
pub(crate) const ENDPOINT_TOPIC: &str = "/topic/com.cisco.ise.mdm.endpoint";
/// Every change of the quarantine.
pub(crate) const STATUS_TOPIC: &str = "/topic/com.cisco.ise.config.anc.status";

/// Lists that may be on the way at the same time.
const LISTS: usize = 2;

/// The gateway's own node has one account for ever.
const OWN_SALT: [u8; 16] = [0; 16];

/// Everything about nodes.
#[derive(Debug)]
pub(crate) struct Pxgrid {
    settings: PxgridSettings,
    own: NodeName,
    pub(crate) accounts: Accounts,
    secrets: AccessSecrets,
    services: Services,
    operations: Operations,
    partial: Partial,
    /// Nodes whose client is not there any more, or lacks the face.
    orphans: RwLock<HashSet<NodeName>>,
    /// Lists that may be on the way at once; each holds the whole fleet.
    lists: Arc<Semaphore>,
    pub(crate) pubsub: Arc<Pubsub>,
}

/// The routes under `/pxgrid/`. Nodes are authenticated here, not as clients.
pub(crate) fn routes() -> Router<Arc<Faces>> {
    control::routes()
        .merge(mdm::routes())
        .merge(anc::routes())
        .merge(pubsub::routes())
}

impl Pxgrid {
    /// Reads the accounts that are kept in the store.
    pub(crate) fn new(
        settings: PxgridSettings,
        store: Option<&Arc<Store>>,
        registry: &Registry,
    ) -> Result<Self, BindError> {
        let failed = |message: String| BindError::Pxgrid(message);
        let own = settings.node_name.parse();
        Ok(Self {
            own: own.map_err(|error| failed(format!("the gateway's node name: {error}")))?,
            accounts: Accounts::load(store.cloned()).map_err(|error| failed(error.to_string()))?,
            secrets: AccessSecrets::random().map_err(|error| failed(error.to_string()))?,
            services: Services::default(),
            operations: Operations::default(),
            partial: Partial::default(),
            orphans: RwLock::default(),
            lists: Arc::new(Semaphore::new(LISTS)),
            pubsub: Pubsub::new(settings.max_subscribers, registry)?,
            settings,
        })
    }

    /// The clients are others. A node with a certificate goes with its client:
    /// it is cut off, or sees what its client sees now.
    pub(crate) fn clients_changed(&self, roster: &Roster) {
        let mut orphans = HashSet::new();
        for (node, account) in self.accounts.list() {
            let Proof::Certificate(name) = &account.proof else {
                continue;
            };
            match roster
                .called(name)
                .filter(|client| client.may_use(Face::Pxgrid))
            {
                Some(client) => self.partial.note(&node, &client.connection),
                None => {
                    orphans.insert(node);
                }
            }
        }
        *self.orphans.write() = orphans;
        self.accounts.look_again();
    }

    /// The gateway's own node, which provides our services.
    pub(crate) const fn own(&self) -> &NodeName {
        &self.own
    }

    /// Who asks the control API, by password or certificate. The account may be
    /// in any state.
    ///
    /// With a client certificate the password counts for nothing: clients send
    /// `None` or nothing for it.
    fn authenticate(
        &self,
        faces: &Faces,
        peer: &Peer,
        headers: &HeaderMap,
    ) -> Result<(NodeName, Proof), Problem> {
        let sent = basic(headers);
        if let Some((name, proof)) = of_certificate(faces, peer)
            && sent.as_ref().is_none_or(|sent| sent.is_of(&name))
        {
            return Ok((name, proof));
        }
        let failure = match sent {
            None if headers.contains_key(http::header::AUTHORIZATION) => {
                AuthenticationFailure::Malformed
            }
            None => AuthenticationFailure::Missing,
            Some(Basic { username, password }) => {
                let found = username.parse().ok().and_then(|name: NodeName| {
                    let is_right = |account: &account::Account| {
                        account
                            .has_password(&password)
                            .then(|| account.proof.clone())
                    };
                    let proof = self.accounts.with(&name, is_right)??;
                    Some((name, proof))
                });
                match found {
                    Some(found) => return Ok(found),
                    None => AuthenticationFailure::Wrong,
                }
            }
        };
        Err(not_authenticated(faces, peer, failure))
    }

    /// The same for what only approved nodes may do.
    fn authenticate_approved(
        &self,
        faces: &Faces,
        peer: &Peer,
        headers: &HeaderMap,
    ) -> Result<NodeName, Problem> {
        let (name, proof) = self.authenticate(faces, peer, headers)?;
        self.expect_approved(&name, Some(&proof))?;
        Ok(name)
    }

    /// Who asks one of the gateway's services, publish-subscribe among them:
    /// Basic with the node's own name and the secret it shares with the
    /// gateway's node.
    pub(crate) fn authenticate_peer(
        &self,
        faces: &Faces,
        peer: &Peer,
        headers: &HeaderMap,
    ) -> Result<NodeName, Problem> {
        let refused = |failure| not_authenticated(faces, peer, failure);
        let Some(Basic { username, password }) = basic(headers) else {
            return Err(refused(AuthenticationFailure::Missing));
        };
        let name: NodeName = username
            .parse()
            .map_err(|_| refused(AuthenticationFailure::Wrong))?;
        let salt = self.accounts.with(&name, |account| account.salt);
        let node = Side {
            name: &name,
            // No account has this one, and as much is computed.
            salt: salt.unwrap_or([0xff; 16]),
        };
        let own = self.own_side();
        let is_right = self.secrets.is(&password, node, own, Timestamp::now());
        if !is_right || salt.is_none() {
            return Err(refused(AuthenticationFailure::Wrong));
        }
        self.expect_approved(&name, None)?;
        self.asker(faces, peer, &name)?;
        Ok(name)
    }

    /// Sends one JSON text, on one line, to the subscribers of a topic of ours.
    fn publish_to(&self, topic: &str, body: &[u8]) {
        self.pubsub.broker.publish(topic, body);
    }

    fn own_side(&self) -> Side<'_> {
        Side {
            name: &self.own,
            salt: OWN_SALT,
        }
    }

    fn expect_approved(&self, name: &NodeName, proof: Option<&Proof>) -> Result<(), Problem> {
        let state = self.accounts.with(name, |account| {
            let is_own = proof.is_none_or(|proof| *proof == account.proof);
            is_own.then_some(account.state)
        });
        match state.flatten() {
            Some(AccountState::Enabled) => Ok(()),
            state => {
                let state = state.map_or("without an account", AccountState::as_str);
                let detail = format!("the node `{name}` is {state}, not ENABLED");
                Err(Problem::new(ProblemKind::NotAllowed, detail))
            }
        }
    }

    /// Refuses a node that lacks a right, by name.
    fn expect_right(&self, name: &NodeName, right: Right) -> Result<(), Problem> {
        if self.may(name, right) {
            return Ok(());
        }
        let detail = format!("the node `{name}` lacks the right `{}`", right.as_str());
        Err(Problem::new(ProblemKind::NotAllowed, detail))
    }

    /// Whether a node is approved and has a right.
    fn may(&self, node: &NodeName, right: Right) -> bool {
        let may = self.accounts.with(node, |account| account.may(right));
        may.unwrap_or(false)
    }

    /// Whether a node may use an operation of a service, as the provider of the
    /// service asks.
    fn authorize(&self, node: &NodeName, service: &str, operation: &str) -> bool {
        match service {
            MDM => self.may(node, Right::Mdm),
            ANC => self.may(node, Right::Anc),
            // As ISE's own publish-subscribe asks: `subscribe /topic/…`.
            PUBSUB => match operation.split_once(' ') {
                Some(("subscribe", topic)) => self.may_subscribe(node, topic),
                Some(("publish", topic)) => self.may_publish(node, topic),
                _ => false,
            },
            _ => self.may(node, Right::Subscribe),
        }
    }
}

impl Permissions for Pxgrid {
    fn is_enabled(&self, node: &NodeName) -> bool {
        let is_enabled = |account: &account::Account| account.state == AccountState::Enabled;
        self.accounts.with(node, is_enabled).unwrap_or(false) && !self.orphans.read().contains(node)
    }

    fn may_subscribe(&self, node: &NodeName, topic: &str) -> bool {
        let shows_all = topic == ENDPOINT_TOPIC;
        topic.starts_with("/topic/")
            && self.may(node, Right::Subscribe)
            && !(shows_all && self.partial.contains(node))
    }

    /// One of a service that the node has registered. Our own topics are the
    /// gateway's alone.
    fn may_publish(&self, node: &NodeName, topic: &str) -> bool {
        self.may(node, Right::Publish) && self.services.has_topic(node, topic, Timestamp::now())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.accounts.changes()
    }
}

/// A certificate node is called as its client in the configuration is.
fn of_certificate(faces: &Faces, peer: &Peer) -> Option<(NodeName, Proof)> {
    let none = HeaderMap::new();
    let roster = faces.clients.now();
    let certified = peer.client(&roster);
    let client = roster
        .authenticate(&none, certified.client(), peer)
        .ok()
        .filter(|client| client.may_use(Face::Pxgrid))?;
    let name = client.name.parse().ok()?;
    Some((name, Proof::Certificate(client.name.as_ref().to_owned())))
}

fn not_authenticated(faces: &Faces, peer: &Peer, failure: AuthenticationFailure) -> Problem {
    faces.metrics.count_failure(failure);
    tracing::warn!(
        reason = failure.as_str(),
        peer = %peer.address,
        "a pxGrid node was not authenticated"
    );
    Problem::new(
        ProblemKind::NotAuthenticated,
        "expected `Authorization: Basic` with a node's name and its password or access secret",
    )
}

/// For a fuzzer: bodies of the control API and of the services.
pub(crate) fn fuzz_bodies(body: &[u8]) {
    control::fuzz_bodies(body);
    anc::fuzz_bodies(body);
    mdm::fuzz_bodies(body);
}
