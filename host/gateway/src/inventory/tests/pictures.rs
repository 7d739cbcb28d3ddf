//! What is in the picture, and when.

use std::sync::Arc;
use std::time::Duration;

use super::support::{
    Script, Shelf, clock, device, expired, fails, page, removals, run, start, start_with,
    unavailable,
};
use crate::SourceErrorKind;
use crate::inventory::{Phase, SyncError};

fn new(steps: Vec<super::support::Step>, picture: Shelf) -> (Arc<Script>, Arc<Shelf>) {
    (Arc::new(Script::new(steps)), Arc::new(picture))
}

#[tokio::test(start_paused = true)]
async fn a_full_read_fills_the_picture_and_removes_what_it_did_not_see() {
    let pages = vec![
        page(&["a", "b"], "p1", true),
        page(&["c"], "p2", true),
        page(&["d"], "d0", false),
    ];
    let (source, picture) = new(pages, Shelf::of(&["a", "old"], None));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let inventory = start(&source, &picture);
    run(&inventory).await.unwrap();
    assert_eq!(source.asked(), ["-", "p1", "p2"]);
    assert_eq!(picture.keys(), "a b c d");
    let state = picture.state();
    assert_eq!((state.phase, state.epoch, state.read), (Phase::Delta, 2, 4));
    assert_eq!(state.cursor.as_deref(), Some("d0"));
    assert_eq!(
        (state.total, state.completed_at),
        (Some(100), Some(clock()))
    );
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn changes_are_drained_from_the_cursor_and_keep_the_rest() {
    let pages = vec![page(&["b"], "d1", true), removals(&["a"], "d2")];
    let (source, picture) = new(pages, Shelf::of(&["a", "c"], Some("d0")));
    let inventory = start(&source, &picture);
    run(&inventory).await.unwrap();
    assert_eq!(picture.keys(), "b c");
    let state = picture.state();
    assert_eq!((state.epoch, state.cursor.as_deref()), (1, Some("d2")));
    run(&inventory).await.unwrap();
    assert_eq!(source.asked(), ["d0", "d1", "d2"]);
    assert_eq!(
        *picture.writes.lock(),
        2,
        "nothing changed, nothing is written"
    );
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn every_page_is_there_at_once_and_a_half_read_removes_nothing() {
    let pages = vec![page(&["a"], "p1", true), page(&["b"], "p2", true)];
    let failures = std::iter::repeat_with(unavailable).take(3);
    let pages = pages.into_iter().chain(failures).collect();
    let (source, picture) = new(pages, Shelf::of(&["old"], None));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let inventory = start(&source, &picture);
    let error = run(&inventory).await.unwrap_err();
    assert_eq!(error.as_str(), "unavailable");
    assert_eq!(picture.keys(), "a b old");
    assert_eq!(picture.state().cursor.as_deref(), Some("p2"));
    source.add(vec![page(&["c"], "d0", false)]);
    run(&inventory).await.unwrap();
    assert_eq!(source.asked(), ["-", "p1", "p2", "p2", "p2", "p2"]);
    assert_eq!(picture.keys(), "a b c");
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_the_middle_goes_on_after_the_last_durable_page() {
    let pages = vec![
        page(&["a"], "p1", true),
        page(&["b"], "p2", true),
        super::support::Step::Hang,
    ];
    let (source, picture) = new(pages, Shelf::of(&["old"], None));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let crashed = start(&source, &picture);
    source.called(3).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    crashed.shutdown().await;
    assert_eq!(picture.state().cursor.as_deref(), Some("p2"));
    source.add(vec![page(&["c"], "d0", false)]);
    let inventory = start(&source, &picture);
    run(&inventory).await.unwrap();
    assert_eq!(source.asked(), ["-", "p1", "p2", "p2"]);
    assert_eq!(picture.keys(), "a b c");
    assert_eq!((picture.state().epoch, picture.state().read), (2, 3));
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_what_was_not_seen_is_gone_is_made_good() {
    for cursor in ["d0", ""] {
        let pages = vec![page(&["a"], "p1", true), page(&["b"], cursor, false)];
        let (source, picture) = new(pages, Shelf::of(&["old"], None));
        tokio::time::sleep(Duration::from_secs(1)).await;
        *picture.hangs_at_the_end.lock() = true;
        // Dropped, not shut down: that would wait for the page to be kept.
        let crashed = tokio::time::timeout(Duration::from_mins(1), async {
            let inventory = start(&source, &picture);
            run(&inventory).await
        });
        assert!(crashed.await.is_err());
        assert_eq!(picture.keys(), "a b old");
        *picture.hangs_at_the_end.lock() = false;
        let inventory = start(&source, &picture);
        run(&inventory).await.unwrap();
        let asked = if cursor.is_empty() {
            vec!["-", "p1"]
        } else {
            vec!["-", "p1", "d0"]
        };
        assert_eq!(source.asked(), asked, "no page is read twice");
        assert_eq!(picture.keys(), "a b");
        assert_eq!(picture.state().completed_at, Some(clock()));
        inventory.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_read_that_is_too_old_starts_over() {
    let pages = vec![page(&["a"], "p1", true), super::support::Step::Hang];
    let (source, picture) = new(pages, Shelf::default());
    let crashed = start(&source, &picture);
    source.called(2).await;
    crashed.shutdown().await;
    tokio::time::sleep(Duration::from_hours(25)).await;
    source.add(vec![page(&["b"], "d0", false)]);
    let inventory = start(&source, &picture);
    run(&inventory).await.unwrap();
    assert_eq!(source.asked(), ["-", "p1", "-"]);
    assert_eq!(picture.keys(), "b");
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_expired_starts_over_at_once_and_the_old_picture_stays() {
    let pages = vec![
        expired(),
        page(&["a"], "p1", true),
        page(&["b"], "d1", false),
    ];
    let (mut source, picture) = new(pages, Shelf::of(&["a", "old"], Some("d0")));
    Arc::get_mut(&mut source).unwrap().latency = Duration::from_secs(10);
    let inventory = start(&source, &picture);
    let ticket = inventory.request_sync("mdm", false).unwrap();
    source.called(3).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(picture.keys(), "a old", "nothing is gone yet");
    ticket.ended().await.unwrap();
    assert_eq!(source.asked(), ["d0", "-", "p1"]);
    assert_eq!(source.gaps(), [10.0, 10.0], "nobody waited");
    assert_eq!((picture.keys().as_str(), picture.state().epoch), ("a b", 2));
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn cursors_that_always_expire_do_not_go_round_for_ever() {
    let half = || page(&["a"], "p1", true);
    let pages = vec![half(), expired(), half(), expired()];
    let (source, picture) = new(pages, Shelf::default());
    let inventory = start(&source, &picture);
    assert_eq!(run(&inventory).await, Err(SyncError::CursorExpired));
    assert_eq!(source.asked(), ["-", "p1", "-", "p1"]);
    source.add(vec![page(&["b"], "d0", false)]);
    source.called(5).await;
    let pause = source.gaps()[3];
    assert!((450.0..=900.0).contains(&pause), "{pause}");
    inventory.shutdown().await;
    assert_eq!(source.asked()[4], "-", "it starts over");
}

#[tokio::test(start_paused = true)]
async fn an_expired_cursor_that_was_never_given_is_nonsense() {
    let steps = std::iter::repeat_with(expired).take(3).collect();
    let (source, picture) = new(steps, Shelf::default());
    let inventory = start(&source, &picture);
    let error = run(&inventory).await.unwrap_err();
    assert_eq!(error.as_str(), SourceErrorKind::BadResponse.as_str());
    assert_eq!(*picture.state.lock(), None);
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn pages_that_lead_nowhere_end_the_run_and_the_next_starts_over() {
    let pages = vec![page(&["a"], "p1", true), page(&["b"], "p1", true)];
    let (source, picture) = new(pages, Shelf::of(&["old"], Some("d0")));
    let inventory = start(&source, &picture);
    let ticket = inventory.request_sync("mdm", true).unwrap();
    let error = ticket.ended().await.unwrap_err();
    let text = "the source does not come to an end: the cursor does not move";
    assert_eq!(error.to_string(), text);
    assert_eq!(picture.keys(), "a old");
    source.add(vec![page(&["a"], "d1", false)]);
    run(&inventory).await.unwrap();
    assert_eq!(source.asked(), ["-", "p1", "-"]);
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_page_that_could_not_be_kept_is_read_again() {
    let again = || page(&["b"], "d1", true);
    let pages = vec![again(), again(), page(&["c"], "d2", false)];
    let (mut source, picture) = new(pages, Shelf::of(&["a"], Some("d0")));
    Arc::get_mut(&mut source).unwrap().latency = Duration::from_secs(1);
    let inventory = start(&source, &picture);
    source.called(1).await;
    *picture.failures.lock() = 1;
    run(&inventory).await.unwrap();
    assert_eq!(source.asked(), ["d0", "d0", "d1"]);
    assert_eq!(picture.keys(), "a b c");
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_is_tried_again() {
    let (source, picture) = new(vec![page(&["a"], "d0", false)], Shelf::default());
    *picture.failures.lock() = 2;
    let inventory = start(&source, &picture);
    let error = run(&inventory).await.unwrap_err();
    let text = "the picture cannot be kept: the disk is full";
    assert_eq!(
        (error.to_string().as_str(), error.as_str()),
        (text, "not-kept")
    );
    assert_eq!(source.asked().len(), 0, "it is not known where to go on");
    source.called(1).await;
    run(&inventory).await.unwrap();
    assert_eq!(picture.keys(), "a");
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_question_learnt_during_the_read_stays() {
    let pages = vec![page(&["a"], "p1", true), page(&["b"], "d0", false)];
    let (mut source, picture) = new(pages, Shelf::of(&["old"], None));
    Arc::get_mut(&mut source).unwrap().latency = Duration::from_secs(10);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let inventory = start(&source, &picture);
    source.called(2).await;
    picture.put(device("asked"), 0, clock());
    run(&inventory).await.unwrap();
    assert_eq!(picture.keys(), "a asked b");
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_next_page_is_fetched_while_one_is_applied_and_no_more() {
    let names = ["a", "b", "c", "d", "e"];
    let pages =
        (0..5).map(|number| page(&names[number..=number], &format!("p{number}"), number < 4));
    let (mut source, mut picture) = new(pages.collect(), Shelf::default());
    Arc::get_mut(&mut source).unwrap().latency = Duration::from_secs(2);
    Arc::get_mut(&mut picture).unwrap().latency = Duration::from_secs(6);
    let inventory = start(&source, &picture);
    run(&inventory).await.unwrap();
    // A page is asked for when the one before is there and its predecessor
    // applied.
    assert_eq!(source.gaps(), [2.0, 6.0, 6.0, 6.0]);
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_tell_changes_is_read_in_full() {
    let pages = vec![page(&["a", "b"], "", false), page(&["b"], "", false)];
    let (source, picture) = new(pages, Shelf::default());
    let settings = crate::inventory::InventorySettings {
        full_interval: Duration::from_hours(2),
        ..super::support::settings()
    };
    let inventory = start_with(&source, &picture, settings, &prometheus::Registry::new());
    source.called(2).await;
    assert_eq!(source.asked(), ["-", "-"]);
    assert_eq!(source.gaps(), [7200.0]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(picture.keys(), "b");
    inventory.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_fetching_ahead_does_not_lose_the_page_before() {
    let pages = vec![
        page(&["a"], "p1", true),
        fails(SourceErrorKind::Misconfigured, None),
    ];
    let (source, mut picture) = new(pages, Shelf::default());
    Arc::get_mut(&mut picture).unwrap().latency = Duration::from_secs(5);
    let inventory = start(&source, &picture);
    assert!(run(&inventory).await.is_err());
    assert_eq!(picture.keys(), "a");
    assert_eq!(picture.state().cursor.as_deref(), Some("p1"));
    inventory.shutdown().await;
}
