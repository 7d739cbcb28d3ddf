//! The one who looks at devices and tells what has changed.

use std::sync::{Arc, Weak};
use std::time::Duration;

use portreeve_cache::Records;
use portreeve_domain::{Identifier, MacAddress, SourceSet, Timestamp};
use tokio::runtime::Handle;

use super::endpoint::Judged;
use super::standings::Entry;
use super::{Change, Feed, Standing};
use crate::{Gateway, Memory, Prepared, Record};

/// Devices that are looked at before anything else gets its turn.
const SLICE: usize = 64;

/// The longest wait until the clock is looked at again: it may have been set.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What a worker knows between two devices.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    feed: &'a Feed,
    memory: &'a Memory,
    /// The walk over all devices that is under way.
    walking: Option<Records<'a, Prepared>>,
    /// Its number, or that of the last one.
    walk: u64,
    /// Another one has to follow it.
    walk_again: bool,
    last_sequence: u64,
    last_endpoint: u64,
}

/// Whether an endpoint that is seen for the first time is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occasion {
    /// Something was learnt about it, or its time has come.
    Touched,
    /// All devices are looked at.
    Walk,
}

/// Works until it is stopped, on a thread of its own that gives way to those
/// who answer questions: it keeps a processor busy for as long as many devices
/// change.
pub(super) fn work(gateway: &Weak<Gateway>, feed: &Feed, memory: &Memory, runtime: &Handle) {
    portreeve_store::give_way();
    let mut worker = Worker::new(feed, memory);
    runtime.block_on(async {
        tokio::select! {
            // First, for a runtime that is no more has no timers either.
            biased;
            () = feed.stop.cancelled() => {}
            () = worker.run(gateway) => {}
        }
    });
}

impl<'a> Worker<'a> {
    pub(super) const fn new(feed: &'a Feed, memory: &'a Memory) -> Self {
        Self {
            feed,
            memory,
            walking: None,
            walk: 0,
            walk_again: false,
            last_sequence: 0,
            last_endpoint: 0,
        }
    }

    async fn run(&mut self, gateway: &Weak<Gateway>) {
        while let Some(gateway) = gateway.upgrade() {
            let is_idle = self.slice(&gateway).await;
            drop(gateway);
            if is_idle {
                self.wait().await;
            } else {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Until there is something to do.
    async fn wait(&self) {
        let now = Timestamp::now();
        let due = self.feed.standings.lock().next_due();
        let pause = due.map_or(LONGEST_WAIT, |due| due.since(now).min(LONGEST_WAIT));
        // Or until somebody notes something.
        let _ = tokio::time::timeout(pause, self.feed.touched.wait()).await;
    }

    /// Looks at some devices. Whether nothing is left to do.
    pub(super) async fn slice(&mut self, gateway: &Gateway) -> bool {
        let batch = self.feed.touched.take(SLICE);
        self.walk_again |= batch.everything;
        if self.walk_again && self.walking.is_none() {
            self.walk_again = false;
            self.walk += 1;
            self.walking = Some(self.memory.devices().records());
        }
        let mut seen = batch.records.len() + batch.addresses.len();
        for record in &batch.records {
            self.look(gateway, record, Occasion::Touched).await;
        }
        self.look_by(gateway, batch.addresses).await;
        let due = self.feed.standings.lock().due(Timestamp::now(), SLICE);
        seen += due.len();
        for record in &due {
            self.look(gateway, record, Occasion::Touched).await;
        }
        seen += self.go_on(gateway).await;
        if self.walking.is_none() && !self.walk_again {
            self.feed.touched.set_worked(batch.number);
        }
        seen == 0
    }

    /// Looks at all devices that have one of these addresses. The index leads to
    /// one of them only, and several may share a docking station.
    async fn look_by(&mut self, gateway: &Gateway, addresses: Vec<MacAddress>) {
        if addresses.is_empty() {
            return;
        }
        let names: Vec<Identifier> = addresses.into_iter().map(Identifier::Mac).collect();
        for record in self.memory.devices().records() {
            if names.iter().any(|name| record.carries(name)) {
                self.look(gateway, &record.detach(), Occasion::Touched)
                    .await;
            }
        }
    }

    /// Goes on with the walk over all devices, if there is one. How many were
    /// seen.
    async fn go_on(&mut self, gateway: &Gateway) -> usize {
        let Some(mut walking) = self.walking.take() else {
            return 0;
        };
        for seen in 0..SLICE {
            let Some(record) = walking.next() else {
                self.finish(gateway).await;
                return seen + 1;
            };
            self.look(gateway, &record.detach(), Occasion::Walk).await;
        }
        self.walking = Some(walking);
        SLICE
    }

    /// Endpoints that the walk did not come by are gone, or others by now.
    async fn finish(&mut self, gateway: &Gateway) {
        let missed = self.feed.standings.lock().missed_by(self.walk);
        for record in missed {
            self.look(gateway, &record, Occasion::Touched).await;
        }
    }

    /// Looks at the endpoint of one record, and at those of others that it may
    /// have been taken for, and tells what has changed.
    async fn look(&mut self, gateway: &Gateway, touched: &Record, occasion: Occasion) {
        let present = self.memory.devices().get(touched.source(), &touched.key());
        // A source that is switched off has none that count.
        let sources = Arc::clone(&gateway.rules.load().sources);
        let present = present.filter(|record| sources.asks(record.source()));
        let present = present.map(Record::detach);
        let mut records: Vec<Record> = present.into_iter().collect();
        if sources.all().len() > 1 {
            let old = self.feed.standings.lock().get(touched.identity()).cloned();
            let old = old.map(|entry| entry.record);
            let named = [Some(touched), records.first(), old.as_ref()];
            let relatives = named.into_iter().flatten();
            let relatives: Vec<Record> = relatives
                .flat_map(|record| gateway.relatives(record))
                .collect();
            records.extend(relatives);
        }
        let mut identities = vec![touched.identity()];
        let mut endpoints: Vec<(Record, Judged)> = Vec::new();
        for record in &records {
            identities.push(record.identity());
            let speaker = gateway.speaker(record, SourceSet::ALL);
            identities.push(speaker.identity());
            let is_known = |(known, _): &(Record, Judged)| known.identity() == speaker.identity();
            if endpoints.iter().any(is_known) {
                continue;
            }
            if let Some(judged) = gateway.judge(&speaker, &self.feed.connection).await {
                endpoints.push((speaker, judged));
            }
        }
        self.update(gateway, &identities, endpoints, occasion);
    }

    /// Puts what was found in the place of what was known by these identities.
    fn update(
        &mut self,
        gateway: &Gateway,
        identities: &[u64],
        endpoints: Vec<(Record, Judged)>,
        occasion: Occasion,
    ) {
        let mut standings = self.feed.standings.lock();
        let known = identities.iter();
        let known = known.filter_map(|identity| Some((*identity, standings.remove(*identity)?)));
        let mut known: Vec<(u64, Entry)> = known.collect();
        let names = endpoints.iter();
        let names: Vec<u64> = names
            .flat_map(|(record, _)| gateway.shared_names(record))
            .collect();
        if standings.has_taken_over() {
            let old = known.iter();
            let mut old: Vec<u64> = old
                .flat_map(|(_, entry)| gateway.shared_names(&entry.record))
                .collect();
            old.retain(|name| !names.contains(name));
            // Who had them before may be asked for by them again.
            self.walk_again |= standings.give_back(&old);
        }
        // Whoever was asked for by a name that has gone over to another device.
        for (record, _) in &endpoints {
            for name in record.identifiers() {
                if let Some(digest) = gateway.shared_name(record, &name)
                    && standings.is_borne(digest)
                    && gateway.leads_to(&name, record)
                {
                    known.extend(standings.take_over(digest));
                }
            }
        }
        let mut found: Vec<(Record, Judged, Option<Entry>)> = endpoints
            .into_iter()
            .map(|(record, judged)| {
                let same = known.iter().position(|(it, _)| *it == record.identity());
                let before = same.map(|place| known.swap_remove(place).1);
                (record, judged, before)
            })
            .collect();
        // An endpoint that another record speaks for by now is the same one.
        for (record, _, before) in found.iter_mut().filter(|(.., before)| before.is_none()) {
            let same = known
                .iter()
                .position(|(_, entry)| are_one(&entry.record, record));
            *before = same.map(|place| known.swap_remove(place).1);
        }
        let mut changes = Vec::new();
        for (_, entry) in known {
            changes.push((entry.endpoint, entry.record.clone(), Some(entry), None));
        }
        for (record, judged, before) in found {
            let endpoint = before.as_ref().map(|entry| entry.endpoint);
            let endpoint = endpoint.unwrap_or_else(|| {
                self.last_endpoint += 1;
                self.last_endpoint
            });
            let identity = record.identity();
            let entry = Entry {
                endpoint,
                record: record.clone(),
                standing: judged.standing,
                name: judged.name,
                due: judged.until,
                is_outdated: judged.is_outdated,
                walk: self.walk,
            };
            let standing = standings.insert(identity, entry);
            // What is there at the start is no news.
            let is_news = before.is_some() || occasion == Occasion::Touched || self.walk > 1;
            if is_news {
                changes.push((endpoint, record, before, Some(standing)));
            }
        }
        // Names change hands when a device is merely confirmed, too.
        let outdated = standings.outdated() + usize::from(standings.has_taken_over());
        drop(standings);
        self.feed.touched.set_outdated(outdated);
        for (endpoint, record, before, after) in changes {
            self.tell(endpoint, &record, before, after);
        }
    }

    fn tell(
        &mut self,
        endpoint: u64,
        record: &Record,
        before: Option<Entry>,
        after: Option<Standing>,
    ) {
        if let (Some(before), Some(after)) = (&before, &after) {
            let has_same_facts = before.record.source() == record.source()
                && before.record.packed() == record.packed();
            if has_same_facts && before.standing.outcome == after.outcome {
                return;
            }
        }
        self.last_sequence += 1;
        let device = after.as_ref().map(|_| self.memory.devices().device(record));
        self.feed.publish(Change {
            sequence: self.last_sequence,
            at: Timestamp::now(),
            endpoint,
            source: self.memory.name_of(record.source()),
            identifiers: record.identifiers().collect(),
            device: device.map(Arc::new),
            before: before.map(|entry| entry.standing),
            after,
        });
    }
}

/// Whether two records have a name in common.
fn are_one(one: &Record, other: &Record) -> bool {
    one.identifiers().any(|id| other.carries(&id))
}
