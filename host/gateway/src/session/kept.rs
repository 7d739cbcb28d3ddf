//! Sessions in the store: one document for each.

use std::net::IpAddr;
use std::sync::Arc;

use portreeve_domain::Timestamp;
use portreeve_store::{Batch, Store, StoreError, WriterHandle};
use serde::{Deserialize, Serialize};

use super::table::Key;
use super::{Nas, Session};
use crate::Memory;

const NAMESPACE: &str = "sessions";

/// Every document is live then: which ones are too old the table says.
const ANY_TIME: Timestamp = Timestamp::from_millis(0);

/// Where sessions are kept.
#[derive(Debug)]
pub(super) struct Kept {
    store: Arc<Store>,
    writer: WriterHandle,
}

impl Kept {
    pub(super) fn of(memory: &Memory) -> Option<Self> {
        Some(Self {
            store: Arc::clone(memory.store()?),
            writer: memory.writer()?.clone(),
        })
    }

    /// Reads all of them. Gives the keys of those that cannot be read, which
    /// another version may have written.
    pub(super) fn read(&self, mut each: impl FnMut(Key, Session)) -> Result<Vec<Key>, StoreError> {
        let mut unreadable = Vec::new();
        let mut cursor = None;
        loop {
            let page = self
                .store
                .document_keys(NAMESPACE, "", cursor.as_deref(), ANY_TIME)?;
            for key in page.keys {
                let document = self.store.document(NAMESPACE, &key, ANY_TIME)?;
                let Some(document) = document else { continue };
                match serde_json::from_slice::<Stored>(&document.value) {
                    Ok(stored) => each(Key::stored(&key), stored.into()),
                    Err(_) => unreadable.push(Key::stored(&key)),
                }
            }
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(unreadable);
            }
        }
    }

    pub(super) async fn write(&self, batch: Batch) -> Result<(), StoreError> {
        self.writer.commit(batch).await
    }
}

pub(super) fn put(batch: &mut Batch, key: &Key, session: &Session, expires_at: Timestamp) {
    // A document of texts and numbers can always be written.
    if let Ok(value) = serde_json::to_vec(&Stored::from(session)) {
        batch.put_document(NAMESPACE, key.as_str(), value, Some(expires_at));
    }
}

pub(super) fn delete(batch: &mut Batch, key: &Key) {
    batch.delete_document(NAMESPACE, key.as_str());
}

/// A session as it is stored. Members may be added; those that are missing are
/// not known.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nas_address: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nas_identifier: Option<Box<str>>,
    id: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audit_id: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calling_station: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port_id: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    framed_address: Option<IpAddr>,
    client: Arc<str>,
    started_at: u64,
    seen_at: u64,
}

impl From<&Session> for Stored {
    fn from(session: &Session) -> Self {
        let session = session.clone();
        Self {
            nas_address: session.nas.address,
            nas_identifier: session.nas.identifier,
            id: session.id,
            audit_id: session.audit_id,
            calling_station: session.calling_station,
            user: session.user,
            port: session.port,
            port_id: session.port_id,
            framed_address: session.framed_address,
            client: session.client,
            started_at: session.started_at.as_millis(),
            seen_at: session.seen_at.as_millis(),
        }
    }
}

impl From<Stored> for Session {
    fn from(stored: Stored) -> Self {
        Self {
            nas: Nas {
                address: stored.nas_address,
                identifier: stored.nas_identifier,
            },
            id: stored.id,
            audit_id: stored.audit_id,
            calling_station: stored.calling_station,
            user: stored.user,
            port: stored.port,
            port_id: stored.port_id,
            framed_address: stored.framed_address,
            client: stored.client,
            started_at: Timestamp::from_millis(stored.started_at),
            seen_at: Timestamp::from_millis(stored.seen_at),
        }
    }
}
