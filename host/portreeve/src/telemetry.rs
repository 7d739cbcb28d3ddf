//! Logs, to stderr.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Environment, LogFormat};

/// Overrides the configuration's level.
const LEVEL_VARIABLE: &str = "PORTREEVE_LOG";

/// Starts logging. What the command line says goes before the environment, and
/// that before the configuration.
pub(crate) fn start(
    asked: Option<&str>,
    environment: &dyn Environment,
    configured: &str,
    format: LogFormat,
) -> anyhow::Result<()> {
    let from_environment = environment.text(LEVEL_VARIABLE);
    let level = asked.or(from_environment.as_deref()).unwrap_or(configured);
    let filter = EnvFilter::builder()
        .parse(level)
        .with_context(|| format!("`{level}` is no log level"))?;
    let colour = std::io::stderr().is_terminal() && environment.get("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour);
    match format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    }
    .context("logging is already started")
}
