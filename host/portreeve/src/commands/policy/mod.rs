//! `portreeve policy`: what decides.

mod impact;
mod list;
mod replay;

use std::process::ExitCode;

use serde_json::Value;

use super::control::Control;
use crate::cli::PolicyCommand;
use crate::config::{Config, Problem, Problems};

/// Runs one of the commands.
pub(super) fn run(config: &Config, command: &PolicyCommand) -> anyhow::Result<ExitCode> {
    match command {
        PolicyCommand::List { arguments } => super::block_on(list::run(config, arguments.json))?,
        PolicyCommand::Impact(command) => super::block_on(impact::run(config, command))?,
        PolicyCommand::Replay(command) => super::block_on(replay::run(config, command))?,
    }
}

/// The gateway that runs with this configuration.
pub(super) async fn running(config: &Config) -> anyhow::Result<Control> {
    let Some(control) = Control::connect(config).await? else {
        let problem = Problem::nowhere("no gateway runs with this configuration");
        let hint = "start it with `portreeve serve`; it is reached through `[store]`";
        return Err(Problems::from(problem.hint(hint)).into());
    };
    Ok(control)
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

pub(super) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    let items = value.get(key).and_then(Value::as_array);
    items.map(Vec::as_slice).unwrap_or_default()
}
