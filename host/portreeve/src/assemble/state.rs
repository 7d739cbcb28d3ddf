//! What a connector remembers between its calls, in the store.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_domain::Timestamp;
use portreeve_runtime::{StateEntry, StateError, StateKeys, StateQuota, StateStore};
use portreeve_store::{DocumentError, Quota, SetDocument, Store, StoreError};

/// The state of one connector instance.
#[derive(Clone, Debug)]
pub(super) struct StoredState {
    store: Arc<Store>,
    namespace: String,
    quota: Quota,
}

impl StoredState {
    pub(super) fn new(store: Arc<Store>, connector: &str) -> Self {
        let quota = StateQuota::default();
        Self {
            store,
            namespace: format!("state:{connector}"),
            quota: Quota {
                keys: quota.keys as u64,
                value_bytes: quota.value_bytes as u64,
                total_bytes: quota.total_bytes as u64,
            },
        }
    }

    /// The disk may take its time; whoever answers questions does not wait.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&this)).await;
        done.map_err(|error| StateError::Unavailable(error.to_string()))?
    }
}

impl StateStore for StoredState {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<StateEntry>, StateError>> {
        let key = key.to_owned();
        self.aside(move |this| {
            let found = this.store.document(&this.namespace, &key, Timestamp::now());
            let found = found.map_err(|error| unavailable(&error))?;
            Ok(found.map(|document| StateEntry {
                value: document.value,
                version: document.version,
            }))
        })
        .boxed()
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
        if_version: Option<u64>,
        ttl: Option<Duration>,
    ) -> BoxFuture<'a, Result<u64, StateError>> {
        let key = key.to_owned();
        self.aside(move |this| {
            let request = SetDocument {
                namespace: this.namespace.clone(),
                key,
                value,
                if_version,
                ttl,
                quota: this.quota,
                now: Timestamp::now(),
            };
            let stored = this.store.set_document(&request);
            stored.map_err(|error| refused(&error))
        })
        .boxed()
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StateError>> {
        let key = key.to_owned();
        self.aside(move |this| {
            let deleted = this.store.delete_document(&this.namespace, &key);
            deleted.map_err(|error| unavailable(&error))
        })
        .boxed()
    }

    fn list_keys<'a>(
        &'a self,
        prefix: &'a str,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<StateKeys, StateError>> {
        let prefix = prefix.to_owned();
        let cursor = cursor.map(str::to_owned);
        self.aside(move |this| {
            let keys = this.store.document_keys(
                &this.namespace,
                &prefix,
                cursor.as_deref(),
                Timestamp::now(),
            );
            let keys = keys.map_err(|error| unavailable(&error))?;
            Ok(StateKeys {
                keys: keys.keys,
                cursor: keys.cursor,
            })
        })
        .boxed()
    }
}

fn unavailable(error: &StoreError) -> StateError {
    StateError::Unavailable(error.to_string())
}

fn refused(error: &DocumentError) -> StateError {
    match error {
        DocumentError::InvalidKey => StateError::InvalidKey,
        DocumentError::TooLarge(most) => StateError::TooLarge(*most),
        DocumentError::QuotaExceeded => StateError::QuotaExceeded,
        DocumentError::Conflict => StateError::Conflict,
        DocumentError::Store(error) => unavailable(error),
    }
}
