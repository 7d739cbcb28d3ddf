//! `portreeve quarantine …`

use clap::{Args, Subcommand};
use portreeve_domain::MacAddress;

use super::ConfigArgument;

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// Show all endpoints that are held back, and the policies for it
    List {
        #[command(flatten)]
        arguments: QuarantineArguments,
    },
    /// Hold an endpoint back by a policy, or by another one than before
    Apply {
        /// Interface address of the endpoint
        mac: MacAddress,
        /// Name of the policy, as in `[quarantine.NAME]`
        policy: String,
        #[command(flatten)]
        arguments: QuarantineArguments,
    },
    /// Set an endpoint free
    Clear {
        /// Interface address of the endpoint
        mac: MacAddress,
        #[command(flatten)]
        arguments: QuarantineArguments,
    },
}

impl QuarantineCommand {
    pub(crate) const fn arguments(&self) -> &QuarantineArguments {
        match self {
            Self::List { arguments }
            | Self::Apply { arguments, .. }
            | Self::Clear { arguments, .. } => arguments,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct QuarantineArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const QUARANTINE_HELP: &str = "\
Asks the gateway that runs with this configuration on this machine.

Examples:
  portreeve quarantine list
  portreeve quarantine apply 00:50:56:a4:89:5a isolate
  portreeve quarantine clear 00:50:56:a4:89:5a

Exit codes: 0 done, 1 failed, 2 wrong usage";
