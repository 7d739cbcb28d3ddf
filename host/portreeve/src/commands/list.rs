//! `portreeve list`: the operator's lists, changed while the gateway runs.

use std::process::ExitCode;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portreeve_domain::Timestamp;
use portreeve_store::decisions::format_time;
use reqwest::Method;
use serde_json::{Value, json};

use super::control::Control;
use crate::cli::{ListChange, ListCommand};
use crate::config::{Config, Problem, Problems};
use crate::output;

const TIMEOUT: Duration = Duration::from_secs(30);
const PATH: &str = "/v1/admin/lists";

/// Runs one of the commands.
pub(super) fn run(config: &Config, command: &ListCommand) -> anyhow::Result<ExitCode> {
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

async fn ask(config: &Config, command: &ListCommand) -> anyhow::Result<Value> {
    let Some(control) = Control::connect(config).await? else {
        let problem = Problem::nowhere("no gateway runs with this configuration");
        let hint = "start it with `portreeve serve`; it is reached through `[store]`";
        return Err(Problems::from(problem.hint(hint)).into());
    };
    let member = |change: &ListChange| {
        let member = escaped(&change.member);
        format!("{PATH}/{}/members/{member}", escaped(&change.list))
    };
    let (method, path, body) = match command {
        ListCommand::Show { list: None, .. } => (Method::GET, PATH.to_owned(), None),
        ListCommand::Show {
            list: Some(list), ..
        } => (Method::GET, format!("{PATH}/{}", escaped(list)), None),
        ListCommand::Add(change) => (Method::PUT, member(change), Some(body(change))),
        ListCommand::Remove(change) => (Method::DELETE, member(change), Some(body(change))),
    };
    control.ask(method, &path, body.as_ref(), TIMEOUT).await
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn body(change: &ListChange) -> Value {
    let until = change.span.map(|span| Timestamp::now().plus(span));
    json!({ "why": change.why, "until": until.map(format_time) })
}

fn told(command: &ListCommand, answer: &Value) -> Vec<String> {
    match command {
        ListCommand::Show { list: None, .. } => items(answer, "lists").iter().map(brief).collect(),
        ListCommand::Show { .. } => whole(answer),
        ListCommand::Add(_) | ListCommand::Remove(_) => vec![change(answer)],
    }
}

fn brief(list: &Value) -> String {
    let members = items(list, "members").len();
    let changes = items(list, "changes").len();
    let name = text(list, "name");
    format!("{name}: {members} members, {changes} changes at run time")
}

fn whole(list: &Value) -> Vec<String> {
    let members = items(list, "members").iter();
    let members = members.filter_map(Value::as_str).map(str::to_owned);
    let changes = items(list, "changes").iter();
    members
        .chain(changes.map(|it| format!("# {}", change(it))))
        .collect()
}

fn change(change: &Value) -> String {
    let is_member = change.get("is_member").and_then(Value::as_bool);
    let word = if is_member == Some(true) {
        "in"
    } else {
        "not in"
    };
    let mut line = format!(
        "{} is {word} `{}` by {} since {}",
        text(change, "member"),
        text(change, "list"),
        text(change, "by"),
        text(change, "at"),
    );
    for (key, before) in [("until", " until "), ("why", ": ")] {
        if let Some(value) = change.get(key).and_then(Value::as_str) {
            line.push_str(before);
            line.push_str(value);
        }
    }
    line
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    let items = value.get(key).and_then(Value::as_array);
    items.map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn command(words: &[&str]) -> ListCommand {
        let arguments = ["portreeve", "list"].iter().chain(words);
        let parsed = crate::cli::Arguments::try_parse_from(arguments).unwrap();
        match parsed.command {
            crate::cli::Command::List(command) => command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_are_told() {
        let change = json!({
            "list": "vip", "member": "00:50:56:a4:89:5a", "is_member": true, "by": "(local)",
            "at": "2026-11-28T10:00:00.000Z", "why": "board meeting",
            "until": "2026-11-28T18:00:00.000Z",
        });
        let add = command(&["add", "vip", "00:50:56:a4:89:5a", "--for", "8h"]);
        let said = "00:50:56:a4:89:5a is in `vip` by (local) since 2026-11-28T10:00:00.000Z \
                    until 2026-11-28T18:00:00.000Z: board meeting";
        assert_eq!(told(&add, &change), [said]);
        let list = json!({ "name": "vip", "members": ["ada"], "changes": [change] });
        let all = json!({ "lists": [list] });
        assert_eq!(
            told(&command(&["show"]), &all),
            ["vip: 1 members, 1 changes at run time"]
        );
        assert_eq!(
            told(&command(&["show", "vip"]), &list),
            ["ada".to_owned(), format!("# {said}")]
        );
    }
}
