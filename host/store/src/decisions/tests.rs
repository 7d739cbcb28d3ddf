//! The log as a whole, without its thread.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use portreeve_domain::{Absence, Decision, Identifier, Origin, Reason, Timestamp, Verdict};
use proptest::prelude::*;
use serde_json::json;

use super::files;
use super::line::{render_entry, render_grounds};
use super::queue::{DecisionLog, Shared};
use super::writer::Worker;
use super::*;
use crate::Status;

const DAY: u64 = 86_400_000;
/// 2026-03-01.
const START: u64 = 20_513 * DAY;

fn judged(ruling: Ruling) -> Arc<Judged> {
    Arc::new(Judged::new(&Grounds {
        whole: false,
        chain_name: "default",
        decision: None,
        quarantined: false,
        ruling,
        reasons: &[Reason {
            code: "os-too-old".to_owned(),
            message: "too \"old\"\n".to_owned(),
            facts: vec!["os".to_owned()],
        }],
        policy: None,
        chain: &[],
        facts: vec![("os".to_owned(), json!({"family": "windows"}))],
        source: None,
        absence: None,
        detail: None,
    }))
}

fn entry(millis: u64, ruling: Ruling) -> Entry {
    Entry {
        at: Timestamp::from_millis(START + millis),
        client: "ise".into(),
        face: "rest",
        request: None,
        identifiers: vec!["00:50:56:a4:89:5a".parse().unwrap()].into(),
        judged: judged(ruling),
        origin: Origin::Cached,
        stale: false,
        latency: Duration::from_micros(millis),
        changed: false,
    }
}

/// A log whose thread is the test.
struct Bench {
    directory: tempfile::TempDir,
    log: DecisionLog,
    worker: Worker,
    /// While set, files are full.
    full: Arc<AtomicBool>,
}

impl Bench {
    fn new(change: impl FnOnce(&mut LogSettings)) -> Self {
        Self::again(tempfile::tempdir().unwrap(), change)
    }

    fn again(directory: tempfile::TempDir, change: impl FnOnce(&mut LogSettings)) -> Self {
        let mut settings = LogSettings {
            keep: Keep::All,
            queue: 10,
            reserve: 4,
            ..LogSettings::new(directory.path())
        };
        change(&mut settings);
        let shared = Arc::new(Shared::new(&settings));
        let full = Arc::new(AtomicBool::new(false));
        let disk_full = Arc::clone(&full);
        let open = move |path: &Path, new: bool| {
            if disk_full.load(SeqCst) {
                return fs::File::options().append(true).open("/dev/full");
            }
            files::open(path, new)
        };
        let worker = Worker::new(Arc::clone(&shared), &settings, Box::new(open)).unwrap();
        Self {
            directory,
            log: DecisionLog::new(shared),
            worker,
            full,
        }
    }

    /// Records and writes.
    fn write(&mut self, entry: Entry) {
        assert!(self.log.record(entry));
        self.worker.step().unwrap();
    }

    fn names(&self) -> Vec<String> {
        let files = files::list(self.directory.path()).unwrap();
        let name = |file: &files::LogFile| file.path.file_name().unwrap().to_owned();
        let names = files.iter().map(name);
        names.map(|name| name.into_string().unwrap()).collect()
    }

    fn read(&self, filter: &Filter) -> Vec<String> {
        let mut seen = Vec::new();
        Reader::new(self.directory.path())
            .read_all(filter, &mut |found| {
                seen.push(brief(&found));
                ControlFlow::Continue(())
            })
            .unwrap();
        seen
    }

    fn newest(&self, count: usize) -> Vec<String> {
        let mut seen = Vec::new();
        Reader::new(self.directory.path())
            .read_newest(count, &Filter::default(), &mut |found| {
                seen.push(brief(&found));
                ControlFlow::Continue(())
            })
            .unwrap();
        seen
    }
}

/// The time since the start and the word, or what else was found.
fn brief(found: &Found<'_>) -> String {
    match found {
        Found::Decision { record, line } => {
            assert_eq!(parse_line(line).unwrap(), Line::Decision((*record).clone()));
            let at = record.at.as_millis() - START;
            format!("{at} {}", record.verdict)
        }
        Found::Gap { gap, .. } => {
            let (from, to) = (gap.from.as_millis() - START, gap.to.as_millis() - START);
            format!("gap {} {from}-{to}", gap.gap)
        }
        Found::BadLine { offset, .. } => format!("bad at {offset}"),
    }
}

#[test]
fn a_full_queue_keeps_room_for_denials_and_tells_of_gaps() {
    let mut bench = Bench::new(|_| ());
    let taken = (0..8).filter(|at| bench.log.record(entry(*at, Ruling::Permit)));
    assert_eq!(taken.count(), 6);
    let taken = (10..17).filter(|at| bench.log.record(entry(*at, Ruling::CannotTell)));
    assert_eq!(taken.count(), 4);
    let figures = bench.log.figures();
    assert_eq!(figures.queued, 10);
    assert_eq!((figures.dropped_permits, figures.dropped_denials), (2, 3));

    bench.worker.step().unwrap();
    let seen = bench.read(&Filter::default());
    assert_eq!(seen.len(), 11);
    assert_eq!(seen[9..], ["13 cannot-tell", "gap 3 14-16"]);
    let figures = bench.log.figures();
    assert_eq!((figures.queued, figures.written, figures.gaps), (0, 10, 1));
    let bytes = fs::metadata(bench.directory.path().join(&bench.names()[0]));
    assert_eq!(figures.bytes, bytes.unwrap().len());
    // One gap is told once.
    bench.write(entry(20, Ruling::Permit));
    assert_eq!(bench.read(&Filter::default())[11..], ["20 permit"]);
}

#[test]
fn a_full_disk_costs_only_what_finds_no_room() {
    for begun in [false, true] {
        let mut bench = Bench::new(|_| ());
        if begun {
            bench.write(entry(0, Ruling::Permit));
        }
        bench.full.store(true, SeqCst);
        // The handle at hand would still be good.
        let before = bench.names().len();
        bench.worker.reopen_file();
        assert!(bench.log.record(entry(1, Ruling::Deny)));
        assert!(bench.worker.step().is_err());
        assert!(matches!(bench.log.status(), Status::Failing(_)));
        for at in 2..20 {
            bench.log.record(entry(at, Ruling::Deny));
        }
        assert!(bench.worker.step().is_err());
        assert_eq!(bench.log.figures().dropped_denials, 8);
        assert_eq!(bench.names().len(), before);

        bench.full.store(false, SeqCst);
        bench.worker.step().unwrap();
        assert_eq!(bench.log.status(), Status::Ok);
        let seen = bench.read(&Filter::default());
        let seen = &seen[usize::from(begun)..];
        assert_eq!(seen.len(), 12, "{seen:?}");
        assert_eq!(seen[0], "1 deny");
        assert_eq!(seen[10..], ["11 deny", "gap 8 12-19"]);
        assert_eq!(bench.log.figures().failures, 2);
    }
}

#[test]
fn files_end_by_day_and_by_size() {
    let mut bench = Bench::new(|settings| settings.max_file_bytes = 1_000);
    for at in [5, 6, DAY + 7, DAY + 8, 2 * DAY, 1] {
        bench.log.record(entry(at, Ruling::Permit));
    }
    bench.worker.step().unwrap();
    assert_eq!(
        bench.names(),
        [
            "decisions-20260301T000000005Z.jsonl",
            "decisions-20260302T000000007Z.jsonl",
            "decisions-20260303T000000000Z.jsonl",
        ]
    );
    for at in 0..9 {
        bench.write(entry(2 * DAY + at, Ruling::Permit));
    }
    // Names go on by time, also when the clock went back.
    let names = bench.names();
    assert!(names.len() > 4, "{names:?}");
    let longest = names.iter().map(|name| {
        let bytes = fs::metadata(bench.directory.path().join(name)).unwrap();
        bytes.len()
    });
    assert!(longest.max().unwrap() < 1_500);
    let seen = bench.read(&Filter::default());
    assert_eq!(seen.len(), 15);
    assert_eq!(seen[5], "1 permit");
    let last = format!("{} permit", 2 * DAY + 8);
    assert_eq!(bench.newest(3).last(), Some(&last));
    assert_eq!(bench.newest(3), seen[12..]);
    assert_eq!(bench.newest(100), seen);
    assert_eq!(bench.newest(0), [""; 0]);
}

#[test]
fn old_files_go() {
    let directory = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: usize, age: u64| {
        let file = fs::File::create(directory.path().join(name)).unwrap();
        file.set_len(bytes as u64).unwrap();
        let modified = SystemTime::now() - Duration::from_hours(age);
        file.set_modified(modified).unwrap();
    };
    put("decisions-20260101T000000000Z.jsonl", 0, 100);
    put("decisions-20260102T000000000Z.jsonl", 0, 20);
    put("decisions-20260103T000000000Z.jsonl", 0, 3);
    put("notes.txt", 0, 1_000);
    let settings = |settings: &mut LogSettings| {
        settings.max_age = Duration::from_hours(24);
        settings.max_file_bytes = 1;
        settings.max_total_bytes = 2_000;
    };
    let mut bench = Bench::again(directory, settings);
    assert_eq!(bench.names().len(), 2);
    for at in 0..20 {
        bench.write(entry(at, Ruling::Permit));
    }
    let names = bench.names();
    let bytes: u64 = names
        .iter()
        .map(|name| {
            fs::metadata(bench.directory.path().join(name))
                .unwrap()
                .len()
        })
        .sum();
    // The present file comes on top of what was measured when it was begun.
    assert!(bytes < 2_500 && names.len() > 3, "{bytes} {names:?}");
    assert!(*names[0] > *"decisions-20260301");
    assert!(bench.directory.path().join("notes.txt").exists());
    assert_eq!(bench.read(&Filter::default()).last().unwrap(), "19 permit");
}

#[test]
fn a_file_that_a_crash_tore_goes_on_with_a_whole_line() {
    let mut bench = Bench::new(|_| ());
    bench.write(entry(1, Ruling::Permit));
    bench.write(entry(2, Ruling::Deny));
    let path = bench.directory.path().join(&bench.names()[0]);
    let whole = fs::read(&path).unwrap();
    for cut in [whole.len() - 1, whole.len() - 7, whole.len() / 2 + 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        bench = Bench::again(bench.directory, |_| ());
        bench.write(entry(3, Ruling::Permit));
        let seen = bench.read(&Filter::default());
        let kept = usize::from(cut == whole.len() - 1);
        assert_eq!(seen.len(), 2 + kept, "{cut}: {seen:?}");
        assert_eq!(seen.last().unwrap(), "3 permit");
    }
}

#[test]
fn filters_keep_what_they_name() {
    let mut bench = Bench::new(|settings| settings.queue = 100);
    let mut other = entry(DAY, Ruling::Permit);
    other.client = "clearpass".into();
    other.identifiers = vec!["serial:X".parse().unwrap(), "user:ada".parse().unwrap()].into();
    other.changed = true;
    other.judged = Arc::new(Judged::new(&Grounds {
        whole: false,
        chain_name: "default",
        decision: None,
        quarantined: false,
        ruling: Ruling::Permit,
        reasons: &[],
        policy: Some(PolicyDigest {
            name: "baseline".into(),
            digest: "00ff".into(),
        }),
        chain: &[],
        facts: Vec::new(),
        source: None,
        absence: None,
        detail: None,
    }));
    bench.write(entry(1, Ruling::Deny));
    bench.write(other);
    bench.write(entry(2 * DAY, Ruling::Restrict));
    let at = |millis| Some(Timestamp::from_millis(START + millis));
    let text = |text: &str| Some(text.to_owned());
    let (deny, permit, restrict) = ("1 deny", "86400000 permit", "172800000 restrict");
    let filter = Filter::default;
    #[rustfmt::skip]
    let cases = [
        (filter(), vec![deny, permit, restrict]),
        (Filter { since: at(1), ..filter() }, vec![deny, permit, restrict]),
        (Filter { since: at(2), ..filter() }, vec![permit, restrict]),
        (Filter { until: at(2 * DAY), ..filter() }, vec![deny, permit]),
        (Filter { since: at(2), until: at(2 * DAY), ..filter() }, vec![permit]),
        (Filter { verdict: Some(Ruling::Deny), ..filter() }, vec![deny]),
        (Filter { client: text("ise"), ..filter() }, vec![deny, restrict]),
        (Filter { identifier: "serial:X".parse().ok(), ..filter() }, vec![permit]),
        (Filter { identifier: "005056A4895A".parse().ok(), ..filter() }, vec![deny, restrict]),
        (Filter { reason: text("os-too-old"), ..filter() }, vec![deny, restrict]),
        (Filter { policy: text("baseline"), ..filter() }, vec![permit]),
        (Filter { changed: true, ..filter() }, vec![permit]),
        (Filter { client: text("nobody"), ..filter() }, vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(bench.read(&filter), expected, "{filter:?}");
    }
}

#[test]
fn bad_lines_are_told_and_passed_over() {
    let mut bench = Bench::new(|_| ());
    bench.write(entry(1, Ruling::Permit));
    let path = bench.directory.path().join(&bench.names()[0]);
    let line = fs::read(&path).unwrap();
    let mut content = line.clone();
    content.extend_from_slice(b"rubbish\n\xff\xff\n");
    content.extend(std::iter::repeat_n(b'x', 3 << 20));
    content.push(b'\n');
    content.extend_from_slice(&line);
    // Still being written: neither told nor lost.
    content.extend_from_slice(&line[..20]);
    fs::write(&path, &content).unwrap();
    let first = line.len();
    let expected = [
        "1 permit".to_owned(),
        format!("bad at {first}"),
        format!("bad at {}", first + 8),
        format!("bad at {}", first + 11),
        "1 permit".to_owned(),
    ];
    assert_eq!(bench.read(&Filter::default()), expected);
}

#[test]
fn a_follower_sees_new_lines_and_new_files() {
    let mut bench = Bench::new(|_| ());
    let reader = Reader::new(bench.directory.path());
    let polled = |follower: &mut Follower| {
        let mut seen = Vec::new();
        let flow = follower.poll(&mut |found| {
            seen.push(brief(&found));
            ControlFlow::Continue(())
        });
        assert!(flow.unwrap().is_continue());
        seen
    };
    // Before there is anything, and before there is even a directory.
    let mut early = reader.follow(&Filter::default()).unwrap();
    let nowhere = bench.directory.path().join("nowhere");
    let mut nothing = Reader::new(&nowhere).follow(&Filter::default()).unwrap();
    assert!(polled(&mut nothing).is_empty());

    bench.write(entry(1, Ruling::Permit));
    assert_eq!(polled(&mut early), ["1 permit"]);
    let mut late = reader.follow(&Filter::default()).unwrap();
    let mut newest = reader.read_newest(1, &Filter::default(), &mut |_| ControlFlow::Continue(()));
    let newest = newest.as_mut().unwrap();
    assert!(polled(&mut early).is_empty());

    bench.write(entry(2, Ruling::Permit));
    bench.write(entry(DAY, Ruling::Deny));
    bench.write(entry(2 * DAY, Ruling::Permit));
    let expected = ["2 permit", "86400000 deny", "172800000 permit"];
    for follower in [&mut early, &mut late, newest] {
        assert_eq!(polled(follower), expected);
    }
    // A line that is not complete yet waits.
    let path = bench.directory.path().join(&bench.names()[2]);
    let whole = fs::read(&path).unwrap();
    let mut content = whole.clone();
    content.extend_from_slice(&whole[..whole.len() - 5]);
    fs::write(&path, &content).unwrap();
    assert!(polled(&mut early).is_empty());
    content.extend_from_slice(&whole[whole.len() - 5..]);
    fs::write(&path, &content).unwrap();
    assert_eq!(polled(&mut early), ["172800000 permit"]);
    // The file that is read is deleted by its age.
    fs::remove_file(&path).unwrap();
    assert!(polled(&mut early).is_empty());
    let mut bench = Bench::again(bench.directory, |_| ());
    bench.write(entry(3 * DAY, Ruling::Permit));
    assert_eq!(polled(&mut early), ["259200000 permit"]);
}

#[test]
fn facts_that_are_too_large_are_left_out() {
    let text = "x".repeat(600 << 10);
    let grounds = Grounds {
        whole: false,
        chain_name: "default",
        decision: None,
        quarantined: false,
        ruling: Ruling::Deny,
        reasons: &[],
        policy: None,
        chain: &[],
        facts: vec![("os".to_owned(), json!(text))],
        source: None,
        absence: Some(Absence::Ambiguous),
        detail: None,
    };
    let json = render_grounds(&grounds);
    assert_eq!(
        json,
        r#""verdict":"deny","reasons":[],"chain":[],"chain_name":"default","facts_omitted":true,"absence":"ambiguous""#
    );
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z-]{1,12}"]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        millis in 0..200_000 * DAY,
        texts in prop::collection::vec(words(), 10),
        options in prop::collection::vec(any::<bool>(), 8),
        ruling in prop::sample::select(vec![
            Ruling::Permit, Ruling::Restrict, Ruling::Deny, Ruling::CannotTell,
        ]),
        origin in prop::sample::select(vec![Origin::Cached, Origin::Evaluated, Origin::Fetched]),
        latency in any::<u64>(),
        number in any::<i64>(),
    ) {
        let shared = |position: usize| Arc::<str>::from(texts[position].as_str());
        let policy = PolicyDigest { name: shared(0), digest: shared(1) };
        let source = SourceKey { name: shared(2), key: shared(3) };
        let reason = Reason {
            code: texts[4].clone(),
            message: texts[5].clone(),
            facts: vec![texts[6].clone()],
        };
        let identifiers: Vec<Identifier> = [format!("serial:{}", texts[7]), "user:a".to_owned()]
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        let facts = vec![(texts[8].clone(), json!({"number": number, "text": texts[9]}))];
        let decision = Decision::because(Verdict::Deny, &texts[0], &texts[1]);
        let judged = Judged::new(&Grounds {
            whole: options[7],
            chain_name: &texts[6],
            decision: options[3].then_some(&decision),
            quarantined: options[2],
            ruling,
            reasons: std::slice::from_ref(&reason),
            policy: options[0].then(|| policy.clone()),
            chain: std::slice::from_ref(&policy),
            facts: facts.clone(),
            source: options[1].then(|| source.clone()),
            absence: options[2].then_some(Absence::UnknownDevice),
            detail: options[3].then_some(texts[9].as_str()),
        });
        let entry = Entry {
            at: Timestamp::from_millis(millis),
            client: shared(0),
            face: "radius",
            request: options[4].then(|| shared(1)),
            identifiers: identifiers.clone().into(),
            judged: Arc::new(judged),
            origin,
            stale: options[5],
            latency: Duration::from_micros(latency),
            changed: options[6],
        };
        let mut buffer = Vec::new();
        render_entry(&entry, &mut buffer);
        let line = str::from_utf8(&buffer).unwrap();
        prop_assert_eq!(line.matches('\n').count(), 1);
        let expected = Record {
            at: entry.at,
            client: texts[0].clone(),
            face: "radius".to_owned(),
            request: options[4].then(|| texts[1].clone()),
            identifiers: identifiers.iter().map(ToString::to_string).collect(),
            origin: origin.as_str().to_owned(),
            stale: options[5],
            latency_us: latency,
            changed: options[6],
            verdict: ruling,
            reasons: vec![LoggedReason {
                code: reason.code,
                message: reason.message,
                facts: reason.facts,
            }],
            policy: options[0].then(|| policy.clone()),
            chain: vec![policy],
            whole: options[7],
            chain_name: Some(texts[6].clone()),
            decision: options[3].then(|| decision_digest(&decision)),
            quarantined: options[2],
            facts: facts.into_iter().collect(),
            facts_omitted: false,
            source: options[1].then_some(source),
            absence: options[2].then(|| "unknown-device".to_owned()),
            detail: options[3].then(|| texts[9].clone()),
        };
        let parsed = parse_line(line.trim_end_matches('\n')).unwrap();
        prop_assert_eq!(parsed, Line::Decision(expected));
    }

    #[test]
    fn reading_a_line_never_panics(text in any::<String>()) {
        let _ = parse_line(&text);
        let _ = parse_line(&format!("{{\"gap\":{text}"));
    }
}
