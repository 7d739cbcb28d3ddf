//! `portreeve check-config`

use std::process::ExitCode;

use crate::config::Config;
use crate::{assemble, expiry, output};

/// Loads everything that needs no network and prints what is in force.
pub(super) fn run(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let runtime = assemble::runtime(config)?;
    let parts = super::block_on(assemble::parts(config, &runtime, None))??;
    output::warnings(&parts.warnings)?;
    output::warnings(&expiry::warnings(config))?;
    if json {
        output::json(config)?;
    } else {
        output::line(config.to_toml()?.trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}
