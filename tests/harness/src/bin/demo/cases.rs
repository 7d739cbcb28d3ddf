//! The questions of the demo and the answers they must get.

use portreeve_tenant::device::{generated_guid, generated_mac};
use portreeve_tenant::well_known::{
    COMPLIANT, IN_GRACE, JAILBROKEN, NON_COMPLIANT, OLD_OS, UNKNOWN,
};

/// One question and its answer.
pub(crate) struct Case {
    /// What the device is, in the tenant's words.
    pub(crate) about: &'static str,
    /// How it is named in the question.
    pub(crate) identifier: String,
    /// Verdict, or `cannot-tell`.
    pub(crate) verdict: &'static str,
    /// First reason.
    pub(crate) reason: &'static str,
    /// Whether the answer is marked stale.
    pub(crate) stale: bool,
}

fn case(
    about: &'static str,
    identifier: String,
    verdict: &'static str,
    reason: &'static str,
) -> Case {
    Case {
        about,
        identifier,
        verdict,
        reason,
        stale: false,
    }
}

/// With the tenant up.
pub(crate) fn tenant_up() -> Vec<Case> {
    vec![
        case(
            "compliant",
            COMPLIANT.mac.separated(':'),
            "permit",
            "meets-baseline",
        ),
        case(
            "the same, other spelling",
            COMPLIANT.mac.separated('-'),
            "permit",
            "meets-baseline",
        ),
        case(
            "the same, Cisco's spelling",
            cisco(&COMPLIANT.mac.separated(':')),
            "permit",
            "meets-baseline",
        ),
        case(
            "the same, by GUID",
            COMPLIANT.guid.to_string(),
            "permit",
            "meets-baseline",
        ),
        case(
            "one of the 1,000 generated",
            generated_mac(0).separated('-'),
            "permit",
            "meets-baseline",
        ),
        case(
            "the same, by GUID",
            generated_guid(0).to_string(),
            "permit",
            "meets-baseline",
        ),
        case(
            "not compliant",
            NON_COMPLIANT.mac.separated(':'),
            "restrict",
            "non-compliant",
        ),
        case(
            "in grace period",
            IN_GRACE.guid.to_string(),
            "permit",
            "in-grace-period",
        ),
        case(
            "jailbroken",
            JAILBROKEN.mac.separated('-'),
            "deny",
            "jailbroken",
        ),
        case(
            "old system, no rule for it",
            OLD_OS.guid.to_string(),
            "permit",
            "meets-baseline",
        ),
        case(
            "unknown to the MDM",
            UNKNOWN.mac.separated(':'),
            "deny",
            "unknown-device",
        ),
        case(
            "unknown to the MDM, by GUID",
            UNKNOWN.guid.to_string(),
            "deny",
            "unknown-device",
        ),
    ]
}

/// The same device for as long as it takes until it is stale.
pub(crate) fn tenant_down_first() -> String {
    IN_GRACE.guid.to_string()
}

/// With the tenant switched off.
pub(crate) fn tenant_down() -> Vec<Case> {
    let known = [
        case(
            "compliant",
            COMPLIANT.mac.separated(':'),
            "permit",
            "meets-baseline",
        ),
        case(
            "the same, by GUID",
            COMPLIANT.guid.to_string(),
            "permit",
            "meets-baseline",
        ),
        case(
            "not compliant",
            NON_COMPLIANT.mac.separated(':'),
            "restrict",
            "non-compliant",
        ),
        case(
            "in grace period",
            IN_GRACE.guid.to_string(),
            "permit",
            "in-grace-period",
        ),
        case(
            "jailbroken",
            JAILBROKEN.mac.separated('-'),
            "deny",
            "jailbroken",
        ),
    ];
    let mut cases: Vec<Case> = known
        .into_iter()
        .map(|case| Case {
            stale: true,
            ..case
        })
        .collect();
    cases.push(case(
        "unknown to the MDM",
        UNKNOWN.mac.separated(':'),
        "deny",
        "unknown-device",
    ));
    cases.push(case(
        "never asked before",
        generated_mac(7).separated(':'),
        "cannot-tell",
        "sources-unavailable",
    ));
    cases
}

/// `aabb.ccdd.eeff`
fn cisco(mac: &str) -> String {
    let digits: Vec<char> = mac.chars().filter(char::is_ascii_hexdigit).collect();
    let groups: Vec<String> = digits
        .chunks(4)
        .map(|group| group.iter().collect())
        .collect();
    groups.join(".").to_lowercase()
}
