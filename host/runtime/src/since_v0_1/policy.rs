//! A policy: what its store holds and how its export is called.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_domain::{FactsRead, Subject};
use wasmtime::Store;
use wasmtime::component::Resource;

use super::bindings::policy::exports::portreeve::policy::evaluator::Guest;
use super::bindings::policy::portreeve::policy::types::Failure;
use super::common::Common;
use super::decision::decision_from_wit;
use super::describe::validate_settings;
use super::worlds::PolicyPre;
use crate::error::{CallError, SettingsProblem};
use crate::guarded::{Guard, Start, StoreData, limited_store};
use crate::limits::{Limits, Meter};
use crate::policy::Evaluation;

const TEXT_BYTES: usize = 1024;

/// The typed export of a running policy.
pub(crate) type PolicyGuest = Guest;

/// What the host keeps for one running policy.
pub(crate) struct PolicyData {
    pub(super) common: Common,
    meter: Meter,
    /// The subject of the call that is under way.
    pub(super) subject: Option<Arc<Subject>>,
    pub(super) facts_read: FactsRead,
    pub(super) named_facts: u32,
}

impl StoreData for PolicyData {
    fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }
}

/// Starts instances of one configured policy.
#[derive(Clone)]
pub(crate) struct PolicyStart {
    pub(crate) pre: PolicyPre,
    pub(crate) common: Common,
}

impl fmt::Debug for PolicyStart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PolicyStart")
            .field("log", &self.common.log)
            .finish_non_exhaustive()
    }
}

impl Start<PolicyData, PolicyGuest> for PolicyStart {
    fn store(&self, limits: &Limits) -> Store<PolicyData> {
        let data = PolicyData {
            common: self.common.clone(),
            meter: Meter::new(limits),
            subject: None,
            facts_read: FactsRead::default(),
            named_facts: 0,
        };
        limited_store(self.pre.instance.component().engine(), data, limits)
    }

    fn instantiate<'a>(
        &'a self,
        store: &'a mut Store<PolicyData>,
    ) -> BoxFuture<'a, wasmtime::Result<PolicyGuest>> {
        async move {
            let instance = self.pre.instance.instantiate_async(&mut *store).await?;
            self.pre.evaluator.load(store, &instance)
        }
        .boxed()
    }

    fn validate<'a>(
        &'a self,
        store: &'a mut Store<PolicyData>,
    ) -> BoxFuture<'a, wasmtime::Result<Vec<SettingsProblem>>> {
        let document = self.common.settings.document();
        validate_settings(store, &self.pre.instance, document).boxed()
    }
}

impl PolicyStart {
    pub(crate) async fn evaluate(
        &self,
        guard: &Guard<PolicyData, PolicyGuest>,
        subject: Arc<Subject>,
    ) -> Result<Evaluation, CallError> {
        guard
            .call(
                None,
                self,
                |live| {
                    async move {
                        let data = live.store.data_mut();
                        data.subject = Some(subject);
                        data.facts_read = FactsRead::default();
                        data.named_facts = 0;
                        // Lent, not given: the store keeps the subject, so there
                        // is no table to look it up in and nothing to clear away.
                        let handle = Resource::new_borrow(0);
                        let decided = live.bindings.call_evaluate(&mut live.store, handle).await?;
                        let data = live.store.data_mut();
                        data.subject = None;
                        Ok((decided, std::mem::take(&mut data.facts_read)))
                    }
                    .boxed()
                },
                |(decided, facts_read)| {
                    let decision = decided.map_err(|failure| self.failure(failure))?;
                    Ok(Evaluation {
                        decision: decision_from_wit(decision)?,
                        facts_read,
                    })
                },
            )
            .await
    }

    fn failure(&self, failure: Failure) -> CallError {
        let text = |text: String| self.common.log.presentable(&text, TEXT_BYTES);
        match failure {
            Failure::MissingFact(name) => CallError::MissingFact(text(name)),
            Failure::Misconfigured(message) => CallError::Misconfigured(text(message)),
            Failure::Other(message) => CallError::Other(text(message)),
        }
    }
}
