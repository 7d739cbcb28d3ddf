//! All clients as they are at one moment.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use portreeve_domain::Timestamp;
use rustls_pki_types::CertificateDer;

use super::authorization::{self, Presentation};
use super::certificate::{Issuers, Presented};
use super::digest::{Digest, DigestKey};
use super::password::{PasswordHash, SHORTEST_KEY, sha256};
use super::recent::Recent;
use super::remembered::Remembered;
use super::token::{TokenSettings, is_token};
use crate::intune::RegisteredCertificate;

use super::{
    AuthenticationFailure, Client, ClientAuthentication, ClientSettings, ClientsError, Peer,
    Unknown,
};

/// An `Authorization` header longer than this is no credential of ours.
const LONGEST_HEADER: usize = 8 << 10;

/// What was verified is verified again after this, whatever it is.
const REMEMBERED_FOR: Duration = Duration::from_mins(30);

/// The clients that are configured, as they are at one moment. Others replace
/// it as a whole.
#[derive(Debug)]
pub(crate) struct Roster {
    /// Another one for another roster.
    number: u64,
    key: Arc<DigestKey>,
    clients: Vec<Arc<Client>>,
    /// What they were made from, in the same order.
    settings: Vec<ClientSettings>,
    by_header: HashMap<Digest, usize>,
    remembered: Remembered,
    by_key: HashMap<[u8; 32], (usize, Option<Timestamp>)>,
    by_user: HashMap<String, Vec<Password>>,
    tokens: Vec<(TokenSettings, usize)>,
    certificates: Vec<Certificate>,
    /// By the identifier, in lower case.
    signers: HashMap<String, (usize, Vec<RegisteredCertificate>)>,
    challenges: Challenges,
}

/// The ways in which a client could prove itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Challenges {
    pub(crate) basic: bool,
    pub(crate) bearer: bool,
}

/// Both, where nobody looked.
impl Default for Challenges {
    fn default() -> Self {
        Self {
            basic: true,
            bearer: true,
        }
    }
}

#[derive(Debug)]
struct Password {
    hash: PasswordHash,
    until: Option<Timestamp>,
    client: usize,
}

#[derive(Debug)]
struct Certificate {
    wanted: Wanted,
    issuers: Option<Issuers>,
    client: usize,
}

#[derive(Debug)]
enum Wanted {
    Name(String),
    Fingerprint([u8; 32]),
}

/// What a roster is made from.
#[derive(Debug)]
pub(crate) struct RosterSettings<'a> {
    pub(crate) clients: Vec<ClientSettings>,
    /// The gateway's, in their order.
    pub(crate) sources: &'a [Arc<str>],
    /// Issuers of certificates of clients that name none of their own.
    pub(crate) issuers: &'a [CertificateDer<'static>],
}

impl Roster {
    /// Clients that are the same as in the roster before stay who they are:
    /// what was verified of them, and how much they asked, is not forgotten.
    pub(crate) fn new(
        settings: RosterSettings<'_>,
        before: Option<&Self>,
    ) -> Result<Self, ClientsError> {
        static LAST_NUMBER: AtomicU64 = AtomicU64::new(0);
        let key = match before {
            Some(before) => Arc::clone(&before.key),
            None => Arc::new(DigestKey::random().map_err(|_| ClientsError::NoRandomness)?),
        };
        let mut roster = Self {
            // Also another one than a roster's that never came into force.
            number: LAST_NUMBER.fetch_add(1, Ordering::Relaxed) + 1,
            key,
            clients: Vec::with_capacity(settings.clients.len()),
            settings: Vec::with_capacity(settings.clients.len()),
            by_header: HashMap::new(),
            remembered: Remembered::new(),
            by_key: HashMap::new(),
            by_user: HashMap::new(),
            tokens: Vec::new(),
            certificates: Vec::new(),
            signers: HashMap::new(),
            challenges: Challenges {
                basic: false,
                bearer: false,
            },
        };
        let mut plain = Plain::default();
        for client in settings.clients {
            let of_certificates = issuers(&client, settings.issuers)?;
            let known = before.and_then(|before| before.same(&client));
            let new = match known {
                Some(known) => known,
                None => Arc::new(Client::new(&client, settings.sources)?),
            };
            roster.add(&new, client, of_certificates.as_ref(), &mut plain)?;
        }
        if let Some(before) = before {
            roster.remembered.take_over(&before.remembered, |place| {
                let client = before.clients.get(place)?;
                let same = |other: &Arc<Client>| Arc::ptr_eq(client, other);
                roster.clients.iter().position(same)
            });
        }
        Ok(roster)
    }

    fn same(&self, settings: &ClientSettings) -> Option<Arc<Client>> {
        let place = self.settings.iter().position(|known| known == settings)?;
        self.clients.get(place).cloned()
    }

    fn add(
        &mut self,
        client: &Arc<Client>,
        settings: ClientSettings,
        issuers: Option<&Issuers>,
        plain: &mut Plain,
    ) -> Result<(), ClientsError> {
        if self.clients.iter().any(|other| other.name == client.name) {
            return Err(ClientsError::SameName(Arc::clone(&client.name)));
        }
        let place = self.clients.len();
        self.clients.push(Arc::clone(client));
        for way in &settings.authentication {
            if is_empty(way) {
                return Err(ClientsError::EmptyCredential(Arc::clone(&client.name)));
            }
            let before = match way {
                ClientAuthentication::Basic { username, password } => {
                    self.challenges.basic = true;
                    if username.contains(':') {
                        return Err(ClientsError::Colon(Arc::clone(&client.name)));
                    }
                    plain.users.push((username.clone(), place));
                    let header = authorization::of_basic(username, password);
                    let digest = self.key.digest(header.as_bytes());
                    self.by_header.insert(digest, place).or_else(|| {
                        self.by_user
                            .get(username)
                            .and_then(|known| other(known, place))
                    })
                }
                ClientAuthentication::BasicHash {
                    username,
                    hash,
                    until,
                } => {
                    self.challenges.basic = true;
                    if username.contains(':') {
                        return Err(ClientsError::Colon(Arc::clone(&client.name)));
                    }
                    let known = self.by_user.entry(username.clone()).or_default();
                    let before = other(known, place).or_else(|| plain.user(username, place));
                    known.push(Password {
                        hash: hash.clone(),
                        until: *until,
                        client: place,
                    });
                    before
                }
                ClientAuthentication::Bearer { key } => {
                    self.challenges.bearer = true;
                    let hash = sha256(key.reveal().as_bytes());
                    plain.keys.insert(hash, place);
                    let header = authorization::of_bearer(key);
                    let digest = self.key.digest(header.as_bytes());
                    self.by_header
                        .insert(digest, place)
                        .or_else(|| self.by_key.get(&hash).map(|(client, _)| *client))
                }
                ClientAuthentication::BearerHash { sha256, until } => {
                    self.challenges.bearer = true;
                    let before = self.by_key.insert(*sha256, (place, *until));
                    let before = before.map(|(client, _)| client);
                    before.or_else(|| plain.keys.get(sha256).copied())
                }
                ClientAuthentication::Token(token) => {
                    self.challenges.bearer = true;
                    let known = self.tokens.iter().find(|(known, _)| known == token);
                    let before = known.map(|(_, client)| *client);
                    self.tokens.push((token.clone(), place));
                    before
                }
                ClientAuthentication::Assertion { id, certificates } => {
                    let signer = (place, certificates.clone());
                    let before = self.signers.insert(id.to_ascii_lowercase(), signer);
                    before.map(|(client, _)| client)
                }
                ClientAuthentication::CertificateName(name) => {
                    self.add_certificate(Wanted::Name(name.clone()), &settings, issuers)
                }
                ClientAuthentication::CertificateFingerprint(fingerprint) => {
                    self.add_certificate(Wanted::Fingerprint(*fingerprint), &settings, issuers)
                }
            };
            let before = before.filter(|before| *before != place);
            if let Some(before) = before.and_then(|before| self.clients.get(before)) {
                let names = (Arc::clone(&before.name), Arc::clone(&client.name));
                return Err(ClientsError::SameCredential(names.0, names.1));
            }
        }
        self.settings.push(settings);
        Ok(())
    }

    /// Gives the client that has the same already. Names are the same only
    /// under the same issuers.
    fn add_certificate(
        &mut self,
        wanted: Wanted,
        settings: &ClientSettings,
        issuers: Option<&Issuers>,
    ) -> Option<usize> {
        let same = |certificate: &&Certificate| {
            let theirs = self.settings.get(certificate.client);
            match (&certificate.wanted, &wanted) {
                (Wanted::Name(one), Wanted::Name(other)) => {
                    one.eq_ignore_ascii_case(other)
                        && theirs.is_some_and(|theirs| theirs.issuers == settings.issuers)
                }
                (Wanted::Fingerprint(one), Wanted::Fingerprint(other)) => one == other,
                _ => false,
            }
        };
        let before = self.certificates.iter().find(same);
        let before = before.map(|certificate| certificate.client);
        self.certificates.push(Certificate {
            wanted,
            issuers: issuers.cloned(),
            client: self.clients.len().saturating_sub(1),
        });
        before
    }

    /// Another one for another roster.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// The ways in which a client could prove itself.
    pub(crate) const fn challenges(&self) -> Challenges {
        self.challenges
    }

    /// The client of this name.
    pub(crate) fn called(&self, name: &str) -> Option<&Arc<Client>> {
        self.clients.iter().find(|client| *client.name == *name)
    }

    /// The client of this name, if it may come from this address: for who has
    /// proved in another way which one it is.
    pub(crate) fn named(
        &self,
        name: &str,
        address: IpAddr,
    ) -> Result<&Arc<Client>, AuthenticationFailure> {
        expect_at_home(
            self.called(name).ok_or(AuthenticationFailure::Wrong)?,
            address,
        )
    }

    /// Who calls itself so in assertions, and what it signs them with.
    pub(crate) fn signer(&self, id: &str) -> Option<(&Arc<Client>, &[RegisteredCertificate])> {
        let (client, certificates) = self.signers.get(&id.to_ascii_lowercase())?;
        Some((self.clients.get(*client)?, certificates))
    }

    /// The client that a certificate belongs to. A fingerprint is more exact
    /// than a name; names that point at several clients point at none.
    pub(crate) fn of_certificate(&self, presented: &Presented) -> Option<&Arc<Client>> {
        let issued = |certificate: &&Certificate| {
            let issuers = certificate.issuers.as_ref();
            issuers.is_some_and(|issuers| issuers.issued(presented))
        };
        let exact = self.certificates.iter().find(|certificate| {
            matches!(certificate.wanted, Wanted::Fingerprint(wanted) if wanted == presented.fingerprint)
                && issued(certificate)
        });
        if let Some(exact) = exact {
            return self.clients.get(exact.client);
        }
        let mut named = self
            .certificates
            .iter()
            .filter(|certificate| match &certificate.wanted {
                Wanted::Name(name) => presented.is_named(name),
                Wanted::Fingerprint(_) => false,
            })
            .filter(issued);
        let client = named.next()?.client;
        if named.any(|other| other.client != client) {
            tracing::warn!(names = ?presented.names, "a client certificate names several clients");
            return None;
        }
        self.clients.get(client)
    }

    /// Finds out who asks. A header counts more than the connection's
    /// certificate: whoever sends a wrong one is refused.
    pub(crate) fn authenticate<'a>(
        &'a self,
        headers: &HeaderMap,
        certified: Option<&'a Arc<Client>>,
        peer: &Peer,
    ) -> Result<&'a Arc<Client>, Unknown> {
        let client = match headers.get(AUTHORIZATION) {
            Some(header) => self.of_header_on(peer.recent(), header.as_bytes())?,
            None => certified.ok_or(AuthenticationFailure::Missing)?,
        };
        Ok(expect_at_home(client, peer.address)?)
    }

    /// The client whose header this is, on a connection that may have had it.
    fn of_header_on(&self, recent: &Recent, header: &[u8]) -> Result<&Arc<Client>, Unknown> {
        if let Some(client) = recent.client(self, header) {
            return self.client(client);
        }
        if header.len() > LONGEST_HEADER {
            return Err(AuthenticationFailure::Malformed.into());
        }
        let digest = self.key.digest(header);
        if let Some(client) = self.by_header.get(&digest) {
            recent.remember(self, header, *client);
            return self.client(*client);
        }
        self.of_digest(header, digest)
    }

    fn of_header(&self, header: &[u8]) -> Result<&Arc<Client>, Unknown> {
        self.of_header_on(&Recent::default(), header)
    }

    /// The ways that hold for a time.
    fn of_digest(&self, header: &[u8], digest: Digest) -> Result<&Arc<Client>, Unknown> {
        let known = self.remembered.client(&digest, Timestamp::now());
        if let Some(client) = known.and_then(|client| self.clients.get(client)) {
            return Ok(client);
        }
        self.of_unknown_header(header, digest)
    }

    /// The ways that take no long work.
    fn of_unknown_header(&self, header: &[u8], digest: Digest) -> Result<&Arc<Client>, Unknown> {
        let presentation = Presentation::read(header).ok_or(AuthenticationFailure::Malformed)?;
        let usual = self.key.digest(presentation.usual_form().as_bytes());
        if let Some(client) = self.by_header.get(&usual) {
            return self.client(*client);
        }
        let now = Timestamp::now();
        let (found, is_slow) = match &presentation {
            Presentation::Bearer { key } => {
                let known = (key.len() >= SHORTEST_KEY).then(|| self.by_key.get(&sha256(key)));
                let is_slow = !self.tokens.is_empty() && is_token(key);
                (known.flatten().copied(), is_slow)
            }
            Presentation::Basic { username, password } => {
                let known = self.by_user.get(username.as_str());
                let mut known = known.into_iter().flatten().peekable();
                let found = known.clone().find(|known| {
                    !known.hash.is_slow()
                        && holds(known.until, now)
                        && known.hash.verifies(password)
                });
                let is_slow = known.any(|known| known.hash.is_slow());
                (found.map(|known| (known.client, known.until)), is_slow)
            }
        };
        match found {
            Some((client, until)) if holds(until, now) => {
                self.remember(digest, client, until, now);
                self.client(client)
            }
            _ if is_slow => Err(Unknown::NotYet),
            _ => Err(AuthenticationFailure::Wrong.into()),
        }
    }

    /// The ways that take long work. Not for the threads that serve.
    pub(super) fn verify(&self, header: &[u8]) -> Result<Arc<Client>, AuthenticationFailure> {
        // Somebody else may have had the same one verified meanwhile.
        match self.of_header(header) {
            Ok(client) => return Ok(Arc::clone(client)),
            Err(Unknown::Failed(failure)) => return Err(failure),
            Err(Unknown::NotYet) => {}
        }
        let presentation = Presentation::read(header).ok_or(AuthenticationFailure::Malformed)?;
        let now = Timestamp::now();
        let found = match &presentation {
            Presentation::Bearer { key } => self.of_token(key),
            Presentation::Basic { username, password } => {
                let known = self.by_user.get(username.as_str()).into_iter().flatten();
                let slow = known.filter(|known| known.hash.is_slow() && holds(known.until, now));
                let mut slow = slow.filter(|known| known.hash.verifies(password));
                slow.next().map(|known| (known.client, known.until))
            }
        };
        let (client, until) = found.ok_or(AuthenticationFailure::Wrong)?;
        self.remember(self.key.digest(header), client, until, now);
        match self.client(client) {
            Ok(client) => Ok(Arc::clone(client)),
            Err(_) => Err(AuthenticationFailure::Wrong),
        }
    }

    /// A token that is of several clients is of none.
    fn of_token(&self, token: &[u8]) -> Option<(usize, Option<Timestamp>)> {
        let mut meant = self
            .tokens
            .iter()
            .filter(|(wanted, _)| wanted.is_meant(token));
        let mut found: Option<(usize, Timestamp)> = None;
        for (wanted, client) in meant.by_ref().take(MOST_MEANT) {
            if let Some(until) = wanted.verify(token) {
                if found.is_some_and(|(other, _)| other != *client) {
                    tracing::warn!("a token is of several clients");
                    return None;
                }
                found = Some((*client, until));
            }
        }
        found.map(|(client, until)| (client, Some(until)))
    }

    fn remember(&self, digest: Digest, client: usize, until: Option<Timestamp>, now: Timestamp) {
        let latest = now.plus(REMEMBERED_FOR);
        let until = until.map_or(latest, |until| until.min(latest));
        self.remembered.put(digest, client, until);
    }

    fn client(&self, place: usize) -> Result<&Arc<Client>, Unknown> {
        let client = self.clients.get(place);
        client.ok_or(Unknown::Failed(AuthenticationFailure::Wrong))
    }
}

/// Clients whose claims a token has before its signature is checked for each.
const MOST_MEANT: usize = 8;

/// What was given in clear, to find clients that cannot be told apart.
#[derive(Default)]
struct Plain {
    users: Vec<(String, usize)>,
    keys: HashMap<[u8; 32], usize>,
}

impl Plain {
    /// Another client with this user name.
    fn user(&self, name: &str, client: usize) -> Option<usize> {
        let mut users = self.users.iter();
        let other = users.find(|(user, place)| user == name && *place != client);
        other.map(|(_, place)| *place)
    }
}

/// Another client among those of one user name: whose password it is cannot be
/// told from hashes.
fn other(known: &[Password], client: usize) -> Option<usize> {
    let mut known = known.iter().map(|known| known.client);
    known.find(|known| *known != client)
}

fn holds(until: Option<Timestamp>, now: Timestamp) -> bool {
    until.is_none_or(|until| now < until)
}

pub(super) fn expect_at_home(
    client: &Arc<Client>,
    address: IpAddr,
) -> Result<&Arc<Client>, AuthenticationFailure> {
    if client.may_come_from(address) {
        Ok(client)
    } else {
        Err(AuthenticationFailure::Network)
    }
}

fn is_empty(way: &ClientAuthentication) -> bool {
    match way {
        ClientAuthentication::Basic { username, password } => {
            username.is_empty() || password.reveal().is_empty()
        }
        ClientAuthentication::BasicHash { username, .. } => username.is_empty(),
        ClientAuthentication::Bearer { key } => key.reveal().trim().is_empty(),
        ClientAuthentication::CertificateName(name) => name.is_empty(),
        ClientAuthentication::Token(token) => {
            token.issuer.is_empty() || token.audience.is_empty() || token.claims.is_empty()
        }
        ClientAuthentication::Assertion { id, certificates } => {
            id.is_empty() || certificates.is_empty()
        }
        ClientAuthentication::BearerHash { .. }
        | ClientAuthentication::CertificateFingerprint(_) => false,
    }
}

/// Who may issue the certificates of this client.
fn issuers(
    client: &ClientSettings,
    otherwise: &[CertificateDer<'static>],
) -> Result<Option<Issuers>, ClientsError> {
    let issuers = if client.issuers.is_empty() {
        otherwise
    } else {
        &client.issuers
    };
    Issuers::new(issuers).map_err(|message| ClientsError::Issuers {
        client: Arc::clone(&client.name),
        message,
    })
}
