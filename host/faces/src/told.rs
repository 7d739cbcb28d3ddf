//! What products are told that know no more than yes and no.
//!
//! A management system says of a device that it is registered, and that it is
//! compliant. A policy says more: it permits, restricts or denies, with reasons.
//! In every face that imitates a management system
//!
//! * *compliant* is the verdict `permit`, and nothing else,
//! * *unknown* is what all sources say who were asked, whatever the policy makes
//!   of it,
//! * *registered* is a device under management, or one whose source does not say
//!   whether it is,
//! * that we cannot tell is 503 with `Retry-After`, never an answer.

use std::sync::Arc;

use axum::response::Response;
use portreeve_domain::{
    Absence, Decision, Device, Enrollment, Finding, Guid, Identifier, MacAddress, Outcome,
    Question, Reason, Remediation, SourceOutcome, SourceReport, Verdict,
};

use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::journal::{self, Noted};
use crate::metrics;
use crate::problem::{Problem, ProblemKind};

/// Under management, or nobody says that it is not.
pub(crate) const fn is_under_management(enrollment: Enrollment) -> bool {
    matches!(enrollment, Enrollment::Enrolled | Enrollment::Unknown)
}

/// A decision about one endpoint, and what it rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) decision: &'a Decision,
    pub(crate) finding: &'a Finding,
    /// Who was asked; nobody for a list.
    pub(crate) sources: &'a [SourceReport],
}

impl<'a> Told<'a> {
    /// The device, if one was found.
    pub(crate) fn device(self) -> Option<&'a Device> {
        match self.finding {
            Finding::Device(device) => Some(device),
            Finding::Absent(_) => None,
        }
    }

    /// Every source was asked and none knows it.
    pub(crate) fn is_unknown(self) -> bool {
        matches!(self.finding, Finding::Absent(Absence::UnknownDevice))
    }

    /// The source whose facts were used.
    pub(crate) fn source(self) -> Option<&'a SourceReport> {
        let mut found = self.sources.iter();
        found.find(|report| report.outcome == SourceOutcome::Found)
    }

    /// Under management. What the policy judged without a device (sources that
    /// contradict each other or do not answer) is not said to be unregistered:
    /// that would be the word for an unknown one.
    pub(crate) fn is_registered(self) -> bool {
        match self.finding {
            Finding::Device(device) => is_under_management(device.enrollment),
            Finding::Absent(absence) => *absence != Absence::UnknownDevice,
        }
    }

    /// Full access.
    pub(crate) fn is_compliant(self) -> bool {
        self.decision.verdict == Verdict::Permit
    }

    /// The GUID of the device.
    pub(crate) fn guid(self) -> Option<Guid> {
        self.identifiers().find_map(|identifier| match identifier {
            Identifier::Guid(guid) => Some(*guid),
            _ => None,
        })
    }

    /// The serial number of the device.
    pub(crate) fn serial(self) -> Option<&'a str> {
        self.text(|identifier| match identifier {
            Identifier::Serial(serial) => Some(serial),
            _ => None,
        })
    }

    /// The IMEI of the device.
    pub(crate) fn imei(self) -> Option<&'a str> {
        self.text(|identifier| match identifier {
            Identifier::Imei(imei) => Some(imei),
            _ => None,
        })
    }

    /// The MEID of the device.
    pub(crate) fn meid(self) -> Option<&'a str> {
        self.text(|identifier| match identifier {
            Identifier::Meid(meid) => Some(meid),
            _ => None,
        })
    }

    /// The UDID of the device.
    pub(crate) fn udid(self) -> Option<&'a str> {
        self.text(|identifier| match identifier {
            Identifier::Udid(udid) => Some(udid),
            _ => None,
        })
    }

    /// An identifier of a kind that has no form of its own.
    pub(crate) fn other(self, wanted: &str) -> Option<&'a str> {
        self.text(|identifier| match identifier {
            Identifier::Other { kind, value } if &**kind == wanted => Some(value),
            _ => None,
        })
    }

    fn text(self, of: impl Fn(&'a Identifier) -> Option<&'a str>) -> Option<&'a str> {
        self.identifiers().find_map(of)
    }

    /// The addresses of the device.
    pub(crate) fn macs(self) -> impl Iterator<Item = MacAddress> + 'a {
        self.identifiers().filter_map(Identifier::as_mac)
    }

    fn identifiers(self) -> std::slice::Iter<'a, Identifier> {
        self.device().map_or(&[][..], |device| &device.ids).iter()
    }

    /// Why.
    pub(crate) fn reason(self) -> Option<&'a Reason> {
        self.decision.reasons.first()
    }

    /// What would help.
    pub(crate) fn remediation(self) -> Option<&'a Remediation> {
        self.decision.remediation.first()
    }
}

/// Asks about one endpoint, and says the decision as `render` does.
pub(crate) async fn tell(
    faces: &Faces,
    caller: &Caller,
    identifiers: Vec<Identifier>,
    render: impl FnOnce(Told<'_>) -> Result<Response, Problem>,
) -> Result<Response, Problem> {
    let client = &caller.client;
    let connection = Arc::clone(&client.connection);
    let question = Question::new(identifiers, connection, client.patience);
    let answered = faces.answer(&question).await?;
    let rendered = match &answered.answer.outcome {
        Outcome::Decided(decision) => render(Told {
            decision,
            finding: &answered.answer.finding,
            sources: &answered.answer.sources,
        }),
        Outcome::CannotTell(missing) => {
            let problem = Problem::new(ProblemKind::CannotTell, missing.detail.to_string());
            Err(problem.retry_after(missing.retry_after))
        }
    };
    let mut response = rendered.unwrap_or_else(|problem| {
        let status = problem.kind().status();
        let response = problem.response(caller.request_id.as_str(), status);
        response.map(axum::body::Body::new)
    });
    let outcome = metrics::Outcome::of(&answered.answer);
    response.extensions_mut().insert(outcome);
    journal::attach(&mut response, Noted::of(&answered, question.identifiers()));
    Ok(response)
}
