//! `portreeve policy …`

use clap::{Args, Subcommand};

use super::ConfigArgument;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Show the chains in force and how their policies are doing
    List {
        #[command(flatten)]
        arguments: PolicyArguments,
    },
}

impl PolicyCommand {
    pub(crate) const fn arguments(&self) -> &PolicyArguments {
        match self {
            Self::List { arguments } => arguments,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PolicyArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const POLICY_HELP: &str = "\
Asks the gateway that runs with this configuration on this machine.

Examples:
  portreeve policy list

Exit codes: 0 done, 1 failed, 2 wrong usage";
