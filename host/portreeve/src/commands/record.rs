//! `portreeve connector list|show|enable|disable|cycle`: the connectors of the
//! gateway that runs.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::control::Control;
use crate::cli::RecordCommand;
use crate::config::{Config, Problem, Problems};
use crate::output;

/// A check takes a minute at most.
const TIMEOUT: Duration = Duration::from_secs(90);
const PATH: &str = "/v1/admin/connectors";

/// Runs one of the commands.
pub(super) fn run(config: &Config, command: &RecordCommand) -> anyhow::Result<ExitCode> {
    let answer = super::block_on(ask(config, command))??;
    if command.arguments().json {
        output::json(&answer)?;
    } else {
        for line in told(command, &answer) {
            output::line(line)?;
        }
    }
    let is_refused = answer.get("done").and_then(Value::as_bool) == Some(false);
    Ok(if is_refused {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn ask(config: &Config, command: &RecordCommand) -> anyhow::Result<Value> {
    let Some(control) = Control::connect(config).await? else {
        let problem = Problem::nowhere("no gateway runs with this configuration");
        let hint = "start it with `portreeve serve`; it is reached through `[store]`";
        return Err(Problems::from(problem.hint(hint)).into());
    };
    let (method, path) = match command {
        RecordCommand::List { .. } => (Method::GET, PATH.to_owned()),
        RecordCommand::Show { name, .. } => (Method::GET, format!("{PATH}/{name}")),
        RecordCommand::Enable {
            name, check, force, ..
        } => {
            let query = format!("check={check}&force={force}");
            (Method::POST, format!("{PATH}/{name}/enable?{query}"))
        }
        RecordCommand::Disable { name, .. } => (Method::POST, format!("{PATH}/{name}/disable")),
        RecordCommand::Cycle { name, force, .. } => {
            (Method::POST, format!("{PATH}/{name}/cycle?force={force}"))
        }
    };
    control.ask(method, &path, None, TIMEOUT).await
}

fn told(command: &RecordCommand, answer: &Value) -> Vec<String> {
    match command {
        RecordCommand::List { .. } => {
            let connectors = answer.get("connectors").and_then(Value::as_array);
            table(connectors.map(Vec::as_slice).unwrap_or_default())
        }
        RecordCommand::Show { .. } => shown(answer, 0),
        RecordCommand::Enable { name, .. } => vec![format!("connector `{name}` is enabled")],
        RecordCommand::Disable { name, .. } => vec![format!("connector `{name}` is disabled")],
        RecordCommand::Cycle { name, .. } => {
            let findings = answer.get("findings").and_then(Value::as_array);
            let findings = findings.into_iter().flatten().map(|finding| {
                let line = format!(
                    "{:<9}{}: {}",
                    text(finding, "verdict"),
                    text(finding, "subject"),
                    text(finding, "message")
                );
                match text(finding, "hint") {
                    "" => line,
                    hint => format!("{line}\n         hint: {hint}"),
                }
            });
            let done = answer.get("done").and_then(Value::as_bool) == Some(true);
            let outcome = if done {
                "is made anew and enabled"
            } else {
                "did not pass its check; what was in force stays so"
            };
            findings
                .chain([format!("connector `{name}` {outcome}")])
                .collect()
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

const COLUMNS: [&str; 7] = [
    "NAME",
    "STATUS",
    "PROVIDER",
    "SERVER",
    "TYPE",
    "LAST CHECK",
    "DESCRIPTION",
];

/// The columns of Cisco ISE's list of servers, and the last check.
fn table(connectors: &[Value]) -> Vec<String> {
    let rows = connectors.iter().map(|connector| {
        let discovered = connector.get("discovered").and_then(Value::as_array);
        let server = discovered.into_iter().flatten().filter_map(Value::as_str);
        let check = connector.get("check").map_or_else(String::new, |check| {
            let stale = match check.get("current").and_then(Value::as_bool) {
                Some(false) => " (other settings)",
                _ => "",
            };
            format!("{} {}{stale}", text(check, "verdict"), text(check, "at"))
        });
        [
            text(connector, "name").to_owned(),
            text(connector, "state").to_owned(),
            text(connector, "provider").to_owned(),
            server.collect::<Vec<_>>().join(","),
            text(connector, "type").to_owned(),
            check.trim().to_owned(),
            text(connector, "description").to_owned(),
        ]
    });
    let heads = COLUMNS.map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(heads).chain(rows).collect();
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| {
            let cell = if cell.is_empty() { "-" } else { cell };
            format!("{cell:<width$}")
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect()
}

/// Every member on a line of its own.
fn shown(value: &Value, depth: usize) -> Vec<String> {
    let Value::Object(members) = value else {
        return Vec::new();
    };
    let indent = "  ".repeat(depth);
    let mut lines = Vec::new();
    for (name, value) in members {
        match value {
            Value::Null => {}
            Value::Object(_) => {
                lines.push(format!("{indent}{name}:"));
                lines.extend(shown(value, depth + 1));
            }
            Value::Array(items) => {
                let items = items.iter().map(|item| match item {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                let items = items.collect::<Vec<_>>().join(", ");
                lines.push(format!("{indent}{name}: {items}"));
            }
            Value::String(text) => lines.push(format!("{indent}{name}: {text}")),
            other => lines.push(format!("{indent}{name}: {other}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_list_has_the_columns_that_administrators_know() {
        let connectors = [
            json!({
                "name": "contoso",
                "state": "ok",
                "provider": "Microsoft Intune",
                "discovered": ["fef.msud01.manage.microsoft.com"],
                "type": "mobile-device-manager",
                "check": { "at": "2026-11-28T10:00:00Z", "verdict": "passed", "current": true },
                "description": "the main tenant",
            }),
            json!({ "name": "old", "state": "disabled", "check": null }),
        ];
        insta::assert_snapshot!(table(&connectors).join("\n"), @r"
        NAME     STATUS    PROVIDER          SERVER                           TYPE                   LAST CHECK                   DESCRIPTION
        contoso  ok        Microsoft Intune  fef.msud01.manage.microsoft.com  mobile-device-manager  passed 2026-11-28T10:00:00Z  the main tenant
        old      disabled  -                 -                                -                      -                            -
        ");
    }

    #[test]
    fn one_is_shown_with_all_its_members() {
        let record = json!({
            "name": "contoso",
            "enabled": true,
            "discovered": ["a", "b"],
            "check": { "verdict": "passed" },
            "template": null,
        });
        let mut lines = shown(&record, 0);
        lines.sort();
        assert_eq!(
            lines,
            [
                "  verdict: passed",
                "check:",
                "discovered: a, b",
                "enabled: true",
                "name: contoso"
            ]
        );
    }
}
