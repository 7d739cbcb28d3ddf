//! What other policies would answer about all known endpoints.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portreeve_domain::{Connection, Identifier, Lists, SourceSet};
use tokio::runtime::Handle;

use super::Tally;
use crate::rules::Rules;
use crate::select::Chains;
use crate::{ChainsSettings, Gateway, Record};

/// Endpoints that a thread takes at once.
const SLICE: usize = 64;

/// Threads at most. Each gives way to those who answer questions.
const MOST_THREADS: usize = 8;

/// Policies that are not in force.
#[derive(Debug)]
pub struct Candidate {
    /// The chains.
    pub chains: ChainsSettings,
    /// The configured lists, `None` for those in force. What was changed about
    /// lists at run time counts either way.
    pub lists: Option<Lists>,
}

/// How far a trial is.
#[derive(Debug, Default)]
pub struct Headway {
    total: AtomicU64,
    done: AtomicU64,
    is_stopped: AtomicBool,
}

impl Headway {
    /// How much is done, and how much there is; 0 while that is not known.
    pub fn get(&self) -> (u64, u64) {
        let done = self.done.load(Ordering::Relaxed);
        (done, self.total.load(Ordering::Relaxed))
    }

    /// Has it end before everything is done.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self, total: usize) {
        self.total.store(total as u64, Ordering::Relaxed);
    }

    pub(super) fn go_on(&self, done: usize) {
        self.done.fetch_add(done as u64, Ordering::Relaxed);
    }
}

/// Names of two chains: the one in force, and the other.
pub type ChainPair = (Arc<str>, Arc<str>);

/// What other policies would change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// Endpoints that were looked at.
    pub endpoints: u64,
    /// Those of them that would get another verdict from any of the chains.
    pub changed: u64,
    /// For each pair of chains that decide about the same questions, by the
    /// names of the one in force and of the other.
    pub chains: Vec<(ChainPair, Tally)>,
    /// How long it took.
    pub took: Duration,
}

impl Gateway {
    /// Decides about every known endpoint under the policies in force and under
    /// others, as if it were asked for by its best identifier. With several
    /// chains, once for each pair of them that can meet a question.
    ///
    /// Keeps the calling thread and some more of its own busy, which give way to
    /// those who answer questions. It needs a thread outside of any runtime.
    /// `None` when it was stopped.
    pub fn impact(
        &self,
        candidate: Candidate,
        headway: &Headway,
        runtime: &Handle,
    ) -> Option<Impact> {
        let begun = Instant::now();
        let now = self.rules.load_full();
        let then = self.rules_with(&now, candidate);
        let askers = askers(&now.chains, &then.chains);
        let records = self.speakers();
        headway.begin(records.len());
        let trial = Trial {
            gateway: self,
            rules: (&now, &then),
            askers: &askers,
            records: &records,
            next: AtomicUsize::new(0),
            headway,
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let results: Vec<Found> = std::thread::scope(|scope| {
            let threads =
                (0..threads.min(MOST_THREADS)).map(|_| scope.spawn(|| trial.work(runtime)));
            let threads: Vec<_> = threads.collect();
            let results = threads.into_iter().filter_map(|thread| thread.join().ok());
            results.collect()
        });
        let mut impact = Impact::default();
        let mut tallies = vec![Tally::default(); askers.len()];
        for found in results {
            impact.endpoints += found.endpoints;
            impact.changed += found.changed;
            for (tally, found) in tallies.iter_mut().zip(found.tallies) {
                tally.add(found);
            }
        }
        let names = askers.iter().map(|asker| {
            let name = |rules: &Rules| Arc::clone(rules.chain(asker).name());
            (name(&now), name(&then))
        });
        impact.chains = names.zip(tallies).collect();
        impact.took = begun.elapsed();
        (!headway.is_stopped()).then_some(impact)
    }

    /// The rules as they would be.
    fn rules_with(&self, now: &Rules, candidate: Candidate) -> Rules {
        let chains = Chains::new(candidate.chains, &self.next_chain, &self.chain_parts);
        let lists = candidate
            .lists
            .map(|lists| Arc::new(self.lists().with_edits(lists)));
        Rules {
            chains: Arc::new(chains),
            lists: lists.unwrap_or_else(|| Arc::clone(&now.lists)),
            ..now.clone()
        }
    }

    /// One record for each endpoint.
    fn speakers(&self) -> Vec<Record> {
        let records = self.memory.devices().records();
        let asked = Arc::clone(&self.rules.load().sources);
        let speaks = |record: &Record| {
            asked.asks(record.source()) && self.speaker(record, SourceSet::ALL).is(record)
        };
        records
            .map(portreeve_cache::Record::detach)
            .filter(speaks)
            .collect()
    }
}

/// Connections that lead to each pair of chains.
fn askers(now: &Chains, then: &Chains) -> Vec<Arc<Connection>> {
    let selectors = now.selectors().chain(then.selectors());
    let examples = selectors.map(|(selector, _)| match selector {
        Some(selector) => Arc::new(selector.example()),
        None => Arc::default(),
    });
    let mut found: Vec<(Arc<Connection>, _)> = Vec::new();
    for example in examples {
        let pair = (now.of(&example).id(), then.of(&example).id());
        if !found.iter().any(|(_, known)| *known == pair) {
            found.push((example, pair));
        }
    }
    found.into_iter().map(|(example, _)| example).collect()
}

/// What threads work on together.
struct Trial<'a> {
    gateway: &'a Gateway,
    rules: (&'a Rules, &'a Rules),
    askers: &'a [Arc<Connection>],
    records: &'a [Record],
    next: AtomicUsize,
    headway: &'a Headway,
}

/// What one thread found.
#[derive(Default)]
struct Found {
    endpoints: u64,
    changed: u64,
    tallies: Vec<Tally>,
}

impl Trial<'_> {
    fn work(&self, runtime: &Handle) -> Found {
        portreeve_store::give_way();
        let mut found = Found {
            tallies: vec![Tally::default(); self.askers.len()],
            ..Found::default()
        };
        while !self.headway.is_stopped() {
            let first = self.next.fetch_add(SLICE, Ordering::Relaxed);
            let Some(rest) = self.records.get(first..).filter(|rest| !rest.is_empty()) else {
                break;
            };
            let slice = rest.get(..SLICE).unwrap_or(rest);
            runtime.block_on(async {
                for record in slice {
                    self.look(record, &mut found).await;
                }
            });
            self.headway.go_on(slice.len());
        }
        found
    }

    async fn look(&self, record: &Record, found: &mut Found) {
        let mut is_seen = false;
        let mut is_changed = false;
        for (asker, tally) in self.askers.iter().zip(&mut found.tallies) {
            let (now, then) = self.rules;
            let before = self.gateway.judge_under(record, asker, now).await;
            let after = self.gateway.judge_under(record, asker, then).await;
            // It has just gone, or no question leads to it.
            let Some((before, after)) = before.zip(after) else {
                continue;
            };
            is_seen = true;
            let outcomes = (&before.standing.outcome, &after.standing.outcome);
            is_changed |= tally.compare(outcomes.0, outcomes.1, || named(record));
        }
        found.endpoints += u64::from(is_seen);
        found.changed += u64::from(is_changed);
    }
}

/// The best name of an endpoint.
fn named(record: &Record) -> String {
    let best = record
        .identifiers()
        .min_by(|one, other| (one.rank(), one).cmp(&(other.rank(), other)));
    best.as_ref().map(Identifier::to_string).unwrap_or_default()
}
