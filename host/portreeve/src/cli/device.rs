//! `portreeve device …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::ConfigArgument;

#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Show devices as a table, one row for what each source tells
    List {
        #[command(flatten)]
        choice: DeviceChoice,
        /// How many at most
        #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 100,
            value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show everything that is known about one device, by source
    Show {
        /// MAC address, GUID, or `kind:value`
        identifier: String,
        #[command(flatten)]
        config: ConfigArgument,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write all devices to a file
    Export {
        /// The file; without one they are printed
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        #[command(flatten)]
        choice: DeviceChoice,
        /// Table of comma-separated values, or one JSON text on each line
        #[arg(long, value_enum, default_value_t = DeviceFormat::Csv)]
        format: DeviceFormat,
        /// Also while not all devices of a source are known
        #[arg(long)]
        incomplete: bool,
    },
}

/// Which devices, and what of them.
#[derive(Debug, Args)]
pub(crate) struct DeviceChoice {
    /// Words that all have to be somewhere in what names or describes the device
    #[arg(value_name = "WORD", long = "search", short = 'q')]
    pub(crate) words: Option<String>,

    /// Condition on facts, e.g. `compliance eq non-compliant and last-seen lt -30d`
    #[arg(long, short = 'f', value_name = "CONDITION")]
    pub(crate) filter: Option<String>,

    /// Only of these sources, separated by commas
    #[arg(long, value_name = "NAMES")]
    pub(crate) source: Option<String>,

    /// Facts to sort by, separated by commas; `-` before one puts its greatest first
    #[arg(long, value_name = "FACTS", allow_hyphen_values = true)]
    pub(crate) sort: Option<String>,

    /// Facts to show, separated by commas
    #[arg(long, value_name = "FACTS")]
    pub(crate) fields: Option<String>,

    #[command(flatten)]
    pub(crate) config: ConfigArgument,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DeviceFormat {
    Csv,
    Jsonl,
}

impl DeviceCommand {
    pub(crate) const fn config(&self) -> &ConfigArgument {
        match self {
            Self::List { choice, .. } | Self::Export { choice, .. } => &choice.config,
            Self::Show { config, .. } => config,
        }
    }
}

pub(crate) const DEVICE_HELP: &str = "\
Asks the gateway that runs with this configuration on this machine.

Examples:
  portreeve device list --filter 'compliance eq non-compliant' --sort -last-seen
  portreeve device list -q ada --fields name,os.version,verdict,reason
  portreeve device show 00:50:56:a4:89:5a
  portreeve device export devices.csv --source contoso

Exit codes: 0 done, 1 failed, 2 wrong usage";
