//! What holds for any facts and settings.

use std::cell::RefCell;

use baseline::{Settings, evaluate::evaluate};
use portreeve_plugin::device::{
    Compliance, ComplianceState, DeviceId, Enrollment, OperatingSystem, Posture, Tristate,
};
use portreeve_plugin::policy::facts::Absence;
use portreeve_plugin::policy::{Decision, Verdict};
use portreeve_plugin::settings::parse;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::schema::fits;
use super::support::Subject;

/// Times lie close together, so that limits are met and passed.
const HOUR: u64 = 3_600_000;

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..200 * HOUR,
        (0..200_u64).prop_map(|hours| hours * HOUR),
        Just(u64::MAX)
    ]
}

fn tristate() -> impl Strategy<Value = Tristate> {
    select(vec![Tristate::Unknown, Tristate::No, Tristate::Yes])
}

fn compliance() -> impl Strategy<Value = Compliance> {
    let state = prop_oneof![
        Just(ComplianceState::InGracePeriod),
        select(vec![
            ComplianceState::Unknown,
            ComplianceState::Compliant,
            ComplianceState::NonCompliant,
            ComplianceState::InGracePeriod,
            ComplianceState::NotEvaluated,
            ComplianceState::Conflict,
            ComplianceState::Failed,
        ]),
    ];
    (state, proptest::option::of(time())).prop_map(|(state, grace_until)| Compliance {
        state,
        evaluated_at: None,
        grace_until,
        failing: Vec::new(),
    })
}

fn posture() -> impl Strategy<Value = Posture> {
    (tristate(), tristate(), tristate()).prop_map(|(encrypted, jailbroken, firewall)| Posture {
        disk_encrypted: encrypted,
        screen_lock: Tristate::Unknown,
        jailbroken,
        firewall,
        antivirus: Tristate::Unknown,
        secure_boot: Tristate::Unknown,
    })
}

fn os() -> impl Strategy<Value = OperatingSystem> {
    let version = prop_oneof![
        Just("17.4".to_owned()),
        Just("18".to_owned()),
        any::<String>()
    ];
    (
        select(vec!["ios", "windows", ""]),
        proptest::option::of(version),
        proptest::option::of(any::<String>()),
    )
        .prop_map(|(family, version, build)| OperatingSystem {
            family: family.to_owned(),
            version,
            build,
            patch_level: None,
        })
}

prop_compose! {
    fn subject()(
        now in prop_oneof![0..200 * HOUR, (0..200_u64).prop_map(|hours| hours * HOUR)],
        absence in proptest::option::weighted(0.2, select(vec![
            Absence::UnknownDevice,
            Absence::SourcesUnavailable,
            Absence::Ambiguous,
        ])),
        serial in any::<String>(),
        enrollment in select(vec![
            Enrollment::Enrolled,
            Enrollment::Enrolled,
            Enrollment::Pending,
            Enrollment::Unknown,
        ]),
        compliance in compliance(),
        posture in posture(),
        os in proptest::option::of(os()),
        last_seen in proptest::option::of(time()),
        members in select(vec![vec![], vec!["mac:x".to_owned()], vec!["x".to_owned()]]),
    ) -> Subject {
        Subject {
            now,
            requested: vec![DeviceId::Mac("x".to_owned()), DeviceId::Serial(serial)],
            absence,
            ids: Vec::new(),
            enrollment,
            compliance,
            posture,
            os,
            last_seen,
            lists: [("vip".to_owned(), members)].into(),
            read: RefCell::default(),
        }
    }
}

fn treatment() -> impl Strategy<Value = &'static str> {
    select(vec!["permit", "restrict", "deny"])
}

prop_compose! {
    fn settings()(
        rules in proptest::collection::vec(treatment(), 6),
        absence in select(vec!["abstain", "permit", "restrict", "deny"]),
        needs_end in any::<bool>(),
        max_age in proptest::option::weighted(0.7, 1_u64..150),
        lists in proptest::sample::subsequence(vec!["vip", "missing"], 0..=2),
        versions in select(vec![json!({}), json!({"ios": "17.5", "windows": "10.0.22631"})]),
        url in proptest::option::of(Just("https://help.example.org/{serial}/{reason}")),
    ) -> String {
        let mut document = json!({
            "always-permit": lists,
            "unknown-device": absence,
            "sources-unavailable": absence,
            "enrollment": { "pending": rules[0] },
            "compliance": {
                "in-grace-period": rules[1],
                "non-compliant": rules[2],
                "grace-needs-end": needs_end,
            },
            "last-contact": { "too-old": rules[3], "unknown": rules[4] },
            "minimum-os": { "versions": versions, "unknown": rules[5] },
            "posture": { "deny": ["jailbroken"], "restrict": ["not-encrypted"] },
            "obligations": {
                "permit": { "vlan": "corp" },
                "restrict": { "vlan": "quarantine" },
                "grace": { "session-timeout": "1h" },
                "unknown": { "vlan": "guest" },
            },
        });
        if let Some(hours) = max_age {
            document["last-contact"]["max-age"] = json!(format!("{hours}h"));
        }
        if let Some(url) = url {
            document["remediation-url"] = json!(url);
        }
        document.to_string()
    }
}

fn read(document: &str) -> Settings {
    assert!(fits(document), "{document}");
    parse(document).unwrap()
}

/// A decision without the one part that may differ a moment later.
fn timeless(decision: &Decision) -> Decision {
    Decision {
        valid_for_ms: None,
        ..decision.clone()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// INVARIANT of the verdict cache: within its validity a decision is what
    /// the policy would say again.
    #[test]
    fn nothing_changes_before_the_validity_ends(
        mut subject in subject(),
        document in settings(),
        moments in proptest::collection::vec(any::<u64>(), 8),
    ) {
        let settings = read(&document);
        let first = evaluate(&settings, &subject).unwrap();
        let now = subject.now;
        let end = first.valid_for_ms.map(|valid| now + valid);
        // Without an end nothing changes at all.
        let length = end.map_or(u64::MAX - now, |end| end - now);
        prop_assert!(length > 0, "a decision that is never valid");
        for moment in moments.into_iter().chain([0, length - 1]) {
            subject.now = now + moment % length;
            let later = evaluate(&settings, &subject).unwrap();
            prop_assert_eq!(timeless(&first), timeless(&later), "after {} ms", subject.now - now);
            prop_assert_eq!(end, later.valid_for_ms.map(|valid| subject.now + valid));
        }
    }

    /// And the end is exact: something does change then, if only a reason.
    #[test]
    fn something_changes_when_the_validity_ends(mut subject in subject(), document in settings()) {
        let settings = read(&document);
        let first = evaluate(&settings, &subject).unwrap();
        if let Some(valid) = first.valid_for_ms {
            subject.now += valid;
            let later = evaluate(&settings, &subject).unwrap();
            // The next end may be as far away as this one was, but not here.
            prop_assert!(later.valid_for_ms != Some(0));
            let silent = document.contains(r#""too-old":"permit""#)
                || document.contains(r#""non-compliant":"permit""#);
            prop_assert!(silent || timeless(&first) != timeless(&later));
        }
    }

    /// What is not read cannot matter: the host keeps verdicts by what was read.
    #[test]
    fn facts_that_were_not_read_do_not_matter(
        subject in subject(),
        other in subject(),
        document in settings(),
    ) {
        let settings = read(&document);
        let first = evaluate(&settings, &subject).unwrap();
        let was_read = |name: &str| subject.read.borrow().iter().any(|fact| fact == name);
        let mut mixed = other;
        macro_rules! keep {
            ($($name:literal => $field:ident),*) => {
                $(if was_read($name) { mixed.$field = subject.$field.clone(); })*
            };
        }
        keep!(
            "now" => now, "requested-ids" => requested, "absence" => absence, "ids" => ids,
            "enrollment" => enrollment, "compliance" => compliance, "posture" => posture,
            "os" => os, "last-seen" => last_seen
        );
        mixed.lists = subject.lists.clone();
        prop_assert_eq!(first, evaluate(&settings, &mixed).unwrap());
    }

    /// No device record, no permit, unless the operator said so.
    #[test]
    fn absence_is_never_permitted_by_default(mut subject in subject(), absence in select(vec![
        Absence::UnknownDevice,
        Absence::SourcesUnavailable,
        Absence::Ambiguous,
    ])) {
        subject.absence = Some(absence);
        let decision = evaluate(&Settings::default(), &subject).unwrap();
        let expected = if absence == Absence::SourcesUnavailable {
            Verdict::Abstain
        } else {
            Verdict::Deny
        };
        prop_assert_eq!(decision.verdict, expected);
    }

    /// Hostile settings are an error, never a panic.
    #[test]
    fn any_document_is_answered(document in any::<String>()) {
        let _ = baseline::settings::validate(&document);
    }
}
