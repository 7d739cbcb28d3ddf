//! What memory knows about an endpoint, source by source.

use std::sync::Arc;

use portreeve_domain::{Absence, Finding, SourceOutcome, SourceReport};

use crate::conflict::contradict;
use crate::prepared::Sighted;
use crate::{DeviceCache, Record};

/// One source's part in an answer.
#[derive(Clone, Debug)]
pub(crate) enum Sighting {
    /// It knows the device.
    Found {
        /// The record.
        record: Record,
        /// Older than its time to live.
        stale: bool,
    },
    /// It does not know the device.
    Unknown,
    /// Several of its devices match.
    Ambiguous,
    /// It could not be asked.
    Failed {
        /// Text for an administrator.
        detail: Arc<str>,
    },
    /// Nothing usable is in memory; it has to be asked.
    Absent,
    /// The client must not see the source: for him it does not exist.
    Hidden,
}

impl Sighting {
    /// Whether a source further down the operator's order need not be asked.
    pub(crate) const fn settles(&self) -> bool {
        matches!(self, Self::Found { .. } | Self::Ambiguous)
    }

    /// The same as a number.
    pub(crate) fn number(&self) -> u64 {
        match self {
            Self::Found { record, stale } => Sighted::record(record.generation(), *stale),
            Self::Unknown => Sighted::UNKNOWN,
            Self::Ambiguous | Self::Failed { .. } | Self::Absent => Sighted::ABSENT,
            Self::Hidden => Sighted::HIDDEN,
        }
    }

    fn report(&self, name: &Arc<str>) -> Option<SourceReport> {
        let (outcome, fetched_at, stale, detail) = match self {
            Self::Found { record, stale } => (
                SourceOutcome::Found,
                Some(record.fetched_at()),
                *stale,
                None,
            ),
            Self::Unknown => (SourceOutcome::UnknownDevice, None, false, None),
            Self::Ambiguous => (SourceOutcome::Ambiguous, None, false, None),
            Self::Failed { detail } => {
                (SourceOutcome::Failed, None, false, Some(Arc::clone(detail)))
            }
            Self::Absent => (SourceOutcome::Skipped, None, false, None),
            Self::Hidden => return None,
        };
        Some(SourceReport {
            name: Arc::clone(name),
            outcome,
            fetched_at,
            stale,
            detail,
        })
    }
}

/// What all sources together come to.
#[derive(Debug)]
pub(crate) struct Picture {
    /// The record in use, from the first source in the operator's order.
    pub(crate) record: Option<Record>,
    /// The same for a subject.
    pub(crate) finding: Finding,
    /// One report for each source that is not hidden.
    pub(crate) sources: Vec<SourceReport>,
}

impl Picture {
    /// Puts the sightings together, in the operator's order.
    ///
    /// INVARIANT: "unknown" needs every source's word. One that failed or was
    /// not asked makes it "sources unavailable", and so does it when there was
    /// nobody to ask because sources are switched off (`silenced`).
    pub(crate) fn of<'a>(
        devices: &DeviceCache,
        silenced: bool,
        sightings: impl Iterator<Item = (&'a Arc<str>, &'a Sighting)> + Clone,
    ) -> Self {
        let mut used: Option<Record> = None;
        let mut ambiguous = false;
        let mut everyone_answered = !silenced;
        for (_, sighting) in sightings.clone() {
            match (sighting, &used) {
                (Sighting::Found { record, .. }, None) if !ambiguous => {
                    used = Some(record.clone());
                }
                (Sighting::Found { record, .. }, Some(first)) => {
                    ambiguous |= contradict(&devices.device(first), &devices.device(record));
                }
                (Sighting::Ambiguous, None) => ambiguous = true,
                (Sighting::Failed { .. } | Sighting::Absent, _) => everyone_answered = false,
                _ => {}
            }
        }
        let sources = sightings
            .filter_map(|(name, sighting)| sighting.report(name))
            .collect();
        let finding = match &used {
            _ if ambiguous => Finding::Absent(Absence::Ambiguous),
            Some(record) => Finding::Device(Arc::new(devices.device(record))),
            None if everyone_answered => Finding::Absent(Absence::UnknownDevice),
            None => Finding::Absent(Absence::SourcesUnavailable),
        };
        let record = used.filter(|_| !ambiguous);
        Self {
            record,
            finding,
            sources,
        }
    }
}
