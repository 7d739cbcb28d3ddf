//! `portreeve support-bundle`

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::ConfigArgument;

#[derive(Debug, Args)]
pub(crate) struct SupportBundle {
    /// The archive, a file that is not there yet, e.g. `support.tar.gz`
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// A file with the gateway's log, of which the last lines go in
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) log_file: Option<PathBuf>,

    /// How many lines of it
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 5_000,
        requires = "log_file"
    )]
    pub(crate) log_lines: usize,

    /// How long the check of each connector may take; 0 leaves checks out
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(0..=600))]
    pub(crate) timeout: u64,

    /// Leave interface addresses, mail addresses and users as they are
    #[arg(long)]
    pub(crate) with_identifiers: bool,
}

pub(super) const SUPPORT_BUNDLE_HELP: &str = "\
Examples:
  portreeve support-bundle support.tar.gz
  journalctl -u portreeve -n 20000 > log.txt
  portreeve support-bundle support.tar.gz --log-file log.txt

Secrets are never in it. Look into it before you send it away.

Exit codes: 0 written, 1 failed, 2 wrong usage";
