//! From the facts to a decision.

mod checks;
mod exceptions;
mod findings;

use portreeve_plugin::device::DeviceId;
use portreeve_plugin::policy::facts::Absence;
use portreeve_plugin::policy::{Decision, Failure, Verdict};

use crate::facts::Facts;
use crate::outcome::{self, Overlay};
use crate::settings::{AbsenceRule, Settings, Treatment};
use findings::Findings;

/// Judges one subject. Equal facts and settings give equal decisions, but for
/// time, and for time they do until the decision's validity ends.
pub fn evaluate<F: Facts + ?Sized>(settings: &Settings, facts: &F) -> Result<Decision, Failure> {
    let mut question = Question {
        settings,
        facts,
        requested: None,
        now: None,
        expires: None,
        minimum_os: "",
        findings: Findings::default(),
    };
    if let Some(verdict) = exceptions::verdict(&mut question)? {
        return Ok(question.conclude(verdict, Overlay::None));
    }
    if let Some(absence) = facts.absence() {
        let verdict = question.absent(absence);
        return Ok(question.conclude(verdict, Overlay::Unknown));
    }
    checks::run(&mut question);
    let overlay = if question.findings.is_grace_only() {
        Overlay::Grace
    } else {
        Overlay::None
    };
    let verdict = match question.findings.severest() {
        Treatment::Permit => Verdict::Permit,
        Treatment::Restrict => Verdict::Restrict,
        Treatment::Deny => Verdict::Deny,
    };
    Ok(question.conclude(verdict, overlay))
}

/// One question while it is being judged.
pub(crate) struct Question<'a, F: ?Sized> {
    pub(crate) settings: &'a Settings,
    facts: &'a F,
    requested: Option<Vec<DeviceId>>,
    now: Option<u64>,
    /// The first moment at which time alone changes something.
    expires: Option<u64>,
    /// The minimum version that the device misses.
    minimum_os: &'a str,
    findings: Findings,
}

impl<F: Facts + ?Sized> Question<'_, F> {
    /// The identifiers that were asked for; read once.
    pub(crate) fn requested(&mut self) -> &[DeviceId] {
        let facts = self.facts;
        self.requested.get_or_insert_with(|| facts.requested_ids())
    }

    /// Whether `moment` is reached. If not, the decision holds until then.
    fn is_reached(&mut self, moment: u64) -> bool {
        let facts = self.facts;
        let now = *self.now.get_or_insert_with(|| facts.now());
        if now >= moment {
            return true;
        }
        self.expires = Some(self.expires.map_or(moment, |earlier| earlier.min(moment)));
        false
    }

    fn absent(&mut self, absence: Absence) -> Verdict {
        let (rule, code, message) = match absence {
            Absence::UnknownDevice => (
                self.settings.unknown_device,
                "unknown-device",
                "no source knows the device",
            ),
            Absence::Ambiguous => (
                self.settings.ambiguous_device,
                "ambiguous-device",
                "several devices match what was asked for",
            ),
            Absence::SourcesUnavailable => (
                self.settings.sources_unavailable,
                "sources-unavailable",
                "the device is not known here, and a source could not be asked",
            ),
        };
        self.findings
            .add(Treatment::Deny, code, message, &["absence"]);
        match rule {
            AbsenceRule::Abstain => Verdict::Abstain,
            AbsenceRule::Permit => Verdict::Permit,
            AbsenceRule::Restrict => Verdict::Restrict,
            AbsenceRule::Deny => Verdict::Deny,
        }
    }

    fn conclude(mut self, verdict: Verdict, overlay: Overlay) -> Decision {
        let reasons = std::mem::take(&mut self.findings).into_reasons();
        let (obligations, remediation) = if verdict == Verdict::Abstain {
            (Vec::new(), Vec::new())
        } else {
            let minimum_os = self.minimum_os;
            outcome::of(&mut self, verdict, overlay, &reasons, minimum_os)
        };
        let valid_for_ms = match (self.expires, self.now) {
            (Some(expires), Some(now)) => Some(expires.saturating_sub(now)),
            _ => None,
        };
        Decision {
            verdict,
            reasons,
            obligations,
            remediation,
            valid_for_ms,
        }
    }
}
