//! When a source is asked, and by whom.

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;

use super::support::{
    Script, Shelf, Step, clock, fails, page, run, settings, start, start_with, unavailable,
};
use crate::SourceErrorKind;
use crate::inventory::{Activity, InventorySettings, Phase, RequestError, SyncError};

fn new(steps: Vec<Step>) -> (Arc<Script>, Arc<Shelf>) {
    (Arc::new(Script::new(steps)), Arc::default())
}

fn complete() -> (Arc<Script>, Arc<Shelf>) {
    (
        Arc::new(Script::new(vec![])),
        Arc::new(Shelf::of(&["a"], Some("d0"))),
    )
}

#[track_caller]
fn about(gap: f64, seconds: std::ops::RangeInclusive<f64>) {
    assert!(seconds.contains(&gap), "{gap} is not within {seconds:?}");
}

#[tokio::test(start_paused = true)]
async fn runs_are_due_at_the_interval_and_a_full_one_each_day() {
    let (source, picture) = complete();
    let settings = InventorySettings {
        full_interval: Duration::from_mins(25),
        ..settings()
    };
    let inventory = start_with(&source, &picture, settings, &Registry::new());
    source.called(4).await;
    assert_eq!(source.asked(), ["d0", "d0", "d0", "-"]);
    assert_eq!(source.gaps(), [600.0; 3]);
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn runs_are_spread() {
    let mut first = Vec::new();
    for _ in 0..20 {
        let (source, picture) = complete();
        let settings = InventorySettings {
            jitter: Duration::from_mins(5),
            ..settings()
        };
        let began = tokio::time::Instant::now();
        let inventory = start_with(&source, &picture, settings, &Registry::new());
        source.called(1).await;
        first.push(began.elapsed().as_millis());
        source.called(4).await;
        for gap in source.gaps() {
            about(gap, 600.0..=900.01);
        }
        inventory.shutdown().await;
    }
    assert!(first.iter().all(|first| *first <= 300_001), "{first:?}");
    first.sort_unstable();
    first.dedup();
    assert!(first.len() > 10, "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn a_source_is_left_alone_as_long_as_it_asks_and_the_run_goes_on() {
    let limited = |seconds: Option<u64>| {
        let asked = seconds.map(Duration::from_secs);
        fails(SourceErrorKind::RateLimited, asked)
    };
    let (source, picture) = new(vec![
        page(&["a"], "p1", true),
        limited(Some(30)),
        limited(Some(0)),
        limited(Some(u64::MAX)),
        limited(None),
        limited(None),
        page(&["b"], "d0", false),
    ]);
    let inventory = start(&source, &picture);
    run(&inventory).await.unwrap();
    let gaps = source.gaps();
    let whole: Vec<f64> = gaps[..4].iter().map(|gap| gap.round()).collect();
    assert_eq!(whole, [0.0, 30.0, 1.0, 4.0 * 3600.0]);
    // The fourth and fifth failure in a row.
    about(gaps[4], 20.0..=40.01);
    about(gaps[5], 40.0..=80.01);
    assert_eq!(picture.keys(), "a b");
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_by_hand_does_not_make_a_source_angry() {
    let minute = Some(Duration::from_mins(1));
    let (source, picture) = new(vec![fails(SourceErrorKind::RateLimited, minute)]);
    let inventory = start(&source, &picture);
    source.called(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let progress = inventory.progress("mdm").unwrap();
    assert_eq!(progress.borrow().activity, Activity::Paused);
    let resumes_at = clock().plus(Duration::from_secs(59));
    assert_eq!(progress.borrow().resumes_at, Some(resumes_at));
    run(&inventory).await.unwrap();
    about(source.gaps()[0], 59.9..=60.1);
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_ever_more_slowly_until_a_page_comes() {
    let failures = std::iter::repeat_with(unavailable).take(9);
    let (source, picture) = new(failures.collect());
    let inventory = start(&source, &picture);
    source.add(vec![
        page(&["a"], "p1", true),
        unavailable(),
        page(&["b"], "d0", false),
    ]);
    source.called(12).await;
    let gaps = source.gaps();
    let longest = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0];
    for (gap, longest) in gaps.iter().zip(longest) {
        about(*gap, longest / 2.0..=longest + 0.01);
    }
    about(gaps[10], 2.5..=5.01);
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_survives_two_failures_in_a_row() {
    let (source, picture) = new(vec![
        unavailable(),
        fails(SourceErrorKind::Timeout, None),
        page(&["a"], "p1", true),
        fails(SourceErrorKind::PluginFault, None),
        fails(SourceErrorKind::BadResponse, None),
        page(&["b"], "d0", false),
    ]);
    let inventory = start(&source, &picture);
    run(&inventory).await.unwrap();
    assert_eq!(source.asked().len(), 6);
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_to_change_is_tried_slowly_or_when_asked() {
    let misconfigured = || fails(SourceErrorKind::Misconfigured, None);
    let (source, picture) = new(vec![misconfigured(), misconfigured()]);
    let inventory = start(&source, &picture);
    let error = run(&inventory).await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.as_str()),
        ("because", "misconfigured")
    );
    source.called(2).await;
    about(source.gaps()[0], 450.0..=900.01);
    tokio::time::sleep(Duration::from_secs(1)).await;
    run(&inventory).await.unwrap();
    about(source.gaps()[1], 0.9..=1.1);
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_page_that_does_not_come_is_given_up() {
    let (source, picture) = new(vec![Step::Hang, Step::Hang, Step::Hang]);
    let inventory = start(&source, &picture);
    let error = run(&inventory).await.unwrap_err();
    assert_eq!(error.to_string(), "no page within 120000 ms");
    about(source.gaps()[0], 122.5..=125.01);
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn many_who_ask_are_served_by_one_run() {
    let (mut source, picture) = complete();
    Arc::get_mut(&mut source).unwrap().latency = Duration::from_secs(5);
    let inventory = start(&source, &picture);
    let requests = (0..50).map(|_| run(&inventory));
    let served = futures_util::future::join_all(requests).await;
    assert!(served.iter().all(Result::is_ok), "{served:?}");
    assert_eq!(source.asked(), ["d0"]);
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_read_that_is_wanted_follows_the_changes_under_way() {
    let (mut source, picture) = complete();
    Arc::get_mut(&mut source).unwrap().latency = Duration::from_secs(5);
    source.add(vec![page(&["a"], "d1", false), page(&["a"], "d2", false)]);
    let inventory = start(&source, &picture);
    source.called(1).await;
    let full = || async { inventory.request_sync("mdm", true).unwrap().ended().await };
    let (changes, one, other) = tokio::join!(run(&inventory), full(), full());
    assert_eq!((changes, one, other), (Ok(()), Ok(()), Ok(())));
    assert_eq!(source.asked(), ["d0", "-"]);
    assert_eq!(source.gaps(), [5.0]);
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn one_run_at_a_time() {
    let (mut source, picture) = complete();
    Arc::get_mut(&mut source).unwrap().latency = Duration::from_mins(11);
    let settings = InventorySettings {
        page_timeout: Duration::from_mins(20),
        ..settings()
    };
    let inventory = start_with(&source, &picture, settings, &Registry::new());
    source.called(3).await;
    assert_eq!(source.gaps(), [21.0 * 60.0; 2]);
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn shutting_down_keeps_the_page_that_is_there_and_tells_who_waits() {
    let (source, mut picture) = new(vec![page(&["a"], "p1", true), Step::Hang]);
    Arc::get_mut(&mut picture).unwrap().latency = Duration::from_secs(5);
    let inventory = start(&source, &picture);
    let early = inventory.request_sync("mdm", false).unwrap();
    source.called(2).await;
    inventory.shutdown().await;
    assert_eq!(picture.keys(), "a", "it was being kept");
    assert_eq!(early.ended().await, Err(SyncError::Stopped));
    assert_eq!(run(&inventory).await, Err(SyncError::Stopped));
    let progress = inventory.progress("mdm").unwrap();
    assert_eq!(progress.borrow().activity, Activity::Stopped);
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(source.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn shutting_down_does_not_wait_for_what_is_due_later() {
    for step in [page(&[], "d1", false), unavailable()] {
        let (source, picture) = new(vec![step]);
        let inventory = start(&source, &picture);
        source.called(1).await;
        let began = tokio::time::Instant::now();
        inventory.shutdown().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_without_an_inventory_is_left_alone() {
    let (mut source, picture) = new(vec![]);
    Arc::get_mut(&mut source).unwrap().has_inventory = false;
    let without = start(&source, &picture);
    let off = InventorySettings {
        enabled: false,
        ..settings()
    };
    let off = start_with(&source, &picture, off, &Registry::new());
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(source.asked().len(), 0);
    let refused = |inventory: &crate::inventory::Inventory, name| {
        inventory.request_sync(name, true).unwrap_err()
    };
    assert_eq!(
        refused(&without, "mdm"),
        RequestError::NoInventory("mdm".into())
    );
    assert_eq!(refused(&off, "mdm"), RequestError::Disabled("mdm".into()));
    assert_eq!(refused(&off, "who"), RequestError::NoSource("who".into()));
    assert_eq!(off.status(), [("mdm".into(), None)]);
    off.shutdown().await;
    without.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn progress_can_be_watched() {
    let (mut source, picture) = new(vec![
        page(&["a", "b"], "p1", true),
        page(&["c", "d"], "p2", true),
        page(&["e", "f"], "d0", false),
        page(&["a"], "d1", false),
    ]);
    Arc::get_mut(&mut source).unwrap().latency = Duration::from_secs(1);
    let began = clock();
    let inventory = start(&source, &picture);
    let mut progress = inventory.progress("mdm").unwrap();
    let half = progress.wait_for(|progress| progress.pages == 2).await;
    let half = half.unwrap().clone();
    assert_eq!(
        (half.activity, half.phase),
        (Activity::Reading, Some(Phase::Full))
    );
    assert_eq!((half.read, half.total), (4, Some(100)));
    about(half.devices_per_second, 1.9..=2.1);
    assert_eq!((half.started_at, half.completed_at), (Some(began), None));
    run(&inventory).await.unwrap();
    let done = inventory.status()[0].1.clone().unwrap();
    assert_eq!((done.read, done.completed_at), (6, Some(clock())));
    assert_eq!(done.succeeded_at, Some(clock()));
    run(&inventory).await.unwrap();
    let changes = inventory.status()[0].1.clone().unwrap();
    assert_eq!((changes.phase, changes.read), (Some(Phase::Delta), 1));
    tokio::task::yield_now().await;
    let waits = progress.borrow().clone();
    assert_eq!(waits.activity, Activity::Scheduled);
    assert_eq!(
        waits.resumes_at,
        Some(clock().plus(Duration::from_mins(10)))
    );
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shown_until_a_run_is_complete() {
    let (source, picture) = new(vec![fails(SourceErrorKind::Misconfigured, None)]);
    let inventory = start(&source, &picture);
    assert!(run(&inventory).await.is_err());
    let progress = inventory.progress("mdm").unwrap();
    let failure = progress.borrow().last_error.clone().unwrap();
    assert_eq!(
        (failure.at, failure.error.as_str()),
        (clock(), "misconfigured")
    );
    run(&inventory).await.unwrap();
    assert_eq!(progress.borrow().last_error, None);
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_counted() {
    let (source, picture) = new(vec![
        page(&["a", "b"], "p1", true),
        unavailable(),
        page(&["c"], "d0", false),
        super::support::removals(&["a"], "d1"),
        fails(SourceErrorKind::Misconfigured, None),
    ]);
    let registry = Registry::new();
    let inventory = start_with(&source, &picture, settings(), &registry);
    run(&inventory).await.unwrap();
    run(&inventory).await.unwrap();
    assert!(run(&inventory).await.is_err());
    let mut lines = Vec::new();
    for family in registry.gather() {
        let name = family.name().trim_start_matches("portreeve_inventory_");
        for metric in family.get_metric() {
            let labels = metric
                .get_label()
                .iter()
                .map(prometheus::proto::LabelPair::value);
            let labels: Vec<&str> = labels.filter(|label| *label != "mdm").collect();
            let value = metric.get_counter().get_value() + metric.get_gauge().get_value();
            if !name.starts_with("last_success") {
                lines.push(format!("{name} {} {value}", labels.join(" ")));
            }
        }
    }
    assert_eq!(
        lines,
        [
            "devices  2",
            "devices_total  3",
            "failures_total misconfigured 1",
            "failures_total unavailable 1",
            "pages_total  3",
            "removals_total  1",
            "runs_total completed 2",
            "runs_total misconfigured 1",
            "unusable_total  0",
        ]
    );
    inventory.shutdown().await;
}
