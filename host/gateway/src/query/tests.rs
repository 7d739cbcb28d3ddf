use std::sync::Arc;

use portreeve_domain::{
    Attribute, Compliance, ComplianceState, Decision, Device, FailingCheck, OperatingSystem,
    Outcome, Posture, ShownFact, Timestamp, Tristate, User, Value, Verdict, View,
};
use portreeve_store::decisions::parse_time;
use proptest::prelude::*;

use super::*;

fn now() -> Timestamp {
    parse_time("2026-11-28T12:00:00Z").unwrap()
}

fn laptop() -> Device {
    let attribute = |name: &str, value| Attribute {
        name: name.to_owned(),
        value,
    };
    Device {
        key: "3eeb9e62-cec9-4dd8-9dd6-74903695a62b".to_owned(),
        ids: [
            "3eeb9e62-cec9-4dd8-9dd6-74903695a62b",
            "00:50:56:a4:89:5a",
            "00:50:56:a4:89:5b",
            "serial:C02XK0AAJGH5",
            "entra-device-id:7e2f",
        ]
        .map(|id| id.parse().unwrap())
        .to_vec(),
        compliance: Compliance {
            state: ComplianceState::NonCompliant,
            failing: ["bitlocker", "os-version"]
                .map(|code| FailingCheck {
                    code: code.to_owned(),
                    message: None,
                })
                .to_vec(),
            ..Compliance::default()
        },
        posture: Posture {
            disk_encrypted: Tristate::No,
            ..Posture::default()
        },
        user: Some(User {
            principal_name: Some("Ada@Example.com".to_owned()),
            groups: vec!["staff".to_owned(), "VIP".to_owned()],
            ..User::default()
        }),
        os: Some(OperatingSystem {
            family: "windows".to_owned(),
            version: Some("10.0.9045.2006".to_owned()),
            ..OperatingSystem::default()
        }),
        name: Some("ADA's laptop".to_owned()),
        last_seen: Some(parse_time("2026-11-01T00:00:00Z").unwrap()),
        attributes: vec![
            attribute("intune.supervised", Value::Boolean(false)),
            attribute("intune.agents", Value::Integer(12)),
            attribute("intune.category", Value::Text("Kiosk".to_owned())),
        ],
        ..Device::default()
    }
}

fn decide(text: &str, prospect: Prospect<'_>) -> Option<bool> {
    let query = Query::parse(text, now()).unwrap_or_else(|error| panic!("{text}: {error}"));
    query.decide(&Candidate {
        device: &laptop(),
        source: "contoso",
        fetched_at: now(),
        is_stale: false,
        prospect,
    })
}

#[test]
fn conditions() {
    for (text, expected) in [
        (
            "compliance eq non-compliant and os.version lt 10.0.19045",
            true,
        ),
        ("compliance eq compliant or os.version lt 10.0.19045", true),
        (
            "compliance eq compliant and os.version lt 10.0.19045 or name exists",
            true,
        ),
        (
            "compliance eq compliant and (os.version lt 10.0.19045 or name exists)",
            false,
        ),
        ("not compliance eq compliant", true),
        ("NOT (name contains 'S LAP')", false),
        ("name eq 'ada''s laptop'", true),
        ("type in (ios, windows)", true),
        ("os.family in (ios,android)", false),
        ("mac eq 0050.56a4.895b", true),
        ("mac ne 0050.56a4.895b", false),
        ("mac starts-with 00-50-56", true),
        ("mac contains 895c", false),
        ("serial eq c02xk0aajgh5", true),
        ("id:entra-device-id exists", true),
        ("udid exists", false),
        ("udid ne 7", false),
        ("not udid eq 7", true),
        ("posture.disk-encrypted eq no", true),
        ("posture.disk-encrypted eq true", false),
        ("posture.firewall eq no", false),
        ("posture.firewall ne yes", false),
        ("compliance.failing eq bitlocker", true),
        ("compliance.failing ne bitlocker", false),
        ("user.groups contains vi", true),
        ("last-seen lt -20d", true),
        ("last-seen lt -30d", false),
        ("last-seen ge 2026-11-01", true),
        ("last-seen gt 2026-11-01", false),
        ("attribute:intune.supervised eq no", true),
        ("attribute:intune.agents gt 9", true),
        ("attribute:intune.agents gt many", false),
        ("attribute:intune.category eq kiosk", true),
        ("attribute:intune.none exists", false),
        (
            "source eq contoso and stale eq no and fetched-at ge now",
            true,
        ),
    ] {
        assert_eq!(decide(text, Prospect::Open), Some(expected), "{text}");
    }
}

#[test]
fn what_would_be_answered_may_be_open() {
    let deny = Decision::because(Verdict::Deny, "not-compliant", "it is not");
    let deny = Outcome::Decided(Arc::new(deny));
    let deny = Prospect::Outcome(&deny);
    for (text, open, denied, unasked) in [
        ("verdict eq deny", None, true, false),
        ("verdict ne deny", None, false, false),
        ("verdict in (permit, cannot-tell)", None, false, false),
        ("reason eq not-compliant", None, true, false),
        ("verdict eq deny and udid exists", Some(false), false, false),
        ("verdict eq deny or name exists", Some(true), true, true),
        ("not (verdict eq deny)", None, false, true),
    ] {
        assert_eq!(decide(text, Prospect::Open), open, "{text}");
        assert_eq!(decide(text, deny), Some(denied), "{text}");
        assert_eq!(decide(text, Prospect::Unasked), Some(unasked), "{text}");
    }
}

#[test]
fn mistakes_are_shown() {
    let deep = "(".repeat(40);
    let many = format!("name in ({})", vec!["x"; 300].join(","));
    for (text, position, expected) in [
        ("", 1, "expected a fact, `not` or `(`, found the end"),
        ("compliance", 11, "expected `eq`, `ne`, `lt`"),
        ("compliance = x", 12, "found `=`"),
        (
            "compliance eq noncompliant",
            15,
            "expected one of `unknown`, `compliant`",
        ),
        (
            "compliance lt compliant",
            12,
            "expected `eq`, `ne`, `in` or `exists` after `compliance`",
        ),
        (
            "colour eq red",
            1,
            "`colour` is no fact; expected `attribute:NAME`",
        ),
        ("name eq", 8, "expected a value, found the end"),
        (
            "name eq a b",
            11,
            "expected `and`, `or` or the end, found `b`",
        ),
        ("name eq 'a", 9, "the quote that begins here does not end"),
        (
            "(name eq a",
            11,
            "expected `and`, `or` or `)`, found the end",
        ),
        ("name in a", 9, "expected `(`, found `a`"),
        ("name in (a b)", 12, "expected `,` or `)`, found `b`"),
        (
            "last-seen lt soon",
            14,
            "how long ago such as `-30d`, found `soon`",
        ),
        (
            "last-seen contains 2026",
            11,
            "after `last-seen`, found `contains`",
        ),
        (
            "posture.firewall eq maybe",
            21,
            "expected `yes` or `no`, found `maybe`",
        ),
        ("mac eq 0050", 8, "expected a MAC address, found `0050`"),
        ("attribute: eq x", 1, "`attribute:` is no fact"),
        ("ü eq x", 1, "`ü` is no fact"),
        (&deep, 34, "expected at most 32 levels"),
        (&many, 522, "expected at most 256 comparisons"),
        (&"x".repeat(5000), 1, "expected at most 4096 bytes"),
    ] {
        let error = Query::parse(text, now()).unwrap_err();
        assert!(error.problem.contains(expected), "{text}: {error}");
        assert_eq!(error.position, position, "{text}: {error}");
    }
}

#[test]
fn hidden_facts_are_found_out() {
    let view = View {
        facts: Some(Arc::new([ShownFact::System].into_iter().collect())),
        ..View::default()
    };
    for (text, hidden) in [
        ("compliance eq compliant and os.version exists", None),
        ("os.family eq ios or not user.id exists", Some("user.id")),
        ("mac exists", Some("mac")),
        ("attribute:intune.a exists", Some("attribute:intune.a")),
    ] {
        let query = Query::parse(text, now()).unwrap();
        let found = query.hidden_from(&view).map(ToString::to_string);
        assert_eq!(found.as_deref(), hidden, "{text}");
        assert_eq!(query.hidden_from(&View::default()), None);
    }
}

#[test]
fn names_are_read_as_they_are_written() {
    for fact in Fact::common() {
        assert_eq!(fact.to_string().parse(), Ok(fact));
    }
}

#[test]
fn searches() {
    for (text, expected) in [
        ("", true),
        ("ada", true),
        ("ADA windows", true),
        ("ada linux", false),
        ("0050.56a4", true),
        ("a4:89:5B", true),
        ("C02XK", true),
        ("7e2f", true),
        ("@example", true),
        ("10.0.9045", true),
        ("zuse", false),
    ] {
        assert_eq!(Search::new(text).finds(&laptop()), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn reading_never_panics(
        text in any::<String>(),
        words in proptest::collection::vec("not|and|or|\\(|\\)|,|in|eq|name|os.version|'|ü|-1d", 0..40),
    ) {
        let _ = Query::parse(&text, now());
        let _ = Query::parse(&words.join(" "), now());
    }
}
