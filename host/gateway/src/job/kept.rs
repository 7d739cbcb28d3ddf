//! Jobs in the store: a document for each job and one for each device of it.
//!
//! The job's is written last: a job whose devices are not all there was never
//! acknowledged, and what is there of it is cleared away.

use std::collections::BTreeMap;
use std::sync::Arc;

use portreeve_domain::Timestamp;
use portreeve_store::{Document, Quota, SetDocument, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::model::{DeviceState, Job, JobDevice};
use crate::Action;

pub(super) const NAMESPACE: &str = "jobs";
const JOBS: &str = "job/";
const DEVICES: &str = "device/";
/// Bytes of one document: arguments and texts are bounded.
const MOST_BYTES: u64 = 16 << 10;
/// Devices of all jobs together.
pub(super) const MOST_DEVICES: usize = 100_000;

/// The jobs of before the restart.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    pub(super) jobs: Vec<Job>,
    /// Documents of jobs that never were.
    pub(super) orphans: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StoredJob {
    action: String,
    arguments: Option<Arc<str>>,
    client: Arc<str>,
    confirmed_by: Option<Arc<str>>,
    once: Option<Arc<str>>,
    digest: u64,
    /// Milliseconds since the epoch.
    created_at: u64,
    devices: usize,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StoredDevice {
    asked: Arc<str>,
    name: Option<Arc<str>>,
    source: Option<Arc<str>>,
    key: Option<Arc<str>>,
    state: String,
    detail: Option<Arc<str>>,
    ticket: Option<Arc<str>>,
    /// Milliseconds since the epoch.
    changed_at: u64,
}

/// Reads the jobs of before the restart. What cannot be read is an error:
/// nothing is done twice because of a damaged document.
pub fn restore(store: &Store) -> Result<Restored, StoreError> {
    let mut devices: BTreeMap<String, Document> = read(store, DEVICES)?.into_iter().collect();
    let mut jobs = Vec::new();
    for (id, document) in read(store, JOBS)? {
        let stored: StoredJob = parse(&id, &document)?;
        let mut of_job = Vec::with_capacity(stored.devices.min(MOST_DEVICES));
        for place in 0..stored.devices {
            let name = format!("{id}/{place:06}");
            let document = devices.remove(&name);
            let document = document.ok_or_else(|| damaged(&name, "it is missing"))?;
            of_job.push(device(&name, &document)?);
        }
        let kind = stored.action.parse();
        let kind = kind.map_err(|_| damaged(&id, "its action is unknown"))?;
        jobs.push(Job {
            action: Action::restored(kind, stored.arguments),
            client: stored.client,
            confirmed_by: stored.confirmed_by,
            once: stored.once,
            digest: stored.digest,
            created_at: Timestamp::from_millis(stored.created_at),
            devices: of_job,
            id: id.into(),
        });
    }
    let orphans = devices.into_keys().map(|name| format!("{DEVICES}{name}"));
    Ok(Restored {
        jobs,
        orphans: orphans.collect(),
    })
}

fn device(name: &str, document: &Document) -> Result<JobDevice, StoreError> {
    let stored: StoredDevice = parse(name, document)?;
    let state = DeviceState::parse(&stored.state);
    Ok(JobDevice {
        asked: stored.asked,
        name: stored.name,
        source: stored.source,
        key: stored.key,
        state: state.ok_or_else(|| damaged(name, "its state is unknown"))?,
        detail: stored.detail,
        ticket: stored.ticket,
        changed_at: Timestamp::from_millis(stored.changed_at),
        tries: 0,
    })
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
    StoreError::Damaged(format!("job `{name}`: {detail}"))
}

pub(super) fn job_key(id: &str) -> String {
    format!("{JOBS}{id}")
}

pub(super) fn device_key(id: &str, place: usize) -> String {
    format!("{DEVICES}{id}/{place:06}")
}

pub(super) fn job_document(job: &Job) -> SetDocument {
    let stored = StoredJob {
        action: job.action.kind().to_string(),
        arguments: job.action.arguments().map(Into::into),
        client: Arc::clone(&job.client),
        confirmed_by: job.confirmed_by.clone(),
        once: job.once.clone(),
        digest: job.digest,
        created_at: job.created_at.as_millis(),
        devices: job.devices.len(),
    };
    document(job_key(&job.id), &stored)
}

pub(super) fn device_document(id: &str, place: usize, device: &JobDevice) -> SetDocument {
    let stored = StoredDevice {
        asked: Arc::clone(&device.asked),
        name: device.name.clone(),
        source: device.source.clone(),
        key: device.key.clone(),
        state: device.state.as_str().to_owned(),
        detail: device.detail.clone(),
        ticket: device.ticket.clone(),
        changed_at: device.changed_at.as_millis(),
    };
    document(device_key(id, place), &stored)
}

fn document(key: String, value: &impl Serialize) -> SetDocument {
    let keys = (MOST_DEVICES as u64).saturating_mul(2);
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
