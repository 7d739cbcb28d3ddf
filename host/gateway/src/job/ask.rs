//! Asking for actions: who it would be done to, whether it can be, and the
//! confirmation before it is.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use portreeve_cache::SourceId;
use portreeve_domain::{ActionKind, Connection, Identifier, Question, Timestamp};
use portreeve_store::Batch;

use super::confirm::Waiting;
use super::kept;
use super::model::{DeviceState, Job, JobDevice};
use super::rules::ConfirmBy;
use super::{JobError, Jobs};
use crate::action::{Action, ActionError, ActionRight, PossibleAction};
use crate::query::{Candidate, Prospect, Query};
use crate::{Gateway, SourceError};

/// Endpoints that are looked up at once for one request.
const AT_ONCE: usize = 16;
/// Documents that are on the way to the store at once.
const WRITES: usize = 64;

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct JobRequest {
    /// What is to be done.
    pub action: Action,
    /// To whom.
    pub targets: Targets,
    /// Who asks, and what he may see: what he may not see is not acted on.
    pub connection: Arc<Connection>,
    /// How long one look-up may take.
    pub patience: Duration,
    /// What the client's configuration says about this kind of action.
    pub right: ActionRight,
    /// The client's own key: what is asked for twice under it is done once.
    pub once: Option<Arc<str>>,
}

/// Devices to act on.
#[derive(Clone, Debug)]
pub enum Targets {
    /// Each by one identifier.
    Identifiers(Vec<Identifier>),
    /// All known ones that are like this.
    Query(Query),
}

/// What came of asking.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// It is being done.
    Started(Job),
    /// It was asked for before under the same key.
    Repeated(Job),
    /// It will be done to the devices that wait, once it is confirmed.
    ToConfirm {
        /// What would be done.
        job: Job,
        /// Confirms it.
        token: Arc<str>,
        /// Until then.
        expires_at: Timestamp,
    },
}

/// What can be done to an endpoint.
#[derive(Clone, Debug)]
pub struct PossibleActions {
    /// The source whose record is in use.
    pub source: Arc<str>,
    /// The actions that it knows, as it says.
    pub actions: Vec<PossibleAction>,
}

/// A device that a query found.
struct Found {
    source: Arc<str>,
    key: String,
    identifiers: Vec<Identifier>,
    /// Nobody has looked yet whether it is like that.
    is_open: bool,
}

impl Gateway {
    /// All jobs.
    pub const fn jobs(&self) -> &Arc<Jobs> {
        &self.jobs
    }

    /// Asks for an action. What is harmless is begun, everything else waits for
    /// [`Gateway::confirm`].
    pub async fn submit(&self, request: JobRequest) -> Result<Submitted, JobError> {
        let asked = self.try_submit(&request).await;
        let (outcome, job) = match &asked {
            Ok(Submitted::Started(job)) => ("started", Some(job)),
            Ok(Submitted::Repeated(job)) => ("repeated", Some(job)),
            Ok(Submitted::ToConfirm { job, .. }) => ("to-be-confirmed", Some(job)),
            Err(_) => ("refused", None),
        };
        tracing::info!(
            target: "audit",
            job = job.map(|job| &*job.id),
            client = &*request.connection.client,
            action = %request.action.kind(),
            devices = job.map(|job| job.devices.len()),
            outcome,
            detail = asked.as_ref().err().map(ToString::to_string),
            "a job was asked for"
        );
        asked
    }

    async fn try_submit(&self, request: &JobRequest) -> Result<Submitted, JobError> {
        let jobs = &self.jobs;
        let kind = request.action.kind();
        let client = &request.connection.client;
        jobs.expect_allowed(client, kind, request.right)?;
        let wants_confirmation = jobs.rules.wants_confirmation(kind);
        if wants_confirmation && request.once.is_none() {
            return Err(JobError::KeyMissing(kind.clone()));
        }
        let digest = digest(request);
        if let Some(repeated) = jobs.asked_before(client, request.once.as_deref(), digest)? {
            return Ok(repeated);
        }
        let mut devices = self.resolve(request).await?;
        self.look_ahead(kind, &mut devices).await;
        let waits = |device: &JobDevice| device.state == DeviceState::Waiting;
        if !devices.iter().any(waits) {
            let details = devices.iter().find_map(|device| device.detail.clone());
            return Err(match details {
                Some(detail) => JobError::Nothing(detail),
                None => JobError::NoDevice,
            });
        }
        let job = Job {
            id: new_id()?,
            action: request.action.clone(),
            client: Arc::clone(client),
            confirmed_by: None,
            once: request.once.clone(),
            digest,
            created_at: Timestamp::now(),
            devices,
        };
        if wants_confirmation {
            return jobs.have_confirmed(job);
        }
        let _turn = jobs.turn.lock().await;
        // Somebody may have been quicker with the same key.
        if let Some(repeated) = jobs.asked_before(client, request.once.as_deref(), digest)? {
            return Ok(repeated);
        }
        jobs.begin(job.clone()).await?;
        Ok(Submitted::Started(job))
    }

    /// What would be done if this were confirmed.
    pub fn to_confirm(&self, token: &str) -> Result<(Job, Timestamp), JobError> {
        let confirmations = self.jobs.confirmations.lock();
        let waiting = confirmations.find(token, Timestamp::now());
        let waiting = waiting.ok_or(JobError::NotToConfirm)?;
        Ok((waiting.job.clone(), waiting.expires_at))
    }

    /// Begins what waits for this confirmation. `right` says what the client's
    /// configuration says about that kind of action.
    pub async fn confirm(
        &self,
        token: &str,
        client: &Arc<str>,
        right: impl Fn(&ActionKind) -> ActionRight,
    ) -> Result<Job, JobError> {
        let jobs = &self.jobs;
        let confirmed = async {
            let (job, _) = self.to_confirm(token)?;
            let kind = job.action.kind();
            jobs.expect_allowed(client, kind, right(kind))?;
            match (jobs.rules.confirm_by, *job.client == **client) {
                (ConfirmBy::SameClient, false) => {
                    let detail = "the client that asked for it has to confirm it";
                    return Err(JobError::WrongConfirmer(detail));
                }
                (ConfirmBy::AnotherClient, true) => {
                    let detail = "another client that may ask for it has to confirm it";
                    return Err(JobError::WrongConfirmer(detail));
                }
                _ => {}
            }
            let _turn = jobs.turn.lock().await;
            let waiting = jobs.confirmations.lock().take(token);
            let waiting = waiting.ok_or(JobError::NotToConfirm)?;
            let mut job = waiting.job.clone();
            job.confirmed_by = Some(Arc::clone(client));
            if let Err(error) = jobs.begin(job.clone()).await {
                jobs.confirmations.lock().put_back(token.into(), waiting);
                return Err(error);
            }
            Ok(job)
        };
        let confirmed = confirmed.await;
        let job = confirmed.as_ref().ok();
        tracing::info!(
            target: "audit",
            job = job.map(|job| &*job.id),
            client = &**client,
            asked_by = job.map(|job| &*job.client),
            action = job.map(|job| job.action.kind().to_string()),
            devices = job.map(|job| job.devices.len()),
            outcome = if job.is_some() { "confirmed" } else { "refused" },
            detail = confirmed.as_ref().err().map(ToString::to_string),
            "a job was confirmed"
        );
        confirmed
    }

    /// What can be done to the endpoint of a question.
    pub async fn possible_actions(
        &self,
        question: &Question,
    ) -> Result<PossibleActions, ActionError> {
        let (fetcher, device) = self.target(question).await?;
        let source = Arc::clone(fetcher.name());
        match fetcher.possible_actions(&device.key).await {
            Ok(actions) => Ok(PossibleActions { source, actions }),
            Err(error) => Err(ActionError::CannotTell(error.message.into())),
        }
    }

    async fn resolve(&self, request: &JobRequest) -> Result<Vec<JobDevice>, JobError> {
        let most = self.jobs.rules.most_devices;
        let expect_few = |found: usize| match found {
            0 => Err(JobError::NoDevice),
            found if found > most => Err(JobError::TooMany { found, most }),
            _ => Ok(()),
        };
        let mut devices: Vec<JobDevice> = match &request.targets {
            Targets::Identifiers(identifiers) => {
                expect_few(identifiers.len())?;
                let devices = stream::iter(identifiers.clone());
                let devices = devices.map(|id| self.device(request, vec![id], None));
                devices.buffered(AT_ONCE).collect::<Vec<_>>().await
            }
            Targets::Query(query) => {
                let found = self.find(query, request).await?;
                expect_few(found.len())?;
                let devices = stream::iter(found).map(|found| {
                    let ids = found.identifiers.clone();
                    self.device(request, ids, Some((query, found)))
                });
                devices.buffered(AT_ONCE).collect::<Vec<_>>().await
            }
        }
        .into_iter()
        .flatten()
        .collect();
        let mut seen = HashSet::new();
        for device in &mut devices {
            if let (Some(source), Some(key)) = (&device.source, &device.key)
                && !seen.insert((Arc::clone(source), Arc::clone(key)))
            {
                let detail = "this device is in the job already, by another name";
                device.become_state(DeviceState::Refused, Some(detail.into()));
            }
        }
        expect_few(devices.len())?;
        Ok(devices)
    }

    /// One device of a job. `None` if a query found a record that is not the
    /// one in use, or is not like that after all.
    async fn device(
        &self,
        request: &JobRequest,
        identifiers: Vec<Identifier>,
        found: Option<(&Query, Found)>,
    ) -> Option<JobDevice> {
        let asked = identifiers.first().map(ToString::to_string)?;
        let connection = Arc::clone(&request.connection);
        let question = Question::new(identifiers, connection, request.patience);
        let mut line = JobDevice {
            asked: asked.into(),
            name: None,
            source: None,
            key: None,
            state: DeviceState::Waiting,
            detail: None,
            ticket: None,
            changed_at: Timestamp::now(),
            tries: 0,
        };
        let target = self.target(&question).await;
        match target {
            Ok((fetcher, device)) => {
                if let Some((query, found)) = found {
                    let is_it = *found.source == **fetcher.name() && *found.key == *device.key;
                    if !is_it || (found.is_open && !self.is_like(query, &question).await) {
                        return None;
                    }
                }
                // Names of devices are shown to whoever may see all facts.
                if request.connection.view.facts.is_none() {
                    line.name = device.name.as_deref().map(Into::into);
                }
                line.source = Some(Arc::clone(fetcher.name()));
                line.key = Some(device.key.as_str().into());
            }
            Err(ActionError::UnknownDevice) => {
                let detail = ActionError::UnknownDevice.to_string();
                line.become_state(DeviceState::Refused, Some(detail.into()));
            }
            Err(error) => {
                line.become_state(DeviceState::Failed, Some(error.to_string().into()));
            }
        }
        Some(line)
    }

    /// Whether the device of a question is like that, now that it is known what
    /// would be answered about it.
    async fn is_like(&self, query: &Query, question: &Question) -> bool {
        let answered = self.answer(question).await;
        let answer = &answered.answer;
        let portreeve_domain::Finding::Device(device) = &answer.finding else {
            return false;
        };
        let source = answer.source();
        let candidate = Candidate {
            device,
            source: source.map_or("", |report| &report.name),
            fetched_at: Timestamp::now(),
            is_stale: false,
            prospect: Prospect::Outcome(&answer.outcome),
        };
        query.decide(&candidate) == Some(true)
    }

    /// The records that are like that, or may be.
    async fn find(&self, query: &Query, request: &JobRequest) -> Result<Vec<Found>, JobError> {
        let view = &request.connection.view;
        if let Some(fact) = query.hidden_from(view) {
            return Err(JobError::HiddenFact(fact.to_string()));
        }
        let in_force = Arc::clone(&self.rules.load().sources);
        let asked = in_force.asked().iter();
        let sources: Vec<(SourceId, Arc<str>)> = asked
            .filter(|fetcher| view.sources.contains(fetcher.place()))
            .map(|fetcher| (fetcher.id(), Arc::clone(fetcher.name())))
            .collect();
        let memory = Arc::clone(&self.memory);
        let (query, most) = (query.clone(), self.jobs.rules.most_devices);
        let looking = self.tasks.spawn_blocking(move || {
            portreeve_store::give_way();
            let mut found = Vec::new();
            let mut count = 0_usize;
            for (id, source) in sources {
                memory.devices().for_each(id, |record| {
                    let device = memory.devices().device(record);
                    let candidate = Candidate {
                        device: &device,
                        source: &source,
                        fetched_at: record.fetched_at(),
                        is_stale: false,
                        prospect: Prospect::Open,
                    };
                    let decided = query.decide(&candidate);
                    if decided == Some(false) {
                        return;
                    }
                    count += 1;
                    if count <= most {
                        found.push(Found {
                            source: Arc::clone(&source),
                            identifiers: device.ids.clone(),
                            key: device.key,
                            is_open: decided.is_none(),
                        });
                    }
                });
            }
            (found, count)
        });
        match looking.await {
            Ok((_, found)) if found > most => Err(JobError::TooMany { found, most }),
            Ok((found, _)) => Ok(found),
            Err(_) => Err(JobError::Full("requests of this kind are on the way")),
        }
    }

    /// Refuses what cannot be done before anything is sent, e.g. because a
    /// permission is missing. The first device of a source speaks for all; only
    /// if it cannot be done to that one, the others are asked about.
    async fn look_ahead(&self, kind: &ActionKind, devices: &mut [JobDevice]) {
        let mut by_source: BTreeMap<Arc<str>, Vec<&mut JobDevice>> = BTreeMap::new();
        let waiting = devices
            .iter_mut()
            .filter(|it| it.state == DeviceState::Waiting);
        for device in waiting {
            if let Some(source) = device.source.clone() {
                by_source.entry(source).or_default().push(device);
            }
        }
        for (source, devices) in by_source {
            let Some(fetcher) = self.jobs.fetcher(&source) else {
                continue;
            };
            for device in devices {
                let key = device.key.clone().unwrap_or_default();
                match obstacle(kind, fetcher.possible_actions(&key).await) {
                    Some(obstacle) => {
                        let detail = format!("source `{source}`: {obstacle}");
                        device.become_state(DeviceState::Refused, Some(detail.into()));
                    }
                    None => break,
                }
            }
        }
    }
}

/// Why it cannot be done; a source that cannot be asked just now says so when
/// it is told.
fn obstacle(
    kind: &ActionKind,
    possible: Result<Vec<PossibleAction>, SourceError>,
) -> Option<String> {
    let possible = possible.ok()?;
    let Some(found) = possible.into_iter().find(|it| it.name == kind.name()) else {
        return Some(format!("it does not know the action `{kind}`"));
    };
    found.obstacle
}

impl Jobs {
    fn expect_allowed(
        &self,
        client: &Arc<str>,
        kind: &ActionKind,
        right: ActionRight,
    ) -> Result<(), JobError> {
        if !right.allowed {
            return Err(JobError::NotAllowed {
                client: Arc::clone(client),
                kind: kind.clone(),
            });
        }
        if self.rules.allows(kind) {
            Ok(())
        } else {
            Err(JobError::Off(kind.clone()))
        }
    }

    /// What was asked for under the same key, which has to be the same.
    fn asked_before(
        &self,
        client: &str,
        once: Option<&str>,
        digest: u64,
    ) -> Result<Option<Submitted>, JobError> {
        let Some(once) = once else {
            return Ok(None);
        };
        let before = self.table.lock().under(client, once).cloned();
        if let Some(job) = before {
            return if job.digest == digest {
                Ok(Some(Submitted::Repeated(job)))
            } else {
                Err(JobError::KeyReused)
            };
        }
        let confirmations = self.confirmations.lock();
        match confirmations.under(client, once, Timestamp::now()) {
            Some((_, waiting)) if waiting.job.digest != digest => Err(JobError::KeyReused),
            Some((token, waiting)) => Ok(Some(Submitted::ToConfirm {
                job: waiting.job.clone(),
                token: Arc::clone(token),
                expires_at: waiting.expires_at,
            })),
            None => Ok(None),
        }
    }

    fn have_confirmed(&self, job: Job) -> Result<Submitted, JobError> {
        let now = Timestamp::now();
        let token: Arc<str> = random::<32>()?.into();
        let expires_at = now.plus(self.rules.confirm_within);
        let waiting = Waiting {
            job: job.clone(),
            expires_at,
        };
        let added = self
            .confirmations
            .lock()
            .add(Arc::clone(&token), waiting, now);
        if !added {
            return Err(JobError::Full("actions wait for a confirmation"));
        }
        Ok(Submitted::ToConfirm {
            job,
            token,
            expires_at,
        })
    }

    /// Keeps a job and has it worked on. Under the turn.
    async fn begin(&self, job: Job) -> Result<(), JobError> {
        self.make_room(job.devices.len()).await?;
        if let Some(writer) = &self.writer {
            let devices = job.devices.iter().enumerate();
            let documents: Vec<_> = devices
                .map(|(place, device)| kept::device_document(&job.id, place, device))
                .collect();
            let mut written = stream::iter(documents)
                .map(|document| writer.set_document(document))
                .buffer_unordered(WRITES);
            while let Some(result) = written.next().await {
                result?;
            }
            drop(written);
            writer.set_document(kept::job_document(&job)).await?;
        }
        self.table.lock().add(job, &self.rules);
        self.wake.notify_one();
        Ok(())
    }

    /// Forgets the oldest jobs that are over, if there are too many.
    async fn make_room(&self, devices: usize) -> Result<(), JobError> {
        loop {
            let oldest = {
                let table = self.table.lock();
                let fits = table.len() < self.rules.most_jobs
                    && table.devices().saturating_add(devices) <= kept::MOST_DEVICES;
                if fits {
                    return Ok(());
                }
                table.oldest_finished()
            };
            let oldest = oldest.ok_or(JobError::Full("jobs are under way"))?;
            let removed = self.table.lock().remove(&oldest);
            if let (Some(writer), Some(job)) = (&self.writer, removed) {
                let mut batch = Batch::default();
                batch.delete_document(kept::NAMESPACE, &kept::job_key(&job.id));
                for place in 0..job.devices.len() {
                    batch.delete_document(kept::NAMESPACE, &kept::device_key(&job.id, place));
                }
                writer.commit(batch).await?;
            }
        }
    }
}

/// A name that comes after all earlier ones.
fn new_id() -> Result<Arc<str>, JobError> {
    let now = Timestamp::now().as_millis();
    Ok(format!("{now:012x}-{}", random::<6>()?).into())
}

fn random<const N: usize>() -> Result<String, JobError> {
    use std::fmt::Write as _;

    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| JobError::NotKept(error.to_string()))?;
    let mut text = String::with_capacity(2 * N);
    for byte in bytes {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// Tells requests under one key apart, also after a restart (FNV-1a, 64 bits).
fn digest(request: &JobRequest) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |text: &str| {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    add(&request.action.kind().to_string());
    add(request.action.arguments().unwrap_or_default());
    match &request.targets {
        Targets::Identifiers(identifiers) => {
            for identifier in identifiers {
                add(&identifier.to_string());
            }
        }
        Targets::Query(query) => {
            add("query");
            add(query.as_str());
        }
    }
    hash
}
