//! `docs/checklist.md` has every number once, and what it says is done can be found.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "functions of a test fail loudly"
)]

use std::path::{Path, PathBuf};

/// How many demands there are.
const LAST: u16 = 129;

const STATES: [&str; 4] = ["done", "partly", "open", "does not apply"];

/// A line of one of the tables.
struct Row {
    number: u16,
    state: String,
    /// How and where.
    place: String,
}

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a document can be read")
}

fn rows() -> Vec<Row> {
    read(&documents().join("checklist.md"))
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let number = cells.get(1)?.parse().ok()?;
            assert_eq!(cells.len(), 6, "`{line}` does not have four cells");
            Some(Row {
                number,
                state: cells[3].to_owned(),
                place: cells[4].to_owned(),
            })
        })
        .collect()
}

/// Text and target of each link.
fn links(place: &str) -> Vec<(&str, &str)> {
    place
        .split('[')
        .skip(1)
        .filter_map(|rest| {
            let (text, rest) = rest.split_once("](")?;
            Some((text, rest.split_once(')')?.0))
        })
        .collect()
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ => character.is_alphanumeric().then_some(character),
        })
        .collect()
}

/// What is wrong with a link, if anything is.
fn problem(text: &str, target: &str) -> Option<String> {
    let (file, place) = match target.split_once('#') {
        Some((file, place)) => (file, Some(place)),
        None => (target, None),
    };
    let path = documents().join(file);
    if !path.is_file() {
        return Some(format!("there is no {file}"));
    }
    let named = text
        .strip_prefix('`')
        .and_then(|text| text.strip_suffix('`'));
    if let (Some(name), true) = (named, path.extension().is_some_and(|end| end == "rs")) {
        let heads = [format!("fn {name}("), format!("mod {name} ")];
        let content = read(&path);
        if !heads.iter().any(|head| content.contains(head)) {
            return Some(format!("there is no `{name}` in {file}"));
        }
    }
    if let Some(place) = place {
        let content = read(&path);
        let mut headings = content.lines().filter(|line| line.starts_with('#'));
        if !headings.any(|line| anchor(line) == place) {
            return Some(format!("there is no heading `#{place}` in {file}"));
        }
    }
    None
}

#[test]
fn every_number_is_there_once() {
    let mut numbers: Vec<u16> = rows().iter().map(|row| row.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=LAST).collect::<Vec<_>>());
}

#[test]
fn every_state_is_one_of_four_and_done_has_evidence() {
    for row in rows() {
        let Row {
            number,
            state,
            place,
        } = row;
        assert!(STATES.contains(&state.as_str()), "{number}: `{state}`");
        match state.as_str() {
            "done" => assert!(!links(&place).is_empty(), "{number} names no test or page"),
            "open" => {}
            _ => assert!(!place.is_empty(), "{number} does not say what is missing"),
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    let problems: Vec<String> = rows()
        .iter()
        .flat_map(|row| {
            links(&row.place)
                .into_iter()
                .filter_map(|(text, target)| problem(text, target))
                .map(|problem| format!("{}: {problem}", row.number))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn anchors_are_those_of_the_pages() {
    assert_eq!(
        anchor("## 1. Register an application"),
        "1-register-an-application"
    );
    assert_eq!(anchor("## `portreeve reload`"), "portreeve-reload");
    assert!(problem("`nothing`", "../tests/blackbox/tests/checklist.rs").is_some());
    assert!(problem("page", "checklist.md#nowhere").is_some());
    assert!(problem("page", "nowhere.md").is_some());
}
