//! What each command does.

mod action;
mod bundle;
mod certificate;
mod check_config;
mod client;
mod connector;
pub(crate) mod control;
mod decisions;
mod device;
mod explain;
mod list;
mod lookup;
mod plugin;
mod policy;
mod pxgrid;
mod quarantine;
mod record;
mod reload;
mod scep;
mod secret;
mod serve;
mod session;
pub(crate) mod store;
mod sync;
mod trust;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::{
    Arguments, Command, ConfigArgument, ConnectorCommand, PluginCommand, SessionCommand,
};
use crate::config::{Config, Environment, LogFormat};
use crate::telemetry;

const CONFIG_VARIABLE: &str = "PORTREEVE_CONFIG";
/// Only `serve` is there for its logs. What the library says about certificates
/// is in the errors too.
const QUIET: &str = "warn,rustls_platform_verifier=off";

const DEFAULT_CONFIG: &str = "/etc/portreeve/portreeve.toml";

/// Runs one command. Its exit code is for scripts.
pub(crate) fn run(arguments: Arguments, environment: &dyn Environment) -> anyhow::Result<ExitCode> {
    let log = arguments.log.as_deref();
    let quiet = || telemetry::start(log, environment, QUIET, LogFormat::Text);
    match arguments.command {
        Command::Serve(argument) => {
            let config = load(&argument, environment)?;
            let level = &config.log.level.0;
            telemetry::start(log, environment, level, config.log.format)?;
            serve::run(config)
        }
        Command::Reload(command) => {
            quiet()?;
            reload::run(&path(&command.config, environment), &command)
        }
        Command::Client(command) => {
            quiet()?;
            client::run(&command, environment)
        }
        Command::CheckConfig(command) => {
            quiet()?;
            check_config::run(&load(&command.config, environment)?, command.json)
        }
        Command::Lookup(command) => {
            quiet()?;
            lookup::run(*command, environment)
        }
        Command::Connector(ConnectorCommand::Check(command)) => {
            quiet()?;
            connector::check(&load(&command.config, environment)?, &command)
        }
        Command::Connector(ConnectorCommand::Sync(command)) => {
            quiet()?;
            sync::run(&load(&command.config, environment)?, &command)
        }
        Command::Connector(ConnectorCommand::Record(command)) => {
            quiet()?;
            record::run(&load(&command.arguments().config, environment)?, &command)
        }
        Command::Store(command) => {
            quiet()?;
            let arguments = command.arguments();
            store::run(&load(&arguments.config, environment)?, &command, arguments)
        }
        Command::Decisions(command) => {
            quiet()?;
            decisions::run(&load(&command.config, environment)?, &command)
        }
        Command::Explain(command) => {
            quiet()?;
            explain::run(&load(&command.config, environment)?, &command)
        }
        Command::List(command) => {
            quiet()?;
            list::run(&load(&command.arguments().config, environment)?, &command)
        }
        Command::Policy(command) => {
            quiet()?;
            policy::run(&load(&command.arguments().config, environment)?, &command)
        }
        Command::Pxgrid(command) => {
            quiet()?;
            pxgrid::run(&load(&command.arguments().config, environment)?, &command)
        }
        Command::Action(command) => {
            quiet()?;
            action::run(&load(&command.arguments().config, environment)?, &command)
        }
        Command::Quarantine(command) => {
            quiet()?;
            quarantine::run(&load(&command.arguments().config, environment)?, &command)
        }
        Command::Device(command) => {
            quiet()?;
            device::run(&load(command.config(), environment)?, &command)
        }
        Command::Session(SessionCommand::List(command)) => {
            quiet()?;
            session::list(&load(&command.config, environment)?, &command)
        }
        Command::SupportBundle(command) => {
            quiet()?;
            bundle::run(&load(&command.config, environment)?, &command)
        }
        Command::ScepVerifier(command) => {
            quiet()?;
            scep::verify(&command, environment)
        }
        Command::ScepNotify(command) => {
            quiet()?;
            scep::notify(&command, environment)
        }
        Command::Plugin(PluginCommand::Inspect(command)) => {
            quiet()?;
            plugin::inspect(&command)
        }
        Command::Certificate(command) => {
            quiet()?;
            certificate::run(&command)
        }
        Command::Trust(command) => {
            quiet()?;
            trust::run(&command, environment)
        }
        Command::Secret(command) => {
            quiet()?;
            secret::run(&command, environment)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "portreeve", &mut script);
            std::io::Write::write_all(&mut std::io::stdout().lock(), &script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn load(argument: &ConfigArgument, environment: &dyn Environment) -> anyhow::Result<Config> {
    Ok(Config::load(&path(argument, environment), environment)?)
}

/// Where the configuration is.
fn path(argument: &ConfigArgument, environment: &dyn Environment) -> PathBuf {
    argument
        .config
        .clone()
        .or_else(|| environment.get(CONFIG_VARIABLE).map(PathBuf::from))
        .unwrap_or_else(|| DEFAULT_CONFIG.into())
}

/// Runs what waits for something. Plugins have threads of their own.
fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(portreeve_store::come_first)
        .build()
        .context("cannot start the threads of the gateway")?;
    Ok(runtime.block_on(work))
}
