//! A configured instance of a connector.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use portreeve_domain::{Device, Identifier};
use portreeve_egress::Egress;

use crate::breaker::BreakerSettings;
use crate::engine::Shared;
use crate::error::{CallError, InstanceError};
use crate::guarded::Guard;
use crate::limits::{Limits, PageLimits};
use crate::load::{Plugin, Pre};
use crate::plugin_log::PluginLog;
use crate::since_v0_1::{
    ActionsGuest, Common, ConnectorData, ConnectorGuest, ConnectorStart, InventoryGuest,
};
use crate::state::StateStore;
use crate::status::InstanceStatus;

/// Calls about actions that are under way at once.
const MOST_ACTIONS: usize = 4;

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
    pub(crate) pages: PageLimits,
    /// Of its own, with its own instance and breaker: a page that takes long,
    /// or a plugin that breaks over one, does not hold up look-ups.
    pub(crate) page_guard: Guard<ConnectorData, InventoryGuest>,
    /// Of its own as well: who acts on hundreds of devices does not hold up
    /// look-ups.
    pub(crate) action_guard: Guard<ConnectorData, ActionsGuest>,
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
                pre: pre.clone(),
                common: Common {
                    settings: table,
                    log: Arc::clone(&log),
                },
                egress,
                state: settings.state,
            },
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

    /// Talks to the source and reports how that goes.
    pub async fn check(&self, deadline: Instant) -> Result<Report, CallError> {
        let inner = Arc::clone(&self.inner);
        let call = async move { inner.start.check(&inner.guard, deadline).await };
        self.inner.shared.workers.run(call).await
    }

    /// How it is doing.
    pub fn status(&self) -> InstanceStatus {
        self.inner.guard.status()
    }
}
