//! Jobs against a source that does what it is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use portreeve_cache::CacheSettings;
use portreeve_domain::{ActionKind, ComplianceState, Connection, Identifier, Timestamp};
use portreeve_store::{Store, StoreSettings, Writer};
use prometheus::Registry;
use tokio::sync::Notify;

use super::*;
use crate::action::{
    Action, ActionFailure, ActionRight, ActionState, ActionTicket, PossibleAction,
};
use crate::query::Query;
use crate::tests::{ByCompliance, RULES, Scripted, device, down, settings_of};
use crate::{
    CheckReport, Gateway, GatewaySettings, Health, Lookup, Memory, OnError, Source, SourceError,
    SourceErrorKind,
};

const RIGHT: ActionRight = ActionRight {
    allowed: true,
    unconfirmed: false,
};

/// Knows every address that ends in an even digit, and does what it is told.
#[derive(Debug, Default)]
struct Obedient {
    /// Device and key of all that it was told.
    told: Mutex<Vec<(String, String)>>,
    /// What it says instead, first one first.
    trouble: Mutex<Vec<SourceErrorKind>>,
    is_done: Mutex<bool>,
    lacks_permission: bool,
    /// Whoever tells it something waits for ever.
    is_stuck: bool,
    changed: Notify,
}

impl Source for Obedient {
    fn find<'a>(
        &'a self,
        identifiers: &'a [Identifier],
        _: Instant,
    ) -> BoxFuture<'a, Result<Lookup, SourceError>> {
        let asked = identifiers[0].to_string();
        let known = asked.ends_with(['0', '2', '4', '6', '8']);
        let lookup = known.then(|| {
            let mut found = device(ComplianceState::Compliant, &[&asked]);
            found.key = asked;
            Lookup::Found(Box::new(found))
        });
        async { Ok(lookup.unwrap_or(Lookup::Unknown)) }.boxed()
    }

    fn has_actions(&self) -> bool {
        true
    }

    fn possible_actions<'a>(
        &'a self,
        _: &'a str,
        _: Instant,
    ) -> BoxFuture<'a, Result<Vec<PossibleAction>, SourceError>> {
        let obstacle = self
            .lacks_permission
            .then(|| "missing permission".to_owned());
        let possible = ["sync", "wipe"].map(|name| PossibleAction {
            name: name.to_owned(),
            obstacle: obstacle.clone(),
        });
        async move { Ok(possible.to_vec()) }.boxed()
    }

    fn act<'a>(
        &'a self,
        key: &'a str,
        _: &'a Action,
        once: &'a str,
        _: Instant,
    ) -> BoxFuture<'a, Result<ActionTicket, ActionFailure>> {
        async move {
            self.told.lock().push((key.to_owned(), once.to_owned()));
            self.changed.notify_one();
            if self.is_stuck {
                std::future::pending::<()>().await;
            }
            if let Some(kind) = self.trouble.lock().pop() {
                return Err(ActionFailure::Failed(SourceError {
                    kind,
                    message: "trouble".to_owned(),
                    retry_after: Some(Duration::from_millis(1)),
                }));
            }
            Ok(ticket(ActionState::Pending))
        }
        .boxed()
    }

    fn action_status<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: Instant,
    ) -> BoxFuture<'a, Result<ActionTicket, ActionFailure>> {
        let state = if *self.is_done.lock() {
            ActionState::Done
        } else {
            ActionState::Pending
        };
        async move { Ok(ticket(state)) }.boxed()
    }

    fn check(&self, _: Instant) -> BoxFuture<'_, CheckReport> {
        async { CheckReport::default() }.boxed()
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

fn ticket(state: ActionState) -> ActionTicket {
    ActionTicket {
        key: Some("ticket".into()),
        state,
        detail: None,
    }
}

struct Stand {
    gateway: Arc<Gateway>,
    source: Arc<Obedient>,
    store: Arc<Store>,
    writer: Writer,
}

fn stand(folder: &tempfile::TempDir, source: Obedient) -> Stand {
    let path = folder.path().join("store");
    let store = Arc::new(Store::open(&path, &StoreSettings::default()).unwrap());
    let names = vec!["source-0".into()];
    let cache = CacheSettings::default();
    let (memory, writer, _) = Memory::durable(cache, names, Arc::clone(&store)).unwrap();
    let source = Arc::new(source);
    let scripted = Scripted::saying([down()]);
    let policy = Arc::new(ByCompliance::default());
    let mut settings = GatewaySettings {
        memory: Arc::new(memory),
        actions: ActionRules {
            allow: vec![ActionKind::Sync, ActionKind::Wipe],
            first_look: Duration::from_millis(1),
            most_devices: 20,
            most_jobs: 3,
            restored: restore(&store).unwrap(),
            ..ActionRules::default()
        },
        ..settings_of(&[&scripted], RULES, policy, OnError::Deny)
    };
    settings.sources[0].source = Arc::clone(&source) as Arc<dyn Source>;
    Stand {
        gateway: Gateway::new(settings, &Registry::new()).unwrap(),
        source,
        store,
        writer,
    }
}

fn request(kind: ActionKind, numbers: &[u8], once: Option<&str>) -> JobRequest {
    let ids = numbers.iter();
    let ids = ids.map(|number| format!("00:50:56:00:00:{number:02}").parse().unwrap());
    JobRequest {
        action: Action::new(kind),
        targets: Targets::Identifiers(ids.collect()),
        connection: Arc::new(Connection {
            client: "desk".into(),
            ..Connection::default()
        }),
        patience: Duration::from_secs(5),
        right: RIGHT,
        once: once.map(Into::into),
    }
}

impl Stand {
    async fn begin(&self, request: JobRequest) -> Job {
        match self.gateway.submit(request).await {
            Ok(Submitted::Started(job)) => job,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until a job is in this state.
    async fn settled(&self, id: &str, state: JobState) -> Job {
        loop {
            let job = self.gateway.jobs().get(id, None).unwrap();
            if job.state() == state {
                return job;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        self.gateway.shutdown().await;
        drop(self.gateway);
        self.writer.shutdown().await.unwrap();
        assert!(Arc::into_inner(self.store).is_some(), "it is still open");
    }
}

fn words(job: &Job) -> Vec<&'static str> {
    job.devices.iter().map(|it| it.state.as_str()).collect()
}

#[tokio::test]
async fn a_job_is_told_once_and_followed() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(
        &folder,
        Obedient {
            trouble: Mutex::new(vec![
                SourceErrorKind::RateLimited,
                SourceErrorKind::Unavailable,
            ]),
            ..Obedient::default()
        },
    );
    // The third is unknown, the last one is the first again.
    let job = stand
        .begin(request(ActionKind::Sync, &[2, 4, 3, 2], Some("k")))
        .await;
    let job = stand.settled(&job.id, JobState::HandedOver).await;
    let expected = ["handed-over", "handed-over", "refused", "refused"];
    assert_eq!(words(&job), expected);
    // Each trouble was tried again under the same key.
    assert_eq!(stand.source.told.lock().len(), 4);
    let again = stand
        .gateway
        .submit(request(ActionKind::Sync, &[2, 4, 3, 2], Some("k")));
    assert!(matches!(again.await, Ok(Submitted::Repeated(_))));
    let other = stand
        .gateway
        .submit(request(ActionKind::Sync, &[2], Some("k")));
    assert_eq!(other.await.unwrap_err(), JobError::KeyReused);
    *stand.source.is_done.lock() = true;
    let job = stand.settled(&job.id, JobState::Finished).await;
    assert_eq!(words(&job)[..2], ["done", "done"]);
    stand.end().await;
}

#[tokio::test]
async fn what_was_under_way_is_told_again_under_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let first = stand(
        &folder,
        Obedient {
            is_stuck: true,
            ..Obedient::default()
        },
    );
    let job = first
        .begin(request(ActionKind::Sync, &[2, 4, 6, 8, 10, 12], None))
        .await;
    while first.source.told.lock().len() < 4 {
        first.source.changed.notified().await;
    }
    let told = first.source.told.lock().clone();
    // As after a crash: a copy of the file as it is now.
    let copy = tempfile::tempdir().unwrap();
    portreeve_store::backup(&first.store, &copy.path().join("store")).unwrap();
    let second = stand(&copy, Obedient::default());
    let after = second.settled(&job.id, JobState::HandedOver).await;
    assert_eq!(words(&after), ["handed-over"; 6]);
    let again = second.source.told.lock().clone();
    assert_eq!(again.len(), 6);
    assert!(
        told.iter().all(|it| again.contains(it)),
        "{told:?} {again:?}"
    );
    second.end().await;
    // The first one's calls end by their time-out.
    drop(first);
}

#[tokio::test]
async fn what_is_not_harmless_waits_for_the_right_client() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(&folder, Obedient::default());
    let keyless = stand.gateway.submit(request(ActionKind::Wipe, &[2], None));
    assert!(matches!(keyless.await, Err(JobError::KeyMissing(_))));
    let asked = stand
        .gateway
        .submit(request(ActionKind::Wipe, &[2], Some("k")));
    let Ok(Submitted::ToConfirm { token, job, .. }) = asked.await else {
        panic!("it is not to be confirmed");
    };
    let confirm = async |client: &str, right| {
        let client: Arc<str> = client.into();
        stand.gateway.confirm(&token, &client, |_| right).await
    };
    let other = confirm("other", RIGHT).await;
    assert!(matches!(other, Err(JobError::WrongConfirmer(_))));
    let revoked = confirm("desk", ActionRight::default()).await;
    assert!(matches!(revoked, Err(JobError::NotAllowed { .. })));
    assert!(stand.source.told.lock().is_empty());
    let confirmed = confirm("desk", RIGHT).await.unwrap();
    assert_eq!(
        (&confirmed.id, confirmed.confirmed_by.as_deref()),
        (&job.id, Some("desk"))
    );
    let twice = confirm("desk", RIGHT).await;
    assert_eq!(twice.unwrap_err(), JobError::NotToConfirm);
    stand.settled(&job.id, JobState::HandedOver).await;
    stand.end().await;
}

#[tokio::test]
async fn refusals_do_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(
        &folder,
        Obedient {
            lacks_permission: true,
            ..Obedient::default()
        },
    );
    let mut forbidden = request(ActionKind::Sync, &[2], None);
    forbidden.right = ActionRight::default();
    let many: Vec<u8> = (0..21).collect();
    for (request, expected) in [
        (forbidden, "client `desk` may not ask for the action `sync`"),
        (
            request(ActionKind::Lock, &[2], None),
            "the action `lock` is not switched on",
        ),
        (
            request(ActionKind::Sync, &[], None),
            "there is no device to act on",
        ),
        (
            request(ActionKind::Sync, &many, None),
            "a job has 20 devices at most, these are 21",
        ),
        (
            request(ActionKind::Sync, &[1], None),
            "nothing can be done: no source knows this device",
        ),
        (
            request(ActionKind::Sync, &[2], None),
            "nothing can be done: source `source-0`: missing permission",
        ),
    ] {
        let error = stand.gateway.submit(request).await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    assert!(stand.source.told.lock().is_empty());
    assert!(stand.gateway.jobs().list(None, 10).is_empty());
    stand.end().await;
}

#[tokio::test]
async fn a_query_finds_who_is_meant_and_old_jobs_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(&folder, Obedient::default());
    for number in [2, 4] {
        let job = stand
            .begin(request(ActionKind::Sync, &[number], None))
            .await;
        stand.settled(&job.id, JobState::HandedOver).await;
    }
    let mut by_query = request(ActionKind::Sync, &[], None);
    let text = "compliance eq compliant";
    by_query.targets = Targets::Query(Query::parse(text, Timestamp::now()).unwrap());
    let job = stand.begin(by_query).await;
    assert_eq!(job.devices.len(), 2, "{job:?}");
    stand.settled(&job.id, JobState::HandedOver).await;
    let last = stand.begin(request(ActionKind::Sync, &[6], None)).await;
    let jobs = stand.gateway.jobs().list(None, 10);
    assert_eq!(jobs.len(), 3);
    assert_eq!(jobs[0].id, last.id);
    assert_eq!(stand.gateway.jobs().list(Some("other"), 10), []);
    stand.settled(&last.id, JobState::HandedOver).await;
    assert_eq!(restore(&stand.store).unwrap().jobs.len(), 3);
    stand.end().await;
}
