//! What the decision log is told about an answer.

use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::{Identifier, Origin, Timestamp};
use portreeve_gateway::{Answered, Hit};
use portreeve_store::decisions::{Entry, Judged};

use crate::clients::{Client, Face};
use crate::faces::Faces;
use crate::request_id::RequestId;

/// An answer that the log wants to know about. It travels with the reply until
/// it is known how long that took.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    identifiers: Arc<[Identifier]>,
    judged: Arc<Judged>,
    changed: bool,
    origin: Origin,
    stale: bool,
    at: Timestamp,
}

impl Noted {
    /// Nothing, unless the log wants to know.
    pub(crate) fn of(answered: &Answered, identifiers: &Arc<[Identifier]>) -> Option<Self> {
        let logged = answered.logged.as_ref()?;
        Some(Self {
            identifiers: Arc::clone(identifiers),
            judged: Arc::clone(&logged.judged),
            changed: logged.changed,
            origin: answered.origin,
            stale: answered.is_stale(),
            at: answered.at,
        })
    }

    /// The same for a hit.
    pub(crate) fn of_hit(hit: &Hit, identifiers: &[Identifier]) -> Option<Self> {
        let judged = hit.judged()?;
        Some(Self {
            identifiers: identifiers.into(),
            judged: Arc::clone(judged),
            changed: false,
            origin: Origin::Cached,
            stale: hit.is_stale(),
            at: hit.at(),
        })
    }
}

impl Faces {
    /// Hands one decision over to the log.
    pub(crate) fn record(
        &self,
        noted: Noted,
        client: &Client,
        face: Face,
        request: &RequestId,
        latency: Duration,
    ) {
        let Some(log) = self.gateway.log() else {
            return;
        };
        log.record(Entry {
            at: noted.at,
            client: Arc::clone(&client.name),
            face: face.as_str(),
            request: Some(request.as_str().into()),
            identifiers: noted.identifiers,
            judged: noted.judged,
            origin: noted.origin,
            stale: noted.stale,
            latency,
            changed: noted.changed,
        });
    }
}

/// Lets what was noted travel with a reply.
pub(crate) fn attach<B>(reply: &mut http::Response<B>, noted: Option<Noted>) {
    if let Some(noted) = noted {
        reply.extensions_mut().insert(noted);
    }
}
