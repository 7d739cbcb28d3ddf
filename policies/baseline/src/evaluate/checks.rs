//! The demands on a device that is known.

use portreeve_plugin::device::{Compliance, ComplianceState, Enrollment, Posture, Tristate};

use super::Question;
use super::findings::GRACE;
use crate::facts::Facts;
use crate::settings::{PostureItem, Treatment};
use crate::version::Version;

/// How many failing checks of the source a message names.
const NAMED_CHECKS: usize = 5;

/// Makes every check that the settings ask for, in order of importance.
pub(super) fn run<F: Facts + ?Sized>(question: &mut Question<'_, F>) {
    let settings = question.settings;
    let mut demands: Vec<&str> = Vec::with_capacity(6);
    if settings.enrollment.matter() {
        demands.push("enrollment");
        enrollment(question);
    }
    if settings.compliance.matter() {
        demands.push("compliance");
        compliance(question);
    }
    if settings.posture.matter() {
        demands.push("posture");
        posture(question);
    }
    if !settings.minimum_os.versions.is_empty() {
        demands.push("os");
        operating_system(question);
    }
    if let Some(max_age) = settings.last_contact.max_age {
        demands.extend(["last-seen", "now"]);
        last_contact(question, max_age.millis());
    }
    if question.findings.is_empty() {
        let message = "the device meets every demand of the baseline";
        let findings = &mut question.findings;
        findings.add(Treatment::Permit, "meets-baseline", message, &demands);
    }
}

fn enrollment<F: Facts + ?Sized>(question: &mut Question<'_, F>) {
    let rules = question.settings.enrollment;
    let (treatment, code, message) = match question.facts.enrollment() {
        Enrollment::Enrolled => return,
        Enrollment::Pending => (
            rules.pending,
            "enrollment-pending",
            "the enrolment of the device is not finished",
        ),
        Enrollment::NotEnrolled => (
            rules.not_enrolled,
            "not-enrolled",
            "the device is known, but not under management",
        ),
        Enrollment::Retired => (
            rules.retired,
            "retired",
            "the device is no longer under management",
        ),
        Enrollment::Unknown => (
            rules.unknown,
            "enrollment-unknown",
            "the source does not say whether the device is under management",
        ),
    };
    let findings = &mut question.findings;
    findings.add_hindrance(treatment, code, message, &["enrollment"]);
}

fn compliance<F: Facts + ?Sized>(question: &mut Question<'_, F>) {
    let rules = question.settings.compliance;
    let compliance = question.facts.compliance();
    let (treatment, code, message) = match compliance.state {
        ComplianceState::Compliant => return,
        ComplianceState::InGracePeriod => return grace(question, &compliance),
        ComplianceState::NonCompliant => (
            rules.non_compliant,
            "non-compliant",
            "the source says that the device is not compliant",
        ),
        ComplianceState::NotEvaluated => (
            rules.not_evaluated,
            "not-evaluated",
            "the source has not judged the device yet",
        ),
        ComplianceState::Conflict => (
            rules.conflict,
            "compliance-conflict",
            "policies of the source contradict each other",
        ),
        ComplianceState::Failed => (
            rules.failed,
            "compliance-failed",
            "the source could not judge the device",
        ),
        ComplianceState::Unknown => (
            rules.unknown,
            "compliance-unknown",
            "the source does not say whether the device is compliant",
        ),
    };
    let message = with_checks(message, &compliance);
    let findings = &mut question.findings;
    findings.add_hindrance(treatment, code, message, &["compliance"]);
}

fn grace<F: Facts + ?Sized>(question: &mut Question<'_, F>, compliance: &Compliance) {
    let rules = question.settings.compliance;
    let over = compliance.grace_until.map(|end| question.is_reached(end));
    let findings = &mut question.findings;
    match over {
        Some(true) => {
            let message = with_checks("the grace period of the device is over", compliance);
            let facts = ["compliance", "now"];
            findings.add_hindrance(rules.non_compliant, "grace-period-over", message, &facts);
        }
        None if rules.grace_needs_end => {
            let message = "the source does not say when the grace period ends";
            let message = with_checks(message, compliance);
            let code = "grace-period-end-unknown";
            findings.add_hindrance(rules.non_compliant, code, message, &["compliance"]);
        }
        Some(false) => {
            let message = "the device is not compliant, but in its grace period";
            let message = with_checks(message, compliance);
            let facts = ["compliance", "now"];
            findings.add(rules.in_grace_period, GRACE, message, &facts);
        }
        None => {
            let message = "the device is not compliant, but in a grace period without known end";
            let message = with_checks(message, compliance);
            findings.add(rules.in_grace_period, GRACE, message, &["compliance"]);
        }
    }
}

/// Adds the checks that failed to a message.
fn with_checks(message: &str, compliance: &Compliance) -> String {
    let mut text = message.to_owned();
    for (index, check) in compliance.failing.iter().enumerate() {
        text.push_str(if index == 0 { ": " } else { "; " });
        if index == NAMED_CHECKS {
            text.push('…');
            break;
        }
        text.push_str(check.message.as_deref().unwrap_or(&check.code));
    }
    text
}

fn posture<F: Facts + ?Sized>(question: &mut Question<'_, F>) {
    let rules = &question.settings.posture;
    let posture = question.facts.posture();
    let findings = &mut question.findings;
    let denied = rules.deny.iter().map(|item| (*item, Treatment::Deny));
    let restricted = rules
        .restrict
        .iter()
        .filter(|item| !rules.deny.contains(item))
        .map(|item| (*item, Treatment::Restrict));
    for (item, treatment) in denied.chain(restricted) {
        let state = item.state(posture);
        let (treatment, code, message) = match state {
            State::Good => continue,
            State::Bad => (treatment, item.code(), item.message()),
            State::Unknown => (
                treatment.min(rules.unknown),
                item.unknown_code(),
                "the source does not say anything about this",
            ),
        };
        findings.add_hindrance(treatment, code, message, &["posture"]);
    }
}

enum State {
    Good,
    Bad,
    Unknown,
}

impl PostureItem {
    fn state(self, posture: Posture) -> State {
        let (value, bad) = match self {
            Self::Jailbroken => (posture.jailbroken, Tristate::Yes),
            Self::NotEncrypted => (posture.disk_encrypted, Tristate::No),
            Self::NoScreenLock => (posture.screen_lock, Tristate::No),
            Self::NoFirewall => (posture.firewall, Tristate::No),
            Self::NoAntivirus => (posture.antivirus, Tristate::No),
            Self::NoSecureBoot => (posture.secure_boot, Tristate::No),
        };
        match value {
            Tristate::Unknown => State::Unknown,
            value if value == bad => State::Bad,
            _ => State::Good,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Jailbroken => "jailbroken",
            Self::NotEncrypted => "not-encrypted",
            Self::NoScreenLock => "no-screen-lock",
            Self::NoFirewall => "no-firewall",
            Self::NoAntivirus => "no-antivirus",
            Self::NoSecureBoot => "no-secure-boot",
        }
    }

    const fn unknown_code(self) -> &'static str {
        match self {
            Self::Jailbroken => "jailbreak-unknown",
            Self::NotEncrypted => "encryption-unknown",
            Self::NoScreenLock => "screen-lock-unknown",
            Self::NoFirewall => "firewall-unknown",
            Self::NoAntivirus => "antivirus-unknown",
            Self::NoSecureBoot => "secure-boot-unknown",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Jailbroken => "the protection of the operating system was removed",
            Self::NotEncrypted => "the storage of the device is not encrypted",
            Self::NoScreenLock => "the device has no screen lock",
            Self::NoFirewall => "the firewall of the device is off",
            Self::NoAntivirus => "the device has no current protection against malware",
            Self::NoSecureBoot => "the device does not verify what it starts",
        }
    }
}

fn operating_system<F: Facts + ?Sized>(question: &mut Question<'_, F>) {
    let rules = &question.settings.minimum_os;
    let os = question.facts.os();
    let findings = &mut question.findings;
    let Some(os) = os.filter(|os| !os.family.is_empty()) else {
        let message = "the source does not say what the device runs";
        return findings.add_hindrance(rules.unknown, "os-version-unknown", message, &["os"]);
    };
    let minimum = rules
        .versions
        .iter()
        .find(|(family, _)| *family == os.family);
    let Some((_, minimum)) = minimum else {
        let message = ["no minimum version is set for `", &os.family, "`"].concat();
        let code = "os-family-not-listed";
        return findings.add_hindrance(rules.other_family, code, message, &["os"]);
    };
    let version = os.version.as_deref().unwrap_or_default();
    match Version::of_device(&os.family, version, os.build.as_deref()) {
        Some(found) if found >= minimum.version => {}
        Some(_) => {
            question.minimum_os = &minimum.text;
            let parts = [&os.family, " ", version, " is older than ", &minimum.text];
            findings.add_hindrance(rules.too_old, "os-too-old", parts.concat(), &["os"]);
        }
        None if version.is_empty() => {
            let message = [
                "the source does not say which version of ",
                &os.family,
                " it is",
            ];
            let code = "os-version-unknown";
            findings.add_hindrance(rules.unknown, code, message.concat(), &["os"]);
        }
        None => {
            let message = [
                &os.family,
                " `",
                version,
                "` is no version that can be compared",
            ];
            let code = "os-version-unknown";
            findings.add_hindrance(rules.unknown, code, message.concat(), &["os"]);
        }
    }
}

fn last_contact<F: Facts + ?Sized>(question: &mut Question<'_, F>, max_age: u64) {
    let rules = question.settings.last_contact;
    let Some(last_seen) = question.facts.last_seen() else {
        let message = "the source does not say when the device was last in contact";
        let code = "last-contact-unknown";
        let findings = &mut question.findings;
        return findings.add_hindrance(rules.unknown, code, message, &["last-seen"]);
    };
    if question.is_reached(last_seen.saturating_add(max_age)) {
        // No age in the text: it would change with every question.
        let message = "the last contact of the device is too long ago";
        let facts = ["last-seen", "now"];
        let findings = &mut question.findings;
        findings.add_hindrance(rules.too_old, "last-contact-too-old", message, &facts);
    }
}
