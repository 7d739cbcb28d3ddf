//! Decisions, remembered by the facts that the policies read.

mod case;
mod facts;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use portreeve_domain::{FactsRead, Lists, Subject};

use self::case::{Case, CaseKey, MOST_VARIANTS, Present, Variant};
use self::facts::{Digests, Facts, Group};
use crate::Provenance;
use crate::counter::Counter;
use crate::index::{Address, Index, IndexWriter, Positions};
use crate::ring::{Ring, Seated};
use crate::seats::Seats;

/// A decision that rests on more facts is not worth comparing them.
const MOST_FACTS: usize = 64;
/// Different sets of facts that are shared between decisions.
const MOST_SHARED: usize = 1_024;
/// Seats looked at before other writers get their turn.
const SWEEP: usize = 1_024;

/// A policy chain as it is in force: its policies and their settings. A change
/// of any of them makes another chain; numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(pub u64);

/// Decisions by what they rest on.
///
/// A decision is found again when it was made by the same chain, for the same
/// identifiers and the same device, when every fact that the policies read is
/// the same, and as long as it is valid. `V` is whatever the caller keeps with
/// it; a hit clones it, so it should be one `Arc`.
#[derive(Debug)]
pub struct VerdictCache<V> {
    most: usize,
    ttl: Duration,
    hasher: RandomState,
    index: Index<Arc<Case<V>>>,
    lists: ArcSwap<KnownLists>,
    writer: Mutex<Writer<V>>,
    hits: Counter,
    misses: Counter,
    evictions: AtomicU64,
    verdicts: AtomicUsize,
}

#[derive(Debug)]
struct Writer<V> {
    index: IndexWriter<Arc<Case<V>>>,
    ring: Ring<Arc<Case<V>>>,
    shared: HashSet<Arc<Facts>>,
}

/// The lists that were seen last, with a number. Being kept here they cannot be
/// freed, so no other lists have their address.
#[derive(Debug)]
struct KnownLists {
    lists: Arc<Lists>,
    epoch: u64,
}

/// Figures for metrics; they may lag behind each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerdictStatistics {
    /// Decisions kept.
    pub verdicts: usize,
    /// Questions answered by one of them.
    pub hits: u64,
    /// Questions not answered.
    pub misses: u64,
    /// Cases that had to leave because of the bound.
    pub evictions: u64,
}

impl<V: Clone> VerdictCache<V> {
    /// At most `most` decisions; `ttl` is how long one is valid whose policy
    /// does not say.
    pub fn new(most: usize, ttl: Duration) -> Self {
        let (index, writer) = Index::new(Positions::Tag);
        let seats = Arc::new(Seats::new(most));
        Self {
            most,
            ttl,
            hasher: RandomState::new(),
            index,
            lists: ArcSwap::from_pointee(KnownLists {
                lists: Arc::default(),
                epoch: 1,
            }),
            writer: Mutex::new(Writer {
                index: writer,
                ring: Ring::new(Arc::clone(&seats)),
                shared: HashSet::new(),
            }),
            hits: Counter::default(),
            misses: Counter::default(),
            evictions: AtomicU64::new(0),
            verdicts: AtomicUsize::new(0),
        }
    }

    /// The decision that `chain` made on the same facts as `subject` has.
    ///
    /// `provenance` says which record the subject's device comes from, which the
    /// caller promises: while that content is the same, the device's facts are
    /// not compared.
    pub fn get(
        &self,
        chain: ChainId,
        subject: &Subject,
        provenance: Option<Provenance>,
    ) -> Option<V> {
        let found = self.find(chain, subject, provenance);
        if found.is_some() {
            self.hits.increment();
        } else {
            self.misses.increment();
        }
        found
    }

    fn find(&self, chain: ChainId, subject: &Subject, provenance: Option<Provenance>) -> Option<V> {
        let provenance = provenance_of(subject, provenance);
        let key = self.key(chain, subject, provenance);
        let case = self.index.get(self.address(&key));
        let case = case.as_ref().filter(|case| case.key == key)?;
        let known = self.lists.load();
        let lists_are_known = Arc::ptr_eq(&known.lists, &subject.lists);
        let mut present = Present {
            now: subject.now,
            digests: Digests::new(subject, &self.hasher),
            generation: provenance.map_or(0, |it| it.generation),
            lists_epoch: if lists_are_known { known.epoch } else { 0 },
        };
        let variant = case
            .variants()
            .find(|variant| variant.holds(&mut present))?;
        if !lists_are_known && !variant.facts.group(Group::Lists).is_empty() {
            // Comparing members of lists is slow: once for new lists, not
            // for each question.
            if let Some(_turn) = self.writer.try_lock() {
                self.number_lists(&subject.lists);
            }
        }
        Some(variant.value.clone())
    }

    /// Remembers what `chain` decided on `subject`, reading `facts` of it.
    ///
    /// `valid_for` is what the decision says; zero forbids to remember it.
    pub fn insert(
        &self,
        chain: ChainId,
        subject: &Subject,
        provenance: Option<Provenance>,
        facts: &FactsRead,
        valid_for: Option<Duration>,
        value: V,
    ) {
        let valid_for = valid_for.unwrap_or(self.ttl);
        let facts = Arc::new(Facts::new(facts));
        if valid_for.is_zero() || facts.len() > MOST_FACTS || self.most == 0 {
            return;
        }
        let provenance = provenance_of(subject, provenance);
        let key = self.key(chain, subject, provenance);
        let address = self.address(&key);
        let mut digests = Digests::new(subject, &self.hasher);
        let (request, lists, device) = (
            digests.of(&facts, Group::Request),
            digests.of(&facts, Group::Lists),
            digests.of(&facts, Group::Device),
        );
        let mut writer = self.writer.lock();
        let variant = Variant {
            request,
            lists,
            device,
            lists_epoch: AtomicU64::new(self.number_lists(&subject.lists)),
            generation: AtomicU64::new(provenance.map_or(0, |it| it.generation)),
            decided_at: subject.now,
            valid_for: u64::try_from(valid_for.as_millis()).unwrap_or(u64::MAX),
            value,
            facts: writer.share(facts),
        };
        let old = Guard::into_inner(writer.index.peek(address));
        let number = match &old {
            Some(old) => old.number(),
            None => match writer.ring.reserve() {
                Some(number) => number,
                None => return,
            },
        };
        let same = old.as_deref().filter(|old| old.key == key);
        let others: Vec<_> = same
            .into_iter()
            .flat_map(|same| same.others_than(&variant))
            .take(MOST_VARIANTS.min(self.most) - 1)
            .collect();
        let case = Arc::new(Case::new(key, number, variant, others.into()));
        self.index
            .put(&mut writer.index, address, Arc::clone(&case));
        writer.ring.seat(case);
        let take_use = |case: &Arc<Case<V>>| self.index.take_use(self.address(&case.key));
        while writer.ring.weight() > self.most {
            let Some(victim) = writer.ring.victim(number, take_use) else {
                break;
            };
            self.take_out(&mut writer, &victim);
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
        self.publish_size(&writer);
    }

    /// Forgets everything that `chain` decided. What it is deciding right now
    /// may still be remembered, but nobody asks for a chain that is no more.
    pub fn invalidate_chain(&self, chain: ChainId) {
        for first in (0..).step_by(SWEEP) {
            let mut writer = self.writer.lock();
            let taken = writer.ring.taken();
            if first >= taken {
                return;
            }
            let gone: Vec<_> = (first..taken.min(first + SWEEP))
                .filter_map(|number| Guard::into_inner(writer.ring.at(number)))
                .filter(|case| case.key.chain == chain)
                .collect();
            for case in gone {
                self.take_out(&mut writer, &case);
            }
            self.publish_size(&writer);
        }
    }

    /// Decisions kept.
    pub fn len(&self) -> usize {
        self.verdicts.load(Ordering::Relaxed)
    }

    /// Whether no decision is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Figures for metrics.
    pub fn statistics(&self) -> VerdictStatistics {
        VerdictStatistics {
            verdicts: self.len(),
            hits: self.hits.sum(),
            misses: self.misses.sum(),
            evictions: self.evictions.load(Ordering::Relaxed),
        }
    }

    fn key(&self, chain: ChainId, subject: &Subject, provenance: Option<Provenance>) -> CaseKey {
        CaseKey {
            chain,
            requested: self.hasher.hash_one(&*subject.requested),
            identity: provenance.map(|it| NonZeroU64::new(it.identity).unwrap_or(NonZeroU64::MIN)),
            absence: subject.absence(),
        }
    }

    fn address(&self, key: &CaseKey) -> Address {
        self.index.address_of_digest(self.hasher.hash_one(key))
    }

    /// The number of these lists. Only one caller at a time: all hold the
    /// writer's lock.
    fn number_lists(&self, lists: &Arc<Lists>) -> u64 {
        let known = self.lists.load();
        if Arc::ptr_eq(&known.lists, lists) {
            return known.epoch;
        }
        let epoch = known.epoch + 1;
        let lists = Arc::clone(lists);
        self.lists.store(Arc::new(KnownLists { lists, epoch }));
        epoch
    }

    fn take_out(&self, writer: &mut Writer<V>, case: &Arc<Case<V>>) {
        writer.index.remove(self.address(&case.key), case);
        writer.ring.unseat(case);
    }

    fn publish_size(&self, writer: &Writer<V>) {
        self.verdicts.store(writer.ring.weight(), Ordering::Relaxed);
    }
}

impl<V> Writer<V> {
    fn share(&mut self, facts: Arc<Facts>) -> Arc<Facts> {
        if let Some(shared) = self.shared.get(&facts) {
            return Arc::clone(shared);
        }
        if self.shared.len() >= MOST_SHARED {
            self.shared.clear();
        }
        self.shared.insert(Arc::clone(&facts));
        facts
    }
}

/// Without a device there is no content that could be the same.
fn provenance_of(subject: &Subject, provenance: Option<Provenance>) -> Option<Provenance> {
    provenance.filter(|_| subject.device().is_some())
}
