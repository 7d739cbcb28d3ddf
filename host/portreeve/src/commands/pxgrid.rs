//! `portreeve pxgrid`: who may be a node of pxGrid.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::control::Control;
use crate::cli::{MayArgument, PxgridCommand};
use crate::config::{Config, Problem, Problems};
use crate::output;

const TIMEOUT: Duration = Duration::from_secs(30);
const NODES: &str = "/v1/admin/pxgrid/nodes";

/// Runs one of the commands.
pub(super) fn run(config: &Config, command: &PxgridCommand) -> anyhow::Result<ExitCode> {
    if config.pxgrid.is_none() {
        let problem = Problem::nowhere("pxGrid is off");
        return Err(Problems::from(problem.hint("add `[pxgrid]` to the configuration")).into());
    }
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

async fn ask(config: &Config, command: &PxgridCommand) -> anyhow::Result<Value> {
    let Some(control) = Control::connect(config).await? else {
        let problem = Problem::nowhere("no gateway runs with this configuration");
        return Err(Problems::from(problem.hint("start it with `portreeve serve`")).into());
    };
    let rights = |may: &MayArgument| may.may.clone();
    let (method, path, body) = match command {
        PxgridCommand::List { .. } => (Method::GET, NODES.to_owned(), None),
        PxgridCommand::Add { node, may, .. } => {
            let body = json!({ "name": node, "may": rights(may) });
            (Method::POST, NODES.to_owned(), Some(body))
        }
        PxgridCommand::Approve { node, may, .. } => {
            let body = json!({ "may": rights(may) });
            (Method::POST, format!("{}/approve", path(node)), Some(body))
        }
        PxgridCommand::Disable { node, .. } => {
            (Method::POST, format!("{}/disable", path(node)), None)
        }
        PxgridCommand::Delete { node, .. } => (Method::DELETE, path(node), None),
    };
    control.ask(method, &path, body.as_ref(), TIMEOUT).await
}

/// A name that could not be one is refused by the gateway, which says why.
fn path(node: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = node
        .chars()
        .map(|c| if fits(c) { c } else { '~' })
        .collect();
    format!("{NODES}/{name}")
}

fn told(command: &PxgridCommand, answer: &Value) -> Vec<String> {
    let text = |value: &Value, key: &str| {
        let found = value.get(key).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    match command {
        PxgridCommand::List { .. } => {
            let nodes = answer.get("nodes").and_then(Value::as_array);
            let nodes = nodes.map(Vec::as_slice).unwrap_or_default();
            if nodes.is_empty() {
                return vec!["no nodes".to_owned()];
            }
            let line = |node: &Value| {
                let may = node.get("may").and_then(Value::as_array);
                let may: Vec<&str> = may
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                let line = format!(
                    "{:<9} {} by {}, may {}  {}",
                    text(node, "state"),
                    text(node, "name"),
                    text(node, "proof"),
                    if may.is_empty() {
                        "nothing".to_owned()
                    } else {
                        may.join(",")
                    },
                    text(node, "description"),
                );
                line.trim_end().to_owned()
            };
            nodes.iter().map(line).collect()
        }
        PxgridCommand::Add { .. } => vec![text(answer, "password")],
        PxgridCommand::Approve { .. } | PxgridCommand::Disable { .. } => {
            vec![format!(
                "node `{}` is {}",
                text(answer, "name"),
                text(answer, "state")
            )]
        }
        PxgridCommand::Delete { .. } => {
            vec![format!("node `{}` is forgotten", text(answer, "name"))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn command(arguments: &[&str]) -> PxgridCommand {
        let arguments = ["portreeve", "pxgrid"].iter().chain(arguments);
        let parsed = crate::cli::Arguments::try_parse_from(arguments).unwrap();
        match parsed.command {
            crate::cli::Command::Pxgrid(command) => command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_people_read() {
        let nodes = json!({ "nodes": [
            { "name": "siem", "state": "PENDING", "proof": "password", "may": ["mdm", "subscribe"],
              "description": "SIEM 1.0" },
            { "name": "switch", "state": "DISABLED", "proof": "certificate", "may": [] },
        ]});
        for (arguments, answer, expected) in [
            (
                &["list"][..],
                nodes,
                "PENDING   siem by password, may mdm,subscribe  SIEM 1.0\n\
                 DISABLED  switch by certificate, may nothing",
            ),
            (&["list"], json!({ "nodes": [] }), "no nodes"),
            (
                &["add", "siem"],
                json!({ "name": "siem", "password": "p" }),
                "p",
            ),
            (
                &["approve", "siem", "--may", "anc,mdm"],
                json!({ "name": "siem", "state": "ENABLED" }),
                "node `siem` is ENABLED",
            ),
            (
                &["delete", "siem"],
                json!({ "name": "siem" }),
                "node `siem` is forgotten",
            ),
        ] {
            assert_eq!(told(&command(arguments), &answer).join("\n"), expected);
        }
    }

    #[test]
    fn a_name_does_not_leave_its_place_in_the_path() {
        assert_eq!(path("a/../b"), "/v1/admin/pxgrid/nodes/a~..~b");
        assert_eq!(path("Siem-1.x"), "/v1/admin/pxgrid/nodes/Siem-1.x");
    }
}
