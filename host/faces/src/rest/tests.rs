use std::time::Duration;

use portreeve_domain::{
    Attribute, Authentication, CannotTell, Compliance, ComplianceState, Connection, Decision,
    Device, Enrollment, FailingCheck, Medium, Obligation, ObligationKind, OperatingSystem, Origin,
    Ownership, Posture, Reason, Remediation, SourceOutcome, SourceReport, Timestamp, Tristate,
    User, Value, Verdict, View,
};
use proptest::prelude::*;

use super::*;
use crate::clients::test_client;
use crate::request_id::RequestIds;

#[track_caller]
fn check(json: &str, expected: Result<&str, &str>) {
    let read = question::read(json.as_bytes(), &test_client("script"));
    let read = read.map(|question| {
        let ids: Vec<String> = question
            .identifiers()
            .iter()
            .map(ToString::to_string)
            .collect();
        ids.join(" ")
    });
    let read = read.as_deref().map_err(Problem::detail);
    assert_eq!(read, expected, "{json}");
}

#[test]
fn questions() {
    check(
        r#"{"identifiers": ["0050.56A4.895A"]}"#,
        Ok("00:50:56:a4:89:5a"),
    );
    check(
        r#"{"identifiers": ["005056a4895a", {"kind": "guid", "value": "3EEB9E62-cec9-4dd8-9dd6-74903695a62b"}]}"#,
        Ok("3eeb9e62-cec9-4dd8-9dd6-74903695a62b 00:50:56:a4:89:5a"),
    );
    check(
        r#"{"identifiers": ["serial:\u0041B"], "connection": {}}"#,
        Ok("serial:AB"),
    );
    check(
        r#"{"identifiers": ["serial:A"], "connection": null}"#,
        Ok("serial:A"),
    );
}

#[test]
fn errors_name_field_and_place() {
    check(
        "",
        Err("the body: EOF while parsing a value at line 1 column 0"),
    );
    check(
        "{\n  \"identifiers\": [,]}",
        Err("the body: expected value at line 2 column 19"),
    );
    check(
        "{}",
        Err("the body: missing field `identifiers` at line 1 column 2"),
    );
    check(
        "[[\"serial:A\"]]",
        Err("the body: invalid type: sequence, expected an object at line 1 column 0"),
    );
    check(
        r#"{"identifier": "x"}"#,
        Err(
            "the body: unknown field `identifier`, expected `identifiers` or `connection` at line 1 column 13",
        ),
    );
    check(
        r#"{"identifiers": []}"#,
        Err("`identifiers` is empty, expected at least one"),
    );
    check(
        r#"{"identifiers": ["a:b", "00:50:56:a4:89"]}"#,
        Err(
            "`identifiers[0]`: `a:b` is neither a MAC address nor a GUID; write other identifiers as `kind:value`, e.g. `serial:C02XK0AAJGH5`",
        ),
    );
    check(
        r#"{"identifiers": ["serial:A", "00:50:56:a4:89"]}"#,
        Err(
            "`identifiers[1]`: `00:50:56:a4:89` is no MAC address: expected 12 hexadecimal digits, found 10",
        ),
    );
    check(
        r#"{"identifiers": [7]}"#,
        Err(
            "the body: invalid type: integer `7`, expected an identifier as text or as `{\"kind\": …, \"value\": …}` at line 1 column 18",
        ),
    );
    check(
        r#"{"identifiers": [{"kind": "mac", "text": ""}]}"#,
        Err("the body: unknown field `text`, expected `kind` or `value` at line 1 column 39"),
    );
    let many = vec!["\"serial:A\""; 17].join(",");
    check(
        &format!("{{\"identifiers\": [{many}]}}"),
        Err("`identifiers` has 17 members, expected at most 16"),
    );
    check(
        r#"{"identifiers": ["serial:A"], "connection": {"medium": "air"}}"#,
        Err(
            "the body: unknown variant `air`, expected one of `unknown`, `wired`, `wireless`, `vpn` at line 1 column 60",
        ),
    );
    check(
        r#"{"identifiers": ["serial:A"], "connection": {"mac": "x"}}"#,
        Err("`connection.mac`: `x` is no MAC address: unexpected character at position 0"),
    );
    check(
        r#"{"identifiers": ["serial:A"], "connection": {"nas": "a\u0000b"}}"#,
        Err("`connection.nas`: expected at most 256 bytes without control characters"),
    );
    check(
        r#"{"identifiers": ["serial:A"], "connection": []}"#,
        Err("the body: invalid type: sequence, expected an object at line 1 column 44"),
    );
}

#[test]
fn connections() {
    let json = br#"{"identifiers": ["serial:A"], "connection": {"medium": "wireless",
        "authentication": "eap-tls", "nas": "wlc1", "attachment": "corp", "location": "",
        "mac": "0050.56a4.895a"}}"#;
    let question = question::read(json, &test_client("script")).unwrap();
    let expected = Connection {
        medium: Medium::Wireless,
        authentication: Authentication::EapTls,
        client: "script".into(),
        view: View::default(),
        nas: Some("wlc1".to_owned()),
        attachment: Some("corp".to_owned()),
        location: None,
        mac: Some("00:50:56:a4:89:5a".parse().unwrap()),
    };
    assert_eq!(**question.connection(), expected);
    assert_eq!(question.patience(), Duration::from_secs(2));
}

fn device() -> Device {
    Device {
        key: "42".to_owned(),
        ids: vec![
            "3eeb9e62-cec9-4dd8-9dd6-74903695a62b".parse().unwrap(),
            "00:50:56:a4:89:5a".parse().unwrap(),
            "entra-device-id:xyz".parse().unwrap(),
        ],
        enrollment: Enrollment::Enrolled,
        compliance: Compliance {
            state: ComplianceState::InGracePeriod,
            evaluated_at: Some(Timestamp::from_millis(1_795_243_000_000)),
            grace_until: Some(Timestamp::from_millis(1_795_330_000_000)),
            failing: vec![FailingCheck {
                code: "bitlocker-enabled".to_owned(),
                message: Some("the disk is not encrypted".to_owned()),
            }],
        },
        ownership: Ownership::Corporate,
        posture: Posture {
            disk_encrypted: Tristate::No,
            jailbroken: Tristate::Yes,
            ..Posture::default()
        },
        user: Some(User {
            principal_name: Some("ada@example.com".to_owned()),
            ..User::default()
        }),
        os: Some(OperatingSystem {
            family: "windows".to_owned(),
            version: Some("10.0.26100".to_owned()),
            ..OperatingSystem::default()
        }),
        name: Some("ADA-7".to_owned()),
        last_seen: Some(Timestamp::from_millis(1_795_240_000_000)),
        attributes: vec![
            Attribute {
                name: "intune.partner-threat-state".to_owned(),
                value: Value::Text("secured".to_owned()),
            },
            Attribute {
                name: "intune.sim-count".to_owned(),
                value: Value::Integer(-1),
            },
        ],
        ..Device::default()
    }
}

fn answer(outcome: Outcome, finding: Finding, source: SourceOutcome) -> Answer {
    let found = source == SourceOutcome::Found;
    Answer {
        outcome,
        finding,
        sources: vec![SourceReport {
            name: "contoso".into(),
            outcome: source,
            fetched_at: found.then(|| Timestamp::from_millis(1_795_243_641_250)),
            stale: found,
            detail: None,
        }],
        policy: Some("baseline".into()),
        origin: Origin::Cached,
        at: Timestamp::from_millis(1_795_243_651_250),
    }
}

fn obliged(kind: ObligationKind) -> Obligation {
    Obligation {
        kind,
        advisory: false,
    }
}

/// Exactly what is sent, with a line for each member.
fn json_of(answer: &Answer) -> String {
    serde_json::to_string(&AnswerView(answer))
        .unwrap()
        .replace(",\"", ",\n\"")
}

#[test]
fn a_decision_on_a_known_device() {
    let decision = Decision {
        verdict: Verdict::Restrict,
        reasons: vec![Reason {
            code: "in-grace-period".to_owned(),
            message: "tolerated until tomorrow".to_owned(),
            facts: vec!["compliance".to_owned()],
        }],
        obligations: vec![
            obliged(ObligationKind::Vlan("20".to_owned())),
            obliged(ObligationKind::Sgt(16)),
            obliged(ObligationKind::SessionTimeout(Duration::from_millis(1_500))),
            obliged(ObligationKind::ChangeOfAuthorization),
            obliged(ObligationKind::Radius {
                name: "Filter-Id".to_owned(),
                value: "x".to_owned(),
            }),
            Obligation {
                kind: ObligationKind::Other {
                    name: "ticket".to_owned(),
                    value: "{\"queue\": 7}".to_owned(),
                },
                advisory: true,
            },
            obliged(ObligationKind::Other {
                name: "broken".to_owned(),
                value: "{\"queue\": ".to_owned(),
            }),
        ],
        remediation: vec![Remediation {
            code: "encrypt".to_owned(),
            message: "turn on BitLocker".to_owned(),
            url: None,
        }],
        valid_for: None,
    };
    let answer = answer(
        Outcome::Decided(Arc::new(decision)),
        Finding::Device(Arc::new(device())),
        SourceOutcome::Found,
    );
    insta::assert_snapshot!(json_of(&answer), @r#"
    {"verdict":"restrict",
    "reasons":[{"code":"in-grace-period",
    "message":"tolerated until tomorrow",
    "facts":["compliance"]}],
    "obligations":[{"kind":"vlan",
    "value":"20",
    "advisory":false},{"kind":"sgt",
    "value":16,
    "advisory":false},{"kind":"session-timeout",
    "seconds":2,
    "advisory":false},{"kind":"change-of-authorization",
    "advisory":false},{"kind":"radius",
    "name":"Filter-Id",
    "value":"x",
    "advisory":false},{"kind":"other",
    "name":"ticket",
    "value":{"queue": 7},
    "advisory":true},{"kind":"other",
    "name":"broken",
    "value":"{\"queue\": ",
    "advisory":false}],
    "remediation":[{"code":"encrypt",
    "message":"turn on BitLocker",
    "url":null}],
    "device":{"key":"42",
    "identifiers":[{"kind":"guid",
    "value":"3eeb9e62-cec9-4dd8-9dd6-74903695a62b"},{"kind":"mac",
    "value":"00:50:56:a4:89:5a"},{"kind":"entra-device-id",
    "value":"xyz"}],
    "enrollment":"enrolled",
    "compliance":{"state":"in-grace-period",
    "evaluated_at":"2026-11-21T06:36:40.000Z",
    "grace_until":"2026-11-22T06:46:40.000Z",
    "failing":[{"code":"bitlocker-enabled",
    "message":"the disk is not encrypted"}]},
    "ownership":"corporate",
    "posture":{"disk_encrypted":false,
    "screen_lock":null,
    "jailbroken":true,
    "firewall":null,
    "antivirus":null,
    "secure_boot":null},
    "user":{"id":null,
    "principal_name":"ada@example.com",
    "display_name":null,
    "groups":[]},
    "os":{"family":"windows",
    "version":"10.0.26100",
    "build":null,
    "patch_level":null},
    "manufacturer":null,
    "model":null,
    "name":"ADA-7",
    "enrolled_at":null,
    "last_seen":"2026-11-21T05:46:40.000Z",
    "attributes":{"intune.partner-threat-state":"secured",
    "intune.sim-count":-1}},
    "sources":[{"name":"contoso",
    "outcome":"found",
    "fetched_at":"2026-11-21T06:47:21.250Z",
    "age_seconds":10,
    "stale":true,
    "detail":null}],
    "stale":true,
    "origin":"cached",
    "policy":"baseline",
    "time":"2026-11-21T06:47:31.250Z"}
    "#);
}

fn unknown() -> Answer {
    let deny = Decision::because(Verdict::Deny, "not-registered", "no source knows it");
    answer(
        Outcome::Decided(Arc::new(deny)),
        Finding::Absent(Absence::UnknownDevice),
        SourceOutcome::UnknownDevice,
    )
}

fn missing() -> Answer {
    let mut missing = answer(
        Outcome::CannotTell(CannotTell {
            absence: Absence::SourcesUnavailable,
            detail: "source `contoso`: timed out".into(),
            retry_after: Duration::from_secs(30),
        }),
        Finding::Absent(Absence::SourcesUnavailable),
        SourceOutcome::Failed,
    );
    missing.sources[0].detail = Some("timed out".into());
    missing
}

#[test]
fn a_decision_on_an_unknown_device() {
    insta::assert_snapshot!(json_of(&unknown()), @r#"
    {"verdict":"deny",
    "reasons":[{"code":"not-registered",
    "message":"no source knows it",
    "facts":[]}],
    "obligations":[],
    "remediation":[],
    "device":null,
    "absence":"unknown-device",
    "sources":[{"name":"contoso",
    "outcome":"unknown-device",
    "fetched_at":null,
    "age_seconds":null,
    "stale":false,
    "detail":null}],
    "stale":false,
    "origin":"cached",
    "policy":"baseline",
    "time":"2026-11-21T06:47:31.250Z"}
    "#);
}

#[test]
fn cannot_tell() {
    insta::assert_snapshot!(json_of(&missing()), @r#"
    {"verdict":"cannot-tell",
    "explanation":"source `contoso`: timed out",
    "retry_after_seconds":30,
    "device":null,
    "absence":"sources-unavailable",
    "sources":[{"name":"contoso",
    "outcome":"failed",
    "fetched_at":null,
    "age_seconds":null,
    "stale":false,
    "detail":"timed out"}],
    "stale":false,
    "origin":"cached",
    "policy":"baseline",
    "time":"2026-11-21T06:47:31.250Z"}
    "#);
}

#[test]
fn a_problem_carries_the_whole_answer() {
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;
    let id = RequestIds::new().of(&http::HeaderMap::new());
    let problem = Problem::new(ProblemKind::CannotTell, "no source could be asked");
    let reply = render_problem(&problem, &missing(), &id);
    assert_eq!(reply.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.headers()["retry-after"], "30");
    assert_eq!(reply.headers()["content-type"], "application/problem+json");
    let body = reply
        .into_body()
        .collect()
        .now_or_never()
        .unwrap()
        .unwrap()
        .to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["type"], "urn:portreeve:problem:cannot-tell");
    assert_eq!(body["status"], 503);
    assert_eq!(body["verdict"], "cannot-tell");
    assert_eq!(
        body["instance"],
        format!("urn:portreeve:request:{}", id.as_str())
    );
    assert_eq!(body["sources"][0]["detail"], "timed out");
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = question::read(&bytes, &test_client("script"));
        let _ = batch::read(&bytes);
    }

    #[test]
    fn reading_json_never_panics(text in r#"[\[\]{}:," a-z\\0-9]{0,60}"#) {
        let _ = question::read(text.as_bytes(), &test_client("script"));
        let _ = batch::read(text.as_bytes());
    }

    #[test]
    fn errors_stay_short(name in any::<String>()) {
        let json = serde_json::json!({ (name): 1 }).to_string();
        if let Err(problem) = question::read(json.as_bytes(), &test_client("script")) {
            prop_assert!(problem.detail().len() < 400);
        }
    }
}

#[test]
fn batches_are_bounded() {
    let batch_of = |count: usize| format!("{{\"questions\":[{}]}}", vec!["1"; count].join(","));
    let read = batch::read(batch_of(batch::MOST_QUESTIONS).as_bytes()).unwrap();
    assert_eq!(read.len(), batch::MOST_QUESTIONS);
    let problem = batch::read(batch_of(batch::MOST_QUESTIONS + 1).as_bytes()).unwrap_err();
    assert!(
        problem
            .detail()
            .contains("expected a list of at most 100000 questions"),
        "{problem:?}"
    );
    let problem = batch::read(b"{\"question\": []}").unwrap_err();
    assert!(
        problem.detail().contains("unknown field `question`"),
        "{problem:?}"
    );
}
