//! `portreeve action`: acting on devices, over the gateway that runs.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use portreeve_domain::ActionKind;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::control::Control;
use crate::cli::{ActionCommand, ActionStart};
use crate::config::{Config, Problem, Problems};
use crate::output;

/// How long the gateway may take: every device is looked up first.
const TIMEOUT: Duration = Duration::from_mins(5);
const PATH: &str = "/v1/actions";

/// Runs one of the commands.
pub(super) fn run(config: &Config, command: &ActionCommand) -> anyhow::Result<ExitCode> {
    let (method, path, body) = request(command)?;
    let answer = super::block_on(async {
        let Some(control) = Control::connect(config).await? else {
            let problem = Problem::nowhere("no gateway runs with this configuration");
            let hint = "start it with `portreeve serve`; it is reached through `[store]`";
            return Err(Problems::from(problem.hint(hint)).into());
        };
        control.ask(method, &path, body.as_ref(), TIMEOUT).await
    })??;
    if command.arguments().json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in told(command, &answer) {
        output::line(line)?;
    }
    if let ActionCommand::Start(start) = command
        && start.action == ActionKind::Notify
    {
        output::note("note: the text may show on locked screens and to other apps")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn request(command: &ActionCommand) -> anyhow::Result<(Method, String, Option<Value>)> {
    let segment = |text: &str| {
        let escaped = url::form_urlencoded::byte_serialize(text.as_bytes());
        // A plus is a space in forms only.
        escaped.collect::<String>().replace('+', "%20")
    };
    Ok(match command {
        ActionCommand::Start(start) => (Method::POST, PATH.to_owned(), Some(asked(start)?)),
        ActionCommand::Confirm { token, show, .. } => {
            let body = json!({ "token": token, "show": show });
            (Method::POST, format!("{PATH}/confirm"), Some(body))
        }
        ActionCommand::List { limit, .. } => {
            (Method::GET, format!("{PATH}/jobs?limit={limit}"), None)
        }
        ActionCommand::Show { job, .. } => {
            (Method::GET, format!("{PATH}/jobs/{}", segment(job)), None)
        }
        ActionCommand::Cancel { job, .. } => {
            let path = format!("{PATH}/jobs/{}/cancel", segment(job));
            (Method::POST, path, None)
        }
        ActionCommand::Possible { device, .. } => {
            let path = format!("/v1/devices/{}/actions", segment(device));
            (Method::GET, path, None)
        }
    })
}

fn asked(start: &ActionStart) -> anyhow::Result<Value> {
    let mut arguments = Map::new();
    for setting in &start.settings {
        let (name, value) = setting.split_once('=').with_context(|| {
            format!("`{setting}` is no argument: expected NAME=VALUE, e.g. keepUserData=true")
        })?;
        // What is no JSON is a text.
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        arguments.insert(name.to_owned(), value);
    }
    for (name, text) in [("title", &start.title), ("body", &start.message)] {
        if let Some(text) = text {
            arguments.insert(name.to_owned(), text.as_str().into());
        }
    }
    let key = match &start.key {
        Some(key) => key.clone(),
        None => own_key()?,
    };
    let mut asked = json!({
        "action": start.action.to_string(),
        "arguments": arguments,
        "idempotency_key": key,
    });
    if let Some(asked) = asked.as_object_mut() {
        match &start.query {
            Some(query) => asked.insert("query".to_owned(), query.as_str().into()),
            None => asked.insert("devices".to_owned(), json!(start.devices)),
        };
    }
    Ok(asked)
}

fn own_key() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).context("there is no randomness")?;
    Ok(format!("cli-{}", hex::encode(bytes)))
}

fn told(command: &ActionCommand, answer: &Value) -> Vec<String> {
    let list = |key: &str| {
        let found = answer.get(key).and_then(Value::as_array);
        found.map(Vec::as_slice).unwrap_or_default()
    };
    match command {
        ActionCommand::List { .. } => {
            let jobs = list("jobs");
            let count = format!("{} jobs", jobs.len());
            jobs.iter().map(summary).chain([count]).collect()
        }
        ActionCommand::Possible { .. } => {
            let actions = list("actions").iter().map(|action| {
                let reason = match text(action, "reason") {
                    "" => "possible",
                    reason => reason,
                };
                format!("{}: {reason}", text(action, "action"))
            });
            let source = format!("source {}", text(answer, "source"));
            [source].into_iter().chain(actions).collect()
        }
        _ => {
            let mut lines = vec![summary(answer)];
            for device in list("devices") {
                lines.push(line(device));
            }
            if let Some(confirmation) = answer.get("confirmation") {
                lines.push(text(confirmation, "text").to_owned());
                let token = text(confirmation, "token");
                if !token.is_empty() {
                    lines.push(format!(
                        "confirm it until {} with: portreeve action confirm {token}",
                        text(confirmation, "expires_at")
                    ));
                }
            }
            lines
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    let found = value.get(key).and_then(Value::as_str);
    found.unwrap_or_default()
}

fn summary(job: &Value) -> String {
    let counts = job.get("counts").and_then(Value::as_object);
    let counts = counts.into_iter().flatten();
    let counts: Vec<String> = counts
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let confirmed = match text(job, "confirmed_by") {
        "" => String::new(),
        by => format!(", confirmed by {by}"),
    };
    format!(
        "job {} {} by {}{confirmed} at {}: {} ({})",
        text(job, "id"),
        text(job, "action"),
        text(job, "client"),
        text(job, "created_at"),
        text(job, "state"),
        counts.join(", "),
    )
}

fn line(device: &Value) -> String {
    let part = |key: &str, before: &str| match text(device, key) {
        "" => String::new(),
        found => format!("{before}{found}"),
    };
    format!(
        "  {}{}{}: {}{}",
        text(device, "device"),
        part("name", " "),
        part("source", " at "),
        text(device, "state"),
        part("detail", ", "),
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn command(arguments: &[&str]) -> ActionCommand {
        let arguments = ["portreeve", "action"].iter().chain(arguments);
        let parsed = crate::cli::Arguments::try_parse_from(arguments).unwrap();
        match parsed.command {
            crate::cli::Command::Action(command) => command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests() {
        let (method, path, body) = request(&command(&[
            "start",
            "wipe",
            "0050.56A4.895A",
            "-a",
            "keepUserData=true",
            "-a",
            "macOsUnlockCode=\"123456\"",
            "--key",
            "k",
        ]))
        .unwrap();
        assert_eq!((method, path.as_str()), (Method::POST, "/v1/actions"));
        let expected = json!({
            "action": "wipe",
            "arguments": { "keepUserData": true, "macOsUnlockCode": "123456" },
            "devices": ["0050.56A4.895A"],
            "idempotency_key": "k",
        });
        assert_eq!(body.unwrap(), expected);
        let (_, _, body) = request(&command(&[
            "start",
            "notify",
            "--message",
            "hello",
            "--query",
            "os eq ios",
        ]))
        .unwrap();
        let body = body.unwrap();
        assert_eq!(body["arguments"], json!({ "body": "hello" }));
        assert_eq!(body["query"], "os eq ios");
        assert!(
            body["idempotency_key"]
                .as_str()
                .unwrap()
                .starts_with("cli-")
        );
        let (_, path, _) = request(&command(&["possible", "hostname:a b"])).unwrap();
        assert_eq!(path, "/v1/devices/hostname%3Aa%20b/actions");
        let wrong = request(&command(&["start", "wipe", "x", "-a", "y"])).unwrap_err();
        assert!(wrong.to_string().contains("expected NAME=VALUE"), "{wrong}");
    }

    #[test]
    fn answers_are_told() {
        let job = json!({
            "id": "1-a", "action": "wipe", "client": "(local)", "confirmed_by": null,
            "created_at": "T", "state": "to-be-confirmed", "counts": { "waiting": 1, "refused": 1 },
            "devices": [
                { "device": "mac:1", "name": "laptop", "source": "contoso", "state": "waiting",
                  "detail": null },
                { "device": "mac:2", "name": null, "source": null, "state": "refused",
                  "detail": "no source knows this device" },
            ],
            "confirmation": { "token": "abc", "expires_at": "E", "text": "it will be done" },
        });
        assert_eq!(
            told(&command(&["show", "1-a"]), &job),
            [
                "job 1-a wipe by (local) at T: to-be-confirmed (1 refused, 1 waiting)",
                "  mac:1 laptop at contoso: waiting",
                "  mac:2: refused, no source knows this device",
                "it will be done",
                "confirm it until E with: portreeve action confirm abc",
            ]
        );
        assert_eq!(
            told(&command(&["list"]), &json!({ "jobs": [] })),
            ["0 jobs"]
        );
        let possible = json!({ "source": "contoso", "actions": [
            { "action": "sync", "possible": true, "reason": null },
            { "action": "wipe", "possible": false, "reason": "missing permission" },
        ] });
        assert_eq!(
            told(&command(&["possible", "x"]), &possible),
            [
                "source contoso",
                "sync: possible",
                "wipe: missing permission"
            ]
        );
    }
}
