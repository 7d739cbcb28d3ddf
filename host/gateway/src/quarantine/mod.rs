//! The operator's quarantine: endpoints that get no better verdict than a named
//! policy says, whatever their management system thinks of them.
//!
//! It is applied to addresses, by operators and by clients with the right to do
//! so (pxGrid's ANC service). Who is quarantined is part of the rules in force:
//! every decision respects it at once, answers that were prepared before are
//! void, and it is there again after a restart before the first answer.

mod confined;
mod kept;
mod policy;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use portreeve_domain::{MacAddress, Timestamp};
use portreeve_store::{DocumentError, StoreError, WriterHandle};
use tokio::sync::Mutex;

use crate::feed::Touched;
use crate::rules::Rules;

pub(crate) use self::confined::{Confined, restrain};
pub use self::kept::{Restored, restore};
pub use self::policy::{Action, Policy};

/// Quarantine as the operator configured it, and as it was before the restart.
#[derive(Clone, Debug)]
pub struct QuarantineSettings {
    /// The configured policies.
    pub policies: Vec<Policy>,
    /// Endpoints that can be quarantined at once; as many policies can be
    /// created.
    pub most: usize,
    /// What the store held at the start.
    pub restored: Restored,
}

impl Default for QuarantineSettings {
    fn default() -> Self {
        Self {
            policies: Vec::new(),
            most: 10_000,
            restored: Restored::default(),
        }
    }
}

/// One endpoint that is quarantined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// By which address.
    pub mac: MacAddress,
    /// By which policy.
    pub policy: Arc<Policy>,
    /// Since when.
    pub since: Timestamp,
    /// Who did it, e.g. a client by its name.
    pub by: Arc<str>,
}

/// A change of the quarantine that was not made. Everything is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuarantineError {
    /// Nothing can be named like that.
    #[error("a policy's name has 1 to 64 bytes, no control characters and no space around it")]
    InvalidName,
    /// There is no policy of that name.
    #[error("there is no quarantine policy `{0}`")]
    NoPolicy(Arc<str>),
    /// There is a policy of that name.
    #[error("there is a quarantine policy `{0}` already")]
    PolicyExists(Arc<str>),
    /// The policy is the operator's.
    #[error("the quarantine policy `{0}` is in the configuration; take it out there")]
    PolicyConfigured(Arc<str>),
    /// Endpoints are quarantined by it.
    #[error("endpoints are quarantined by the policy `{0}`; clear them first")]
    PolicyInUse(Arc<str>),
    /// The endpoint is quarantined by that policy.
    #[error("{mac} is quarantined by the policy `{policy}` already")]
    AlreadyApplied {
        /// The endpoint.
        mac: MacAddress,
        /// The policy.
        policy: Arc<str>,
    },
    /// The endpoint is not quarantined.
    #[error("{0} is not quarantined")]
    NotQuarantined(MacAddress),
    /// There are as many as there may be.
    #[error("no more than {0} can be kept")]
    Full(usize),
    /// The store did not take it.
    #[error("it cannot be kept: {0}")]
    NotKept(String),
}

impl From<DocumentError> for QuarantineError {
    fn from(error: DocumentError) -> Self {
        Self::NotKept(error.to_string())
    }
}

impl From<StoreError> for QuarantineError {
    fn from(error: StoreError) -> Self {
        Self::NotKept(error.to_string())
    }
}

/// Who is quarantined, and by which policies.
#[derive(Debug)]
pub struct Quarantine {
    rules: Arc<ArcSwap<Rules>>,
    policies: ArcSwap<BTreeMap<Arc<str>, Arc<Policy>>>,
    most: usize,
    writer: Option<WriterHandle>,
    touched: Option<Arc<Touched>>,
    /// One change at a time: the store and the rules say the same.
    turn: Mutex<()>,
}

/// What the settings come to: the policies, and who is quarantined.
pub(crate) fn begin(settings: &QuarantineSettings) -> (BTreeMap<Arc<str>, Arc<Policy>>, Confined) {
    let restored = settings.restored.policies.iter();
    let configured = settings.policies.iter();
    // The configuration has the last word on a name.
    let policies = restored.chain(configured).map(|policy| {
        let policy = Arc::new(policy.clone());
        (Arc::clone(&policy.name), policy)
    });
    let policies: BTreeMap<_, _> = policies.collect();
    let assignments = settings.restored.endpoints.iter().map(|endpoint| {
        let policy = policies.get(&*endpoint.policy).cloned();
        let policy = policy.unwrap_or_else(|| {
            tracing::warn!(
                mac = %endpoint.mac,
                policy = &*endpoint.policy,
                "an endpoint is quarantined by a policy that is not configured any more, and denied"
            );
            Arc::new(Policy::forgotten(&endpoint.policy))
        });
        Arc::new(Assignment {
            mac: endpoint.mac,
            policy,
            since: endpoint.since,
            by: Arc::clone(&endpoint.by),
        })
    });
    let confined = Confined::of(assignments);
    (policies, confined)
}

impl Quarantine {
    pub(crate) fn new(
        rules: Arc<ArcSwap<Rules>>,
        policies: BTreeMap<Arc<str>, Arc<Policy>>,
        most: usize,
        writer: Option<WriterHandle>,
        touched: Option<Arc<Touched>>,
    ) -> Self {
        Self {
            rules,
            policies: ArcSwap::from_pointee(policies),
            most,
            writer,
            touched,
            turn: Mutex::default(),
        }
    }

    /// How an endpoint is quarantined, if it is.
    pub fn of(&self, mac: MacAddress) -> Option<Arc<Assignment>> {
        self.rules.load().confined.get(mac).cloned()
    }

    /// All quarantined endpoints, in the order of their addresses.
    pub fn list(&self) -> Vec<Arc<Assignment>> {
        let rules = self.rules.load();
        let mut list: Vec<_> = rules.confined.assignments().cloned().collect();
        list.sort_by_key(|assignment| assignment.mac);
        list
    }

    /// All policies, in the order of their names.
    pub fn policies(&self) -> Vec<Arc<Policy>> {
        self.policies.load().values().cloned().collect()
    }

    /// The policy of a name.
    pub fn policy(&self, name: &str) -> Option<Arc<Policy>> {
        self.policies.load().get(name).cloned()
    }

    /// Quarantines an endpoint, or has another policy hold for it. In force and
    /// durable when this returns. `by` is who wants it, for the audit.
    pub async fn apply(
        &self,
        mac: MacAddress,
        policy: &str,
        by: &str,
    ) -> Result<Arc<Assignment>, QuarantineError> {
        let _turn = self.turn.lock().await;
        let done = self.try_apply(mac, policy, by).await;
        audit("apply", by, &mac.to_string(), policy, done.as_ref().err());
        done
    }

    async fn try_apply(
        &self,
        mac: MacAddress,
        policy: &str,
        by: &str,
    ) -> Result<Arc<Assignment>, QuarantineError> {
        let no_policy = || QuarantineError::NoPolicy(policy.into());
        let policy = self.policy(policy).ok_or_else(no_policy)?;
        let rules = self.rules.load_full();
        match rules.confined.get(mac) {
            Some(present) if present.policy.name == policy.name => {
                let policy = Arc::clone(&policy.name);
                return Err(QuarantineError::AlreadyApplied { mac, policy });
            }
            None if rules.confined.len() >= self.most => {
                return Err(QuarantineError::Full(self.most));
            }
            _ => {}
        }
        let endpoint = kept::Endpoint {
            mac,
            policy: policy.name.as_ref().to_owned(),
            since: Timestamp::now(),
            by: by.into(),
        };
        if let Some(writer) = &self.writer {
            let document = kept::endpoint_document(&endpoint, self.most);
            writer.set_document(document).await?;
        }
        let assignment = Arc::new(Assignment {
            mac,
            policy,
            since: endpoint.since,
            by: endpoint.by,
        });
        self.put_in_force(mac, |confined| confined.with(Arc::clone(&assignment)));
        Ok(assignment)
    }

    /// Sets an endpoint free. In force and durable when this returns.
    pub async fn clear(
        &self,
        mac: MacAddress,
        by: &str,
    ) -> Result<Arc<Assignment>, QuarantineError> {
        let _turn = self.turn.lock().await;
        let done = self.try_clear(mac).await;
        let policy = done.as_ref().map_or("", |it| &it.policy.name);
        audit("clear", by, &mac.to_string(), policy, done.as_ref().err());
        done
    }

    async fn try_clear(&self, mac: MacAddress) -> Result<Arc<Assignment>, QuarantineError> {
        let present = self.of(mac).ok_or(QuarantineError::NotQuarantined(mac))?;
        if let Some(writer) = &self.writer {
            let key = kept::endpoint_key(mac);
            writer.delete_document(kept::NAMESPACE, &key).await?;
        }
        self.put_in_force(mac, |confined| confined.without(mac));
        Ok(present)
    }

    /// Adds a policy, as long as nobody deletes it.
    pub async fn create_policy(
        &self,
        policy: Policy,
        by: &str,
    ) -> Result<Arc<Policy>, QuarantineError> {
        let _turn = self.turn.lock().await;
        let name = Arc::clone(&policy.name);
        let done = self.try_create(policy).await;
        audit("create-policy", by, "", &name, done.as_ref().err());
        done
    }

    async fn try_create(&self, policy: Policy) -> Result<Arc<Policy>, QuarantineError> {
        policy::check_name(&policy.name)?;
        let mut policies = BTreeMap::clone(&self.policies.load());
        if policies.contains_key(&policy.name) {
            return Err(QuarantineError::PolicyExists(policy.name));
        }
        if policies.len() >= self.most {
            return Err(QuarantineError::Full(self.most));
        }
        if let Some(writer) = &self.writer {
            let document = kept::policy_document(&policy, self.most);
            writer.set_document(document).await?;
        }
        let policy = Arc::new(policy);
        policies.insert(Arc::clone(&policy.name), Arc::clone(&policy));
        self.policies.store(Arc::new(policies));
        Ok(policy)
    }

    /// Deletes a policy that was created and that no endpoint is under.
    pub async fn delete_policy(&self, name: &str, by: &str) -> Result<(), QuarantineError> {
        let _turn = self.turn.lock().await;
        let done = self.try_delete(name).await;
        audit("delete-policy", by, "", name, done.as_ref().err());
        done
    }

    async fn try_delete(&self, name: &str) -> Result<(), QuarantineError> {
        let no_policy = || QuarantineError::NoPolicy(name.into());
        let policy = self.policy(name).ok_or_else(no_policy)?;
        if policy.is_configured {
            return Err(QuarantineError::PolicyConfigured(Arc::clone(&policy.name)));
        }
        let rules = self.rules.load_full();
        let mut under = rules.confined.assignments();
        if under.any(|assignment| *assignment.policy.name == *name) {
            return Err(QuarantineError::PolicyInUse(Arc::clone(&policy.name)));
        }
        if let Some(writer) = &self.writer {
            let key = kept::policy_key(name);
            writer.delete_document(kept::NAMESPACE, &key).await?;
        }
        let mut policies = BTreeMap::clone(&self.policies.load());
        policies.remove(name);
        self.policies.store(Arc::new(policies));
        Ok(())
    }

    fn put_in_force(&self, mac: MacAddress, change: impl Fn(&Confined) -> Confined) {
        self.rules.rcu(|rules| Rules {
            confined: Arc::new(change(&rules.confined)),
            ..Rules::clone(rules)
        });
        if let Some(touched) = &self.touched {
            touched.note_address(mac);
        }
    }
}

/// Every request leaves a trace, done or not.
fn audit(action: &str, by: &str, mac: &str, policy: &str, error: Option<&QuarantineError>) {
    let outcome = error.map_or_else(|| "done".to_owned(), ToString::to_string);
    tracing::info!(target: "audit", action, by, mac, policy, outcome, "quarantine");
}
