use portreeve_plugin::http::{Error as HttpError, Response};

use super::*;
use crate::services::fake::{Fake, devices, endpoints, ok, status};
use crate::settings::Inventory;

const GUID: &str = "ee9d3792-6859-4b71-93aa-56aba42581c5";

fn settings() -> Settings {
    Settings {
        inventory: Inventory::Graph,
        non_compliant_list: true,
        ..Settings::default()
    }
}

fn entry(guid: &str, registered: &str, compliant: &str) -> String {
    format!(
        "<guid>{guid}</guid><Attributes><guid>{guid}</guid>\
         <register_status>{registered}</register_status>\
         <Compliance><status>{compliant}</status></Compliance></Attributes>"
    )
}

fn list() -> Result<Response, HttpError> {
    devices(&[&entry(GUID, "true", "false")])
}

#[test]
fn reads_what_the_service_writes() {
    let other = "00000000-0000-4000-8000-000000000007";
    let document = format!(
        "<ise_api xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"urn:model\">\
         <name>attributes</name><api_version>3</api_version><paging_info>0</paging_info>\
         <deviceList><device>{}</device><device>{}</device><device>{}</device>\
         <device><Attributes/></device><device>{}</device></deviceList></ise_api>",
        entry(GUID, "true", "false"),
        entry(other, "false", "false"),
        entry(other, "true", "true"),
        entry("nonsense", "true", "false"),
    );
    let list = read(document.as_bytes()).unwrap();
    assert_eq!(list.0.len(), 1);
    assert!(list.holds(GUID));
    assert!(!list.holds(other) && !list.holds("") && !list.holds("x"));
    assert_eq!(
        read(b"<ise_api><deviceList/></ise_api>"),
        Ok(Listed::default())
    );
    for (document, expected) in [
        ("", "no answer about devices"),
        ("<html><p>busy</p></html>", "no answer about devices"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><x/>", "document type"),
        ("<deviceList><device></deviceList>", "no XML"),
    ] {
        let problem = read(document.as_bytes()).unwrap_err().to_string();
        assert!(problem.contains(expected), "{document}: {problem}");
    }
    assert_eq!(read(b"\xff"), Err(Problem::Encoding));
}

#[test]
fn a_long_list_is_kept_in_parts_and_a_longer_one_not_at_all() {
    let services = Fake::new([]);
    let list = Listed((0..10_000).collect());
    assert!(list.keep(&services));
    assert_eq!(Listed::kept(&services, &settings()), list);
    // A shorter one leaves nothing of it.
    let shorter = Listed((5..8).collect());
    assert!(shorter.keep(&services));
    assert_eq!(Listed::kept(&services, &settings()), shorter);
    assert_eq!(
        Listed::kept(&services, &Settings::default()),
        Listed::default()
    );
    let device = format!("<device>{}</device>", entry(GUID, "true", "false"));
    let document = format!("<deviceList>{}</deviceList>", device.repeat(64_001));
    assert_eq!(read(document.as_bytes()), Err(Problem::TooMany));
}

/// Asks at these minutes and says at which of them something was sent.
fn sent(
    minutes: &[u64],
    answers: impl IntoIterator<Item = Result<Response, HttpError>>,
) -> Vec<u64> {
    let services = Fake::new(std::iter::once(endpoints("a")).chain(answers));
    let mut sent = Vec::new();
    for minute in minutes {
        services.ahead.set(minute * MINUTE_MS);
        let before = services.asked.borrow().len();
        refresh(&services, &settings());
        if services.asked.borrow().len() > before {
            sent.push(*minute);
        }
    }
    services.asked();
    sent
}

#[test]
fn sixty_minutes_of_four_hours() {
    let minutes = [0, 1, 59, 60, 100, 239, 240, 299, 300, 479, 480];
    let answers = std::iter::repeat_with(list).take(6);
    assert_eq!(sent(&minutes, answers), [0, 1, 59, 240, 299, 480]);
}

#[test]
fn a_refusal_in_the_window_ends_it() {
    // Another NAC product of the tenant has opened it 50 minutes ago.
    let answers = [list(), status(503), list()];
    assert_eq!(sent(&[0, 10, 20, 59, 189, 190], answers), [0, 10, 190]);
}

#[test]
fn no_failure_reaches_the_inventory() {
    for answer in [
        status(500),
        status(401),
        status(404),
        ok("nonsense"),
        Err(HttpError::Timeout),
        Err(HttpError::TooLarge(16 << 20)),
    ] {
        // After what looks like a move the service is discovered again.
        let services = Fake::new([endpoints("a"), answer]);
        refresh(&services, &settings());
        assert_eq!(Listed::kept(&services, &settings()), Listed::default());
    }
}

#[test]
fn what_was_kept_stays_when_the_next_list_fails() {
    let services = Fake::new([endpoints("a"), list(), status(500)]);
    refresh(&services, &settings());
    refresh(&services, &settings());
    assert!(Listed::kept(&services, &settings()).holds(GUID));
    services.asked();
}

#[test]
fn without_the_setting_nothing_is_sent() {
    let services = Fake::new([]);
    refresh(&services, &Settings::default());
    assert!(services.asked().is_empty());
}

proptest::proptest! {
    #[test]
    fn any_document_is_read_or_refused(text in ".{0,200}", tags in "(<device>|</device>|<guid>|</guid>|<deviceList>|</deviceList>|&a;|x){0,30}") {
        for document in [text, tags.clone(), format!("<deviceList>{tags}</deviceList>")] {
            if let Ok(list) = read(document.as_bytes()) {
                proptest::prop_assert!(list.0.is_empty());
            }
        }
    }
}
