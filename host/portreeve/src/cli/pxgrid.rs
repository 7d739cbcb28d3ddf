//! `portreeve pxgrid …`

use clap::{Args, Subcommand};

use super::ConfigArgument;

#[derive(Debug, Subcommand)]
pub(crate) enum PxgridCommand {
    /// Show all nodes with their state and rights
    List {
        #[command(flatten)]
        arguments: PxgridArguments,
    },
    /// Make an approved account and print its password, which is shown only now
    Add {
        /// Name of the node
        node: String,
        #[command(flatten)]
        may: MayArgument,
        #[command(flatten)]
        arguments: PxgridArguments,
    },
    /// Let a node in
    Approve {
        /// Name of the node
        node: String,
        #[command(flatten)]
        may: MayArgument,
        #[command(flatten)]
        arguments: PxgridArguments,
    },
    /// Keep a node out, and its name taken
    Disable {
        /// Name of the node
        node: String,
        #[command(flatten)]
        arguments: PxgridArguments,
    },
    /// Forget a node
    Delete {
        /// Name of the node
        node: String,
        #[command(flatten)]
        arguments: PxgridArguments,
    },
}

impl PxgridCommand {
    pub(crate) const fn arguments(&self) -> &PxgridArguments {
        match self {
            Self::List { arguments }
            | Self::Add { arguments, .. }
            | Self::Approve { arguments, .. }
            | Self::Disable { arguments, .. }
            | Self::Delete { arguments, .. } => arguments,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PxgridArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MayArgument {
    /// All that it may do, e.g. `mdm,subscribe,anc`; without it a new node gets `mdm,subscribe`, and another keeps what it has
    #[arg(long, value_name = "RIGHTS", value_delimiter = ',',
        value_parser = ["mdm", "subscribe", "publish", "anc"])]
    pub(crate) may: Option<Vec<String>>,
}

pub(crate) const PXGRID_HELP: &str = "\
Asks the gateway that runs with this configuration on this machine.

Examples:
  portreeve pxgrid list
  portreeve pxgrid approve siem --may mdm,subscribe,anc
  portreeve pxgrid add inventory --json | jq -r .password
  portreeve pxgrid disable siem

Exit codes: 0 done, 1 failed, 2 wrong usage";
