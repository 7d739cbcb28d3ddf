//! A configured instance of a connector.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_domain::{Device, Identifier};
use portreeve_egress::Egress;
use tokio::sync::Semaphore;

use crate::breaker::BreakerSettings;
use crate::engine::Shared;
use crate::error::{CallError, InstanceError};
use crate::guarded::Guard;
use crate::limits::{Limits, PageLimits};
use crate::load::{Plugin, Pre};
use crate::plugin_log::PluginLog;
use crate::scep::scep_limits;
use crate::since_v0_1::{
    ActionsGuest, Common, ConnectorData, ConnectorGuest, ConnectorStart, InventoryGuest, ScepGuest,
};
use crate::state::StateStore;
use crate::status::InstanceStatus;

/// Calls about actions that are under way at once.
const MOST_ACTIONS: usize = 4;

/// How long a check may take, when its caller allows that. It asks many questions, one after the
/// other.
const LONGEST_CHECK: Duration = Duration::from_mins(5);

/// What the operator decided about one connector instance.
#[derive(Debug)]
pub struct ConnectorSettings {
    /// The table for the plugin itself, checked against its schema.
    pub settings: serde_json::Value,
    /// How much it may use.
    pub limits: Limits,
    /// How large and how late a page of its inventory may be.
    pub pages: PageLimits,
    /// When it is left alone.
    pub breaker: BreakerSettings,
    /// Its only way out.
    pub egress: Egress,
    /// What it remembers. Nobody else may write there.
    pub state: Arc<dyn StateStore>,
}

/// What a source says about an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum LookupOutcome {
    /// One device matches.
    Found(Box<Device>),
    /// The source does not know it.
    Unknown,
    /// Several devices match; the source's keys of some of them.
    Ambiguous(Vec<String>),
}

/// Whether a source can be used with its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// All in all.
    pub verdict: ReportVerdict,
    /// Step by step.
    pub findings: Vec<Finding>,
}

/// One probed condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was probed, e.g. `token`.
    pub subject: String,
    /// How that went.
    pub verdict: ReportVerdict,
    /// The stable code of what was found, e.g. `client-secret-expired`; what passed needs none.
    pub code: Option<String>,
    /// What was found.
    pub message: String,
    /// What an administrator can do about it.
    pub hint: Option<String>,
}

/// How a probe went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportVerdict {
    /// Well.
    Passed,
    /// It works, but not as it should.
    Degraded,
    /// It does not work.
    Failed,
}

/// A configured instance of a connector. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    name: Arc<str>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) start: ConnectorStart,
    guard: Guard<ConnectorData, ConnectorGuest>,
    breaker: BreakerSettings,
    check_limits: Limits,
    /// One check at a time.
    checking: Semaphore,
    pub(crate) pages: PageLimits,
    /// Of its own, with its own instance and breaker: a page that takes long,
    /// or a plugin that breaks over one, does not hold up look-ups.
    pub(crate) page_guard: Guard<ConnectorData, InventoryGuest>,
    /// Of its own as well: who acts on hundreds of devices does not hold up
    /// look-ups.
    pub(crate) action_guard: Guard<ConnectorData, ActionsGuest>,
    /// Of its own too: who wants certificates does not hold up look-ups.
    pub(crate) scep_guard: Guard<ConnectorData, ScepGuest>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connector")
            .field("name", &self.inner.name)
            .finish_non_exhaustive()
    }
}

impl Plugin {
    /// Configures an instance of a connector, under a name for logs.
    pub async fn connector(
        &self,
        name: &str,
        settings: ConnectorSettings,
    ) -> Result<Connector, InstanceError> {
        let Pre::Connector(pre) = self.pre() else {
            return Err(self.wrong_kind("connector"));
        };
        let checked = self.schema().apply(settings.settings);
        let table = Arc::new(checked.map_err(InstanceError::Settings)?);
        let ConnectorSettings {
            limits,
            pages,
            egress,
            ..
        } = settings;
        let log = PluginLog::new(
            &self.descriptor().id,
            name,
            limits.log.clone(),
            Some(egress.clone()),
        );
        let log = Arc::new(log);
        let inner = Arc::new(Inner {
            name: name.into(),
            shared: Arc::clone(self.shared()),
            start: ConnectorStart {
                pre: (**pre).clone(),
                common: Common {
                    settings: table,
                    log: Arc::clone(&log),
                },
                egress,
                state: settings.state,
            },
            breaker: settings.breaker,
            check_limits: limits.clone(),
            checking: Semaphore::new(1),
            pages,
            page_guard: Guard::new(
                Limits {
                    wall_clock: pages.wall_clock,
                    handover: pages.bytes,
                    concurrent_calls: 1,
                    ..limits.clone()
                },
                settings.breaker,
                Arc::clone(&log),
            ),
            action_guard: Guard::new(
                Limits {
                    concurrent_calls: MOST_ACTIONS,
                    ..limits.clone()
                },
                settings.breaker,
                Arc::clone(&log),
            ),
            scep_guard: Guard::new(scep_limits(&limits), settings.breaker, Arc::clone(&log)),
            guard: Guard::new(limits, settings.breaker, log),
        });
        let checking = Arc::clone(&inner);
        let problems = inner
            .shared
            .workers
            .run(async move { checking.guard.validate(&checking.start).await });
        let problems = problems.await?;
        if problems.is_empty() {
            Ok(Connector { inner })
        } else {
            Err(InstanceError::Settings(problems))
        }
    }
}

impl Connector {
    /// The name the operator gave it.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Looks up one endpoint by everything that is known about it, most
    /// trustworthy identifier first.
    pub async fn find(
        &self,
        identifiers: &[Identifier],
        deadline: Instant,
    ) -> Result<LookupOutcome, CallError> {
        let (inner, identifiers) = (Arc::clone(&self.inner), identifiers.to_vec());
        let call = async move { inner.start.find(&inner.guard, &identifiers, deadline).await };
        self.inner.shared.workers.run(call).await
    }

    /// Reads a device again by the source's own key.
    pub async fn read(&self, key: &str, deadline: Instant) -> Result<Option<Device>, CallError> {
        let (inner, key) = (Arc::clone(&self.inner), key.to_owned());
        let call = async move { inner.start.read(&inner.guard, &key, deadline).await };
        self.inner.shared.workers.run(call).await
    }

    /// Gets tokens and talks to the source, and reports how that goes, step by step.
    ///
    /// It has a way out of its own, with new connections and tokens, and an instance and breaker of
    /// its own, so that it sees what there is now and no look-up suffers from it. One check of a
    /// connector runs at a time; another meanwhile is [`CallError::Busy`].
    pub async fn check(&self, deadline: Instant) -> Result<Report, CallError> {
        let inner = Arc::clone(&self.inner);
        let call = async move {
            let Ok(_only) = inner.checking.try_acquire() else {
                return Err(CallError::Busy);
            };
            let egress = inner.start.egress.afresh();
            let egress = egress.map_err(|error| CallError::Misconfigured(error.to_string()))?;
            let examined = egress.examine(deadline.into()).await;
            if examined
                .iter()
                .all(|finding| finding.verdict < portreeve_egress::Verdict::Failed)
            {
                // What was refused a minute ago is not any more.
                inner.start.egress.forgive();
            }
            let start = ConnectorStart {
                egress,
                ..inner.start.clone()
            };
            let log = Arc::clone(&inner.start.common.log);
            let limits = Limits {
                wall_clock: inner.check_limits.wall_clock.max(LONGEST_CHECK),
                ..inner.check_limits.clone()
            };
            let guard = Guard::new(limits, inner.breaker, log);
            let report = start.check(&guard, deadline).await;
            Ok(checked(examined, report))
        };
        self.inner.shared.workers.run(call).await
    }

    /// Hosts at which it was answered and that it found out itself: none of its
    /// grants names them. The latest first.
    pub fn discovered(&self) -> Vec<String> {
        self.inner.start.egress.discovered()
    }

    /// How it is doing.
    pub fn status(&self) -> InstanceStatus {
        self.inner.guard.status()
    }
}

/// The findings about tokens and those of the plugin as one report.
fn checked(examined: Vec<portreeve_egress::Finding>, report: Result<Report, CallError>) -> Report {
    let mut findings: Vec<Finding> = examined
        .into_iter()
        .map(|finding| Finding {
            subject: finding.subject,
            verdict: match finding.verdict {
                portreeve_egress::Verdict::Passed => ReportVerdict::Passed,
                portreeve_egress::Verdict::Degraded => ReportVerdict::Degraded,
                portreeve_egress::Verdict::Failed => ReportVerdict::Failed,
            },
            code: finding.code.map(str::to_owned),
            message: finding.message,
            hint: finding.hint,
        })
        .collect();
    let mut verdict = ReportVerdict::Passed;
    match report {
        Ok(report) => {
            verdict = report.verdict;
            findings.extend(report.findings);
        }
        Err(error) => findings.push(plugin_failed(&error)),
    }
    let worst = findings.iter().map(|finding| finding.verdict).max();
    Report {
        verdict: worst.map_or(verdict, |worst| worst.max(verdict)),
        findings,
    }
}

/// The plugin's own part came to nothing.
fn plugin_failed(error: &CallError) -> Finding {
    let (code, hint) = match error {
        CallError::Timeout => (
            "check-not-finished",
            "give the check more time with `--timeout`, and look at the way to the source",
        ),
        _ => (
            "plugin-failed",
            "look at the log; if the plugin is at fault, its vendor wants to know",
        ),
    };
    Finding {
        subject: "plugin".to_owned(),
        verdict: ReportVerdict::Failed,
        code: Some(code.to_owned()),
        message: error.to_string(),
        hint: Some(hint.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/findings.md");

    #[test]
    fn a_plugin_that_fails_takes_nothing_away_from_the_report() {
        let examined = vec![portreeve_egress::Finding {
            subject: "clock".to_owned(),
            verdict: portreeve_egress::Verdict::Degraded,
            code: Some("clock-wrong"),
            message: String::new(),
            hint: None,
        }];
        for (error, code) in [
            (CallError::Timeout, "check-not-finished"),
            (CallError::Trap("unreachable".into()), "plugin-failed"),
        ] {
            let report = checked(examined.clone(), Err(error));
            assert_eq!(report.verdict, ReportVerdict::Failed);
            assert_eq!(report.findings.len(), 2);
            assert_eq!(report.findings[1].code.as_deref(), Some(code));
            assert!(PAGE.contains(&format!("\n### `{code}`\n")), "{code}");
        }
        let fine = Report {
            verdict: ReportVerdict::Passed,
            findings: Vec::new(),
        };
        assert_eq!(checked(examined, Ok(fine)).verdict, ReportVerdict::Degraded);
    }
}
