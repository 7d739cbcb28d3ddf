//! Quarantine in the store: documents in a namespace of its own.

use std::sync::Arc;

use portreeve_domain::{MacAddress, Timestamp, Verdict};
use portreeve_store::{Document, Quota, SetDocument, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::{Action, Policy};

pub(super) const NAMESPACE: &str = "quarantine";
const POLICIES: &str = "policy/";
const ENDPOINTS: &str = "endpoint/";
const MOST_BYTES: u64 = 4096;

/// What the store knows about quarantine, to start with.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    pub(super) policies: Vec<Policy>,
    pub(super) endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) mac: MacAddress,
    pub(super) policy: String,
    pub(super) since: Timestamp,
    pub(super) by: Arc<str>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StoredPolicy {
    actions: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StoredEndpoint {
    policy: String,
    /// Milliseconds since the epoch.
    since: u64,
    by: Arc<str>,
}

/// Reads what was quarantined before the restart. What cannot be read is an
/// error: nobody is set free by a damaged document.
pub fn restore(store: &Store) -> Result<Restored, StoreError> {
    let mut restored = Restored::default();
    for (name, document) in read(store, POLICIES)? {
        let stored: StoredPolicy = parse(&name, &document)?;
        let actions = stored.actions.iter();
        let actions = actions.filter_map(|word| Action::parse(word)).collect();
        let policy = Policy::of_actions(&name, actions);
        restored
            .policies
            .push(policy.map_err(|error| damaged(&name, &error.to_string()))?);
    }
    for (mac, document) in read(store, ENDPOINTS)? {
        let stored: StoredEndpoint = parse(&mac, &document)?;
        let address = mac.parse();
        restored.endpoints.push(Endpoint {
            mac: address.map_err(|_| damaged(&mac, "it is no MAC address"))?,
            policy: stored.policy,
            since: Timestamp::from_millis(stored.since),
            by: stored.by,
        });
    }
    Ok(restored)
}

fn read(store: &Store, prefix: &str) -> Result<Vec<(String, Document)>, StoreError> {
    let now = Timestamp::now();
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.document_keys(NAMESPACE, prefix, cursor.as_deref(), now)?;
        for key in page.keys {
            let name = key.strip_prefix(prefix).unwrap_or(&key).to_owned();
            if let Some(document) = store.document(NAMESPACE, &key, now)? {
                found.push((name, document));
            }
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(name: &str, document: &'a Document) -> Result<T, StoreError> {
    serde_json::from_slice(&document.value).map_err(|error| damaged(name, &error.to_string()))
}

fn damaged(name: &str, detail: &str) -> StoreError {
    StoreError::Damaged(format!("quarantine `{name}`: {detail}"))
}

pub(super) fn policy_key(name: &str) -> String {
    format!("{POLICIES}{name}")
}

pub(super) fn endpoint_key(mac: MacAddress) -> String {
    format!("{ENDPOINTS}{mac}")
}

pub(super) fn policy_document(policy: &Policy, most: usize) -> SetDocument {
    // Nothing else is kept: a policy that is created is its actions.
    debug_assert!(policy.verdict != Verdict::Restrict && policy.obligations.is_empty());
    let words = policy
        .actions
        .iter()
        .map(|action| action.as_str().to_owned());
    let stored = StoredPolicy {
        actions: words.collect(),
    };
    document(policy_key(&policy.name), &stored, most)
}

pub(super) fn endpoint_document(endpoint: &Endpoint, most: usize) -> SetDocument {
    let stored = StoredEndpoint {
        policy: endpoint.policy.clone(),
        since: endpoint.since.as_millis(),
        by: Arc::clone(&endpoint.by),
    };
    document(endpoint_key(endpoint.mac), &stored, most)
}

fn document(key: String, value: &impl Serialize, most: usize) -> SetDocument {
    let keys = u64::try_from(most).unwrap_or(u64::MAX).saturating_mul(2);
    SetDocument {
        namespace: NAMESPACE.to_owned(),
        key,
        // Texts and numbers always become JSON.
        value: serde_json::to_vec(value).unwrap_or_default(),
        if_version: None,
        ttl: None,
        quota: Quota {
            keys,
            value_bytes: MOST_BYTES,
            total_bytes: keys.saturating_mul(MOST_BYTES),
        },
        now: Timestamp::now(),
    }
}
