//! `portreeve quarantine`: endpoints that the operator holds back.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::control::Control;
use crate::cli::QuarantineCommand;
use crate::config::{Config, Problem, Problems};
use crate::output;

const TIMEOUT: Duration = Duration::from_secs(30);
const PATH: &str = "/v1/admin/quarantine";

/// Runs one of the commands.
pub(super) fn run(config: &Config, command: &QuarantineCommand) -> anyhow::Result<ExitCode> {
    let answer = super::block_on(ask(config, command))??;
    if command.arguments().json {
        output::json(&answer)?;
    } else {
        for line in told(command, &answer) {
            output::line(line)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(config: &Config, command: &QuarantineCommand) -> anyhow::Result<Value> {
    let Some(control) = Control::connect(config).await? else {
        let problem = Problem::nowhere("no gateway runs with this configuration");
        let hint = "start it with `portreeve serve`; it is reached through `[store]`";
        return Err(Problems::from(problem.hint(hint)).into());
    };
    let (method, path, body) = match command {
        QuarantineCommand::List { .. } => (Method::GET, PATH.to_owned(), None),
        QuarantineCommand::Apply { mac, policy, .. } => {
            let body = json!({ "policy": policy });
            (Method::PUT, format!("{PATH}/{mac}"), Some(body))
        }
        QuarantineCommand::Clear { mac, .. } => (Method::DELETE, format!("{PATH}/{mac}"), None),
    };
    control.ask(method, &path, body.as_ref(), TIMEOUT).await
}

fn told(command: &QuarantineCommand, answer: &Value) -> Vec<String> {
    let text = |value: &Value, key: &str| {
        let found = value.get(key).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let mac = text(answer, "mac");
    let policy = text(answer, "policy");
    match command {
        QuarantineCommand::Apply { .. } => {
            vec![format!("{mac} is quarantined by the policy `{policy}`")]
        }
        QuarantineCommand::Clear { .. } => {
            vec![format!("{mac} is free; the policy `{policy}` held it back")]
        }
        QuarantineCommand::List { .. } => {
            let all = |key: &str| {
                let found = answer.get(key).and_then(Value::as_array);
                found.map(Vec::as_slice).unwrap_or_default()
            };
            let policies = all("policies").iter().map(|policy| {
                let actions = policy.get("actions").and_then(Value::as_array);
                let actions = actions.into_iter().flatten().filter_map(Value::as_str);
                let actions: Vec<&str> = actions.collect();
                format!(
                    "policy {} at most {}, {}",
                    text(policy, "name"),
                    text(policy, "verdict"),
                    actions.join(",")
                )
            });
            let endpoints = all("endpoints").iter().map(|endpoint| {
                format!(
                    "{} by policy {} since {}, applied by {}",
                    text(endpoint, "mac"),
                    text(endpoint, "policy"),
                    text(endpoint, "since"),
                    text(endpoint, "by")
                )
            });
            let count = format!("{} endpoints are quarantined", all("endpoints").len());
            policies.chain(endpoints).chain([count]).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn command(arguments: &[&str]) -> QuarantineCommand {
        let arguments = ["portreeve", "quarantine"].iter().chain(arguments);
        let parsed = crate::cli::Arguments::try_parse_from(arguments).unwrap();
        match parsed.command {
            crate::cli::Command::Quarantine(command) => command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_are_told() {
        let endpoint = json!({
            "mac": "00:50:56:a4:89:5a",
            "policy": "isolate",
            "since": "2026-11-28T10:00:00Z",
            "by": "(local)",
        });
        assert_eq!(
            told(&command(&["apply", "0050.56A4.895A", "isolate"]), &endpoint),
            ["00:50:56:a4:89:5a is quarantined by the policy `isolate`"]
        );
        assert_eq!(
            told(&command(&["clear", "005056A4895A"]), &endpoint),
            ["00:50:56:a4:89:5a is free; the policy `isolate` held it back"]
        );
        let list = json!({
            "policies": [
                { "name": "isolate", "verdict": "restrict", "actions": ["quarantine"] },
            ],
            "endpoints": [endpoint],
        });
        assert_eq!(
            told(&command(&["list"]), &list),
            [
                "policy isolate at most restrict, quarantine",
                "00:50:56:a4:89:5a by policy isolate since 2026-11-28T10:00:00Z, applied by (local)",
                "1 endpoints are quarantined",
            ]
        );
    }
}
