//! What tells one decision from all others.

use portreeve_domain::{Decision, ObligationKind};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Bytes of the digest that are kept.
const LENGTH: usize = 16;

/// A digest of a whole decision, in hexadecimal: verdict, reasons, obligations,
/// remedies and how long it holds. The same in every process and version.
pub fn decision_digest(decision: &Decision) -> String {
    let reasons = decision.reasons.iter();
    let reasons = reasons.map(|it| json!([it.code, it.message, it.facts]));
    let obligations = decision.obligations.iter();
    let obligations = obligations.map(|it| json!([obligation(&it.kind), it.advisory]));
    let remediation = decision.remediation.iter();
    let remediation = remediation.map(|it| json!([it.code, it.message, it.url]));
    let valid_for = decision.valid_for.map(|it| it.as_millis().to_string());
    let whole = json!([
        decision.verdict.as_str(),
        reasons.collect::<Value>(),
        obligations.collect::<Value>(),
        remediation.collect::<Value>(),
        valid_for,
    ]);
    let digest = Sha256::digest(whole.to_string());
    let mut text = hex::encode(digest);
    text.truncate(2 * LENGTH);
    text
}

fn obligation(kind: &ObligationKind) -> Value {
    match kind {
        ObligationKind::Vlan(value) => json!(["vlan", value]),
        ObligationKind::Acl(value) => json!(["acl", value]),
        ObligationKind::Sgt(value) => json!(["sgt", value]),
        ObligationKind::Role(value) => json!(["role", value]),
        ObligationKind::SessionTimeout(span) => {
            json!(["session-timeout", span.as_millis().to_string()])
        }
        ObligationKind::Redirect(value) => json!(["redirect", value]),
        ObligationKind::ChangeOfAuthorization => json!(["change-of-authorization"]),
        ObligationKind::Radius { name, value } => json!(["radius", name, value]),
        ObligationKind::Other { name, value } => json!(["other", name, value]),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use portreeve_domain::{Obligation, Verdict};

    use super::*;

    #[test]
    fn every_part_counts() {
        let decision = Decision::because(Verdict::Deny, "code", "message");
        let mut others = vec![
            Decision::because(Verdict::Permit, "code", "message"),
            Decision::because(Verdict::Deny, "cod", "message"),
            Decision::because(Verdict::Deny, "code", "messag"),
        ];
        let mut timed = decision.clone();
        timed.valid_for = Some(Duration::from_millis(1));
        others.push(timed);
        for kind in [
            ObligationKind::Vlan("1".to_owned()),
            ObligationKind::Role("1".to_owned()),
        ] {
            let mut obliged = decision.clone();
            obliged.obligations.push(Obligation {
                kind,
                advisory: false,
            });
            others.push(obliged);
        }
        let mut digests: Vec<String> = others.iter().map(decision_digest).collect();
        // Kept in logs: another version of the program must find the same.
        assert_eq!(
            decision_digest(&decision),
            decision_digest(&decision.clone())
        );
        digests.push(decision_digest(&decision));
        let count = digests.len();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), count);
        assert!(digests.iter().all(|digest| digest.len() == 2 * LENGTH));
    }
}
