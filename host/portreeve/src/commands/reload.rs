//! `portreeve reload`: lets the gateway that runs read its configuration again.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::control::Control;
use crate::cli::Reload;
use crate::config::{Outline, Problem, Problems, ProcessEnvironment};
use crate::output;

/// Reading and checking a configuration takes no longer.
const LONGEST: Duration = Duration::from_mins(1);

pub(super) fn run(path: &Path, command: &Reload) -> anyhow::Result<ExitCode> {
    let outline = Outline::read(path, &ProcessEnvironment)?;
    let Some(state) = super::block_on(reload(&outline, command.force))?? else {
        let message = if outline.store.is_some() {
            "no gateway runs with this configuration"
        } else {
            "a gateway without a store has no socket for commands"
        };
        let hint =
            "start one with `portreeve serve`; one without `[store]` takes the signal SIGHUP";
        return Err(Problems::from(Problem::nowhere(message).hint(hint)).into());
    };
    if command.json {
        output::json(&state)?;
    } else {
        output::line("the configuration is in force")?;
        for key in needs_restart(&state) {
            output::line(format!("{key} takes effect with the next start only"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is in force then, or nothing when no gateway runs.
///
/// `force` says that it may change however many verdicts.
pub(super) async fn reload(outline: &Outline, force: bool) -> anyhow::Result<Option<Value>> {
    let Some(control) = Control::beside(outline.store.as_deref()).await? else {
        return Ok(None);
    };
    let route = format!("/v1/admin/configuration/reload?force={force}");
    let state = control.ask(Method::POST, &route, None, LONGEST).await?;
    Ok(Some(state))
}

fn needs_restart(state: &Value) -> impl Iterator<Item = &str> {
    let keys = state.get("needs_restart").and_then(Value::as_array);
    keys.into_iter().flatten().filter_map(Value::as_str)
}
