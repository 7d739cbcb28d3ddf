//! What a policy came to, in the words of cases.

use portreeve_domain::{Obligation, ObligationKind, Verdict};
use portreeve_policy_cases as cases;
use portreeve_runtime::{CallError, Evaluation};

/// The outcome, and the names of the facts that were read when it decided. An
/// error when the call failed in a way that no policy can mean.
pub(crate) fn of(
    evaluated: Result<Evaluation, CallError>,
) -> anyhow::Result<(cases::Outcome, Option<Vec<String>>)> {
    let failed = |failure| Ok((cases::Outcome::Failed(failure), None));
    let evaluation = match evaluated {
        Ok(evaluation) => evaluation,
        Err(CallError::MissingFact(_)) => return failed(cases::Failure::MissingFact),
        Err(CallError::Misconfigured(_)) => return failed(cases::Failure::Misconfigured),
        Err(CallError::Other(_)) => return failed(cases::Failure::Other),
        Err(error) => return Err(error.into()),
    };
    let decision = evaluation.decision;
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
    let obligations: Result<_, _> = decision.obligations.into_iter().map(obligation).collect();
    let valid_for = decision.valid_for.map(|span| span.as_millis().try_into());
    let decided = cases::Outcome::Decided {
        verdict: match decision.verdict {
            Verdict::Abstain => cases::Verdict::Abstain,
            Verdict::Permit => cases::Verdict::Permit,
            Verdict::Restrict => cases::Verdict::Restrict,
            Verdict::Deny => cases::Verdict::Deny,
        },
        reasons: reasons.collect(),
        obligations: obligations?,
        remediation: remediation.collect(),
        valid_for_ms: valid_for.transpose()?,
    };
    let read = evaluation.facts_read.iter().map(ToString::to_string);
    Ok((decided, Some(read.collect())))
}

fn obligation(obligation: Obligation) -> anyhow::Result<cases::Obligation> {
    let mut told = cases::Obligation {
        advisory: obligation.advisory,
        ..cases::Obligation::default()
    };
    match obligation.kind {
        ObligationKind::Vlan(value) => told.vlan = Some(value),
        ObligationKind::Acl(value) => told.acl = Some(value),
        ObligationKind::Sgt(value) => told.sgt = Some(value),
        ObligationKind::Role(value) => told.role = Some(value),
        ObligationKind::SessionTimeout(span) => {
            told.session_timeout = Some(span.as_secs().try_into()?);
        }
        ObligationKind::Redirect(value) => told.redirect = Some(value),
        ObligationKind::ChangeOfAuthorization => told.change_of_authorization = true,
        ObligationKind::Radius { name, value } => told.radius = Some([name, value]),
        ObligationKind::Other { name, value } => told.other = Some([name, value]),
    }
    Ok(told)
}
