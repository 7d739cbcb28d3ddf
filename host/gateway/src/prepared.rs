//! What is kept beside a device record: the decision in force, and its answers
//! as faces rendered them.
//!
//! A hit compares a few numbers and copies a text. It looks at no fact of the
//! device: the numbers say that none of those the decision rests on has changed.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use portreeve_cache::{Attached, ChainId, Weighed};
use portreeve_domain::{Answer, Asked, Fact, FactsRead, Timestamp, Verdict};
use portreeve_store::decisions::Judged;

use crate::journal::Logged;
use crate::rules::Rules;

/// Sources whose sightings a prepared answer can rest on. With more of them
/// every question goes the longer way.
pub(crate) const MOST_SOURCES: usize = 4;

/// How many renderings one decision can have, one for each [`Form`].
const FORMS: usize = 4;

/// One way to render an answer. Each face has its own; the gateway knows none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form(usize);

impl Form {
    /// A form by its number, 0 to 3.
    ///
    /// # Panics
    ///
    /// With any other number, when it is compiled.
    pub const fn new(number: usize) -> Self {
        assert!(number < FORMS, "there are four forms");
        Self(number)
    }
}

/// A rendered answer with holes for what is different each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The protocol's status, e.g. of HTTP.
    pub status: u16,
    /// Everything that stays the same.
    pub bytes: Box<[u8]>,
    /// In the order of their places.
    pub holes: Box<[Hole]>,
}

/// A place where something has to be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Before which of the bytes.
    pub place: u32,
    /// What belongs there.
    pub content: Moving,
}

/// What changes although the decision and the facts stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moving {
    /// When the question was asked.
    Time,
    /// When a source, by its place in the operator's order, said what is used.
    FetchedAt(u8),
    /// How long ago that was.
    Age(u8),
}

/// What memory says of an endpoint, source by source, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sighted([u64; MOST_SOURCES]);

impl Sighted {
    pub(crate) const UNKNOWN: u64 = 1;
    pub(crate) const ABSENT: u64 = 2;
    /// The client must not see the source.
    pub(crate) const HIDDEN: u64 = 3;

    /// The number for a record: another content has another one.
    pub(crate) const fn record(generation: u64, stale: bool) -> u64 {
        // A generation is never zero, so these are 4 and more.
        generation << 2 | stale as u64
    }

    pub(crate) fn note(&mut self, source: usize, number: u64) {
        if let Some(place) = self.0.get_mut(source) {
            *place = number;
        }
    }
}

/// Which facts beside the device's own a decision rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a set of facts, each read or not"
)]
pub(crate) struct Basis {
    connection: bool,
    identifiers: bool,
    sources: bool,
    lists: bool,
}

impl Basis {
    pub(crate) fn of(facts: &FactsRead) -> Self {
        let mut basis = Self::default();
        for fact in facts.iter() {
            match fact {
                Fact::Connection => basis.connection = true,
                Fact::RequestedIdentifiers => basis.identifiers = true,
                Fact::Sources => basis.sources = true,
                Fact::ListMembership { .. } => basis.lists = true,
                _ => {}
            }
        }
        basis
    }

    /// Whether another connection may be decided about differently.
    pub(crate) const fn rests_on_connection(self) -> bool {
        self.connection
    }

    /// Whether the facts are compared as numbers at all: the sources' reports
    /// have times in them, which change with every refresh.
    pub(crate) const fn can_be_prepared(self) -> bool {
        !self.sources
    }
}

/// A decision that holds for as long as its numbers do.
///
/// A hit at a million devices waits for memory and for little else, so what it
/// compares stands together, and it follows no pointer but that of its text.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Prepared {
    sighted: Sighted,
    /// The sources whose sightings these are.
    sources: u64,
    chain: ChainId,
    pub(crate) decided_at: Timestamp,
    /// Milliseconds.
    valid_for: u64,
    /// The lists it rests on, if it does.
    lists: Option<u64>,
    /// The quarantine that does not name the endpoint.
    confined: u64,
    /// Digest of the connection and of the identifiers, if it rests on them.
    asked: Option<u64>,
    basis: Basis,
    pub(crate) verdict: Verdict,
    /// What the log wants to know of each hit, if it does.
    judged: Option<Arc<Judged>>,
    texts: [Option<Text>; FORMS],
}

impl Prepared {
    pub(crate) fn new(
        sighted: Sighted,
        (rules, chain): (&Rules, ChainId),
        basis: Basis,
        asked: Option<u64>,
        decided: (Timestamp, Duration),
        verdict: Verdict,
        judged: Option<Arc<Judged>>,
    ) -> Self {
        Self {
            sighted,
            sources: rules.sources.number(),
            chain,
            decided_at: decided.0,
            valid_for: u64::try_from(decided.1.as_millis()).unwrap_or(u64::MAX),
            lists: basis.lists.then_some(rules.lists_number),
            confined: rules.confined.number(),
            asked,
            basis,
            verdict,
            judged,
            texts: [const { None }; FORMS],
        }
    }

    /// Whether it answers a question of now.
    pub(crate) fn holds(
        &self,
        sighted: &Sighted,
        rules: &Rules,
        asked: Asked<'_>,
        now: Timestamp,
        hasher: &RandomState,
    ) -> bool {
        self.sighted == *sighted
            && self.sources == rules.sources.number()
            && self.chain == rules.chain(asked.connection).id()
            && self.confined == rules.confined.number()
            && self.lists.is_none_or(|lists| lists == rules.lists_number)
            && now.as_millis().abs_diff(self.decided_at.as_millis()) < self.valid_for
            && self.asked == digest(self.basis, asked, hasher)
    }

    /// The answer in one form, if a face left it here.
    pub(crate) fn text(&self, form: Form) -> Option<&Text> {
        self.texts.get(form.0)?.as_ref()
    }

    pub(crate) fn with_text(&self, form: Form, text: Text) -> Self {
        let mut prepared = self.clone();
        if let Some(place) = prepared.texts.get_mut(form.0) {
            *place = Some(text);
        }
        prepared
    }
}

/// One number for what a decision rests on in the question itself.
pub(crate) fn digest(basis: Basis, asked: Asked<'_>, hasher: &RandomState) -> Option<u64> {
    let connection = basis.connection.then_some(asked.connection);
    let identifiers = basis.identifiers.then_some(asked.identifiers);
    (connection.is_some() || identifiers.is_some())
        .then(|| hasher.hash_one((connection, identifiers)))
}

impl Weighed for Prepared {
    fn bytes(&self) -> usize {
        /// What an allocator adds to each, more or less.
        const EACH: usize = 16;
        let texts = self.texts.iter().flatten();
        let texts = texts.map(|text| text.bytes.len() + size_of_val(&*text.holes) + 2 * EACH);
        let judged = self.judged.as_ref().map_or(0, |judged| judged.heap_bytes());
        2 * EACH + size_of::<Self>() + texts.sum::<usize>() + judged
    }
}

/// An answer out of memory that was prepared before.
///
/// It is for one response and not for keeping: a thread has a few of these to
/// lend without touching a count that all threads share.
pub struct Hit {
    pub(crate) prepared: Attached<Prepared>,
    pub(crate) form: Form,
    pub(crate) at: Timestamp,
    pub(crate) is_stale: bool,
    pub(crate) verdict: Verdict,
    pub(crate) fetched_at: [Timestamp; MOST_SOURCES],
}

impl fmt::Debug for Hit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Hit")
            .field("form", &self.form)
            .field("at", &self.at)
            .field("is_stale", &self.is_stale)
            .field("verdict", &self.verdict)
            .finish_non_exhaustive()
    }
}

impl Hit {
    /// The protocol's status, as the face left it.
    pub fn status(&self) -> u16 {
        self.text().map_or(500, |text| text.status)
    }

    /// Everything of the answer that stays the same.
    pub fn bytes(&self) -> &[u8] {
        self.text().map_or(&[], |text| &text.bytes)
    }

    /// The places in it where something has to be filled in.
    pub fn holes(&self) -> &[Hole] {
        self.text().map_or(&[], |text| &text.holes)
    }

    /// There is one, or it would be no hit.
    fn text(&self) -> Option<&Text> {
        self.prepared.as_ref()?.text(self.form)
    }

    /// What was decided.
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What the decision log wants to know about it, if it does. Nothing has
    /// changed.
    pub fn judged(&self) -> Option<&Arc<Judged>> {
        self.prepared.as_ref()?.judged.as_ref()
    }

    /// When the question was asked.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether some of the facts are older than the operator likes.
    pub const fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// When this source said what is used here.
    pub fn fetched_at(&self, source: u8) -> Timestamp {
        let source = self.fetched_at.get(usize::from(source));
        source.copied().unwrap_or_default()
    }
}

/// An answer, and the place where its rendering can be left for the next one.
#[derive(Debug)]
pub struct Answered {
    /// The answer.
    pub answer: Answer,
    /// What the decision log wants to know about it, if it does.
    pub logged: Option<Logged>,
    pub(crate) place: Option<Place>,
}

/// A record and what is prepared beside it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) record: crate::Record,
    pub(crate) prepared: Arc<Prepared>,
}

impl std::ops::Deref for Answered {
    type Target = Answer;

    fn deref(&self) -> &Answer {
        &self.answer
    }
}

impl Answered {
    /// Whether the next such question would be answered by a rendering of this
    /// one: [`Gateway::keep`](crate::Gateway::keep) takes it.
    pub const fn can_be_kept(&self) -> bool {
        self.place.is_some()
    }
}
