//! Connection records: what is kept of a source beside its settings, and
//! switching it on and off while the gateway runs.
//!
//! The last word counts. An operator's command holds over restarts, until
//! somebody changes `enabled` in the configuration afterwards.

mod kept;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use portreeve_domain::Timestamp;
use portreeve_store::{DocumentError, Store, StoreError};

use self::kept::Seal;
use crate::sources::SourcesError;
use crate::{CheckReport, CheckVerdict, Gateway, SourceSettings};

/// What a source is, for lists of them. It decides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Tells its settings, secrets and plugin from all others. Never shown.
    pub digest: String,
    /// The operator's own words.
    pub description: Option<String>,
    /// What kind of server it is, in the operator's words.
    pub kind: String,
    /// Whose device-management system it is, as the plugin says.
    pub provider: String,
    /// The plugin's file.
    pub plugin: String,
    /// The version of the plugin.
    pub version: String,
    /// The template that its settings begin with.
    pub template: Option<String>,
}

/// A command of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Whether the source is to be asked.
    pub enabled: bool,
    /// What the configuration said at that time.
    pub configured: bool,
    /// When.
    pub at: Timestamp,
    /// Who: the name of a client.
    pub by: Arc<str>,
}

/// What came of the last check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// When it ended.
    pub at: Timestamp,
    /// The worst of its findings.
    pub verdict: CheckVerdict,
    /// The first finding of that kind, unless everything was in order.
    pub detail: Option<String>,
    /// Of the settings that were checked.
    seal: Seal,
}

/// One source with what is kept of it.
#[derive(Clone, Debug)]
pub struct ConnectionRecord {
    /// As the configuration says, but for `enabled`, which is what is in force.
    pub settings: SourceSettings,
    /// The operator's last command, if it still counts.
    pub word: Option<Word>,
    /// The last check.
    pub check: Option<Checked>,
    /// Whether that check was of the settings in force.
    pub check_is_current: bool,
    /// Hosts that the source was reached at and that its grants do not name:
    /// it has found them out itself.
    pub discovered: Vec<String>,
}

/// Why a source is not switched on or off.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// There is none of that name.
    #[error("there is no source `{0}`")]
    NoSource(String),
    /// Nobody has tested these settings, or the test failed.
    #[error("source `{name}` is not switched on: {why}")]
    Untested {
        /// The source.
        name: String,
        /// What is missing.
        why: String,
    },
    /// The word would be forgotten by a restart.
    #[error("it cannot be kept: {0}")]
    Store(#[from] DocumentError),
    /// It cannot be put in force.
    #[error(transparent)]
    Sources(#[from] SourcesError),
}

/// What is kept of all sources, also of those that are not configured any more.
#[derive(Debug, Default)]
pub(crate) struct Records(BTreeMap<Arc<str>, Kept>);

#[derive(Clone, Debug, Default)]
struct Kept {
    word: Option<Word>,
    check: Option<Checked>,
}

impl Records {
    /// Reads what was kept before the restart.
    pub(crate) fn restore(store: Option<&Arc<Store>>) -> Result<Self, StoreError> {
        store.map_or_else(|| Ok(Self::default()), |store| kept::restore(store))
    }

    /// The settings as they come into force: the last word counts.
    pub(crate) fn in_force(&mut self, configured: &[SourceSettings]) -> Vec<SourceSettings> {
        let settings = configured.iter().map(|settings| {
            let mut settings = settings.clone();
            if let Some(kept) = self.0.get_mut(&settings.name) {
                // The configuration was changed afterwards.
                kept.word = kept
                    .word
                    .take()
                    .filter(|word| word.configured == settings.enabled);
                if let Some(word) = &kept.word {
                    settings.enabled = word.enabled;
                }
            }
            settings
        });
        settings.collect()
    }

    fn of(&self, name: &str) -> Kept {
        self.0.get(name).cloned().unwrap_or_default()
    }
}

impl Gateway {
    /// Switches a source on: it is asked and its records are used from now on,
    /// and after restarts. Its settings must have passed a check, unless that is
    /// `forced`.
    pub async fn enable(&self, name: &str, by: &str, forced: bool) -> Result<(), SwitchError> {
        let record = self.record(name)?;
        let untested = record.untested();
        if let (Some(why), false) = (&untested, forced) {
            let (name, why) = (name.to_owned(), why.clone());
            return Err(SwitchError::Untested { name, why });
        }
        self.say(&record, true, by).await?;
        tracing::info!(
            target: "audit",
            source = name,
            client = by,
            forced = untested.is_some(),
            "a source was switched on"
        );
        Ok(())
    }

    /// Switches a source off: it is not asked and its records are not used, now
    /// and after restarts.
    pub async fn disable(&self, name: &str, by: &str) -> Result<(), SwitchError> {
        let record = self.record(name)?;
        self.say(&record, false, by).await?;
        tracing::info!(target: "audit", source = name, client = by, "a source was switched off");
        Ok(())
    }

    async fn say(
        &self,
        record: &ConnectionRecord,
        enabled: bool,
        by: &str,
    ) -> Result<(), SwitchError> {
        let name = Arc::clone(&record.settings.name);
        let configured = self.configured(&name);
        let configured = configured.ok_or_else(|| SwitchError::NoSource(name.to_string()))?;
        let word = Word {
            enabled,
            configured,
            at: Timestamp::now(),
            by: by.into(),
        };
        let mut kept = self.with_records(|records| records.of(&name));
        kept.word = Some(word.clone());
        kept::keep(self.memory().store(), Arc::clone(&name), kept).await?;
        self.change_record(&name, |kept| kept.word = Some(word));
        self.apply_records()?;
        Ok(())
    }

    /// Checks one source, past every cache, also one that is switched off, and
    /// remembers what came of it. `None` when there is none of that name.
    pub async fn check(&self, name: &str, deadline: Instant) -> Option<CheckReport> {
        let fetcher = self.fetcher(name)?;
        let report = fetcher.check(deadline).await;
        self.note_check(fetcher.settings(), &report).await;
        Some(report)
    }

    /// Remembers what came of a check of these settings.
    pub async fn note_check(&self, settings: &SourceSettings, report: &CheckReport) {
        let verdict = report.verdict();
        let mut findings = report.findings.iter();
        let worst = findings.find(|finding| finding.verdict == verdict);
        let checked = Checked {
            at: Timestamp::now(),
            verdict,
            detail: worst
                .filter(|_| verdict != CheckVerdict::Passed)
                .map(|finding| format!("{}: {}", finding.subject, finding.message)),
            seal: Seal::of(&settings.about.digest),
        };
        let name = Arc::clone(&settings.name);
        let kept = self.change_record(&name, |kept| kept.check = Some(checked));
        // It is worth a test that it is known after a restart, but no failure.
        if let Err(error) = kept::keep(self.memory().store(), name, kept).await {
            tracing::warn!(source = &*settings.name, %error, "the check is not kept");
        }
    }

    /// All sources with what is kept of them, in the operator's order.
    pub fn records(&self) -> Vec<ConnectionRecord> {
        let sources = self.sources();
        sources
            .into_iter()
            .map(|settings| {
                let Kept { word, check } = self.with_records(|records| records.of(&settings.name));
                let digest = &settings.about.digest;
                ConnectionRecord {
                    check_is_current: check.as_ref().is_some_and(|it| it.seal.is_of(digest)),
                    discovered: settings.source.discovered(),
                    settings,
                    word,
                    check,
                }
            })
            .collect()
    }

    /// One source with what is kept of it.
    pub fn record(&self, name: &str) -> Result<ConnectionRecord, SwitchError> {
        let mut records = self.records().into_iter();
        let found = records.find(|record| *record.settings.name == *name);
        found.ok_or_else(|| SwitchError::NoSource(name.to_owned()))
    }

    fn change_record(&self, name: &Arc<str>, change: impl FnOnce(&mut Kept)) -> Kept {
        self.with_records(|records| {
            let kept = records.0.entry(Arc::clone(name)).or_default();
            change(kept);
            kept.clone()
        })
    }
}

impl ConnectionRecord {
    /// Why it may not be switched on without force, if so.
    pub fn untested(&self) -> Option<String> {
        match &self.check {
            None => Some("it was never checked".to_owned()),
            Some(_) if !self.check_is_current => {
                Some("its settings are others than those that were checked".to_owned())
            }
            Some(check) if check.verdict == CheckVerdict::Failed => Some(match &check.detail {
                Some(detail) => format!("its check failed: {detail}"),
                None => "its check failed".to_owned(),
            }),
            Some(_) => None,
        }
    }
}
