//! The decisions that are remembered for one device and one way to ask for it.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portreeve_domain::{Absence, Timestamp};

use super::ChainId;
use super::facts::{Digests, Facts, Group};
use crate::apart;
use crate::ring::Seated;

/// So many decisions are kept for one case, e.g. one for each switch port that
/// a policy told apart. One that needs more gains little from being remembered.
pub(super) const MOST_VARIANTS: usize = 4;

/// Which device was asked for, how, and by which chain it was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CaseKey {
    pub(super) chain: ChainId,
    /// Digest of the identifiers in the request.
    pub(super) requested: u64,
    /// The record's identity, `None` without one.
    pub(super) identity: Option<NonZeroU64>,
    pub(super) absence: Option<Absence>,
}

#[derive(Debug)]
pub(super) struct Case<V> {
    pub(super) key: CaseKey,
    number: usize,
    newest: Variant<V>,
    // A case with one variant needs no further memory.
    others: Box<[Variant<V>]>,
}

/// One decision with what it rests on.
#[derive(Debug)]
pub(super) struct Variant<V> {
    pub(super) facts: Arc<Facts>,
    pub(super) request: u64,
    pub(super) lists: u64,
    pub(super) device: u64,
    /// The lists that `lists` was last compared with, never 0.
    pub(super) lists_epoch: AtomicU64,
    /// The record that `device` was last compared with, 0 for none.
    pub(super) generation: AtomicU64,
    pub(super) decided_at: Timestamp,
    /// In milliseconds.
    pub(super) valid_for: u64,
    pub(super) value: V,
}

/// What a variant is compared with.
#[derive(Debug)]
pub(super) struct Present<'a> {
    pub(super) now: Timestamp,
    pub(super) digests: Digests<'a>,
    /// 0 if there is no record, or none of that number.
    pub(super) generation: u64,
    /// 0 if the lists have no number yet.
    pub(super) lists_epoch: u64,
}

impl<V: Clone> Case<V> {
    pub(super) fn new(
        key: CaseKey,
        number: usize,
        newest: Variant<V>,
        others: Box<[Variant<V>]>,
    ) -> Self {
        Self {
            key,
            number,
            newest,
            others,
        }
    }

    /// The variants that are worth keeping beside a new one, newest first.
    pub(super) fn others_than(&self, new: &Variant<V>) -> impl Iterator<Item = Variant<V>> {
        self.variants()
            .filter(|variant| variant.is_valid(new.decided_at) && !variant.rests_on_the_same(new))
            .map(Variant::copy)
    }

    /// The variants, newest first.
    pub(super) fn variants(&self) -> impl Iterator<Item = &Variant<V>> {
        std::iter::once(&self.newest).chain(&self.others)
    }
}

impl<V: Clone> Variant<V> {
    /// Whether every fact is the same as when the decision was made.
    pub(super) fn holds<'a>(&'a self, present: &mut Present<'a>) -> bool {
        self.is_valid(present.now)
            && present.digests.of(&self.facts, Group::Request) == self.request
            && self.lists_hold(present)
            && self.device_holds(present)
    }

    fn is_valid(&self, now: Timestamp) -> bool {
        apart(now, self.decided_at) < Duration::from_millis(self.valid_for)
    }

    fn lists_hold<'a>(&'a self, present: &mut Present<'a>) -> bool {
        let epoch = present.lists_epoch;
        if self.facts.group(Group::Lists).is_empty()
            || self.lists_epoch.load(Ordering::Relaxed) == epoch
        {
            return true;
        }
        let same = present.digests.of(&self.facts, Group::Lists) == self.lists;
        if same && epoch != 0 {
            self.lists_epoch.store(epoch, Ordering::Relaxed);
        }
        same
    }

    /// A device that changed only in facts nobody read keeps its verdict.
    fn device_holds<'a>(&'a self, present: &mut Present<'a>) -> bool {
        let generation = present.generation;
        if generation != 0 && self.generation.load(Ordering::Relaxed) == generation {
            return true;
        }
        let same = present.digests.of(&self.facts, Group::Device) == self.device;
        if same && generation != 0 {
            self.generation.store(generation, Ordering::Relaxed);
        }
        same
    }

    fn rests_on_the_same(&self, other: &Self) -> bool {
        self.facts == other.facts
            && (self.request, self.lists, self.device) == (other.request, other.lists, other.device)
    }

    fn copy(&self) -> Self {
        Self {
            facts: Arc::clone(&self.facts),
            request: self.request,
            lists: self.lists,
            device: self.device,
            lists_epoch: AtomicU64::new(self.lists_epoch.load(Ordering::Relaxed)),
            generation: AtomicU64::new(self.generation.load(Ordering::Relaxed)),
            decided_at: self.decided_at,
            valid_for: self.valid_for,
            value: self.value.clone(),
        }
    }
}

impl<V> Seated for Arc<Case<V>> {
    fn number(&self) -> usize {
        self.number
    }

    fn weight(&self) -> usize {
        1 + self.others.len()
    }
}
