//! An answer for people.

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

use crate::output::{BAD, FAIR, GOOD, styled};

/// What the REST face says, in lines.
pub(super) fn render(answer: &Value, elapsed: Duration) -> String {
    let mut text = Lines(String::new());
    let verdict = word(answer, "verdict");
    let style = match verdict.as_str() {
        "permit" => GOOD,
        "restrict" | "cannot-tell" => FAIR,
        _ => BAD,
    };
    text.entry("verdict", styled(style, &verdict));
    text.optional("because", optional(answer, "explanation"));
    for reason in list(answer, "reasons") {
        text.entry("because", coded(reason));
    }
    for obligation in list(answer, "obligations") {
        text.entry("apply", applied(obligation));
    }
    for remediation in list(answer, "remediation") {
        let url = optional(remediation, "url").map(|url| format!(" <{url}>"));
        text.entry("help", coded(remediation) + &url.unwrap_or_default());
    }
    match answer.get("device") {
        Some(device) if device.is_object() => describe(&mut text, device),
        _ => text.entry("device", absence(&word(answer, "absence"))),
    }
    for source in list(answer, "sources") {
        text.entry("source", sourced(source));
    }
    text.optional("policy", optional(answer, "policy"));
    let origin = match word(answer, "origin").as_str() {
        "cached" => "from memory".to_owned(),
        "evaluated" => "from facts in memory".to_owned(),
        "fetched" => "after asking the sources".to_owned(),
        other => other.to_owned(),
    };
    let millis = elapsed.as_micros();
    let shown = format!("{}.{} ms", millis / 1000, millis / 100 % 10);
    text.entry("decided", format!("{origin}, in {shown}"));
    text.0
}

struct Lines(String);

impl Lines {
    fn entry(&mut self, label: &str, value: impl std::fmt::Display) {
        // Writing into a string does not fail.
        let _ = writeln!(self.0, "{label:<9} {value}");
    }

    fn optional(&mut self, label: &str, value: Option<String>) {
        if let Some(value) = value {
            self.entry(label, value);
        }
    }
}

fn describe(text: &mut Lines, device: &Value) {
    let name = optional(device, "name").or_else(|| optional(device, "key"));
    let mut parts = vec![name.unwrap_or_default()];
    parts.extend(optional(device, "model"));
    if let Some(os) = device.get("os") {
        let version = optional(os, "version").map(|version| format!(" {version}"));
        parts.extend(optional(os, "family").map(|family| family + &version.unwrap_or_default()));
    }
    parts.retain(|part| !part.is_empty());
    text.entry("device", parts.join(", "));
    let compliance = device.get("compliance").unwrap_or(&Value::Null);
    let mut state = format!(
        "{}, {}",
        word(device, "enrollment"),
        word(compliance, "state")
    );
    if let Some(until) = optional(compliance, "grace_until") {
        let _ = write!(state, " until {until}");
    }
    text.entry("state", state);
    for check in list(compliance, "failing") {
        text.entry("failing", coded(check));
    }
    text.optional(
        "user",
        device
            .get("user")
            .and_then(|user| optional(user, "principal_name")),
    );
    text.optional("seen", optional(device, "last_seen"));
}

fn absence(word: &str) -> &str {
    match word {
        "unknown-device" => "no source knows it",
        "sources-unavailable" => "the sources could not be asked",
        "ambiguous" => "several devices match",
        _ => "none",
    }
}

/// `code: message`
fn coded(item: &Value) -> String {
    let code = word(item, "code");
    optional(item, "message").map_or(code.clone(), |message| format!("{code}: {message}"))
}

fn applied(obligation: &Value) -> String {
    let mut text = word(obligation, "kind");
    for key in ["name", "value"] {
        if let Some(value) = optional(obligation, key) {
            let _ = write!(text, " {value}");
        }
    }
    if let Some(seconds) = obligation.get("seconds") {
        let _ = write!(text, " {seconds} s");
    }
    if obligation.get("advisory").and_then(Value::as_bool) == Some(true) {
        text.push_str(" (advisory)");
    }
    text
}

fn sourced(source: &Value) -> String {
    let outcome = match word(source, "outcome").as_str() {
        "found" => "knows it".to_owned(),
        "unknown-device" => "does not know it".to_owned(),
        "ambiguous" => "knows several".to_owned(),
        "failed" => "could not be asked".to_owned(),
        "skipped" => "was not asked".to_owned(),
        other => other.to_owned(),
    };
    let mut text = format!("{} {outcome}", word(source, "name"));
    if let Some(age) = source.get("age_seconds").and_then(Value::as_u64) {
        let _ = write!(text, ", {age} s old");
    }
    if source.get("stale").and_then(Value::as_bool) == Some(true) {
        text.push_str(", stale");
    }
    if let Some(detail) = optional(source, "detail") {
        let _ = write!(text, ": {detail}");
    }
    text
}

fn list<'a>(document: &'a Value, key: &str) -> &'a [Value] {
    let items = document.get(key).and_then(Value::as_array);
    items.map_or(&[], Vec::as_slice)
}

fn word(document: &Value, key: &str) -> String {
    optional(document, key).unwrap_or_else(|| "unknown".to_owned())
}

/// A text or number. Sources and policies are foreign: their text must not
/// steer the terminal.
fn optional(document: &Value, key: &str) -> Option<String> {
    let text = match document.get(key)? {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let harmless = |character: char| {
        if character.is_control() {
            '\u{fffd}'
        } else {
            character
        }
    };
    Some(text.chars().map(harmless).collect())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn shown(answer: &Value) -> String {
        let text = render(answer, Duration::from_micros(12_345));
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_stale_device_that_is_restricted() {
        let answer = json!({
            "verdict": "restrict",
            "reasons": [{"code": "os-too-old", "message": "iOS 15 is too old", "facts": ["os"]}],
            "obligations": [
                {"kind": "vlan", "value": "quarantine", "advisory": false},
                {"kind": "session-timeout", "seconds": 3600, "advisory": true},
                {"kind": "radius", "name": "Filter-Id", "value": "x", "advisory": false},
            ],
            "remediation": [{"code": "update", "message": "Install updates", "url": "https://help.example"}],
            "device": {
                "key": "k", "name": "Ada\u{1b}[31m", "model": "iPhone 9", "enrollment": "enrolled",
                "os": {"family": "ios", "version": "15.1"},
                "compliance": {"state": "in-grace-period", "grace_until": "2026-11-21T07:00:00.000Z",
                    "failing": [{"code": "os", "message": null}]},
                "user": {"principal_name": "ada@example.com"},
                "last_seen": "2026-11-20T07:00:00.000Z",
            },
            "sources": [
                {"name": "contoso", "outcome": "found", "age_seconds": 400, "stale": true, "detail": null},
                {"name": "jamf", "outcome": "failed", "age_seconds": null, "stale": false, "detail": "no answer"},
            ],
            "origin": "evaluated", "policy": "baseline",
        });
        assert_snapshot!(shown(&answer), @r"
    verdict   restrict
    because   os-too-old: iOS 15 is too old
    apply     vlan quarantine
    apply     session-timeout 3600 s (advisory)
    apply     radius Filter-Id x
    help      update: Install updates <https://help.example>
    device    Ada�[31m, iPhone 9, ios 15.1
    state     enrolled, in-grace-period until 2026-11-21T07:00:00.000Z
    failing   os
    user      ada@example.com
    seen      2026-11-20T07:00:00.000Z
    source    contoso knows it, 400 s old, stale
    source    jamf could not be asked: no answer
    policy    baseline
    decided   from facts in memory, in 12.3 ms
    ");
    }

    #[test]
    fn cannot_tell_is_no_verdict() {
        let answer = json!({
            "verdict": "cannot-tell", "explanation": "contoso: no answer in time",
            "device": null, "absence": "sources-unavailable", "sources": [],
            "origin": "fetched", "policy": null,
        });
        assert_snapshot!(shown(&answer), @r"
    verdict   cannot-tell
    because   contoso: no answer in time
    device    the sources could not be asked
    decided   after asking the sources, in 12.3 ms
    ");
    }
}
