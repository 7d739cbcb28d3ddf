//! Answers as JSON.

use portreeve_domain::{
    Absence, Answer, Finding, Obligation, ObligationKind, Outcome, Reason, Remediation,
    SourceOutcome, SourceReport,
};
use portreeve_gateway::Moving;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::device;
use crate::json::Json;
use crate::problem::whole_seconds;

/// An answer as the REST face writes it, also when it is that we cannot tell.
#[derive(Debug)]
pub struct AnswerView<'a>(
    /// The answer.
    pub &'a Answer,
);

impl Serialize for AnswerView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = Json::new();
        write(&mut json, self.0);
        let text = String::from_utf8(json.into_bytes()).map_err(S::Error::custom)?;
        RawValue::from_string(text)
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

/// Writes an answer as an object.
pub(crate) fn write(json: &mut Json, answer: &Answer) {
    json.raw("{");
    write_members(json, answer);
    json.raw("}");
}

/// Writes the members of an answer, to stand beside others.
pub(super) fn write_members(json: &mut Json, answer: &Answer) {
    match &answer.outcome {
        Outcome::Decided(decision) => {
            json.raw("\"verdict\":\"").raw(decision.verdict.as_str());
            json.raw("\",\"reasons\":[")
                .each(&decision.reasons, write_reason);
            json.raw("],\"obligations\":[")
                .each(&decision.obligations, write_obligation);
            json.raw("],\"remediation\":[")
                .each(&decision.remediation, write_remediation);
            json.raw("]");
        }
        Outcome::CannotTell(missing) => {
            json.raw("\"verdict\":\"cannot-tell\",\"explanation\":")
                .text(&missing.detail);
            json.raw(",\"retry_after_seconds\":")
                .number(whole_seconds(missing.retry_after));
        }
    }
    match &answer.finding {
        Finding::Device(device) => {
            json.raw(",\"device\":");
            device::write(json, device);
        }
        Finding::Absent(absence) => {
            json.raw(",\"device\":null,\"absence\":\"")
                .raw(absence_word(*absence))
                .raw("\"");
        }
    }
    json.raw(",\"sources\":[").each(
        answer.sources.iter().zip(0_u8..),
        |json, (source, number)| {
            write_source(json, source, number, answer);
        },
    );
    json.raw("],\"stale\":").boolean(answer.is_stale());
    json.raw(",\"origin\":\"").raw(answer.origin.as_str());
    json.raw("\",\"policy\":")
        .optional_text(answer.policy.as_deref());
    json.raw(",\"time\":").moving(Moving::Time, |json| {
        json.moment(answer.at);
    });
}

const fn absence_word(absence: Absence) -> &'static str {
    match absence {
        Absence::UnknownDevice => "unknown-device",
        Absence::SourcesUnavailable => "sources-unavailable",
        Absence::Ambiguous => "ambiguous",
    }
}

fn write_reason(json: &mut Json, reason: &Reason) {
    json.raw("{\"code\":").text(&reason.code);
    json.raw(",\"message\":").text(&reason.message);
    json.raw(",\"facts\":").texts(&reason.facts);
    json.raw("}");
}

fn write_remediation(json: &mut Json, remediation: &Remediation) {
    json.raw("{\"code\":").text(&remediation.code);
    json.raw(",\"message\":").text(&remediation.message);
    json.raw(",\"url\":")
        .optional_text(remediation.url.as_deref());
    json.raw("}");
}

fn write_obligation(json: &mut Json, obligation: &Obligation) {
    match &obligation.kind {
        ObligationKind::Vlan(value) => json.raw("{\"kind\":\"vlan\",\"value\":").text(value),
        ObligationKind::Acl(value) => json.raw("{\"kind\":\"acl\",\"value\":").text(value),
        ObligationKind::Sgt(value) => json
            .raw("{\"kind\":\"sgt\",\"value\":")
            .number(u64::from(*value)),
        ObligationKind::Role(value) => json.raw("{\"kind\":\"role\",\"value\":").text(value),
        ObligationKind::SessionTimeout(span) => json
            .raw("{\"kind\":\"session-timeout\",\"seconds\":")
            .number(whole_seconds(*span)),
        ObligationKind::Redirect(value) => {
            json.raw("{\"kind\":\"redirect\",\"value\":").text(value)
        }
        ObligationKind::ChangeOfAuthorization => json.raw("{\"kind\":\"change-of-authorization\""),
        ObligationKind::Radius { name, value } => json
            .raw("{\"kind\":\"radius\",\"name\":")
            .text(name)
            .raw(",\"value\":")
            .text(value),
        ObligationKind::Other { name, value } => {
            json.raw("{\"kind\":\"other\",\"name\":")
                .text(name)
                .raw(",\"value\":");
            match serde_json::from_str::<&RawValue>(value) {
                Ok(value) => json.raw(value.get()),
                // A policy that promised JSON and did not keep it.
                Err(_) => json.text(value),
            }
        }
    };
    json.raw(",\"advisory\":")
        .boolean(obligation.advisory)
        .raw("}");
}

fn write_source(json: &mut Json, source: &SourceReport, number: u8, answer: &Answer) {
    let outcome = match source.outcome {
        SourceOutcome::Found => "found",
        SourceOutcome::UnknownDevice => "unknown-device",
        SourceOutcome::Ambiguous => "ambiguous",
        SourceOutcome::Failed => "failed",
        SourceOutcome::Skipped => "skipped",
    };
    json.raw("{\"name\":").text(&source.name);
    json.raw(",\"outcome\":\"").raw(outcome);
    json.raw("\",\"fetched_at\":")
        .optional(source.fetched_at, |json, fetched| {
            json.moving(Moving::FetchedAt(number), |json| {
                json.moment(fetched);
            });
        });
    json.raw(",\"age_seconds\":")
        .optional(source.fetched_at, |json, fetched| {
            json.moving(Moving::Age(number), |json| {
                json.number(answer.at.since(fetched).as_secs());
            });
        });
    json.raw(",\"stale\":").boolean(source.stale);
    json.raw(",\"detail\":")
        .optional_text(source.detail.as_deref());
    json.raw("}");
}
