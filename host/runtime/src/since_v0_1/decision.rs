//! Decisions: the domain's words for what a policy says.

use std::time::Duration;

use portreeve_domain as domain;

use super::bindings::policy::portreeve::policy::types as wit;
use crate::error::CallError;

// A decision beyond these bounds is refused as a whole: one that was cut might
// lack the very obligation that makes it safe.
const MOST_ENTRIES: usize = 64;
const LONGEST_TEXT: usize = 4096;

/// A decision as the domain knows it.
pub(super) fn decision_from_wit(decision: wit::Decision) -> Result<domain::Decision, CallError> {
    check_size(&decision)?;
    Ok(domain::Decision {
        verdict: match decision.verdict {
            wit::Verdict::Abstain => domain::Verdict::Abstain,
            wit::Verdict::Permit => domain::Verdict::Permit,
            wit::Verdict::Restrict => domain::Verdict::Restrict,
            wit::Verdict::Deny => domain::Verdict::Deny,
        },
        reasons: decision
            .reasons
            .into_iter()
            .map(|reason| domain::Reason {
                code: reason.code,
                message: reason.message,
                facts: reason.facts,
            })
            .collect(),
        obligations: decision
            .obligations
            .into_iter()
            .map(|obligation| domain::Obligation {
                kind: obligation_from_wit(obligation.kind),
                advisory: obligation.advisory,
            })
            .collect(),
        remediation: decision
            .remediation
            .into_iter()
            .map(|remediation| domain::Remediation {
                code: remediation.code,
                message: remediation.message,
                url: remediation.url,
            })
            .collect(),
        valid_for: decision.valid_for_ms.map(Duration::from_millis),
    })
}

fn obligation_from_wit(kind: wit::ObligationKind) -> domain::ObligationKind {
    match kind {
        wit::ObligationKind::Vlan(name) => domain::ObligationKind::Vlan(name),
        wit::ObligationKind::Acl(name) => domain::ObligationKind::Acl(name),
        wit::ObligationKind::Sgt(tag) => domain::ObligationKind::Sgt(tag),
        wit::ObligationKind::Role(name) => domain::ObligationKind::Role(name),
        wit::ObligationKind::SessionTimeout(seconds) => {
            domain::ObligationKind::SessionTimeout(Duration::from_secs(seconds.into()))
        }
        wit::ObligationKind::Redirect(url) => domain::ObligationKind::Redirect(url),
        wit::ObligationKind::ChangeOfAuthorization => domain::ObligationKind::ChangeOfAuthorization,
        wit::ObligationKind::Radius(attribute) => domain::ObligationKind::Radius {
            name: attribute.name,
            value: attribute.value,
        },
        wit::ObligationKind::Other(named) => domain::ObligationKind::Other {
            name: named.name,
            value: named.value,
        },
    }
}

fn check_size(decision: &wit::Decision) -> Result<(), CallError> {
    let facts = decision.reasons.iter().map(|reason| reason.facts.len());
    let most = [
        decision.reasons.len(),
        decision.obligations.len(),
        decision.remediation.len(),
    ];
    if most
        .into_iter()
        .chain(facts)
        .any(|count| count > MOST_ENTRIES)
    {
        return Err(CallError::LimitHit(format!(
            "a decision has more than {MOST_ENTRIES} reasons, facts, obligations or remedies"
        )));
    }
    let reasons = decision.reasons.iter().flat_map(|reason| {
        let own = [&reason.code, &reason.message];
        own.into_iter().chain(&reason.facts)
    });
    let obligations = decision
        .obligations
        .iter()
        .flat_map(|obligation| texts(&obligation.kind))
        .flatten();
    let remediation = decision.remediation.iter().flat_map(|remediation| {
        let own = [&remediation.code, &remediation.message];
        own.into_iter().chain(&remediation.url)
    });
    let mut all = reasons.chain(obligations).chain(remediation);
    if all.any(|text| text.len() > LONGEST_TEXT) {
        return Err(CallError::LimitHit(format!(
            "a decision has a text of more than {LONGEST_TEXT} bytes"
        )));
    }
    Ok(())
}

fn texts(kind: &wit::ObligationKind) -> [Option<&String>; 2] {
    match kind {
        wit::ObligationKind::Vlan(text)
        | wit::ObligationKind::Acl(text)
        | wit::ObligationKind::Role(text)
        | wit::ObligationKind::Redirect(text) => [Some(text), None],
        wit::ObligationKind::Radius(attribute) => [Some(&attribute.name), Some(&attribute.value)],
        wit::ObligationKind::Other(named) => [Some(&named.name), Some(&named.value)],
        wit::ObligationKind::Sgt(_)
        | wit::ObligationKind::SessionTimeout(_)
        | wit::ObligationKind::ChangeOfAuthorization => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision() -> wit::Decision {
        wit::Decision {
            verdict: wit::Verdict::Restrict,
            reasons: vec![wit::Reason {
                code: "c".to_owned(),
                message: "m".to_owned(),
                facts: vec!["os".to_owned()],
            }],
            obligations: vec![wit::Obligation {
                kind: wit::ObligationKind::SessionTimeout(59),
                advisory: true,
            }],
            remediation: Vec::new(),
            valid_for_ms: Some(0),
        }
    }

    #[test]
    fn units_are_kept() {
        let decision = decision_from_wit(decision()).unwrap();
        assert_eq!(decision.verdict, domain::Verdict::Restrict);
        assert_eq!(decision.valid_for, Some(Duration::ZERO));
        let expected = domain::ObligationKind::SessionTimeout(Duration::from_secs(59));
        assert_eq!(decision.obligations[0].kind, expected);
    }

    #[test]
    fn decisions_out_of_bounds_are_refused_as_a_whole() {
        let mut many = decision();
        many.obligations = vec![many.obligations[0].clone(); MOST_ENTRIES + 1];
        let mut long = decision();
        long.obligations[0].kind = wit::ObligationKind::Role("r".repeat(LONGEST_TEXT + 1));
        let mut facts = decision();
        facts.reasons[0].facts = vec![String::new(); MOST_ENTRIES + 1];
        for decision in [many, long, facts] {
            let error = decision_from_wit(decision).unwrap_err();
            assert!(matches!(error, CallError::LimitHit(_)), "{error}");
        }
    }
}
