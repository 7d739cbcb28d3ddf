//! `portreeve list …`

use std::time::Duration;

use clap::{Args, Subcommand};

use super::ConfigArgument;

#[derive(Debug, Subcommand)]
pub(crate) enum ListCommand {
    /// Show all lists, or the members of one and what was changed about it
    Show {
        /// Name of the list, as in `[lists]`
        list: Option<String>,
        #[command(flatten)]
        arguments: ListArguments,
    },
    /// Put a member into a list
    Add(ListChange),
    /// Take a member out of a list
    Remove(ListChange),
}

impl ListCommand {
    pub(crate) const fn arguments(&self) -> &ListArguments {
        match self {
            Self::Show { arguments, .. } => arguments,
            Self::Add(change) | Self::Remove(change) => &change.arguments,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListChange {
    /// Name of the list, as in `[lists]`
    pub(crate) list: String,

    /// An identifier in any spelling, or another word that a policy asks for
    pub(crate) member: String,

    /// Why, for those who look at the list later
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,

    /// How long the change holds, e.g. `8h` or `30d`; without it, until it is taken back
    #[arg(long = "for", value_name = "SPAN", value_parser = crate::moment::span)]
    pub(crate) span: Option<Duration>,

    #[command(flatten)]
    pub(crate) arguments: ListArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const LIST_HELP: &str = "\
Asks the gateway that runs with this configuration on this machine. A list has to be in the
configuration; what is changed here holds beside it, also after a restart.

Examples:
  portreeve list show vip-devices
  portreeve list add vip-devices 00:50:56:a4:89:5a --for 8h --why 'board meeting'
  portreeve list remove vip-devices serial:C02XK0AAJGH5

Exit codes: 0 done, 1 failed, 2 wrong usage";
