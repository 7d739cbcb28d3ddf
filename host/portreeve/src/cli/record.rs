//! `portreeve connector list|show|enable|disable|cycle`

use clap::{Args, Subcommand};

use super::ConfigArgument;

#[derive(Debug, Subcommand)]
pub(crate) enum RecordCommand {
    /// Show all connectors and how they are doing
    List {
        #[command(flatten)]
        arguments: RecordArguments,
    },
    /// Show everything about one connector
    Show {
        /// Name of the connector in the configuration
        name: String,
        #[command(flatten)]
        arguments: RecordArguments,
    },
    /// Have a connector asked from now on
    Enable {
        /// Name of the connector in the configuration
        name: String,
        /// Check it first
        #[arg(long)]
        check: bool,
        /// Though its settings have not passed a check
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        arguments: RecordArguments,
    },
    /// Have a connector not asked any more, and forget nothing
    Disable {
        /// Name of the connector in the configuration
        name: String,
        #[command(flatten)]
        arguments: RecordArguments,
    },
    /// Make a connector anew, with other connections and tokens, check it and enable it
    Cycle {
        /// Name of the connector in the configuration
        name: String,
        /// Though it does not pass its check
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        arguments: RecordArguments,
    },
}

impl RecordCommand {
    pub(crate) const fn arguments(&self) -> &RecordArguments {
        match self {
            Self::List { arguments }
            | Self::Show { arguments, .. }
            | Self::Enable { arguments, .. }
            | Self::Disable { arguments, .. }
            | Self::Cycle { arguments, .. } => arguments,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RecordArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const RECORD_HELP: &str = "\
`list`, `show`, `enable`, `disable` and `cycle` ask the gateway that runs with this configuration
on this machine. What is enabled or disabled stays so over restarts, until `enabled` is changed in
the configuration.

Examples:
  portreeve connector check contoso
  portreeve connector list
  portreeve connector enable contoso --check
  portreeve connector cycle contoso        # after its certificate was changed at the tenant

Exit codes: 0 done, 1 failed, 2 wrong usage";
