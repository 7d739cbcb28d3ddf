//! Changes of lists in the store: documents in a namespace of its own.

use std::sync::Arc;

use portreeve_domain::Timestamp;
use portreeve_store::{Quota, SetDocument, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::Edit;

pub(super) const NAMESPACE: &str = "lists";
const MOST_BYTES: u64 = 4096;

/// What the store knows about changed lists, to start with.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    pub(super) edits: Vec<Edit>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StoredEdit {
    list: Arc<str>,
    member: Arc<str>,
    is_member: bool,
    by: Arc<str>,
    /// Milliseconds since the epoch.
    at: u64,
    why: Option<Arc<str>>,
    until: Option<u64>,
}

/// Reads what was changed before the restart and is not over. What cannot be
/// read is an error: nobody is let in or kept out by a damaged document.
pub fn restore(store: &Store) -> Result<Restored, StoreError> {
    let now = Timestamp::now();
    let mut restored = Restored::default();
    let mut cursor = None;
    loop {
        let page = store.document_keys(NAMESPACE, "", cursor.as_deref(), now)?;
        for key in page.keys {
            let Some(document) = store.document(NAMESPACE, &key, now)? else {
                continue;
            };
            let stored: StoredEdit = serde_json::from_slice(&document.value).map_err(|error| {
                StoreError::Damaged(format!("change of a list `{key}`: {error}"))
            })?;
            restored.edits.push(Edit {
                list: stored.list,
                member: stored.member,
                is_member: stored.is_member,
                by: stored.by,
                at: Timestamp::from_millis(stored.at),
                why: stored.why,
                until: stored.until.map(Timestamp::from_millis),
            });
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(restored);
        }
    }
}

pub(super) fn key(edit: &Edit) -> String {
    format!("{}/{}", edit.list, edit.member)
}

pub(super) fn document(edit: &Edit, most: usize) -> SetDocument {
    let stored = StoredEdit {
        list: Arc::clone(&edit.list),
        member: Arc::clone(&edit.member),
        is_member: edit.is_member,
        by: Arc::clone(&edit.by),
        at: edit.at.as_millis(),
        why: edit.why.clone(),
        until: edit.until.map(Timestamp::as_millis),
    };
    let keys = u64::try_from(most).unwrap_or(u64::MAX).saturating_mul(2);
    SetDocument {
        namespace: NAMESPACE.to_owned(),
        key: key(edit),
        // Texts and numbers always become JSON.
        value: serde_json::to_vec(&stored).unwrap_or_default(),
        if_version: None,
        ttl: edit.until.map(|until| until.since(edit.at)),
        quota: Quota {
            keys,
            value_bytes: MOST_BYTES,
            total_bytes: keys.saturating_mul(MOST_BYTES),
        },
        now: edit.at,
    }
}
