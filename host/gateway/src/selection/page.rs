//! Everything that is known about one device, source by source.

use std::collections::HashMap;
use std::sync::Arc;

use portreeve_cache::{Remembered, SourceId};
use portreeve_domain::{Connection, Device, Identifier, MacAddress, Timestamp};

use super::Row;
use crate::quarantine::Assignment;
use crate::{Gateway, Record, Session};

/// What is known about the device that an identifier names.
#[derive(Debug)]
pub struct DevicePage {
    /// What each source tells, in the operator's order.
    pub tellings: Vec<Telling>,
    /// Where it is connected, as far as that is reported, the latest first.
    pub sessions: Vec<Arc<Session>>,
    /// By what it is held back.
    pub quarantine: Vec<Arc<Assignment>>,
}

/// What one source tells about a device.
#[derive(Debug)]
pub enum Telling {
    /// This.
    Known(Box<Row>),
    /// It knows no such device.
    Unknown {
        /// The source.
        source: Arc<str>,
        /// When it said so.
        fetched_at: Timestamp,
    },
    /// Several of its devices match.
    Ambiguous {
        /// The source.
        source: Arc<str>,
    },
    /// Nothing is remembered of what it says.
    Silent {
        /// The source.
        source: Arc<str>,
    },
}

impl Gateway {
    /// What is remembered about the device that `name` names. Sources that do
    /// not know it by this name are searched for its hardware, as others name it.
    /// Nobody is asked.
    pub fn device_page(&self, name: &Identifier, asker: &Connection) -> DevicePage {
        let now = Timestamp::now();
        let mut found: HashMap<usize, Record> = HashMap::new();
        let by_name = std::slice::from_ref(name);
        let sources = Arc::clone(&self.rules.load().sources);
        let is_visible = |place: usize| asker.view.sources.contains(place);
        let seen = || sources.asked().iter().filter(|it| is_visible(it.place()));
        let mut tellings = Vec::new();
        for fetcher in seen() {
            if let Remembered::Found(record) = self.peek_at(fetcher.id(), by_name) {
                found.insert(fetcher.place(), record.detach());
            }
        }
        let relatives: Vec<Record> = found.values().flat_map(|it| self.relatives(it)).collect();
        for record in relatives {
            let place = usize::from(record.source().0);
            if asker.view.sources.contains(place) {
                found.entry(place).or_insert(record);
            }
        }
        let mut macs: Vec<MacAddress> = name.as_mac().into_iter().collect();
        for fetcher in seen() {
            let source = Arc::clone(fetcher.name());
            let Some(record) = found.get(&fetcher.place()) else {
                tellings.push(match self.peek_at(fetcher.id(), by_name) {
                    Remembered::Unknown { fetched_at } => Telling::Unknown { source, fetched_at },
                    Remembered::Ambiguous => Telling::Ambiguous { source },
                    _ => Telling::Silent { source },
                });
                continue;
            };
            let mut row = self.row(record, asker, now);
            // The name that he asked by is no news to him.
            let device = Arc::new(self.memory.devices().device(record));
            row.device = asker.view.of(&device, by_name);
            macs.extend(addresses(&row.device));
            tellings.push(Telling::Known(Box::new(row)));
        }
        macs.sort_unstable();
        macs.dedup();
        let sessions = macs.iter().flat_map(|mac| self.sessions().of(*mac, now));
        let quarantine = macs.iter().filter_map(|mac| self.quarantine().of(*mac));
        DevicePage {
            tellings,
            sessions: sessions.collect(),
            quarantine: quarantine.collect(),
        }
    }

    fn peek_at(&self, source: SourceId, names: &[Identifier]) -> Remembered<crate::Prepared> {
        self.memory.devices().peek(source, names)
    }
}

fn addresses(device: &Device) -> impl Iterator<Item = MacAddress> {
    device.ids.iter().filter_map(Identifier::as_mac)
}
