//! Who asks, and what they may.

mod authorization;
mod certificate;
mod digest;
mod rate;
mod secret;
mod settings;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use ipnet::IpNet;
use portreeve_domain::{ActionKind, Connection, SourceSet, View};

use crate::intune::RegisteredCertificate;
use certificate::Presented;
use digest::{Digest, DigestKey};
use rate::Bucket;
pub use rate::RateLimit;
pub use secret::Secret;
use settings::FaceSet;
pub use settings::{ClientAuthentication, ClientSettings, Face};

/// An `Authorization` header longer than this is no credential of ours.
const LONGEST_HEADER: usize = 4096;

/// The configured clients cannot be told apart or cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientsError {
    /// Two clients have one name.
    #[error("there are two clients called `{0}`")]
    SameName(Arc<str>),
    /// Two clients have the same credential.
    #[error("clients `{0}` and `{1}` have the same credential")]
    SameCredential(Arc<str>, Arc<str>),
    /// A password, key or name is empty.
    #[error("client `{0}` has an empty credential")]
    EmptyCredential(Arc<str>),
    /// A user name with a colon cannot be sent (RFC 7617, section 2).
    #[error("the user name of client `{0}` contains a colon")]
    Colon(Arc<str>),
    /// A client may see a source that there is not.
    #[error("there is no source `{name}`, which client `{client}` may see")]
    NoSuchSource {
        /// The client.
        client: Arc<str>,
        /// What it names.
        name: Arc<str>,
    },
    /// No random key for comparing credentials.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthenticationFailure {
    /// Neither a header nor a certificate.
    Missing,
    /// The header is neither Basic nor Bearer.
    Malformed,
    /// No client has this credential.
    Wrong,
    /// The credential is right, but it came from a network of somebody else.
    Network,
}

impl AuthenticationFailure {
    pub(crate) const ALL: [Self; 4] = [Self::Missing, Self::Malformed, Self::Wrong, Self::Network];

    /// The word for it in logs and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Wrong => "wrong",
            Self::Network => "network",
        }
    }
}

/// One configured client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) name: Arc<str>,
    pub(crate) patience: Duration,
    /// The connection of a question that says nothing about it. One that says
    /// more begins with this, for it has what the client may see.
    pub(crate) connection: Arc<Connection>,
    faces: FaceSet,
    networks: Vec<IpNet>,
    actions: Vec<ActionKind>,
    bucket: Option<Bucket>,
}

impl Client {
    pub(crate) fn may_use(&self, face: Face) -> bool {
        self.faces.contains(face)
    }

    /// Whether it may ask for actions of this kind. Asked by what carries out
    /// actions, never by a face alone.
    pub(crate) fn may_ask_for(&self, action: ActionKind) -> bool {
        self.actions.contains(&action)
    }

    /// Counts one request, or says when it may come again.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), Duration> {
        self.bucket
            .as_ref()
            .map_or(Ok(()), |bucket| bucket.take(now))
    }

    /// Counts questions that came in one request, beyond its first.
    pub(crate) fn charge(&self, questions: u64, now: Instant) {
        if let Some(bucket) = &self.bucket {
            bucket.charge(questions, now);
        }
    }

    fn may_come_from(&self, address: IpAddr) -> bool {
        self.networks.is_empty()
            || self
                .networks
                .iter()
                .any(|network| network.contains(&address))
    }
}

/// All configured clients.
#[derive(Debug)]
pub(crate) struct Clients {
    key: DigestKey,
    by_header: HashMap<Digest, Arc<Client>>,
    by_name: Vec<(String, Arc<Client>)>,
    by_own_name: HashMap<Arc<str>, Arc<Client>>,
    /// By the identifier, in lower case.
    by_assertion: HashMap<String, (Arc<Client>, Vec<RegisteredCertificate>)>,
    by_fingerprint: HashMap<[u8; 32], Arc<Client>>,
    local: Arc<Client>,
}

/// How long whoever asks on this machine waits.
const LOCAL_PATIENCE: Duration = Duration::from_secs(30);

impl Clients {
    /// `sources` are the gateway's, in their order.
    pub(crate) fn new(
        settings: Vec<ClientSettings>,
        sources: &[Arc<str>],
    ) -> Result<Self, ClientsError> {
        let mut clients = Self {
            key: DigestKey::random().map_err(|_| ClientsError::NoRandomness)?,
            by_header: HashMap::new(),
            by_name: Vec::new(),
            by_own_name: HashMap::new(),
            by_assertion: HashMap::new(),
            by_fingerprint: HashMap::new(),
            local: Arc::new(local()),
        };
        let mut names = Vec::<Arc<str>>::new();
        for settings in settings {
            if names.contains(&settings.name) {
                return Err(ClientsError::SameName(settings.name));
            }
            names.push(Arc::clone(&settings.name));
            clients.add(settings, sources)?;
        }
        Ok(clients)
    }

    fn add(&mut self, settings: ClientSettings, sources: &[Arc<str>]) -> Result<(), ClientsError> {
        let connection = Connection {
            client: Arc::clone(&settings.name),
            view: view(&settings, sources)?,
            ..Connection::default()
        };
        let client = Arc::new(Client {
            name: settings.name,
            patience: settings.patience,
            connection: Arc::new(connection),
            faces: settings.faces.into_iter().collect(),
            networks: settings.networks,
            actions: settings.actions,
            bucket: settings
                .rate_limit
                .map(|limit| Bucket::new(limit, Instant::now())),
        });
        let own_name = Arc::clone(&client.name);
        self.by_own_name.insert(own_name, Arc::clone(&client));
        for way in settings.authentication {
            let empty = match &way {
                ClientAuthentication::Basic { username, password } => {
                    if username.contains(':') {
                        return Err(ClientsError::Colon(Arc::clone(&client.name)));
                    }
                    username.is_empty() || password.reveal().is_empty()
                }
                ClientAuthentication::Bearer { key } => key.reveal().trim().is_empty(),
                ClientAuthentication::CertificateName(name) => name.is_empty(),
                ClientAuthentication::CertificateFingerprint(_) => false,
                ClientAuthentication::Assertion { id, certificates } => {
                    id.is_empty() || certificates.is_empty()
                }
            };
            if empty {
                return Err(ClientsError::EmptyCredential(Arc::clone(&client.name)));
            }
            let before = match way {
                ClientAuthentication::Basic { username, password } => {
                    let header = authorization::of_basic(&username, &password);
                    let digest = self.key.digest(header.as_bytes());
                    self.by_header.insert(digest, Arc::clone(&client))
                }
                ClientAuthentication::Bearer { key } => {
                    let header = authorization::of_bearer(&key);
                    let digest = self.key.digest(header.as_bytes());
                    self.by_header.insert(digest, Arc::clone(&client))
                }
                ClientAuthentication::CertificateName(name) => {
                    let same = |(other, _): &&(String, _)| other.eq_ignore_ascii_case(&name);
                    let before = self
                        .by_name
                        .iter()
                        .find(same)
                        .map(|(_, client)| Arc::clone(client));
                    self.by_name.push((name, Arc::clone(&client)));
                    before
                }
                ClientAuthentication::CertificateFingerprint(fingerprint) => {
                    self.by_fingerprint.insert(fingerprint, Arc::clone(&client))
                }
                ClientAuthentication::Assertion { id, certificates } => {
                    let signer = (Arc::clone(&client), certificates);
                    let before = self.by_assertion.insert(id.to_ascii_lowercase(), signer);
                    before.map(|(client, _)| client)
                }
            };
            if let Some(before) = before {
                let names = (Arc::clone(&before.name), Arc::clone(&client.name));
                return Err(ClientsError::SameCredential(names.0, names.1));
            }
        }
        Ok(())
    }

    /// Whoever came through the socket in the file system.
    pub(crate) const fn local(&self) -> &Arc<Client> {
        &self.local
    }

    /// The client that a verified certificate belongs to. A fingerprint is more
    /// exact than a name; names that point at several clients point at none.
    pub(crate) fn of_certificate(&self, certificate: &[u8]) -> Option<Arc<Client>> {
        let presented = Presented::read(certificate);
        if let Some(client) = self.by_fingerprint.get(&presented.fingerprint) {
            return Some(Arc::clone(client));
        }
        let mut named = self
            .by_name
            .iter()
            .filter(|(name, _)| presented.is_named(name));
        let (_, client) = named.next()?;
        if named.any(|(_, other)| !Arc::ptr_eq(client, other)) {
            tracing::warn!(names = ?presented.names, "a client certificate names several clients");
            return None;
        }
        Some(Arc::clone(client))
    }

    /// Finds out who asks. A header counts more than the connection's
    /// certificate: whoever sends a wrong one is refused.
    pub(crate) fn authenticate<'a>(
        &'a self,
        headers: &HeaderMap,
        certified: Option<&'a Arc<Client>>,
        address: IpAddr,
    ) -> Result<&'a Arc<Client>, AuthenticationFailure> {
        let client = match headers.get(AUTHORIZATION) {
            Some(header) => self.of_header(header.as_bytes())?,
            None => certified.ok_or(AuthenticationFailure::Missing)?,
        };
        if client.may_come_from(address) {
            Ok(client)
        } else {
            Err(AuthenticationFailure::Network)
        }
    }

    /// The client of this name, if it may come from this address: for who has
    /// proved in another way which one it is.
    pub(crate) fn named(
        &self,
        name: &str,
        address: IpAddr,
    ) -> Result<&Arc<Client>, AuthenticationFailure> {
        let client = self.by_own_name.get(name);
        let client = client.ok_or(AuthenticationFailure::Wrong)?;
        if client.may_come_from(address) {
            Ok(client)
        } else {
            Err(AuthenticationFailure::Network)
        }
    }

    /// Who calls itself so in assertions, and what it signs them with.
    pub(crate) fn signer(&self, id: &str) -> Option<(&Client, &[RegisteredCertificate])> {
        let (client, certificates) = self.by_assertion.get(&id.to_ascii_lowercase())?;
        Some((client, certificates))
    }

    fn of_header(&self, header: &[u8]) -> Result<&Arc<Client>, AuthenticationFailure> {
        if header.len() > LONGEST_HEADER {
            return Err(AuthenticationFailure::Malformed);
        }
        if let Some(client) = self.by_header.get(&self.key.digest(header)) {
            return Ok(client);
        }
        let usual = authorization::usual_form(header).ok_or(AuthenticationFailure::Malformed)?;
        let client = self.by_header.get(&self.key.digest(&usual));
        client.ok_or(AuthenticationFailure::Wrong)
    }
}

/// What a client may see, by the gateway's own order of the sources.
fn view(settings: &ClientSettings, sources: &[Arc<str>]) -> Result<View, ClientsError> {
    let facts = settings.facts.clone();
    let Some(names) = &settings.sources else {
        let sources = SourceSet::ALL;
        return Ok(View { sources, facts });
    };
    let mut seen = SourceSet::NONE;
    for name in names {
        let place = sources.iter().position(|source| source == name);
        seen =
            place
                .and_then(|place| seen.with(place))
                .ok_or_else(|| ClientsError::NoSuchSource {
                    client: Arc::clone(&settings.name),
                    name: Arc::clone(name),
                })?;
    }
    Ok(View {
        sources: seen,
        facts,
    })
}

/// The administrator of this machine. No client of the configuration has this
/// name: its names have no brackets.
fn local() -> Client {
    let name: Arc<str> = "(local)".into();
    let connection = Connection {
        client: Arc::clone(&name),
        ..Connection::default()
    };
    Client {
        name,
        patience: LOCAL_PATIENCE,
        connection: Arc::new(connection),
        faces: [Face::Admin, Face::Metrics].into_iter().collect(),
        networks: Vec::new(),
        actions: Vec::new(),
        bucket: None,
    }
}

/// A client for tests of faces, with two seconds of patience.
#[cfg(test)]
pub(crate) fn test_client(name: &str) -> Client {
    let connection = Connection {
        client: name.into(),
        ..Connection::default()
    };
    Client {
        name: name.into(),
        patience: Duration::from_secs(2),
        connection: Arc::new(connection),
        faces: [Face::Rest].into_iter().collect(),
        networks: Vec::new(),
        actions: Vec::new(),
        bucket: None,
    }
}
