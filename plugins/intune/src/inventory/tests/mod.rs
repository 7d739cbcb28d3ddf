use portreeve_plugin::http::{Error as HttpError, Header};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::services::fake::{Fake, NOW, devices, endpoints, ok, service, status};

const GUID: &str = "ee9d3792-6859-4b71-93aa-56aba42581c5";
const GRAPH_LIST: &str = "https://graph.microsoft.com/v1.0/deviceManagement/managedDevices";

fn settings() -> Settings {
    Settings {
        inventory: Inventory::Graph,
        ..Settings::default()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an answer is a result")]
fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Response, HttpError> {
    let header = |(name, value): &(&str, &str)| Header {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    Ok(Response {
        status,
        headers: headers.iter().map(header).collect(),
        body: body.as_bytes().to_vec(),
    })
}

/// A page with so many devices, and perhaps a next one.
fn page_of(count: usize, next: Option<&str>) -> Result<Response, HttpError> {
    let devices: Vec<_> = (0..count)
        .map(|index| json!({ "id": format!("{index:08x}-0000-4000-8000-000000000000") }))
        .collect();
    let mut page = json!({ "@odata.count": count, "value": devices });
    if let Some(next) = next {
        page["@odata.nextLink"] = json!(format!("{GRAPH_LIST}?{next}"));
    }
    ok(&page.to_string())
}

fn read_next(services: &Fake, cursor: Option<&str>) -> Result<Page, SyncError> {
    next_page(services, &settings(), cursor, 500)
}

/// The device that Graph tells with these properties beside its id.
fn device(properties: &str) -> Device {
    let comma = if properties.is_empty() { "" } else { "," };
    let body = format!(r#"{{"value":[{{"id":"{GUID}"{comma}{properties}}}]}}"#);
    let services = Fake::new([ok(&body)]);
    let mut page = read_next(&services, None).unwrap();
    assert_eq!(page.upserts.len(), 1, "{properties}");
    page.upserts.remove(0)
}

fn attribute(device: &Device, name: &str) -> Option<Value> {
    let attribute = device.attributes.iter().find(|other| other.name == name);
    attribute.map(|attribute| attribute.value.clone())
}

#[test]
fn a_whole_read_and_the_changes_after_it() {
    let services = Fake::new([
        page_of(2, Some("$skiptoken=a b")),
        page_of(0, Some("$skiptoken=c")),
        page_of(1, None),
        page_of(1, Some("$skiptoken=d")),
        page_of(0, None),
    ]);
    let started = NOW;
    let first = read_next(&services, None).unwrap();
    assert_eq!(
        (first.upserts.len(), first.more, first.total),
        (2, true, None)
    );
    // Time passes while it is read; changes of that time are not lost.
    services.ahead.set(60_000);
    // An empty page in the middle is no end.
    let second = read_next(&services, Some(&first.cursor)).unwrap();
    assert_eq!((second.upserts.len(), second.more), (0, true));
    let third = read_next(&services, Some(&second.cursor)).unwrap();
    assert_eq!((third.upserts.len(), third.more), (1, false));
    assert_eq!(third.cursor, format!("1 since {started}"));
    let change = read_next(&services, Some(&third.cursor)).unwrap();
    assert_eq!((change.upserts.len(), change.more), (1, true));
    let ended = read_next(&services, Some(&change.cursor)).unwrap();
    assert_eq!(ended.cursor, format!("1 since {}", started + 60_000));
    assert!(!ended.more);
    let list = format!("{GRAPH_LIST}?$select={SELECT}&$top=500");
    assert_eq!(
        services.asked(),
        [
            list.clone(),
            format!("{GRAPH_LIST}?$skiptoken=a%20b"),
            format!("{GRAPH_LIST}?$skiptoken=c"),
            // NOW is 2026-08-21T00:00:00Z.
            format!("{list}&$filter=lastSyncDateTime%20gt%202026-08-20T23:45:00Z"),
            format!("{GRAPH_LIST}?$skiptoken=d"),
        ]
    );
}

#[test]
fn the_clock_is_that_of_graph() {
    let body = r#"{"value":[]}"#;
    let date = [("date", "Thu, 20 Aug 2026 12:00:00 GMT")];
    let services = Fake::new([answer(200, &date, body)]);
    let page = read_next(&services, None).unwrap();
    assert_eq!(page.cursor, format!("1 since {}", NOW - 12 * 3_600_000));
}

#[test]
fn the_wish_for_a_page_size() {
    for (limit, top) in [(0, 1000), (1, 1), (1000, 1000), (u32::MAX, 1000)] {
        let services = Fake::new([page_of(0, None)]);
        next_page(&services, &settings(), None, limit).unwrap();
        let asked = services.asked();
        assert!(asked[0].ends_with(&format!("&$top={top}")), "{asked:?}");
    }
}

#[test]
fn a_total_is_told_only_where_it_is_one() {
    let total = |count: u64, devices: usize, next: bool| {
        let devices = vec![json!({ "id": GUID }); devices];
        let mut page = json!({ "@odata.count": count, "value": devices });
        if next {
            page["@odata.nextLink"] = json!(format!("{GRAPH_LIST}?a"));
        }
        read_next(&Fake::new([ok(&page.to_string())]), None)
            .unwrap()
            .total
    };
    assert_eq!(total(5000, 2, true), Some(5000));
    assert_eq!(total(2, 2, false), Some(2));
    assert_eq!(total(2, 2, true), None);
}

#[test]
fn without_changes_nothing_is_sent_between_full_reads() {
    let settings = Settings {
        delta: Delta::None,
        ..settings()
    };
    let services = Fake::new([]);
    let page = next_page(&services, &settings, Some("1 since 5"), 10).unwrap();
    assert_eq!((page.upserts.len(), page.more), (0, false));
    assert_eq!(page.cursor, "1 since 5");
}

#[test]
fn off_is_unsupported() {
    let services = Fake::new([]);
    let result = next_page(&services, &Settings::default(), None, 10);
    let Err(SyncError::Failed(Error::Unsupported(text))) = result else {
        panic!("{result:?}");
    };
    assert!(text.contains("inventory = \"graph\""), "{text}");
}

#[test]
fn a_cursor_that_is_none_has_expired() {
    for cursor in [
        "",
        "0 since 5",
        "1 full 5 https://evil.example/",
        "2 since 5",
    ] {
        let result = read_next(&Fake::new([]), Some(cursor));
        assert_eq!(result, Err(SyncError::CursorExpired), "{cursor}");
    }
}

#[test]
fn an_expired_link_is_an_expired_cursor() {
    let link = "1 full 5 /v1.0/deviceManagement/managedDevices?$skiptoken=a";
    let changes = "1 changes 5 /v1.0/deviceManagement/managedDevices?$skiptoken=a";
    for code in [400, 410] {
        for cursor in [link, changes] {
            let result = read_next(&Fake::new([status(code)]), Some(cursor));
            assert_eq!(result, Err(SyncError::CursorExpired), "{code} {cursor}");
        }
        // There the request is ours, and starting over would not help.
        for cursor in [None, Some("1 since 5")] {
            let result = read_next(&Fake::new([status(code)]), cursor);
            assert!(
                matches!(result, Err(SyncError::Failed(_))),
                "{code} {cursor:?}"
            );
        }
    }
}

#[test]
fn links_stay_at_graph_and_lead_on() {
    for (next, expected) in [
        ("https://evil.example/v1.0/x", "another host"),
        ("https://graph.microsoft.com.evil.example/x", "another host"),
        ("https://graph.microsoft.com/a\u{7}", "no usable address"),
    ] {
        let body = json!({ "value": [], "@odata.nextLink": next }).to_string();
        let services = Fake::new([ok(&body)]);
        let result = read_next(&services, None);
        let Err(SyncError::Failed(Error::BadResponse(text))) = result else {
            panic!("{next}: {result:?}");
        };
        assert!(text.contains(expected), "{text}");
        assert_eq!(services.asked().len(), 1);
    }
    let services = Fake::new([
        page_of(1, Some("$skiptoken=a")),
        page_of(1, Some("$skiptoken=a")),
    ]);
    let first = read_next(&services, None).unwrap();
    let second = read_next(&services, Some(&first.cursor));
    let Err(SyncError::Failed(Error::BadResponse(text))) = second else {
        panic!("{second:?}");
    };
    assert!(text.contains("to itself"), "{text}");
}

#[test]
fn bodies_that_are_no_list() {
    for body in [
        "",
        "null",
        "[]",
        "<html>",
        r#"{"error":{}}"#,
        r#"{"value":{}}"#,
        r#"{"value":[1]}"#,
        r#"{"value":[{"id":"a"}"#,
        r#"{"value":[],"@odata.nextLink":7}"#,
    ] {
        let result = read_next(&Fake::new([ok(body)]), None);
        assert!(
            matches!(&result, Err(SyncError::Failed(Error::BadResponse(_)))),
            "{body}: {result:?}"
        );
    }
}

#[test]
fn three_forms_of_waiting() {
    let pause = |header: &[(&str, &str)], code| match read_next(
        &Fake::new([answer(code, header, "")]),
        None,
    ) {
        Err(SyncError::Failed(Error::RateLimited(pause))) => pause.unwrap(),
        other => panic!("{other:?}"),
    };
    for code in [429, 503] {
        assert_eq!(pause(&[("retry-after", "2.128")], code), 2128);
        assert_eq!(
            pause(&[("retry-after", "Fri, 21 Aug 2026 00:01:00 GMT")], code),
            60_000
        );
        assert!((1000..2000).contains(&pause(&[], code)));
    }
}

#[test]
fn without_a_word_pauses_double_up_to_a_minute() {
    let services = Fake::new(
        (0..7)
            .map(|_| status(429))
            .chain([page_of(0, None), status(429)]),
    );
    let pause = || match read_next(&services, None) {
        Err(SyncError::Failed(Error::RateLimited(Some(pause)))) => Some(pause),
        Ok(_) => None,
        other => panic!("{other:?}"),
    };
    for whole in [2, 4, 8, 16, 32, 60, 60] {
        let pause = pause().unwrap();
        assert!(
            (whole * 500..whole * 1000).contains(&pause),
            "{whole} {pause}"
        );
    }
    assert_eq!(pause(), None);
    assert!((1000..2000).contains(&pause().unwrap()));
}

#[test]
fn failures_name_the_permission() {
    for (answer, expected) in [
        (
            answer(403, &[], r#"{"error":{"code":"Forbidden","message":""}}"#),
            "Forbidden(\"missing permission `DeviceManagementManagedDevices.Read.All`",
        ),
        (status(401), "Unauthenticated("),
        (status(500), "Unavailable("),
        (status(404), "Unavailable("),
        (status(302), "BadResponse("),
        (Err(HttpError::Timeout), "Timeout"),
        (Err(HttpError::TooLarge(5)), "BadResponse("),
        (Err(HttpError::Denied("x".to_owned())), "Misconfigured("),
    ] {
        match read_next(&Fake::new([answer]), None) {
            Err(SyncError::Failed(error)) => {
                let text = format!("{error:?}");
                assert!(text.contains(expected), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_list_of_the_service_marks_devices() {
    let settings = Settings {
        non_compliant_list: true,
        ..settings()
    };
    let entry = |guid: &str, status: &str| {
        format!(
            "<guid>{guid}</guid><Attributes><guid>{guid}</guid>\
             <register_status>true</register_status><Compliance><status>{status}</status>\
             </Compliance></Attributes>"
        )
    };
    let listed = "00000001-0000-4000-8000-000000000000";
    let marked = |page: &Page| -> Vec<String> {
        let mark = |device: &&Device| attribute(device, record::LISTED).is_some();
        let devices = page.upserts.iter().filter(mark);
        devices.map(|device| device.key.clone()).collect()
    };
    let services = Fake::new([
        endpoints("a"),
        devices(&[&entry(listed, "false"), &entry(GUID, "true")]),
        page_of(3, None),
        // The changes after it know the list, too, and do not ask for it.
        page_of(3, None),
        // In the closed part of the window it is not asked for.
        page_of(3, None),
    ]);
    let page = next_page(&services, &settings, None, 10).unwrap();
    assert_eq!(marked(&page), [listed]);
    let page = next_page(&services, &settings, Some(&page.cursor), 10).unwrap();
    assert_eq!(marked(&page), [listed]);
    services.ahead.set(60 * 60_000);
    let page = next_page(&services, &settings, None, 10).unwrap();
    assert_eq!(marked(&page), [listed]);
    let asked = services.asked();
    assert_eq!(
        asked[1],
        format!(
            "{}/cisco/devices/?paging=0&querycriteria=compliance&value=false&deviceidentifier=guid&filter=all",
            service("a")
        )
    );
    assert_eq!(asked.len(), 5);
}

mod look_up;
mod metadata;
mod records;
mod speed;

proptest! {
    #[test]
    fn any_body_is_read_or_refused(body in ".{0,200}", json in "[\\[\\]{}\",:a-z0-9@.]{0,60}") {
        for body in [body, json.clone(), format!(r#"{{"value":[{json}]}}"#)] {
            let _ = read_next(&Fake::new([ok(&body)]), None);
        }
    }

    #[test]
    fn any_property_is_read(name in proptest::sample::select(SELECT.split(',').collect::<Vec<_>>()),
                            text in ".{0,60}", number: i64) {
        prop_assume!(name != "id");
        for value in [json!(text), json!(number), json!([text]), json!({ &text: number })] {
            let device = json!({ "value": [{ "id": GUID, name: value }] }).to_string();
            let read = read_next(&Fake::new([ok(&device)]), None);
            prop_assert_eq!(read.unwrap().upserts.len(), 1);
        }
    }
}
