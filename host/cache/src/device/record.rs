//! One device record as the cache keeps it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portreeve_domain::{Attribute, Device, Identifier, Timestamp, Value};

use crate::ring::{Place, Seated};

/// A connector instance, by its place in the operator's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u16);

/// What one source said about one device.
#[derive(Debug)]
pub struct Record {
    source: SourceId,
    identity: u64,
    generation: u64,
    device: Arc<Device>,
    fetched_at: AtomicU64,
    place: Place,
}

impl Record {
    pub(super) fn new(
        source: SourceId,
        identity: u64,
        device: Device,
        fetched_at: Timestamp,
        place: Place,
    ) -> Self {
        static LAST_GENERATION: AtomicU64 = AtomicU64::new(0);
        Self {
            source,
            identity,
            generation: LAST_GENERATION.fetch_add(1, Ordering::Relaxed) + 1,
            device: Arc::new(device),
            fetched_at: AtomicU64::new(fetched_at.as_millis()),
            place,
        }
    }

    /// Who said it.
    pub const fn source(&self) -> SourceId {
        self.source
    }

    /// What was said.
    pub const fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// When the source last said so. It moves on while the content stays.
    pub fn fetched_at(&self) -> Timestamp {
        Timestamp::from_millis(self.fetched_at.load(Ordering::Relaxed))
    }

    /// A number that no other content of any record has in this process.
    /// Never zero.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// A number for the device itself, the same as long as its source and key
    /// are. A keyed digest: it means nothing outside this process.
    pub const fn identity(&self) -> u64 {
        self.identity
    }

    pub(super) fn refresh(&self, fetched_at: Timestamp) {
        self.fetched_at
            .store(fetched_at.as_millis(), Ordering::Relaxed);
    }

    /// Whether the record is about another device than `asked` names: it has
    /// an identifier of the kind, of which a device has only one, but not this.
    pub(super) fn contradicts(&self, asked: &Identifier) -> bool {
        let same_kind = |known: &Identifier| match (asked, known) {
            (Identifier::Guid(asked), Identifier::Guid(known)) => Some(asked == known),
            (Identifier::Udid(asked), Identifier::Udid(known))
            | (Identifier::Serial(asked), Identifier::Serial(known)) => Some(asked == known),
            _ => None,
        };
        let mut known = self.device.ids.iter().filter_map(same_kind).peekable();
        known.peek().is_some() && known.all(|same| !same)
    }
}

impl Seated for Record {
    fn place(&self) -> &Place {
        &self.place
    }
}

/// Estimated bytes of a record with its index entries.
pub(super) fn estimate(device: &Device) -> usize {
    /// 24 bytes a slot, tables between three eighths and three quarters full.
    const INDEX_ENTRY: usize = 44;
    /// Two counters of an `Arc`.
    const COUNTERS: usize = 16;
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
    let ids: usize = device.ids.iter().map(identifier_heap).sum();
    let attributes: usize = device.attributes.iter().map(attribute_heap).sum();
    let failing: usize = device
        .compliance
        .failing
        .iter()
        .map(|check| size_of_val(check) + check.code.capacity() + text(&check.message))
        .sum();
    let user = device.user.as_ref().map_or(0, |user| {
        text(&user.id) + text(&user.principal_name) + text(&user.display_name) + texts(&user.groups)
    });
    let os = device.os.as_ref().map_or(0, |os| {
        os.family.capacity() + text(&os.version) + text(&os.build) + text(&os.patch_level)
    });
    size_of::<Record>()
        + size_of::<Device>()
        + 2 * COUNTERS
        + size_of::<Arc<Record>>()
        + (device.ids.len() + 1) * INDEX_ENTRY
        + device.key.capacity()
        + device.ids.capacity() * size_of::<Identifier>()
        + ids
        + device.attributes.capacity() * size_of::<Attribute>()
        + attributes
        + failing
        + user
        + os
        + text(&device.manufacturer)
        + text(&device.model)
        + text(&device.name)
}

fn identifier_heap(identifier: &Identifier) -> usize {
    match identifier {
        Identifier::Mac(_) | Identifier::Guid(_) => 0,
        Identifier::Serial(value)
        | Identifier::Imei(value)
        | Identifier::Meid(value)
        | Identifier::Udid(value)
        | Identifier::Hostname(value)
        | Identifier::User(value) => value.len(),
        Identifier::Other { kind, value } => kind.len() + value.len(),
    }
}

fn attribute_heap(attribute: &Attribute) -> usize {
    let value = match &attribute.value {
        Value::Boolean(_) | Value::Integer(_) | Value::Timestamp(_) => 0,
        Value::Text(text) => text.capacity(),
        Value::Texts(values) => texts(values),
    };
    attribute.name.capacity() + value
}

fn texts(texts: &[String]) -> usize {
    texts
        .iter()
        .map(|text| size_of::<String>() + text.capacity())
        .sum()
}
