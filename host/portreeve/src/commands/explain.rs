//! `portreeve explain`: why an endpoint gets the answer it gets.

use std::process::ExitCode;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Value, json};

use super::policy::{items, running, text};
use crate::cli::Explain;
use crate::config::Config;
use crate::output;

/// Sources may be asked, and policies run many times.
const TIMEOUT: Duration = Duration::from_mins(1);

pub(super) fn run(config: &Config, command: &Explain) -> anyhow::Result<ExitCode> {
    let answer = super::block_on(ask(config, command))??;
    if command.json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines = match answer.get("logged") {
        Some(logged) => past(logged, &answer),
        None => now(&answer),
    };
    for line in lines {
        output::line(harmless(&line))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(config: &Config, command: &Explain) -> anyhow::Result<Value> {
    let control = running(config).await?;
    if let Some(id) = &command.decision {
        let mut path = format!("/v1/decisions/{}/explanation", escaped(id));
        if let Some(identifier) = command.identifiers.first() {
            path.push_str("?identifier=");
            path.push_str(&escaped(&identifier.to_string()));
        }
        return control.ask(Method::GET, &path, None, TIMEOUT).await;
    }
    let path = match &command.client {
        Some(client) => format!("/v1/admin/explanations?client={}", escaped(client)),
        None => "/v1/admin/explanations".to_owned(),
    };
    let identifiers = command.identifiers.iter().map(ToString::to_string);
    let mut connection = json!({
        "nas": command.nas, "attachment": command.attachment, "medium": command.medium,
    });
    if let Some(members) = connection.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    let body = json!({
        "identifiers": identifiers.collect::<Vec<_>>(),
        "connection": connection,
    });
    control.ask(Method::POST, &path, Some(&body), TIMEOUT).await
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Sources and policies are foreign: their text must not steer the terminal.
fn harmless(line: &str) -> String {
    let harmless = |character: char| {
        if character.is_control() {
            '\u{fffd}'
        } else {
            character
        }
    };
    line.chars().map(harmless).collect()
}

/// A decision of the past, and what would be decided about it now.
fn past(logged: &Value, answer: &Value) -> Vec<String> {
    let mut lines = vec![format!(
        "{} for {} at {}, {}",
        text(logged, "verdict"),
        text(logged, "client"),
        text(logged, "at"),
        text(logged, "origin")
    )];
    for reason in items(logged, "reasons") {
        lines.push(format!("because {}", coded(reason)));
    }
    let policy = text(logged, "policy");
    if !policy.is_empty() {
        lines.push(format!(
            "policy {policy} of the chain {}",
            text(logged, "chain")
        ));
    }
    if let Some(facts) = logged.get("facts").and_then(Value::as_object) {
        let facts = facts.iter();
        lines.extend(facts.map(|(name, value)| format!("  {name} = {value}")));
    }
    match answer.get("now") {
        Some(explained) => {
            lines.push("the same facts under the policies in force:".to_owned());
            lines.extend(now(explained));
        }
        None => lines.push(format!("not explained: {}", text(answer, "not_explained"))),
    }
    let missing = items(answer, "not_recorded").iter();
    let missing = missing.filter_map(Value::as_str);
    lines.extend(missing.map(|fact| format!("the log does not have the fact {fact}")));
    lines
}

fn now(explained: &Value) -> Vec<String> {
    let answer = explained.get("answer").unwrap_or(&Value::Null);
    let policy = text(answer, "policy");
    let by = if policy.is_empty() {
        String::new()
    } else {
        format!(" by policy {policy}")
    };
    let chain = text(explained, "chain");
    let rule = text(explained, "combine");
    let verdict = text(answer, "verdict");
    let mut lines = vec![format!("{verdict}{by}, chain {chain} ({rule})")];
    for reason in items(answer, "reasons") {
        lines.push(format!("because {}", coded(reason)));
    }
    let missing = text(answer, "explanation");
    if !missing.is_empty() {
        lines.push(format!("because {missing}"));
    }
    if explained.get("quarantined") == Some(&Value::Bool(true)) {
        lines.push("the quarantine holds it back".to_owned());
    }
    lines.push(format!(
        "asked for {}; the record carries {}",
        listed(items(explained, "requested")),
        listed(items(explained, "matched"))
    ));
    for source in items(answer, "sources") {
        lines.push(sourced(source));
    }
    lines.push(
        match explained.get("remembered_since").and_then(Value::as_str) {
            Some(since) => format!("the decision is remembered since {since}"),
            None => "the decision is not remembered".to_owned(),
        },
    );
    for policy in items(explained, "policies") {
        lines.extend(asked(policy));
    }
    let improvements = items(explained, "improvements");
    for improvement in improvements {
        let part = |key: &str| improvement.get(key).unwrap_or(&Value::Null);
        lines.push(format!(
            "{} if {} were {} (it is {})",
            text(improvement, "verdict"),
            text(improvement, "fact"),
            part("then"),
            part("now")
        ));
    }
    if improvements.is_empty() && verdict != "permit" {
        lines.push("no single other fact would give a better verdict".to_owned());
    }
    lines
}

fn sourced(source: &Value) -> String {
    let mut line = format!(
        "source {}: {}",
        text(source, "name"),
        text(source, "outcome")
    );
    if let Some(age) = source.get("age_seconds").and_then(Value::as_u64) {
        line = format!("{line}, {age} s old");
    }
    if source.get("stale") == Some(&Value::Bool(true)) {
        line.push_str(", stale");
    }
    let detail = text(source, "detail");
    if !detail.is_empty() {
        line = format!("{line}: {detail}");
    }
    line
}

fn asked(policy: &Value) -> Vec<String> {
    let (name, mode) = (text(policy, "name"), text(policy, "mode"));
    let said = match policy.get("verdict").and_then(Value::as_str) {
        Some(verdict) => {
            let reasons = items(policy, "reasons").iter().map(|it| text(it, "code"));
            let reasons: Vec<&str> = reasons.collect();
            format!("{verdict} {}", reasons.join(", "))
        }
        None => format!("failed: {}", text(policy, "failure")),
    };
    let mut lines = vec![format!("policy {name} ({mode}): {}", said.trim_end())];
    for fact in items(policy, "facts") {
        let value = fact.get("value").unwrap_or(&Value::Null);
        let mut line = format!("  {} = {value}", text(fact, "name"));
        if let Some(source) = fact.get("source").and_then(Value::as_str) {
            let age = fact.get("age_seconds").and_then(Value::as_u64);
            line = format!("{line} ({source}, {} s ago)", age.unwrap_or(0));
        }
        lines.push(line);
    }
    lines
}

fn coded(reason: &Value) -> String {
    format!("{}: {}", text(reason, "code"), text(reason, "message"))
}

fn listed(texts: &[Value]) -> String {
    let texts: Vec<&str> = texts.iter().filter_map(Value::as_str).collect();
    if texts.is_empty() {
        return "none of it".to_owned();
    }
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_reads_well() {
        let explained = json!({
            "answer": {
                "verdict": "deny", "policy": "baseline",
                "reasons": [{"code": "not-encrypted", "message": "the disk is not encrypted"}],
                "sources": [
                    {"name": "contoso", "outcome": "found", "age_seconds": 12, "stale": true, "detail": null},
                    {"name": "jamf", "outcome": "failed", "age_seconds": null, "detail": "no\u{1b} answer"},
                ],
            },
            "requested": ["00:50:56:a4:89:5a"], "matched": [],
            "chain": "default", "combine": "first-decides", "quarantined": false,
            "remembered_since": "2026-11-28T10:00:00.000Z",
            "policies": [
                {
                    "name": "baseline", "mode": "enforce", "verdict": "deny",
                    "reasons": [{"code": "not-encrypted"}],
                    "facts": [
                        {"name": "enrollment", "value": "enrolled", "source": "contoso", "age_seconds": 12},
                        {"name": "in-list(vip, x)", "value": false, "source": null, "age_seconds": null},
                    ],
                },
                {"name": "new", "mode": "monitor", "verdict": null, "failure": "out of time",
                 "reasons": [], "facts": []},
            ],
            "improvements": [
                {"fact": "posture.disk_encrypted", "now": false, "then": true, "verdict": "permit"},
            ],
        });
        let lines: Vec<String> = now(&explained).iter().map(|it| harmless(it)).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        deny by policy baseline, chain default (first-decides)
        because not-encrypted: the disk is not encrypted
        asked for 00:50:56:a4:89:5a; the record carries none of it
        source contoso: found, 12 s old, stale
        source jamf: failed: no� answer
        the decision is remembered since 2026-11-28T10:00:00.000Z
        policy baseline (enforce): deny not-encrypted
          enrollment = "enrolled" (contoso, 12 s ago)
          in-list(vip, x) = false
        policy new (monitor): failed: out of time
        permit if posture.disk_encrypted were true (it is false)
        "#);
    }
}
