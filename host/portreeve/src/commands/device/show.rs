//! The page of one device for people.

use serde_json::Value;

use super::members;
use super::table::{printable, text};

/// What is told of a page: the answer, the facts with who tells them, and where
/// the device is.
pub(super) fn lines(page: &Value) -> Vec<String> {
    let answer = page.get("answer").unwrap_or(&Value::Null);
    let mut lines = vec![format!("answer: {}", text(answer.get("verdict")))];
    for reason in members(answer, "reasons") {
        let code = text(reason.get("code"));
        lines.push(format!("  {code}: {}", text(reason.get("message"))));
    }
    if let Some(explanation) = answer.get("explanation") {
        lines.push(format!("  {}", text(Some(explanation))));
    }
    for record in members(page, "records") {
        lines.push(telling(record));
    }
    let facts = page.get("facts").and_then(Value::as_object);
    for (fact, values) in facts.into_iter().flatten() {
        let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
        for value in values {
            lines.push(format!(
                "{fact}: {} ({})",
                text(value.get("value")),
                text(value.get("source"))
            ));
        }
    }
    for session in members(page, "sessions") {
        lines.push(format!(
            "session: {} at {}, port {}, seen {}",
            text(session.get("id")),
            text(
                session
                    .get("nas_identifier")
                    .or_else(|| session.get("nas_address"))
            ),
            text(
                session
                    .get("nas_port_id")
                    .or_else(|| session.get("nas_port"))
            ),
            text(session.get("seen_at"))
        ));
    }
    for held in members(page, "quarantine") {
        lines.push(format!(
            "quarantine: {} by policy {} since {}, applied by {}",
            text(held.get("mac")),
            text(held.get("policy")),
            text(held.get("since")),
            text(held.get("by"))
        ));
    }
    let clean = |line: String| line.chars().map(printable).collect();
    lines.into_iter().map(clean).collect()
}

fn telling(record: &Value) -> String {
    let source = text(record.get("source"));
    match record.get("outcome").and_then(Value::as_str) {
        Some("found") => {
            let stale = record.get("stale").and_then(Value::as_bool) == Some(true);
            let age = text(record.get("age_seconds"));
            let stale = if stale {
                ", older than it should be"
            } else {
                ""
            };
            format!("source {source}: told {age} s ago{stale}")
        }
        Some("unknown-device") => format!("source {source}: knows no such device"),
        Some("ambiguous") => format!("source {source}: several devices match"),
        _ => format!("source {source}: nothing is known of what it says"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_are_told() {
        let page = json!({
            "answer": {"verdict": "deny", "reasons": [{"code": "not-compliant", "message": "it is not"}]},
            "records": [
                {"outcome": "found", "source": "contoso", "age_seconds": 7, "stale": true},
                {"outcome": "not-asked", "source": "fabrikam", "fetched_at": null},
            ],
            "facts": {"mac": [{"source": "contoso", "value": ["a", "b"]}]},
            "sessions": [],
            "quarantine": [{"mac": "a", "policy": "isolate", "since": "S", "by": "(local)"}],
        });
        assert_eq!(
            lines(&page),
            [
                "answer: deny",
                "  not-compliant: it is not",
                "source contoso: told 7 s ago, older than it should be",
                "source fabrikam: nothing is known of what it says",
                "mac: a b (contoso)",
                "quarantine: a by policy isolate since S, applied by (local)",
            ]
        );
    }
}
