//! Answers as JSON.

use std::time::Duration;

use portreeve_domain::{
    Absence, Answer, Decision, Finding, Obligation, ObligationKind, Outcome, Reason, Remediation,
    SourceOutcome, SourceReport,
};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::device::DeviceView;
use crate::problem::whole_seconds;
use crate::text::Rfc3339;

/// An answer as the REST face shows it, also when it is that we cannot tell.
#[derive(Debug)]
pub struct AnswerView<'a>(pub &'a Answer);

impl Serialize for AnswerView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let answer = self.0;
        let mut object = serializer.serialize_struct("Answer", 14)?;
        match &answer.outcome {
            Outcome::Decided(decision) => {
                let Decision {
                    verdict,
                    reasons,
                    obligations,
                    remediation,
                    ..
                } = &**decision;
                object.serialize_field("verdict", verdict.as_str())?;
                object.serialize_field("reasons", &Each(reasons, ReasonView))?;
                object.serialize_field("obligations", &Each(obligations, ObligationView))?;
                object.serialize_field("remediation", &Each(remediation, RemediationView))?;
            }
            Outcome::CannotTell(missing) => {
                object.serialize_field("verdict", "cannot-tell")?;
                object.serialize_field("explanation", &missing.detail)?;
                let seconds = whole_seconds(missing.retry_after);
                object.serialize_field("retry_after_seconds", &seconds)?;
            }
        }
        match &answer.finding {
            Finding::Device(device) => {
                object.serialize_field("device", &DeviceView(device))?;
            }
            Finding::Absent(absence) => {
                object.serialize_field("device", &None::<()>)?;
                object.serialize_field("absence", absence_word(*absence))?;
            }
        }
        let sources = answer.sources.as_slice();
        let source = |report| SourceView(report, answer);
        object.serialize_field("sources", &Each(sources, source))?;
        object.serialize_field("stale", &answer.is_stale())?;
        object.serialize_field("origin", answer.origin.as_str())?;
        object.serialize_field("policy", &answer.policy)?;
        object.serialize_field("time", &Rfc3339(answer.at))?;
        object.end()
    }
}

pub(super) const fn absence_word(absence: Absence) -> &'static str {
    match absence {
        Absence::UnknownDevice => "unknown-device",
        Absence::SourcesUnavailable => "sources-unavailable",
        Absence::Ambiguous => "ambiguous",
    }
}

/// A list, each member shown by the view.
struct Each<'a, T, F>(&'a [T], F);

impl<'a, T, V: Serialize, F: Fn(&'a T) -> V> Serialize for Each<'a, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(&self.1))
    }
}

#[derive(Debug)]
struct ReasonView<'a>(&'a Reason);

impl Serialize for ReasonView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Reason", 3)?;
        object.serialize_field("code", &self.0.code)?;
        object.serialize_field("message", &self.0.message)?;
        object.serialize_field("facts", &self.0.facts)?;
        object.end()
    }
}

#[derive(Debug)]
struct RemediationView<'a>(&'a Remediation);

impl Serialize for RemediationView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Remediation", 3)?;
        object.serialize_field("code", &self.0.code)?;
        object.serialize_field("message", &self.0.message)?;
        object.serialize_field("url", &self.0.url)?;
        object.end()
    }
}

#[derive(Debug)]
struct ObligationView<'a>(&'a Obligation);

impl Serialize for ObligationView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Obligation", 4)?;
        match &self.0.kind {
            ObligationKind::Vlan(value) => {
                object.serialize_field("kind", "vlan")?;
                object.serialize_field("value", value)?;
            }
            ObligationKind::Acl(value) => {
                object.serialize_field("kind", "acl")?;
                object.serialize_field("value", value)?;
            }
            ObligationKind::Sgt(value) => {
                object.serialize_field("kind", "sgt")?;
                object.serialize_field("value", value)?;
            }
            ObligationKind::Role(value) => {
                object.serialize_field("kind", "role")?;
                object.serialize_field("value", value)?;
            }
            ObligationKind::SessionTimeout(span) => {
                object.serialize_field("kind", "session-timeout")?;
                object.serialize_field("seconds", &whole_seconds(*span))?;
            }
            ObligationKind::Redirect(value) => {
                object.serialize_field("kind", "redirect")?;
                object.serialize_field("value", value)?;
            }
            ObligationKind::ChangeOfAuthorization => {
                object.serialize_field("kind", "change-of-authorization")?;
            }
            ObligationKind::Radius { name, value } => {
                object.serialize_field("kind", "radius")?;
                object.serialize_field("name", name)?;
                object.serialize_field("value", value)?;
            }
            ObligationKind::Other { name, value } => {
                object.serialize_field("kind", "other")?;
                object.serialize_field("name", name)?;
                match serde_json::from_str::<&RawValue>(value) {
                    Ok(json) => object.serialize_field("value", json)?,
                    // A policy that promised JSON and did not keep it.
                    Err(_) => object.serialize_field("value", value)?,
                }
            }
        }
        object.serialize_field("advisory", &self.0.advisory)?;
        object.end()
    }
}

#[derive(Debug)]
struct SourceView<'a>(&'a SourceReport, &'a Answer);

impl Serialize for SourceView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(report, answer) = self;
        let outcome = match report.outcome {
            SourceOutcome::Found => "found",
            SourceOutcome::UnknownDevice => "unknown-device",
            SourceOutcome::Ambiguous => "ambiguous",
            SourceOutcome::Failed => "failed",
            SourceOutcome::Skipped => "skipped",
        };
        let age = report.fetched_at.map(|fetched| answer.at.since(fetched));
        let mut object = serializer.serialize_struct("Source", 6)?;
        object.serialize_field("name", &report.name)?;
        object.serialize_field("outcome", outcome)?;
        object.serialize_field("fetched_at", &report.fetched_at.map(Rfc3339))?;
        object.serialize_field("age_seconds", &age.as_ref().map(Duration::as_secs))?;
        object.serialize_field("stale", &report.stale)?;
        object.serialize_field("detail", &report.detail)?;
        object.end()
    }
}
