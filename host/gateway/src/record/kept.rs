//! Connection records in the store: documents in a namespace of its own.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use portreeve_domain::Timestamp;
use portreeve_store::{DocumentError, Quota, SetDocument, Store, StoreError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Checked, Kept, Records, Word};
use crate::CheckVerdict;

const NAMESPACE: &str = "connection-records";
const MOST_RECORDS: u64 = 1024;
const MOST_BYTES: u64 = 8192;
/// Bytes of a detail that are kept.
const MOST_DETAIL: usize = 1024;

/// What settings were checked: a salted digest of their digest, so that the
/// store does not say whether two instances have the same secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seal {
    salt: u64,
    sha256: String,
}

impl Seal {
    pub(super) fn of(digest: &str) -> Self {
        Self::salted(RandomState::new().hash_one(digest), digest)
    }

    fn salted(salt: u64, digest: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(salt.to_le_bytes());
        hash.update(digest);
        let sha256 = hex::encode(hash.finalize());
        Self { salt, sha256 }
    }

    pub(super) fn is_of(&self, digest: &str) -> bool {
        *self == Self::salted(self.salt, digest)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Stored {
    word: Option<StoredWord>,
    check: Option<StoredCheck>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StoredWord {
    enabled: bool,
    configured: bool,
    /// Milliseconds since the epoch.
    at: u64,
    by: Arc<str>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StoredCheck {
    /// Milliseconds since the epoch.
    at: u64,
    verdict: String,
    detail: Option<String>,
    seal: Seal,
}

/// Reads all records. What cannot be read is an error: no source that was
/// switched off is asked because of a damaged document.
pub(super) fn restore(store: &Store) -> Result<Records, StoreError> {
    let now = Timestamp::now();
    let mut records = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = store.document_keys(NAMESPACE, "", cursor.as_deref(), now)?;
        for key in page.keys {
            if let Some(document) = store.document(NAMESPACE, &key, now)? {
                let kept = read(&document.value).map_err(|error| {
                    StoreError::Damaged(format!("connection record `{key}`: {error}"))
                })?;
                records.insert(Arc::from(key), kept);
            }
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(Records(records));
        }
    }
}

fn read(document: &[u8]) -> Result<Kept, String> {
    let stored: Stored = serde_json::from_slice(document).map_err(|error| error.to_string())?;
    let check = stored.check.map(|check| {
        let verdict = [
            CheckVerdict::Passed,
            CheckVerdict::Degraded,
            CheckVerdict::Failed,
        ];
        let known = verdict.iter().find(|it| it.as_str() == check.verdict);
        Ok::<_, String>(Checked {
            at: Timestamp::from_millis(check.at),
            verdict: *known.ok_or_else(|| format!("no verdict `{}`", check.verdict))?,
            detail: check.detail,
            seal: check.seal,
        })
    });
    Ok(Kept {
        word: stored.word.map(|word| Word {
            enabled: word.enabled,
            configured: word.configured,
            at: Timestamp::from_millis(word.at),
            by: word.by,
        }),
        check: check.transpose()?,
    })
}

/// Keeps one record over restarts, if there is a store. The disk may take its
/// time; whoever answers questions does not wait.
pub(super) async fn keep(
    store: Option<&Arc<Store>>,
    name: Arc<str>,
    kept: Kept,
) -> Result<(), DocumentError> {
    let Some(store) = store.cloned() else {
        return Ok(());
    };
    let write = move || store.set_document(&document(&name, &kept)).map(drop);
    let written = tokio::task::spawn_blocking(write).await;
    written.map_err(|error| DocumentError::Store(StoreError::Io(error.to_string())))?
}

fn document(name: &str, kept: &Kept) -> SetDocument {
    let stored = Stored {
        word: kept.word.as_ref().map(|word| StoredWord {
            enabled: word.enabled,
            configured: word.configured,
            at: word.at.as_millis(),
            by: Arc::clone(&word.by),
        }),
        check: kept.check.as_ref().map(|check| StoredCheck {
            at: check.at.as_millis(),
            verdict: check.verdict.as_str().to_owned(),
            detail: check.detail.as_deref().map(shortened),
            seal: check.seal.clone(),
        }),
    };
    SetDocument {
        namespace: NAMESPACE.to_owned(),
        key: name.to_owned(),
        // Texts and numbers always become JSON.
        value: serde_json::to_vec(&stored).unwrap_or_default(),
        if_version: None,
        ttl: None,
        quota: Quota {
            keys: MOST_RECORDS,
            value_bytes: MOST_BYTES,
            total_bytes: MOST_RECORDS * MOST_BYTES,
        },
        now: Timestamp::now(),
    }
}

fn shortened(detail: &str) -> String {
    detail.chars().take(MOST_DETAIL / 4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_what_was_kept() {
        let kept = Kept {
            word: Some(Word {
                enabled: false,
                configured: true,
                at: Timestamp::from_millis(1),
                by: "(local)".into(),
            }),
            check: Some(Checked {
                at: Timestamp::from_millis(2),
                verdict: CheckVerdict::Failed,
                detail: Some("token graph: refused".to_owned()),
                seal: Seal::of("digest"),
            }),
        };
        let again = read(&document("contoso", &kept).value).unwrap();
        assert_eq!((again.word, again.check), (kept.word, kept.check));
    }

    #[test]
    fn a_seal_is_of_one_digest_and_shows_none() {
        let (one, same) = (Seal::of("digest"), Seal::of("digest"));
        assert!(one.is_of("digest") && same.is_of("digest") && !one.is_of("other"));
        assert_ne!(one.sha256, same.sha256);
    }

    #[test]
    fn damage_is_an_error() {
        for document in [
            "",
            "{}x",
            r#"{"check":{"at":1,"verdict":"fine","seal":{}}}"#,
        ] {
            assert!(read(document.as_bytes()).is_err(), "{document}");
        }
    }
}
