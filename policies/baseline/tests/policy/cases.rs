//! `cases.toml`, run natively. With the component it is run by the host.

use baseline::{Settings, evaluate::evaluate, settings::validate};
use portreeve_policy_cases::File;

use super::schema::fits;
use super::support::{outcome, subject};

const CASES: &str = include_str!("../../cases.toml");

#[test]
fn every_case_comes_out_as_expected() {
    let file = File::parse(CASES).unwrap();
    assert!(file.cases.len() >= 60, "{} cases", file.cases.len());
    let mut wrong = Vec::new();
    for case in &file.cases {
        let document = case.settings_document();
        if !fits(&document) || validate(&document).is_err() {
            wrong.push(format!("{}: its settings are not valid", case.name));
            continue;
        }
        let settings: Settings = portreeve_plugin::settings::parse(&document).unwrap();
        let subject = subject(case);
        let outcome = outcome(evaluate(&settings, &subject));
        for difference in case.expect.differences(&outcome, &subject.read.borrow()) {
            wrong.push(format!("{}: {difference}", case.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn settings_are_checked_beyond_the_schema() {
    let file = File::parse(CASES).unwrap();
    assert!(!file.settings_cases.is_empty());
    for case in &file.settings_cases {
        let document = case.settings_document();
        assert!(fits(&document), "{}: the schema refuses it", case.name);
        let problems = validate(&document).err().unwrap_or_default();
        let mut found: Vec<&str> = problems.iter().map(|one| one.pointer.as_str()).collect();
        found.sort_unstable();
        let mut expected: Vec<&str> = case.problems.iter().map(String::as_str).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{}", case.name);
    }
}
