//! One client.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use portreeve_domain::{ActionKind, Connection, SourceSet, View};

use portreeve_gateway::ActionRight;

use super::rate::Bucket;
use super::settings::FaceSet;
use super::{ClientSettings, ClientsError, Face};

/// How long whoever asks on this machine waits.
const LOCAL_PATIENCE: Duration = Duration::from_secs(30);

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
    /// All kinds without one.
    actions: Option<Vec<ActionKind>>,
    unconfirmed_actions: Vec<ActionKind>,
    bucket: Option<Bucket>,
}

impl Client {
    /// `sources` are the gateway's, in their order.
    pub(super) fn new(
        settings: &ClientSettings,
        sources: &[Arc<str>],
    ) -> Result<Self, ClientsError> {
        let connection = Connection {
            client: Arc::clone(&settings.name),
            view: view(settings, sources)?,
            ..Connection::default()
        };
        let bucket = settings.rate_limit;
        Ok(Self {
            name: Arc::clone(&settings.name),
            patience: settings.patience,
            connection: Arc::new(connection),
            faces: settings.faces.iter().copied().collect(),
            networks: settings.networks.clone(),
            actions: Some(settings.actions.clone()),
            unconfirmed_actions: settings.unconfirmed_actions.clone(),
            bucket: bucket.map(|limit| Bucket::new(limit, Instant::now())),
        })
    }

    /// The administrator of this machine. No client of the configuration has
    /// this name: its names have no brackets.
    pub(super) fn local() -> Self {
        let name: Arc<str> = "(local)".into();
        let connection = Connection {
            client: Arc::clone(&name),
            ..Connection::default()
        };
        Self {
            name,
            patience: LOCAL_PATIENCE,
            connection: Arc::new(connection),
            faces: [Face::Admin, Face::Metrics, Face::Inventory, Face::Actions]
                .into_iter()
                .collect(),
            networks: Vec::new(),
            actions: None,
            unconfirmed_actions: Vec::new(),
            bucket: None,
        }
    }

    pub(crate) fn may_use(&self, face: Face) -> bool {
        self.faces.contains(face)
    }

    /// What its configuration says about actions of this kind, for what carries
    /// them out to judge, never a face alone. The operator's own rules hold for
    /// whoever asks on this machine, too.
    pub(crate) fn right_to(&self, action: &ActionKind) -> ActionRight {
        let listed = self.actions.as_ref();
        ActionRight {
            allowed: listed.is_none_or(|actions| actions.contains(action)),
            unconfirmed: self.unconfirmed_actions.contains(action),
        }
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

    pub(super) fn may_come_from(&self, address: IpAddr) -> bool {
        self.networks.is_empty()
            || self
                .networks
                .iter()
                .any(|network| network.contains(&address))
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

/// A client for tests of faces and for fuzzers, with two seconds of patience.
#[expect(clippy::unwrap_used, reason = "nothing can be wrong with it")]
pub(crate) fn test_client(name: &str) -> Client {
    let settings = ClientSettings {
        name: name.into(),
        faces: vec![Face::Rest],
        ..ClientSettings::default()
    };
    Client::new(&settings, &[]).unwrap()
}
