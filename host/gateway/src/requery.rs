//! Asking again about endpoints that are connected.
//!
//! A question comes when an endpoint connects. Whether it is still compliant an
//! hour later nobody asks, unless the operator wants it: then the sources are
//! asked about endpoints with a session whose records have grown old, and what is
//! another than before goes into the feed of changes.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use portreeve_cache::Remembered;
use portreeve_domain::{Identifier, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::Gateway;
use crate::fetch::Fetcher;
use crate::recall::Sighting;

/// Calls to one source that are on the way at once for this.
const AT_ONCE: usize = 4;
/// Endpoints that are asked about in one round.
const MOST: usize = 1024;
/// Sessions that are looked at before others get their turn.
const SLICE: usize = 256;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);

/// Until the gateway ends.
pub(crate) async fn run(gateway: Weak<Gateway>, stop: CancellationToken) {
    loop {
        let pause = {
            let Some(gateway) = gateway.upgrade() else {
                return;
            };
            let round = gateway.requery();
            match stop.run_until_cancelled(round).await {
                Some(pause) => pause,
                None => return,
            }
        };
        let paused = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        if paused.is_none() {
            return;
        }
    }
}

impl Gateway {
    /// One round over all sessions; until when the next is worth it.
    pub(crate) async fn requery(&self) -> Duration {
        let sources = Arc::clone(&self.rules.load().sources);
        let asked = sources.asked().iter();
        let wanted: Vec<(&Arc<Fetcher>, Duration)> = asked
            .filter_map(|fetcher| Some((fetcher, fetcher.settings().requery?)))
            .collect();
        let Some(shortest) = wanted.iter().map(|(_, interval)| *interval).min() else {
            return LONGEST;
        };
        let rounds = wanted.iter().map(|(fetcher, interval)| async move {
            let due = self.due(fetcher, *interval).await;
            ask(fetcher, due).await;
        });
        join_all(rounds).await;
        (shortest / 4).clamp(SHORTEST, LONGEST)
    }

    /// Connected endpoints whose records of one source are older than that.
    async fn due(&self, fetcher: &Fetcher, interval: Duration) -> Vec<Identifier> {
        let now = Timestamp::now();
        let (sessions, _) = self
            .sessions()
            .list(now, usize::MAX, |it| it.mac().is_some());
        let mut due = Vec::new();
        for (place, session) in sessions.iter().enumerate() {
            if place % SLICE == SLICE - 1 {
                tokio::task::yield_now().await;
            }
            let Some(name) = session.mac().map(Identifier::Mac) else {
                continue;
            };
            let devices = self.memory().devices();
            let found = devices.peek(fetcher.id(), std::slice::from_ref(&name));
            if let Remembered::Found(record) = found
                && now.since(record.fetched_at()) >= interval
                && !due.iter().any(|(_, known)| *known == name)
            {
                due.push((record.fetched_at(), name));
            }
        }
        // The oldest first; the others have their turn in the next round.
        due.sort_by_key(|(fetched_at, _)| *fetched_at);
        due.truncate(MOST);
        due.into_iter().map(|(_, name)| name).collect()
    }
}

/// Asks until nothing is left, or the source fails: it is not asked in vain for
/// all the others.
async fn ask(fetcher: &Arc<Fetcher>, due: Vec<Identifier>) {
    for names in due.chunks(AT_ONCE) {
        let deadline = Instant::now() + fetcher.settings().timeout;
        let calls = names.iter().map(|name| {
            let identifiers: Arc<[Identifier]> = [name.clone()].into();
            async move { fetcher.ask(&identifiers, deadline).await }
        });
        let told = join_all(calls).await;
        if told.iter().any(|it| matches!(it, Sighting::Failed { .. })) {
            return;
        }
    }
}
