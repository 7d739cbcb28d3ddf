//! Lists that are read page by page, each kept as it was at its first page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use portreeve_gateway::query::Fact;
use portreeve_gateway::selection::Selection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::parameters::Place;
use crate::clients::Client;
use crate::problem::{Problem, ProblemKind};

/// Lists that are kept at the same time, over all clients.
const MOST: usize = 32;
/// Of one client. Who begins one more gives up the one he left longest.
const MOST_OF_ONE: usize = 4;
/// Records in all lists that are kept, at 8 bytes each and what holds them.
const MOST_RECORDS: usize = 4_000_000;
/// How long a list is kept that nobody asks for.
const LIFETIME: Duration = Duration::from_mins(5);
/// Files that are written at the same time.
const EXPORTS: usize = 4;

/// The lists of all clients.
#[derive(Debug)]
pub(crate) struct Snapshots {
    kept: Mutex<Vec<Kept>>,
    exports: Arc<Semaphore>,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            exports: Arc::new(Semaphore::new(EXPORTS)),
        }
    }
}

/// What is in a list, and in which form.
#[derive(Debug)]
pub(super) struct List {
    pub(super) selection: Arc<Selection>,
    /// The facts of each row; `None` for the whole device.
    pub(super) fields: Option<Vec<Fact>>,
}

impl List {
    /// Whether its rows say what would be answered.
    pub(super) fn wants_outcomes(&self) -> bool {
        self.fields.iter().flatten().any(Fact::is_prospect)
    }
}

#[derive(Debug)]
struct Kept {
    number: String,
    client: Arc<str>,
    list: Arc<List>,
    asked: Instant,
}

impl Snapshots {
    /// A place among those who are sent a file.
    pub(super) fn exporting(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = Arc::clone(&self.exports).try_acquire_owned();
        turn.map_err(|_| {
            let detail = "too many exports are being written already";
            Problem::new(ProblemKind::Busy, detail).retry_after(Duration::from_secs(10))
        })
    }

    /// Keeps a list that has more than one page; what its first page says about
    /// the next.
    pub(super) fn keep(
        &self,
        client: &Client,
        list: &Arc<List>,
        limit: usize,
    ) -> Result<Option<String>, Problem> {
        if list.selection.len() <= limit {
            return Ok(None);
        }
        let now = Instant::now();
        let mut kept = self.kept.lock();
        forget(&mut kept, now);
        let own = || kept.iter().filter(|it| it.client == client.name);
        if own().count() >= MOST_OF_ONE {
            let oldest = own().min_by_key(|it| it.asked).map(|it| it.number.clone());
            kept.retain(|it| Some(&it.number) != oldest.as_ref());
        }
        let records: usize = kept.iter().map(|it| it.list.selection.len()).sum();
        if kept.len() >= MOST || records + list.selection.len() > MOST_RECORDS {
            let detail = "too many lists are being read already";
            return Err(Problem::new(ProblemKind::Busy, detail).retry_after(LIFETIME));
        }
        let mut number = [0; 16];
        getrandom::fill(&mut number).map_err(|_| {
            Problem::new(ProblemKind::Internal, "the system gives no random numbers")
        })?;
        let number = hex::encode(number);
        kept.push(Kept {
            number: number.clone(),
            client: Arc::clone(&client.name),
            list: Arc::clone(list),
            asked: now,
        });
        Ok(Some(format!("{number}-{limit}")))
    }

    /// A list that the client has begun, and what its page says about the next.
    pub(super) fn resume(
        &self,
        client: &Client,
        place: &Place,
    ) -> Result<(Arc<List>, Option<String>), Problem> {
        let now = Instant::now();
        let mut kept = self.kept.lock();
        forget(&mut kept, now);
        let found = kept
            .iter_mut()
            .find(|it| it.number == place.list && it.is_of(client));
        let Some(found) = found else {
            let detail = format!(
                "`cursor`: there is no such list any more; lists are kept for {} s, \
                 {MOST_OF_ONE} for a client, so begin again without `cursor`",
                LIFETIME.as_secs()
            );
            return Err(Problem::new(ProblemKind::Gone, detail));
        };
        found.asked = now;
        let next = place.start.saturating_add(place.limit);
        let is_last = next >= found.list.selection.len();
        let next = (!is_last).then(|| format!("{}-{next}", place.list));
        Ok((Arc::clone(&found.list), next))
    }
}

impl Kept {
    /// Whether the client began it, and may see what it could see then.
    fn is_of(&self, client: &Client) -> bool {
        let view = &client.connection.view;
        self.client == client.name && self.list.selection.is_for(view)
    }
}

fn forget(kept: &mut Vec<Kept>, now: Instant) {
    kept.retain(|it| now.saturating_duration_since(it.asked) < LIFETIME);
}
