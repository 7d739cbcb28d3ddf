//! Sources that are switched off, replaced, added and removed.

use portreeve_domain::{Connection, SourceSet, View};
use portreeve_store::{Store, StoreSettings};

use super::*;

/// What a source says, `None` when it is switched off.
type Word = Option<&'static str>;

fn scripted(word: &str) -> Arc<Scripted> {
    Scripted::saying([match word {
        "compliant" => found(ComplianceState::Compliant),
        "not compliant" => found(ComplianceState::NonCompliant),
        "unknown" => Ok(Lookup::Unknown),
        _ => down(),
    }])
}

fn told(answer: &Answered) -> &'static str {
    match &answer.finding {
        Finding::Absent(Absence::UnknownDevice) => "unknown",
        _ => verdict(answer),
    }
}

/// `behind` is what the source that is switched off would say.
#[track_caller]
fn check(first: Word, second: Word, behind: &str, expected: &str) {
    let sources = [first, second].map(|word| scripted(word.unwrap_or(behind)));
    let switched_off = [first, second].map(|word| word.is_none());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let gateway = plain(&[&sources[0], &sources[1]]).gateway;
        // Both are known from before.
        gateway.answer(&question(&[MAC])).await;
        let calls: Vec<_> = sources.iter().map(|source| source.calls()).collect();
        for (place, off) in switched_off.iter().enumerate() {
            let name = format!("source-{place}");
            if *off {
                gateway.disable(&name, "test").await.unwrap();
            }
        }
        let answer = gateway.answer(&question(&[MAC])).await;
        let case = format!("{first:?} {second:?} behind {behind}");
        assert_eq!(told(&answer), expected, "{case}");
        for (place, off) in switched_off.iter().enumerate() {
            if *off {
                assert_eq!(sources[place].calls(), calls[place], "{case}: asked");
                let name = format!("source-{place}");
                let mut reports = answer.sources.iter();
                assert!(!reports.any(|it| *it.name == *name), "{case}: reported");
                assert_eq!(gateway.status().sources[place].health, Health::Disabled);
            }
        }
    });
}

#[test]
fn a_source_that_is_switched_off_says_nothing_and_hides_nothing() {
    for behind in ["compliant", "not compliant", "unknown", "down"] {
        for word in ["compliant", "not compliant", "unknown", "down"] {
            let expected = match word {
                "compliant" => "permit",
                "not compliant" => "deny",
                "unknown" => "unknown",
                _ => "cannot-tell",
            };
            check(Some(word), None, behind, expected);
            check(None, Some(word), behind, expected);
        }
        // Nobody has said that the device is unknown.
        check(None, None, behind, "cannot-tell");
    }
    check(Some("unknown"), Some("compliant"), "", "permit");
}

#[tokio::test]
async fn a_client_that_sees_only_what_is_switched_off_is_told_nothing() {
    let (first, second) = (scripted("unknown"), scripted("unknown"));
    let gateway = plain(&[&first, &second]).gateway;
    gateway.disable("source-1", "test").await.unwrap();
    let asked_by = |place| {
        let sources = SourceSet::NONE.with(place).unwrap();
        let connection = Connection {
            view: View {
                sources,
                facts: None,
            },
            ..Connection::default()
        };
        let ids = vec![MAC.parse().unwrap()];
        Question::new(ids, Arc::new(connection), Duration::from_secs(5))
    };
    assert_eq!(told(&gateway.answer(&asked_by(0)).await), "unknown");
    assert_eq!(told(&gateway.answer(&asked_by(1)).await), "cannot-tell");
    gateway.enable("source-1", "test", true).await.unwrap();
    assert_eq!(told(&gateway.answer(&asked_by(1)).await), "unknown");
    let missing = gateway.enable("source-2", "test", true).await;
    assert!(matches!(missing, Err(SwitchError::NoSource(_))));
}

/// The sources in force with others in the place of some.
fn with(gateway: &Gateway, changes: &[(&str, &Arc<Scripted>)]) -> Vec<SourceSettings> {
    let sources = changes.iter().map(|(name, source)| SourceSettings {
        name: (*name).into(),
        source: Arc::clone(source) as Arc<dyn Source>,
        freshness: RULES,
        timeout: Duration::from_secs(5),
        enabled: true,
        requery: None,
        about: Arc::default(),
    });
    let kept = gateway.sources();
    let kept = kept
        .into_iter()
        .filter(|kept| changes.iter().all(|(name, _)| *name != &*kept.name));
    kept.chain(sources).collect()
}

#[tokio::test]
async fn a_question_ends_under_the_sources_it_began_with() {
    let gate = Arc::new(Notify::new());
    let old = Arc::new(Scripted {
        replies: Mutex::new([found(ComplianceState::Compliant)].into()),
        calls: AtomicUsize::new(0),
        named: Mutex::default(),
        gate: Some(Arc::clone(&gate)),
    });
    let new = scripted("not compliant");
    let gateway = plain(&[&old]).gateway;
    let mut waiting = tokio::task::JoinSet::new();
    waiting.spawn({
        let gateway = Arc::clone(&gateway);
        async move { verdict(&gateway.answer(&question(&[MAC])).await) }
    });
    while old.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let sources = with(&gateway, &[("source-0", &new)]);
    gateway.replace_sources(sources).unwrap();
    let answer = gateway.answer(&question(&[OTHER_GUID])).await;
    assert_eq!((new.calls(), old.calls()), (1, 1), "{answer:?}");
    gate.notify_one();
    assert_eq!(waiting.join_all().await, ["permit"]);
}

#[tokio::test]
async fn what_a_view_names_stays_the_same_source_in_another_order() {
    let (first, second, third) = (
        scripted("compliant"),
        scripted("not compliant"),
        scripted("compliant"),
    );
    let gateway = plain(&[&first, &second]).gateway;
    let only_second = || {
        let connection = Connection {
            view: View {
                sources: SourceSet::NONE.with(1).unwrap(),
                facts: None,
            },
            ..Connection::default()
        };
        let ids = vec![MAC.parse().unwrap()];
        Question::new(ids, Arc::new(connection), Duration::from_secs(5))
    };
    assert_eq!(verdict(&gateway.answer(&only_second()).await), "deny");
    let mut sources = with(&gateway, &[("added", &third)]);
    sources.reverse();
    gateway.replace_sources(sources).unwrap();
    assert_eq!(verdict(&gateway.answer(&only_second()).await), "deny");
    assert_eq!(third.calls(), 0, "it does not see this one");
    assert_eq!(&*gateway.source_names()[2], "added");
    // The first source goes; the others keep their places.
    let mut sources = gateway.sources();
    sources.retain(|source| &*source.name != "source-0");
    gateway.replace_sources(sources).unwrap();
    assert_eq!(verdict(&gateway.answer(&only_second()).await), "deny");
    let answer = gateway.answer(&question(&[MAC])).await;
    let names: Vec<&str> = answer.sources.iter().map(|source| &*source.name).collect();
    assert_eq!(names, ["added", "source-1"]);
    let mut twice = gateway.sources();
    twice.push(twice[0].clone());
    let refused = gateway.replace_sources(twice);
    assert_eq!(refused, Err(SourcesError::Twice("added".into())));
}

/// The one source of the gateway with other settings.
fn changed(gateway: &Gateway, digest: &str, enabled: bool) {
    let mut sources = gateway.sources();
    sources[0].enabled = enabled;
    sources[0].about = Arc::new(About {
        digest: digest.to_owned(),
        ..About::default()
    });
    gateway.replace_sources(sources).unwrap();
}

fn enabled(gateway: &Gateway) -> bool {
    gateway.sources()[0].enabled
}

async fn refused(gateway: &Gateway) -> String {
    let refused = gateway.enable("source-0", "test", false).await;
    refused.unwrap_err().to_string()
}

#[tokio::test]
async fn only_settings_that_passed_a_check_are_switched_on() {
    let source = scripted("compliant");
    let gateway = plain(&[&source]).gateway;
    let deadline = Instant::now() + Duration::from_secs(5);
    changed(&gateway, "one", true);
    gateway.disable("source-0", "test").await.unwrap();
    assert!(refused(&gateway).await.ends_with("it was never checked"));
    // A report without findings failed.
    gateway.check("source-0", deadline).await.unwrap();
    assert!(refused(&gateway).await.ends_with("its check failed"));
    let passed = CheckReport {
        findings: vec![CheckFinding {
            subject: "token".to_owned(),
            verdict: CheckVerdict::Degraded,
            code: None,
            message: "it works".to_owned(),
            hint: None,
        }],
    };
    let settings = gateway.sources().remove(0);
    gateway.note_check(&settings, &passed).await;
    changed(&gateway, "two", true);
    assert!(!enabled(&gateway), "the word counts on");
    let why = refused(&gateway).await;
    assert!(why.ends_with("its settings are others than those that were checked"));
    changed(&gateway, "one", true);
    gateway.enable("source-0", "test", false).await.unwrap();
    assert!(enabled(&gateway));
    // What is in force stays in force.
    changed(&gateway, "three", true);
    assert!(enabled(&gateway));
}

#[tokio::test]
async fn the_last_word_counts_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store"), &StoreSettings::default());
    let store = Arc::new(store.unwrap());
    let source = scripted("compliant");
    let start = |configured: bool| {
        let names = vec!["source-0".into()];
        let (memory, writer, _) =
            Memory::durable(CacheSettings::default(), names, Arc::clone(&store)).unwrap();
        let policy = Arc::new(ByCompliance::default());
        let mut settings = settings_of(&[&source], RULES, policy, OnError::Deny);
        settings.memory = Arc::new(memory);
        settings.sources[0].enabled = configured;
        (Gateway::new(settings, &Registry::new()).unwrap(), writer)
    };
    let (gateway, writer) = start(true);
    assert!(enabled(&gateway));
    gateway.disable("source-0", "test").await.unwrap();
    drop((gateway, writer));
    let (gateway, writer) = start(true);
    assert!(!enabled(&gateway), "it was switched off");
    let record = gateway.record("source-0").unwrap();
    assert_eq!(&*record.word.unwrap().by, "test");
    drop((gateway, writer));
    // The configuration is changed to what holds anyway, and then back.
    let (gateway, writer) = start(false);
    assert!(!enabled(&gateway));
    gateway.enable("source-0", "test", true).await.unwrap();
    changed(&gateway, "", true);
    changed(&gateway, "", false);
    assert!(!enabled(&gateway), "the configuration had the last word");
    drop(writer);
}
