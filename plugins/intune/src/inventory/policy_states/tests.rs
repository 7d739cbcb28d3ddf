use portreeve_plugin::connector::inventory::{Page, SyncError};
use portreeve_plugin::http::Error as HttpError;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::services::fake::{Fake, ok, status};
use crate::settings::Inventory;

const BATCH: &str = "POST https://graph.microsoft.com/v1.0/$batch";

fn settings() -> Settings {
    Settings {
        inventory: Inventory::Graph,
        compliance_details: true,
        ..Settings::default()
    }
}

fn guid(number: usize) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

/// A page of so many devices that are not compliant, and one that is.
fn page(failing: usize) -> Result<Response, HttpError> {
    let mut devices = vec![json!({ "id": guid(0), "complianceState": "compliant" })];
    devices.extend((1..=failing).map(|number| {
        let states = ["noncompliant", "inGracePeriod", "conflict", "error"];
        json!({ "id": guid(number), "complianceState": states[number % 4] })
    }));
    ok(&json!({ "value": devices }).to_string())
}

/// Answers for so many devices, the last one first.
fn answers(count: usize) -> Result<Response, HttpError> {
    let answer = |place: usize| json!({ "id": place.to_string(), "status": 200, "body": states() });
    let answers: Vec<Value> = (0..count).rev().map(answer).collect();
    ok(&json!({ "responses": answers }).to_string())
}

fn states() -> Value {
    json!({ "value": [
        { "displayName": "Windows baseline", "state": "nonCompliant", "settingStates": [
            { "setting": "Windows10CompliancePolicy.BitLockerEnabled", "settingName": "BitLocker",
              "state": "nonCompliant", "errorDescription": "Not encrypted" },
            { "setting": "Windows10CompliancePolicy.SecureBootEnabled", "state": "compliant" },
        ]},
        { "displayName": "Windows baseline", "state": "nonCompliant", "settingStates": [
            { "setting": "Windows10CompliancePolicy.BitLockerEnabled", "settingName": "BitLocker",
              "state": "nonCompliant", "errorDescription": "Not encrypted" },
        ]},
        { "displayName": "Default policy", "state": "error", "settingStates": null },
        { "displayName": "Antivirus", "state": "compliant" },
    ]})
}

fn read(services: &Fake) -> Result<Page, SyncError> {
    crate::inventory::next_page(services, &settings(), None, 500)
}

#[test]
fn only_devices_that_are_not_compliant_are_asked_about() {
    let services = Fake::new([page(25), answers(20), answers(5)]);
    let page = read(&services).unwrap();
    let asked = services.asked();
    assert!(asked[0].ends_with("&$top=200"), "{}", asked[0]);
    assert_eq!(asked[1..], [BATCH, BATCH]);
    let (_, body) = &services.posted.borrow()[1];
    assert_eq!(
        body["requests"][0],
        json!({ "id": "0", "method": "GET", "url": format!(
            "/deviceManagement/managedDevices/{}/deviceCompliancePolicyStates", guid(21)) })
    );
    assert!(page.upserts[0].compliance.failing.is_empty());
    for device in &page.upserts[1..] {
        let failing = device.compliance.failing.iter();
        let told: Vec<(&str, &str)> = failing
            .map(|check| (&*check.code, check.message.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(
            told,
            [
                (
                    "bit-locker-enabled",
                    "Windows baseline: BitLocker: Not encrypted"
                ),
                ("compliance-policy", "Default policy"),
            ]
        );
    }
}

#[test]
fn nobody_is_asked_unless_it_is_wanted_and_somebody_fails() {
    let off = Settings {
        compliance_details: false,
        ..settings()
    };
    let services = Fake::new([page(3)]);
    crate::inventory::next_page(&services, &off, None, 500).unwrap();
    assert!(services.asked()[0].ends_with("&$top=500"));
    let services = Fake::new([page(0)]);
    read(&services).unwrap();
    assert_eq!(services.asked().len(), 1);
}

#[test]
fn busy_in_all_its_forms_has_the_page_read_once_more() {
    let inner = |headers: Value| {
        let answer = json!({ "id": "0", "status": 429, "headers": headers });
        ok(&json!({ "responses": [answer] }).to_string())
    };
    let outer = |value: &str| {
        let mut response = status(429).unwrap();
        response.headers.push(Header {
            name: "Retry-After".to_owned(),
            value: value.to_owned(),
        });
        Ok(response)
    };
    for (answer, pause) in [
        (inner(json!({ "Retry-After": "3" })), Some(3_000)),
        (inner(json!({ "retry-after": "2.128" })), Some(2_128)),
        (inner(json!({ "Retry-After": 7 })), Some(7_000)),
        // NOW is 2026-08-21T00:00:00Z.
        (
            inner(json!({ "Retry-After": "Fri, 21 Aug 2026 00:00:09 GMT" })),
            Some(9_000),
        ),
        (inner(json!({})), None),
        (outer("4"), Some(4_000)),
        (outer("Fri, 21 Aug 2026 00:00:05 GMT"), Some(5_000)),
        (status(503), None),
    ] {
        let services = Fake::new([page(1), answer]);
        let Err(SyncError::Failed(Error::RateLimited(Some(told)))) = read(&services) else {
            panic!("{pause:?}");
        };
        match pause {
            Some(pause) => assert_eq!(told, pause),
            None => assert!((1_000..=2_000).contains(&told), "{told}"),
        }
    }
    // Trouble that passes is no reason to forget what devices failed.
    let services = Fake::new([page(1), status(500)]);
    assert!(matches!(
        read(&services),
        Err(SyncError::Failed(Error::Unavailable(_)))
    ));
}

#[test]
fn what_an_administrator_has_to_change_is_not_tried_for_an_hour() {
    let inner = json!({ "responses": [{ "id": "0", "status": 403 }] }).to_string();
    for refusal in [status(403), status(400), status(404), ok(&inner)] {
        let services = Fake::new([page(1), refusal, page(1)]);
        assert_eq!(read(&services).unwrap().upserts.len(), 2);
        assert_eq!(services.kept.borrow()[REFUSED].1, REFUSED_MS);
        read(&services).unwrap();
        assert_eq!(services.asked().len(), 3);
    }
}

#[test]
fn one_device_does_not_spoil_the_others() {
    let body = json!({ "responses": [
        { "id": "0", "status": 404 },
        { "id": "1", "status": 500, "body": "<html>" },
        { "id": "2", "status": 200, "body": { "value": 7 } },
        { "id": "99", "status": 200, "body": states() },
        { "id": null, "status": 200 },
        { "id": "3", "status": 200, "body": states() },
    ]});
    let services = Fake::new([page(4), ok(&body.to_string())]);
    let page = read(&services).unwrap();
    let counts: Vec<usize> = page
        .upserts
        .iter()
        .map(|it| it.compliance.failing.len())
        .collect();
    assert_eq!(counts, [0, 0, 0, 0, 2]);
    let services = Fake::new([self::page(1), ok("[]")]);
    assert!(matches!(
        read(&services),
        Err(SyncError::Failed(Error::BadResponse(_)))
    ));
}

#[test]
fn codes() {
    for (setting, expected) in [
        (
            "Windows10CompliancePolicy.BitLockerEnabled",
            "bit-locker-enabled",
        ),
        (
            "DefaultDeviceCompliancePolicy.RequireRemainContact",
            "require-remain-contact",
        ),
        ("osMinimumVersion", "os-minimum-version"),
        ("TPM required", "tpm-required"),
        ("a__b.", ""),
        ("", ""),
        ("ü-x", "x"),
    ] {
        assert_eq!(code(setting), expected, "{setting}");
    }
}

proptest! {
    #[test]
    fn whatever_is_answered_does_not_trap(text in any::<String>(), setting in any::<String>()) {
        let _ = code(&setting);
        let services = Fake::new([page(1), ok(&text)]);
        let _ = read(&services);
        let body = json!({ "value": [{ "state": "error", "displayName": text,
            "settingStates": [{ "setting": setting, "state": "error" }] }] });
        prop_assert!(checks(&body).len() == 1);
    }
}
