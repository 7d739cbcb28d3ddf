//! What callers keep beside records, within a bound of its own.

use std::sync::Arc;

use super::record::Header;
use super::{DeviceCache, Record, Writer};

/// Seats looked at to make room for one attachment. Keeps the lock short; what
/// finds no room is not kept.
const MOST_LOOKED_AT: usize = 4_096;

/// Something that knows how much memory it takes.
pub trait Weighed {
    /// Bytes, those behind references of its own included. Never changes.
    fn bytes(&self) -> usize;
}

impl Weighed for () {
    fn bytes(&self) -> usize {
        0
    }
}

/// Attachments of all records.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    pub(super) bytes: usize,
    hand: usize,
}

impl<P: Weighed> DeviceCache<P> {
    /// Keeps something beside a record, in place of what was there, until the
    /// record's content changes or room is needed for what is used more.
    /// Whether it is kept: a record that is not in the cache any more keeps
    /// nothing.
    pub fn attach(&self, record: &Record<P>, attached: Arc<P>) -> bool {
        let bytes = attached.bytes();
        let mut writer = self.writer.lock();
        let header = record.header();
        let seated = writer.ring.at(header.number());
        if !seated.as_ref().is_some_and(|it| record.is_stored(it)) {
            return false;
        }
        writer.detach_from(header);
        let fits = self.make_room_for(&mut writer, bytes);
        if fits {
            writer.attachments.bytes += bytes;
            header.swap_attached(Some(attached));
        }
        self.publish_size(&writer);
        fits
    }

    fn make_room_for(&self, writer: &mut Writer<P>, bytes: usize) -> bool {
        let most = self.settings.max_attached_bytes;
        if bytes > most {
            return false;
        }
        for _ in 0..MOST_LOOKED_AT.min(writer.ring.taken() * 2) {
            if writer.attachments.bytes + bytes <= most {
                break;
            }
            let number = writer.attachments.hand;
            writer.attachments.hand = (number + 1) % writer.ring.taken();
            if let Some(seated) = &*writer.ring.at(number)
                && seated.header.header.has_idle_attached()
            {
                writer.detach_from(&seated.header.header);
            }
        }
        writer.attachments.bytes + bytes <= most
    }
}

impl<P: Weighed> Writer<P> {
    /// Takes away what is kept beside a record.
    pub(super) fn detach_from(&mut self, header: &Header<P>) {
        if let Some(attached) = header.swap_attached(None) {
            self.attachments.bytes -= attached.bytes();
        }
    }
}
