//! The writers' side: records come, change and go.

use std::sync::atomic::Ordering;

use portreeve_domain::{ComplianceState, Device, Identifier, Timestamp};
use smallvec::SmallVec;

use super::address::mac_tag;
use super::record::{self, Stored, identity};
use super::{DeviceCache, Record, SourceId, Weighed, Writer};
use crate::index::{Address, Digest, LARGEST_NUMBER};
use crate::packed::{self, EncodedId, Names, PackedError, PackedId};
use crate::ring::Ring;

/// A packed device on its way in: all that can be known about it without the
/// writers' lock.
#[derive(Debug)]
pub(super) struct Arriving<'a> {
    source: SourceId,
    pub(super) packed: &'a [u8],
    fetched_at: Timestamp,
    state: ComplianceState,
    weight: usize,
    pub(super) key: Digest,
    pub(super) spots: SmallVec<[Spot; 8]>,
}

/// Where one identifier of a record stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spot {
    /// `None` where it stands nowhere.
    Mac(Option<Address>),
    Name(Digest),
}

impl<P: Weighed> DeviceCache<P> {
    /// Remembers what `source` said about a device.
    ///
    /// A record with the same content is kept with its generation and what is
    /// attached to it, and is as young as `fetched_at` from now on. One that is
    /// larger than the whole cache may be is given back, but not kept.
    pub fn insert(&self, source: SourceId, device: &Device, fetched_at: Timestamp) -> Record<P> {
        let packed = packed::pack(device, &self.words);
        let same = |record: &Record<P>| {
            let old = record.packed();
            // What became a word since makes the bytes fewer.
            old == packed
                || (old.len() > packed.len()
                    && packed::unpack(old, &self.words).as_ref() == Ok(device))
        };
        let arriving = self.arriving(source, &packed, fetched_at);
        self.remember(&mut self.writer.lock(), &arriving, same)
    }

    /// The same for a packed device, as the store keeps it. Nothing is decoded
    /// and everything is checked.
    pub fn insert_packed(
        &self,
        source: SourceId,
        packed: &[u8],
        fetched_at: Timestamp,
    ) -> Result<Record<P>, PackedError> {
        packed::check(packed, &self.words)?;
        let arriving = self.arriving(source, packed, fetched_at);
        let same = |record: &Record<P>| record.packed() == packed;
        Ok(self.remember(&mut self.writer.lock(), &arriving, same))
    }

    pub(super) fn arriving<'a>(
        &self,
        source: SourceId,
        packed: &'a [u8],
        fetched_at: Timestamp,
    ) -> Arriving<'a> {
        let names = Names::of(packed);
        Arriving {
            source,
            packed,
            fetched_at,
            state: packed::compliance_state(packed),
            weight: record::weight(packed.len(), names),
            key: Digest(identity(source, names.key())),
            spots: names.ids().map(|id| self.spot(source, id)).collect(),
        }
    }

    pub(super) fn remember(
        &self,
        writer: &mut Writer<P>,
        arriving: &Arriving<'_>,
        same: impl FnOnce(&Record<P>) -> bool,
    ) -> Record<P> {
        let &Arriving {
            source,
            packed,
            fetched_at,
            state,
            weight,
            key,
            ref spots,
        } = arriving;
        let names = Names::of(packed);
        writer.prefetch(key, spots);
        let old = self.by_key(writer, key, source, names.key());
        let new = |number| Record::new(source, state, number, fetched_at, packed);
        if weight > self.settings.max_bytes || self.settings.max_devices == 0 {
            // It would drive everything else out first.
            if let Some(old) = &old {
                self.take_out(writer, old);
                self.publish_size(writer);
            }
            self.evictions.fetch_add(1, Ordering::Relaxed);
            return new(u32::MAX);
        }
        let old = match old {
            Some(old) if same(&old) => {
                old.refresh(fetched_at);
                self.claim(writer, &old, spots);
                return old.detach();
            }
            old => old,
        };
        let number = if let Some(old) = &old {
            old.header().number
        } else {
            let Some(number) = writer.reserve() else {
                self.evictions.fetch_add(1, Ordering::Relaxed);
                return new(u32::MAX);
            };
            number
        };
        let record = new(number);
        if let Some(previous) = writer.ring.seat(record.share()) {
            writer.detach_from(&previous.header.header);
        } else {
            let has_key = |number| {
                let record = self.at(number);
                record.is_some_and(|record| record.has_key(source, names.key()))
            };
            self.names.put(&mut writer.names, key, number, has_key);
        }
        self.claim(writer, &record, spots);
        if let Some(old) = &old {
            let lost = |id: &PackedId<'_>| !names.carries(*id);
            self.disclaim(writer, old, lost);
        }
        self.keep_bounds(writer, number);
        record
    }

    /// Gives a record all its names, which stand at these spots.
    fn claim(&self, writer: &mut Writer<P>, record: &Record<P>, spots: &[Spot]) {
        let (source, number) = (record.source(), record.header().number);
        for (id, spot) in record.ids().zip(spots) {
            match *spot {
                Spot::Mac(Some(address)) => {
                    if let Some(restored) = &mut writer.restored {
                        restored.push(address, record.share());
                        continue;
                    }
                    let found = writer.macs.peek(address);
                    // Writing what is there already would only cost.
                    if !found.as_ref().is_some_and(|found| record.is_stored(found)) {
                        self.macs.put(&mut writer.macs, address, record.share());
                    }
                }
                Spot::Mac(None) => {}
                Spot::Name(digest) => {
                    let has_name = |number| {
                        let record = self.at(number);
                        record.is_some_and(|record| record.has_name(source, id))
                    };
                    self.names.put(&mut writer.names, digest, number, has_name);
                }
            }
            // Nobody is unknown any more who has one of them.
            if self.unknown.len() > 0 {
                self.unknown.remove(self.unknown_name(source, id));
            }
        }
    }

    /// Takes some of its names from a record, unless others have them by now.
    fn disclaim(
        &self,
        writer: &mut Writer<P>,
        record: &Record<P>,
        lost: impl Fn(&PackedId<'_>) -> bool,
    ) {
        let (source, number) = (record.source(), record.header().number);
        for id in record.ids().filter(lost) {
            match self.spot(source, id) {
                Spot::Mac(Some(address)) => {
                    writer.macs.remove(address, record.stored());
                    if let Some(restored) = &mut writer.restored {
                        restored.some_left = true;
                    }
                }
                Spot::Mac(None) => {}
                Spot::Name(digest) => {
                    writer.names.remove(digest, number);
                }
            }
        }
    }

    /// Remembers that `source`, asked for all of `asked` at once, knows no such
    /// device. Records that an earlier answer had for any of them are removed
    /// and given back.
    pub fn insert_unknown(
        &self,
        source: SourceId,
        asked: &[Identifier],
        fetched_at: Timestamp,
    ) -> Vec<Record<P>> {
        let mut gone = Vec::new();
        let mut writer = self.writer.lock();
        for identifier in asked {
            let id = EncodedId::new(identifier);
            let id = id.as_packed();
            if let Some(record) = self.with_name(source, id) {
                self.take_out(&mut writer, &record);
                gone.push(record.detach());
            }
            self.unknown.put(self.unknown_name(source, id), fetched_at);
        }
        self.publish_size(&writer);
        gone
    }

    /// Forgets the device that `source` calls `key`, as when it was deleted
    /// there. Whether there was one.
    pub fn remove(&self, source: SourceId, key: &str) -> bool {
        let key = packed::encode_key(key);
        let mut writer = self.writer.lock();
        let digest = Digest(identity(source, &key));
        let record = self.by_key(&mut writer, digest, source, &key);
        if let Some(record) = &record {
            self.take_out(&mut writer, record);
            self.publish_size(&writer);
        }
        record.is_some()
    }

    fn take_out(&self, writer: &mut Writer<P>, record: &Record<P>) {
        let digest = Digest(record.identity());
        let number = record.header().number;
        writer.names.remove(digest, number);
        self.disclaim(writer, record, |_| true);
        writer.detach_from(record.header());
        writer.ring.unseat(record.stored());
    }

    /// Whether the record was found by any of its names since this was asked
    /// last.
    fn take_use(&self, stored: &Stored<P>) -> bool {
        let header = &stored.header.header;
        let macs = Names::of(&stored.slice).ids().filter_map(PackedId::mac);
        let tags = macs.filter_map(|mac| mac_tag(header.source, mac));
        let used = tags.filter(|tag| self.macs.take_use(self.macs.address(*tag)));
        // All of them are asked.
        (used.count() > 0) | header.take_use()
    }

    fn keep_bounds(&self, writer: &mut Writer<P>, kept: u32) {
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        let too_much = |ring: &Ring<Stored<P>>| {
            ring.entries() > self.settings.max_devices || ring.weight() > self.settings.max_bytes
        };
        while too_much(&writer.ring) {
            let Some(victim) = writer.ring.victim(kept, |it| self.take_use(it)) else {
                break;
            };
            self.take_out(writer, &Record::owned(victim));
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
        self.publish_size(writer);
    }
}

impl<P> DeviceCache<P> {
    fn by_key(
        &self,
        writer: &mut Writer<P>,
        digest: Digest,
        source: SourceId,
        key: &[u8],
    ) -> Option<Record<P>> {
        writer.names.find(digest, |number| {
            let record = self.at(number);
            record.filter(|record| record.has_key(source, key))
        })
    }

    fn spot(&self, source: SourceId, id: PackedId<'_>) -> Spot {
        match id.mac() {
            Some(mac) => Spot::Mac(mac_tag(source, mac).map(|tag| self.macs.address(tag))),
            None => Spot::Name(self.digests.name(source, id)),
        }
    }
}

impl<P> Writer<P> {
    /// Has the processor fetch all that a record's names need at once: at a
    /// million devices nothing of it is in its caches.
    pub(super) fn prefetch(&mut self, key: Digest, spots: &[Spot]) {
        self.names.prefetch(key);
        for spot in spots {
            match *spot {
                Spot::Mac(Some(address)) if self.restored.is_none() => self.macs.prefetch(address),
                Spot::Mac(_) => {}
                Spot::Name(digest) => self.names.prefetch(digest),
            }
        }
    }

    /// A number for a record that is about to be seated.
    fn reserve(&mut self) -> Option<u32> {
        let number = u32::try_from(self.ring.reserve()?).ok()?;
        (number <= LARGEST_NUMBER).then_some(number)
    }
}
