//! One device record as the cache keeps it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use arc_swap::{ArcSwapOption, Guard};
use portreeve_domain::{ComplianceState, Identifier, Timestamp};
use triomphe::ThinArc;

use crate::index::{BYTES_OF_ENTRY, BYTES_OF_NUMBER};
use crate::packed::{EncodedId, Names, PackedId};
use crate::ring::Seated;

/// A connector instance, by its place in the operator's order. Interface
/// addresses lead nowhere beyond the 32,767th.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u16);

/// What one source said about one device.
///
/// A handle: clones are the same record. One that a look-up gave does not touch
/// the record's reference count, which is what makes hits cheap; a thread has a
/// few of these to lend, so [`Record::detach`] what is kept for longer than a
/// question.
pub struct Record<P>(Guard<Option<Stored<P>>>);

/// What is kept beside a record, if anything is. Like a [`Record`] it does not
/// touch a reference count and is not for keeping.
pub type Attached<P> = Guard<Option<Arc<P>>>;

/// Where content comes from, without the content: what a decision on it can be
/// remembered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Provenance {
    /// [`Record::identity`].
    pub identity: u64,
    /// [`Record::generation`].
    pub generation: u64,
}

/// A record in one allocation, its packed device behind the header.
pub(super) type Stored<P> = ThinArc<Header<P>, u8>;

/// What is asked for most stands first: a look-up reads one cache line.
#[repr(C)]
pub(super) struct Header<P> {
    fetched_at: AtomicU64,
    pub(super) number: u32,
    pub(super) source: SourceId,
    state: ComplianceState,
    flags: AtomicU8,
    attached: ArcSwapOption<P>,
    generation: u64,
}

/// The record was found, other than by an interface address: the index notes
/// that.
const USED: u8 = 1;
/// What is attached to it was.
const ATTACHED_USED: u8 = 2;

impl<P> Record<P> {
    pub(super) fn new(
        source: SourceId,
        state: ComplianceState,
        number: u32,
        fetched_at: Timestamp,
        packed: &[u8],
    ) -> Self {
        static LAST_GENERATION: AtomicU64 = AtomicU64::new(0);
        let header = Header {
            fetched_at: AtomicU64::new(fetched_at.as_millis()),
            number,
            source,
            state,
            flags: AtomicU8::new(0),
            attached: ArcSwapOption::const_empty(),
            generation: LAST_GENERATION.fetch_add(1, Ordering::Relaxed) + 1,
        };
        Self::owned(ThinArc::from_header_and_slice(header, packed))
    }

    pub(super) fn owned(stored: Stored<P>) -> Self {
        Self(Guard::from_inner(Some(stored)))
    }

    /// The record that an index or a ring has, if it has one.
    pub(super) fn found(guard: Guard<Option<Stored<P>>>) -> Option<Self> {
        guard.is_some().then_some(Self(guard))
    }

    /// The same record with a count of its own, which may be kept for long.
    #[must_use]
    pub fn detach(self) -> Self {
        Self(Guard::from_inner(Guard::into_inner(self.0)))
    }

    /// Who said it.
    pub fn source(&self) -> SourceId {
        self.header().source
    }

    /// When the source last said so. It moves on while the content stays.
    pub fn fetched_at(&self) -> Timestamp {
        Timestamp::from_millis(self.header().fetched_at.load(Ordering::Relaxed))
    }

    /// A number that no other content of any record has in this process.
    /// Never zero.
    pub fn generation(&self) -> u64 {
        self.header().generation
    }

    /// A number for the device itself, the same as long as its source and key
    /// are. A keyed digest: it means nothing outside this process.
    pub fn identity(&self) -> u64 {
        identity(self.source(), self.names().key())
    }

    /// Both numbers.
    pub fn provenance(&self) -> Provenance {
        Provenance {
            identity: self.identity(),
            generation: self.generation(),
        }
    }

    /// The management system's verdict.
    pub fn compliance_state(&self) -> ComplianceState {
        self.header().state
    }

    /// Whether the device has this identifier.
    pub fn carries(&self, asked: &Identifier) -> bool {
        let asked = EncodedId::new(asked);
        self.has_name(self.source(), asked.as_packed())
    }

    /// Whether the record is about another device than `asked` names: it has
    /// an identifier of the kind, of which a device has only one (GUID, UDID or
    /// serial number), but not this.
    pub fn contradicts(&self, asked: &Identifier) -> bool {
        let asked = EncodedId::new(asked);
        self.names().contradicts(asked.as_packed())
    }

    /// The device's identifiers, decoded one by one.
    pub fn identifiers(&self) -> impl Iterator<Item = Identifier> {
        self.ids().filter_map(|id| id.decode().ok())
    }

    /// The source's own key.
    pub fn key(&self) -> String {
        self.names().key_text()
    }

    /// The device as the store keeps it; [`unpack`](crate::packed::unpack) reads it.
    pub fn packed(&self) -> &[u8] {
        &self.stored().slice
    }

    /// What the caller keeps beside the record. Taking it notes its use.
    pub fn attached(&self) -> Attached<P> {
        let attached = self.header().attached.load();
        if attached.is_some() {
            self.header().note(ATTACHED_USED);
        }
        attached
    }

    /// The same, which is no use of it.
    pub(super) fn attached_unused(&self) -> Attached<P> {
        self.header().attached.load()
    }

    /// Whether both are the same content of the same record.
    pub fn is(&self, other: &Self) -> bool {
        self.is_stored(other.stored())
    }

    pub(super) fn is_stored(&self, other: &Stored<P>) -> bool {
        self.stored().as_ptr() == other.as_ptr()
    }

    pub(super) fn stored(&self) -> &Stored<P> {
        match &*self.0 {
            Some(stored) => stored,
            None => unreachable!("no record is made of none"),
        }
    }

    /// A clone for an index or a ring.
    pub(super) fn share(&self) -> Stored<P> {
        self.stored().clone()
    }

    pub(super) fn names(&self) -> Names<'_> {
        Names::of(self.packed())
    }

    /// The identifiers as they are packed.
    pub(super) fn ids(&self) -> impl Iterator<Item = PackedId<'_>> {
        self.names().ids()
    }

    pub(super) fn has_name(&self, source: SourceId, name: PackedId<'_>) -> bool {
        self.source() == source && self.names().carries(name)
    }

    pub(super) fn has_key(&self, source: SourceId, key: &[u8]) -> bool {
        self.source() == source && self.names().key() == key
    }

    /// Whether both are about the same device of the same source.
    pub(super) fn is_same_device(&self, other: &Self) -> bool {
        self.is(other) || other.has_key(self.source(), self.names().key())
    }

    pub(super) fn refresh(&self, fetched_at: Timestamp) {
        let millis = fetched_at.as_millis();
        self.header().fetched_at.store(millis, Ordering::Relaxed);
    }

    pub(super) fn note_use(&self) {
        self.header().note(USED);
    }

    pub(super) fn header(&self) -> &Header<P> {
        &self.stored().header.header
    }
}

impl<P> Clone for Record<P> {
    fn clone(&self) -> Self {
        Self::owned(self.share())
    }
}

impl<P> fmt::Debug for Record<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Record")
            .field("source", &self.source())
            .field("key", &self.key())
            .field("generation", &self.generation())
            .field("fetched_at", &self.fetched_at())
            .finish_non_exhaustive()
    }
}

impl<P> Seated for Stored<P> {
    fn number(&self) -> usize {
        self.header.header.number()
    }

    fn weight(&self) -> usize {
        weight(self.slice.len(), Names::of(&self.slice))
    }
}

impl<P> Header<P> {
    pub(super) fn number(&self) -> usize {
        usize::try_from(self.number).unwrap_or(usize::MAX)
    }

    pub(super) fn swap_attached(&self, new: Option<Arc<P>>) -> Option<Arc<P>> {
        self.attached.swap(new)
    }

    /// Whether something is attached that was not used since this was asked
    /// last.
    pub(super) fn has_idle_attached(&self) -> bool {
        self.attached.load().is_some() && !self.take(ATTACHED_USED)
    }

    /// Whether the record was found by a name since this was asked last.
    pub(super) fn take_use(&self) -> bool {
        self.take(USED)
    }

    /// Writes only the first time, so that readers of one record do not take
    /// its cache line from each other.
    fn note(&self, flag: u8) {
        if self.flags.load(Ordering::Relaxed) & flag == 0 {
            self.flags.fetch_or(flag, Ordering::Relaxed);
        }
    }

    fn take(&self, flag: u8) -> bool {
        self.flags.fetch_and(!flag, Ordering::Relaxed) & flag != 0
    }
}

impl<P> fmt::Debug for Header<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Header")
            .field("number", &self.number)
            .field("source", &self.source)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// A keyed digest of a key within one source.
pub(super) fn identity(source: SourceId, key: &[u8]) -> u64 {
    /// Records know no cache, so all share this.
    static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    HASHER.hash_one((source, key))
}

/// Bytes of a record with its index entries, for a packed device of `packed`
/// bytes with these names.
pub(super) fn weight(packed: usize, names: Names<'_>) -> usize {
    /// The count of references and the length.
    const COUNTERS: usize = 16;
    /// What an allocator adds, and rounds up to.
    const OVERHEAD: usize = 8;
    const GRAIN: usize = 16;
    let allocation = COUNTERS + size_of::<Header<()>>() + packed + OVERHEAD;
    let index: usize = names
        .ids()
        .map(|id| match id.mac() {
            Some(_) => BYTES_OF_ENTRY,
            None => BYTES_OF_NUMBER,
        })
        .sum();
    // And one for the key.
    allocation.next_multiple_of(GRAIN) + size_of::<Option<Stored<()>>>() + index + BYTES_OF_NUMBER
}
