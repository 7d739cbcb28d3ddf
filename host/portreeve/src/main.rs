//! The program: configuration, command line, wiring, signals.
//!
//! Everything it does lives in libraries; here they are put together as the
//! configuration says. Data goes to stdout, logs and errors go to stderr.

mod assemble;
mod cli;
mod commands;
mod config;
mod connectors;
mod deciders;
mod expiry;
mod moment;
mod output;
mod reload;
mod telemetry;
mod trials;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use cli::Arguments;
use config::ProcessEnvironment;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match commands::run(arguments, &ProcessEnvironment) {
        Ok(code) => code,
        // Whoever read the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
