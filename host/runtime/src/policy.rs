//! A configured instance of a policy.

use std::fmt;
use std::sync::Arc;

use portreeve_domain::{Decision, FactsRead, Subject};

use crate::breaker::BreakerSettings;
use crate::engine::Shared;
use crate::error::{CallError, InstanceError};
use crate::guarded::Guard;
use crate::limits::Limits;
use crate::load::{Plugin, Pre};
use crate::plugin_log::PluginLog;
use crate::since_v0_1::{Common, PolicyData, PolicyGuest, PolicyStart};
use crate::status::InstanceStatus;

/// What the operator decided about one policy instance.
#[derive(Clone, Debug)]
pub struct PolicySettings {
    /// The table for the plugin itself, checked against its schema.
    pub settings: serde_json::Value,
    /// How much it may use.
    pub limits: Limits,
    /// When it is left alone.
    pub breaker: BreakerSettings,
}

/// What a policy decided, and on what grounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The decision.
    pub decision: Decision,
    /// The facts it read; while they are the same, so is the decision.
    pub facts_read: FactsRead,
}

/// A configured instance of a policy. Cheap to clone.
#[derive(Clone)]
pub struct Policy {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    shared: Arc<Shared>,
    start: PolicyStart,
    guard: Guard<PolicyData, PolicyGuest>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Policy")
            .field("name", &self.inner.name)
            .finish_non_exhaustive()
    }
}

impl Plugin {
    /// Configures an instance of a policy, under a name for logs.
    pub async fn policy(
        &self,
        name: &str,
        settings: PolicySettings,
    ) -> Result<Policy, InstanceError> {
        let Pre::Policy(pre) = self.pre() else {
            return Err(self.wrong_kind("policy"));
        };
        let checked = self.schema().apply(settings.settings);
        let table = Arc::new(checked.map_err(InstanceError::Settings)?);
        let limits = settings.limits;
        let log = PluginLog::new(&self.descriptor().id, name, limits.log.clone(), None);
        let log = Arc::new(log);
        let inner = Arc::new(Inner {
            name: name.into(),
            shared: Arc::clone(self.shared()),
            start: PolicyStart {
                pre: pre.clone(),
                common: Common {
                    settings: table,
                    log: Arc::clone(&log),
                },
            },
            guard: Guard::new(limits, settings.breaker, log),
        });
        let checking = Arc::clone(&inner);
        let problems = inner
            .shared
            .workers
            .run(async move { checking.guard.validate(&checking.start).await });
        let problems = problems.await?;
        if problems.is_empty() {
            Ok(Policy { inner })
        } else {
            Err(InstanceError::Settings(problems))
        }
    }
}

impl Policy {
    /// The name the operator gave it.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Decides about a subject, and tells which of its facts were read.
    pub async fn evaluate(&self, subject: Arc<Subject>) -> Result<Evaluation, CallError> {
        let inner = Arc::clone(&self.inner);
        let call = async move { inner.start.evaluate(&inner.guard, subject).await };
        self.inner.shared.workers.run_here_first(call).await
    }

    /// How it is doing.
    pub fn status(&self) -> InstanceStatus {
        self.inner.guard.status()
    }
}
