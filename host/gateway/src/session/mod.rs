//! Sessions that network access servers have reported: who is connected where.
//!
//! They are what a re-authentication has to name (RFC 5176, section 3): the
//! server, its session and the endpoint. A question about an endpoint does not
//! depend on them.

mod kept;
mod table;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use portreeve_domain::{MacAddress, Timestamp};
use portreeve_store::{Batch, StoreError};
use prometheus::{IntCounter, IntGauge, Registry};

use crate::Memory;
use kept::Kept;
use table::{Key, Table};

/// How long a reporter waits for the disk. After that the session is in memory,
/// and written when the disk takes it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bounds on what is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Sessions at the same time. A further one takes the place of the one that
    /// was not heard of for the longest time.
    pub max: usize,
    /// How long a session is remembered that nothing is heard of. Many network
    /// access servers report a beginning and an end, and nothing between.
    pub expire_after: Duration,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            max: 100_000,
            expire_after: Duration::from_hours(5 * 24),
        }
    }
}

/// A network access server, as it names itself. At least one name is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nas {
    /// `NAS-IP-Address` or `NAS-IPv6-Address`.
    pub address: Option<IpAddr>,
    /// `NAS-Identifier`.
    pub identifier: Option<Box<str>>,
}

/// One session of an endpoint at a network access server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Where it is.
    pub nas: Nas,
    /// `Acct-Session-Id`: unique at this server (RFC 2866, section 5.5).
    pub id: Box<str>,
    /// Cisco's name for it, `audit-session-id`, which the beginning of a
    /// session has in common with its accounting.
    pub audit_id: Option<Box<str>>,
    /// `Calling-Station-Id` as the server writes it.
    pub calling_station: Option<Box<str>>,
    /// `User-Name`.
    pub user: Option<Box<str>>,
    /// `NAS-Port`.
    pub port: Option<u32>,
    /// `NAS-Port-Id`.
    pub port_id: Option<Box<str>>,
    /// `Framed-IP-Address` or `Framed-IPv6-Address`.
    pub framed_address: Option<IpAddr>,
    /// Which client reported it last: the one through which the server is
    /// reached.
    pub client: Arc<str>,
    /// When it began, as far as it is known.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub seen_at: Timestamp,
}

/// The sessions that are remembered, bounded and in the store if there is one.
#[derive(Debug)]
pub struct Sessions {
    table: Mutex<Table>,
    settings: SessionSettings,
    kept: Option<Kept>,
    live: IntGauge,
    displaced: IntCounter,
}

impl Sessions {
    /// Remembers what the memory's store holds, if it has one.
    ///
    /// Reads a store as a whole: not for a thread that answers questions.
    pub fn new(settings: SessionSettings, memory: &Memory) -> Result<Self, StoreError> {
        Self::at(settings, memory, Timestamp::now())
    }

    fn at(settings: SessionSettings, memory: &Memory, now: Timestamp) -> Result<Self, StoreError> {
        let mut sessions = Self::volatile(settings);
        let Some(kept) = Kept::of(memory) else {
            return Ok(sessions);
        };
        let table = sessions.table.get_mut();
        let damaged = kept.read(|key, session| {
            table.put(key, Arc::new(session));
            table.expire(settings.oldest(now));
            table.shrink(settings.max);
        })?;
        table.forget(damaged);
        sessions.live.set(table.len_as_metric());
        sessions.kept = Some(kept);
        Ok(sessions)
    }

    fn volatile(settings: SessionSettings) -> Self {
        let live = IntGauge::new(
            "portreeve_sessions",
            "Sessions of endpoints that network access servers have reported.",
        );
        let displaced = IntCounter::new(
            "portreeve_sessions_displaced_total",
            "Sessions that were forgotten because there were too many.",
        );
        #[expect(clippy::expect_used, reason = "the names are constants that are valid")]
        Self {
            table: Mutex::default(),
            settings,
            kept: None,
            live: live.expect("a valid name"),
            displaced: displaced.expect("a valid name"),
        }
    }

    /// Takes in a session that begins: what was known under its name is of
    /// another one.
    ///
    /// Waits for the disk, but not for long, and never fails: in memory it is at
    /// once.
    pub async fn start(&self, session: Session) {
        self.note(session, |session, _| session).await;
    }

    /// Takes in that a session goes on: what this report leaves out is as it
    /// was. Otherwise as [`Sessions::start`].
    pub async fn update(&self, session: Session) {
        self.note(session, Session::continuing).await;
    }

    async fn note(&self, session: Session, join: impl FnOnce(Session, &Session) -> Session) {
        let now = session.seen_at;
        let key = Key::of(&session.nas, &session.id);
        let batch = {
            let mut table = self.current(now);
            let session = Arc::new(match table.get(&key) {
                Some(known) => join(session, known),
                None => session,
            });
            table.put(key.clone(), Arc::clone(&session));
            let displaced = table.shrink(self.settings.max);
            self.displaced.inc_by(displaced as u64);
            let end = now.plus(self.settings.expire_after);
            self.changed(&mut table, Some((&key, &session, end)))
        };
        self.keep(batch).await;
    }

    /// Forgets a session that has ended. Whether it was known.
    pub async fn end(&self, nas: &Nas, id: &str) -> bool {
        let (was_known, batch) = {
            let mut table = self.table.lock();
            let was_known = table.remove(&Key::of(nas, id));
            (was_known, self.changed(&mut table, None))
        };
        self.keep(batch).await;
        was_known
    }

    /// Forgets all sessions of a server that has started or is about to end.
    /// How many there were.
    pub async fn end_all(&self, nas: &Nas) -> usize {
        let (ended, batch) = {
            let mut table = self.table.lock();
            let ended = table.remove_of(nas);
            (ended, self.changed(&mut table, None))
        };
        self.keep(batch).await;
        ended
    }

    /// The sessions of an endpoint, the one heard of last first.
    pub fn of(&self, mac: MacAddress, now: Timestamp) -> Vec<Arc<Session>> {
        self.current(now).of(mac)
    }

    /// The sessions that `wanted` picks, the one heard of last first: at most
    /// `limit` of them, and how many there are in all.
    pub fn list(
        &self,
        now: Timestamp,
        limit: usize,
        wanted: impl Fn(&Session) -> bool,
    ) -> (Vec<Arc<Session>>, usize) {
        let table = self.current(now);
        let mut found = Vec::new();
        let mut total = 0;
        for session in table.newest_first().filter(|session| wanted(session)) {
            total += 1;
            if found.len() < limit {
                found.push(Arc::clone(session));
            }
        }
        (found, total)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.live.clone()))?;
        registry.register(Box::new(self.displaced.clone()))
    }

    /// The table without what has expired.
    fn current(&self, now: Timestamp) -> MutexGuard<'_, Table> {
        let mut table = self.table.lock();
        table.expire(self.settings.oldest(now));
        self.live.set(table.len_as_metric());
        table
    }

    /// What has to be written for the changes of the table.
    fn changed(
        &self,
        table: &mut Table,
        written: Option<(&Key, &Session, Timestamp)>,
    ) -> Option<Batch> {
        self.live.set(table.len_as_metric());
        let gone = table.take_gone();
        self.kept.as_ref()?;
        let mut batch = Batch::default();
        for key in gone {
            kept::delete(&mut batch, &key);
        }
        if let Some((key, session, end)) = written {
            kept::put(&mut batch, key, session, end);
        }
        (!batch.is_empty()).then_some(batch)
    }

    async fn keep(&self, batch: Option<Batch>) {
        let (Some(kept), Some(batch)) = (&self.kept, batch) else {
            return;
        };
        match tokio::time::timeout(PATIENCE, kept.write(batch)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a session is not in the store"),
            // It is in the writer's queue, or the queue is full.
            Err(_) => tracing::warn!("the store is slow; a session may be in memory only"),
        }
    }
}

/// In memory only.
impl Default for Sessions {
    fn default() -> Self {
        Self::volatile(SessionSettings::default())
    }
}

impl SessionSettings {
    /// What was not heard of since then is forgotten.
    fn oldest(&self, now: Timestamp) -> Timestamp {
        let span = u64::try_from(self.expire_after.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(now.as_millis().saturating_sub(span))
    }
}

impl Session {
    /// The endpoint's address, if `Calling-Station-Id` is one.
    pub fn mac(&self) -> Option<MacAddress> {
        let text = self.calling_station.as_deref()?;
        text.trim().parse().ok()
    }

    /// This report with what only earlier ones said. Another endpoint under the
    /// same name is another session.
    fn continuing(self, known: &Self) -> Self {
        let is_other = |one: &Option<Box<str>>, other: &Option<Box<str>>| match (one, other) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        };
        if is_other(&self.calling_station, &known.calling_station) {
            return self;
        }
        let known = known.clone();
        Self {
            nas: Nas {
                address: self.nas.address.or(known.nas.address),
                identifier: self.nas.identifier.or(known.nas.identifier),
            },
            audit_id: self.audit_id.or(known.audit_id),
            calling_station: self.calling_station.or(known.calling_station),
            user: self.user.or(known.user),
            port: self.port.or(known.port),
            port_id: self.port_id.or(known.port_id),
            framed_address: self.framed_address.or(known.framed_address),
            started_at: known.started_at.min(self.started_at),
            ..self
        }
    }
}
