//! `portreeve policy`: what decides.

mod list;

use std::process::ExitCode;

use super::control::Control;
use crate::cli::PolicyCommand;
use crate::config::{Config, Problem, Problems};

/// Runs one of the commands.
pub(super) fn run(config: &Config, command: &PolicyCommand) -> anyhow::Result<ExitCode> {
    let json = command.arguments().json;
    match command {
        PolicyCommand::List { .. } => super::block_on(list::run(config, json))?,
    }
}

/// The gateway that runs with this configuration.
async fn running(config: &Config) -> anyhow::Result<Control> {
    let Some(control) = Control::connect(config).await? else {
        let problem = Problem::nowhere("no gateway runs with this configuration");
        let hint = "start it with `portreeve serve`; it is reached through `[store]`";
        return Err(Problems::from(problem.hint(hint)).into());
    };
    Ok(control)
}
