//! `portreeve decisions`: what was decided.

use std::process::ExitCode;

use crate::cli::Decisions;
use crate::config::Config;

/// Shows the log.
pub(super) fn run(_config: &Config, _command: &Decisions) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not yet")
}
