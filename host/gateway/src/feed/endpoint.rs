//! Which records are about one endpoint, and what would be answered about it.

use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;

use portreeve_cache::{Remembered, SourceId};
use portreeve_domain::{Connection, Identifier, Question, SourceSet, Timestamp};

use super::Standing;
use crate::answer::subject;
use crate::conflict::contradict;
use crate::fetch::Fetcher;
use crate::recall::Sighting;
use crate::rules::Rules;
use crate::sources::Sources;
use crate::{Gateway, Record};

/// What was found about an endpoint.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) standing: Standing,
    /// A digest of the name that was asked by, if another device of the source
    /// may take it over.
    pub(crate) name: Option<u64>,
    /// When something else may be found without anything being learnt.
    pub(crate) until: Option<Timestamp>,
    /// Whether its facts are too old to be used.
    pub(crate) is_outdated: bool,
}

/// A decision that forbids to be reused is made again after this, and so is one
/// that a failing policy made.
const REPEAT: Duration = Duration::from_mins(1);

/// No decision is made anew more often.
const SHORTEST: Duration = Duration::from_secs(1);

impl Gateway {
    /// The record that speaks for the endpoint of a record: that of the first
    /// of `sources`, in the operator's order, that knows the same hardware.
    pub(crate) fn speaker(&self, record: &Record, seen: SourceSet) -> Record {
        self.speaker_of(&self.rules.load_full().sources, record, seen)
    }

    fn speaker_of(&self, sources: &Sources, record: &Record, seen: SourceSet) -> Record {
        let mut names = None;
        for earlier in sources.before(record.source(), seen) {
            let names = names.get_or_insert_with(|| hardware(record));
            if let Some(other) = self.same_hardware(record, earlier, names) {
                // Which may be taken for another one in turn.
                return self.speaker_of(sources, &other, seen);
            }
        }
        record.clone()
    }

    /// A digest of a name that another device of the source may take over. A
    /// GUID is a device's own.
    pub(super) fn shared_name(&self, record: &Record, name: &Identifier) -> Option<u64> {
        let is_own = matches!(name, Identifier::Guid(_));
        (!is_own).then(|| self.hasher.hash_one((record.source(), name)))
    }

    /// Whether a source knows a record's device by this name, and no other.
    pub(super) fn leads_to(&self, name: &Identifier, record: &Record) -> bool {
        let devices = self.memory.devices();
        let found = devices.peek(record.source(), std::slice::from_ref(name));
        matches!(found, Remembered::Found(found) if found.identity() == record.identity())
    }

    /// Digests of all such names of a record.
    pub(super) fn shared_names(&self, record: &Record) -> Vec<u64> {
        let names = record.identifiers();
        let digests = names.filter_map(|name| self.shared_name(record, &name));
        digests.collect()
    }

    /// The records of other sources that may be about the same endpoint.
    pub(crate) fn relatives(&self, record: &Record) -> Vec<Record> {
        let mut relatives: Vec<Record> = Vec::new();
        let rules = self.rules.load();
        let sources = rules.sources.asked();
        let mut others = sources.iter().map(|fetcher| fetcher.id());
        if !others.any(|id| id != record.source()) {
            return relatives;
        }
        for name in hardware(record) {
            let ids = sources.iter().map(|fetcher| fetcher.id());
            for source in ids.filter(|id| *id != record.source()) {
                let found = self
                    .memory
                    .devices()
                    .find(source, std::slice::from_ref(&name));
                if let Remembered::Found(other) = found
                    && !relatives.iter().any(|known| known.is(&other))
                {
                    relatives.push(other.detach());
                }
            }
        }
        relatives
    }

    fn same_hardware(
        &self,
        record: &Record,
        source: SourceId,
        names: &[Identifier],
    ) -> Option<Record> {
        let devices = self.memory.devices();
        let Remembered::Found(other) = devices.peek(source, names) else {
            return None;
        };
        let differs = contradict(&devices.device(&other), &devices.device(record));
        (!differs).then(|| other.detach())
    }

    /// What would be answered about the endpoint that this record speaks for,
    /// asked by its best identifier. `None` when no question leads to it: it has
    /// no identifier, or another device of the source has taken it over. An
    /// identifier that leads nowhere, as whoever took it over has gone, has the
    /// source asked; what it will say nobody can tell.
    pub(crate) async fn judge(
        &self,
        record: &Record,
        connection: &Arc<Connection>,
    ) -> Option<Judged> {
        let rules = self.rules.load_full();
        self.judge_under(record, connection, &rules).await
    }

    /// The same under rules that need not be in force.
    pub(crate) async fn judge_under(
        &self,
        record: &Record,
        connection: &Arc<Connection>,
        rules: &Rules,
    ) -> Option<Judged> {
        let best = record
            .identifiers()
            .min_by(|one, other| (one.rank(), one).cmp(&(other.rank(), other)))?;
        let name = self.shared_name(record, &best);
        let best = [best];
        let devices = self.memory.devices();
        if let Remembered::Found(found) = devices.peek(record.source(), &best)
            && found.identity() != record.identity()
        {
            return None;
        }
        let now = Timestamp::now();
        let sees = connection.view.sources;
        let sources = &rules.sources;
        let peek = |fetcher: &Arc<Fetcher>| {
            if sees.contains(fetcher.place()) {
                fetcher.peek(&best, now)
            } else {
                Sighting::Hidden
            }
        };
        let sightings: Vec<Sighting> = sources.asked().iter().map(peek).collect();
        let question = Question::new(best.into(), Arc::clone(connection), REPEAT);
        let picture = self.picture(sources, &sightings, sees);
        let subject = Arc::new(subject(&question, &picture, rules, now));
        let provenance = picture.record.as_ref().map(Record::provenance);
        let chain = rules.chain(connection);
        let decided = match chain.remembered(&subject, provenance) {
            Some(decided) => decided,
            None => chain.consider(&subject).await,
        };
        let decided = rules.confine(decided, &subject);
        let is_own = |sighting: &Sighting| {
            matches!(sighting, Sighting::Found { record: found, .. }
                if found.identity() == record.identity())
        };
        let expiries = sources.asked().iter().zip(&sightings);
        let expiries = expiries.filter_map(|(fetcher, sighting)| match sighting {
            Sighting::Found { record, .. } => Some(fetcher.expires_at(record)),
            _ => None,
        });
        let valid_until = match decided.valid_for {
            Duration::ZERO => now.plus(REPEAT),
            valid_for => decided.at.plus(valid_for).max(now.plus(SHORTEST)),
        };
        let again = decided.is_timed.then_some(valid_until);
        Some(Judged {
            standing: Standing {
                outcome: self.ruling(&decided, &subject, rules),
                stale: sightings.iter().any(|sighting| {
                    is_own(sighting) && matches!(sighting, Sighting::Found { stale: true, .. })
                }),
                rests_on_connection: decided.basis.rests_on_connection()
                    || rules.chains.rest_on_connection(),
            },
            name,
            until: expiries.chain(again).min(),
            is_outdated: !sightings.iter().any(is_own),
        })
    }
}

/// What the hardware is named by, which sources have in common.
fn hardware(record: &Record) -> Vec<Identifier> {
    let is_hardware = |id: &Identifier| {
        matches!(
            id,
            Identifier::Mac(_)
                | Identifier::Serial(_)
                | Identifier::Imei(_)
                | Identifier::Meid(_)
                | Identifier::Udid(_)
        )
    };
    record.identifiers().filter(is_hardware).collect()
}
