//! A subject without a host: facts from a case, and a note of each that is read.

use std::cell::RefCell;
use std::collections::BTreeMap;

use baseline::Facts;
use portreeve_plugin::device::{
    Compliance, ComplianceState, DeviceId, Enrollment, FailingCheck, NamedId, OperatingSystem,
    Posture, Tristate,
};
use portreeve_plugin::policy::facts::Absence;
use portreeve_plugin::policy::{Decision, Failure, Obligation, ObligationKind, Verdict};
use portreeve_policy_cases as cases;

/// What the policy is told.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) now: u64,
    pub(crate) requested: Vec<DeviceId>,
    pub(crate) absence: Option<Absence>,
    pub(crate) ids: Vec<DeviceId>,
    pub(crate) enrollment: Enrollment,
    pub(crate) compliance: Compliance,
    pub(crate) posture: Posture,
    pub(crate) os: Option<OperatingSystem>,
    pub(crate) last_seen: Option<u64>,
    pub(crate) lists: BTreeMap<String, Vec<String>>,
    /// Names of the facts that were read, as the host writes them.
    pub(crate) read: RefCell<Vec<String>>,
}

impl Subject {
    fn note(&self, fact: &str) {
        self.read.borrow_mut().push(fact.to_owned());
    }
}

impl Facts for Subject {
    fn now(&self) -> u64 {
        self.note("now");
        self.now
    }

    fn requested_ids(&self) -> Vec<DeviceId> {
        self.note("requested-ids");
        self.requested.clone()
    }

    fn absence(&self) -> Option<Absence> {
        self.note("absence");
        self.absence
    }

    fn ids(&self) -> Vec<DeviceId> {
        self.note("ids");
        self.ids.clone()
    }

    fn enrollment(&self) -> Enrollment {
        self.note("enrollment");
        self.enrollment
    }

    fn compliance(&self) -> Compliance {
        self.note("compliance");
        self.compliance.clone()
    }

    fn posture(&self) -> Posture {
        self.note("posture");
        self.posture
    }

    fn os(&self) -> Option<OperatingSystem> {
        self.note("os");
        self.os.clone()
    }

    fn last_seen(&self) -> Option<u64> {
        self.note("last-seen");
        self.last_seen
    }

    fn in_list(&self, list: &str, member: &str) -> Option<bool> {
        self.note(&format!("in-list({list}, {member})"));
        let members = self.lists.get(list)?;
        Some(members.iter().any(|one| one == member))
    }
}

/// The subject that a case describes.
pub(crate) fn subject(case: &cases::Case) -> Subject {
    let device = case.device.clone().unwrap_or_default();
    let resolve = |moment: cases::Moment| moment.resolve(case.now);
    Subject {
        now: case.now,
        requested: case.requested.iter().map(identifier).collect(),
        absence: case.absence.map(|absence| match absence {
            cases::Absence::UnknownDevice => Absence::UnknownDevice,
            cases::Absence::SourcesUnavailable => Absence::SourcesUnavailable,
            cases::Absence::Ambiguous => Absence::Ambiguous,
        }),
        ids: device.ids.iter().map(identifier).collect(),
        enrollment: match device.enrollment {
            cases::Enrollment::Unknown => Enrollment::Unknown,
            cases::Enrollment::NotEnrolled => Enrollment::NotEnrolled,
            cases::Enrollment::Pending => Enrollment::Pending,
            cases::Enrollment::Enrolled => Enrollment::Enrolled,
            cases::Enrollment::Retired => Enrollment::Retired,
        },
        compliance: Compliance {
            state: compliance_state(device.compliance.state),
            evaluated_at: device.compliance.evaluated_at.map(resolve),
            grace_until: device.compliance.grace_until.map(resolve),
            failing: device.compliance.failing.into_iter().map(failing).collect(),
        },
        posture: Posture {
            disk_encrypted: tristate(device.posture.disk_encrypted),
            screen_lock: tristate(device.posture.screen_lock),
            jailbroken: tristate(device.posture.jailbroken),
            firewall: tristate(device.posture.firewall),
            antivirus: tristate(device.posture.antivirus),
            secure_boot: tristate(device.posture.secure_boot),
        },
        os: device.os.map(|os| OperatingSystem {
            family: os.family,
            version: os.version,
            build: os.build,
            patch_level: os.patch_level,
        }),
        last_seen: device.last_seen.map(resolve),
        lists: case.lists.clone(),
        read: RefCell::default(),
    }
}

/// What the policy came to, in the words of cases.
pub(crate) fn outcome(result: Result<Decision, Failure>) -> cases::Outcome {
    let decision = match result {
        Ok(decision) => decision,
        Err(Failure::MissingFact(_)) => return cases::Outcome::Failed(cases::Failure::MissingFact),
        Err(Failure::Misconfigured(_)) => {
            return cases::Outcome::Failed(cases::Failure::Misconfigured);
        }
        Err(Failure::Other(_)) => return cases::Outcome::Failed(cases::Failure::Other),
    };
    let reasons = decision.reasons.into_iter().map(|reason| cases::Reason {
        code: reason.code,
        message: reason.message,
        facts: reason.facts,
    });
    let remediation = decision.remediation.into_iter();
    let remediation = remediation.map(|one| cases::Remediation {
        code: one.code,
        message: one.message,
        url: one.url,
    });
    cases::Outcome::Decided {
        verdict: match decision.verdict {
            Verdict::Abstain => cases::Verdict::Abstain,
            Verdict::Permit => cases::Verdict::Permit,
            Verdict::Restrict => cases::Verdict::Restrict,
            Verdict::Deny => cases::Verdict::Deny,
        },
        reasons: reasons.collect(),
        obligations: decision.obligations.into_iter().map(obligation).collect(),
        remediation: remediation.collect(),
        valid_for_ms: decision.valid_for_ms,
    }
}

fn obligation(obligation: Obligation) -> cases::Obligation {
    let mut told = cases::Obligation {
        advisory: obligation.advisory,
        ..cases::Obligation::default()
    };
    match obligation.kind {
        ObligationKind::Vlan(value) => told.vlan = Some(value),
        ObligationKind::Acl(value) => told.acl = Some(value),
        ObligationKind::Sgt(value) => told.sgt = Some(value),
        ObligationKind::Role(value) => told.role = Some(value),
        ObligationKind::SessionTimeout(value) => told.session_timeout = Some(value),
        ObligationKind::Redirect(value) => told.redirect = Some(value),
        ObligationKind::ChangeOfAuthorization => told.change_of_authorization = true,
        ObligationKind::Radius(radius) => told.radius = Some([radius.name, radius.value]),
        ObligationKind::Other(other) => told.other = Some([other.name, other.value]),
    }
    told
}

fn identifier(id: &cases::Identifier) -> DeviceId {
    let value = id.value.clone();
    match id.kind.as_str() {
        "mac" => DeviceId::Mac(value),
        "guid" => DeviceId::Guid(value),
        "serial" => DeviceId::Serial(value),
        "imei" => DeviceId::Imei(value),
        "meid" => DeviceId::Meid(value),
        "udid" => DeviceId::Udid(value),
        "hostname" => DeviceId::Hostname(value),
        "user" => DeviceId::User(value),
        kind => DeviceId::Other(NamedId {
            kind: kind.to_owned(),
            value,
        }),
    }
}

fn compliance_state(state: cases::ComplianceState) -> ComplianceState {
    match state {
        cases::ComplianceState::Unknown => ComplianceState::Unknown,
        cases::ComplianceState::Compliant => ComplianceState::Compliant,
        cases::ComplianceState::NonCompliant => ComplianceState::NonCompliant,
        cases::ComplianceState::InGracePeriod => ComplianceState::InGracePeriod,
        cases::ComplianceState::NotEvaluated => ComplianceState::NotEvaluated,
        cases::ComplianceState::Conflict => ComplianceState::Conflict,
        cases::ComplianceState::Failed => ComplianceState::Failed,
    }
}

fn failing(check: cases::FailingCheck) -> FailingCheck {
    FailingCheck {
        code: check.code,
        message: check.message,
    }
}

fn tristate(value: cases::Tristate) -> Tristate {
    match value {
        cases::Tristate::Unknown => Tristate::Unknown,
        cases::Tristate::No => Tristate::No,
        cases::Tristate::Yes => Tristate::Yes,
    }
}
