//! `portreeve action …`

use clap::{Args, Subcommand};
use portreeve_domain::ActionKind;

use super::ConfigArgument;

#[derive(Debug, Subcommand)]
pub(crate) enum ActionCommand {
    /// Ask for an action on devices
    Start(ActionStart),
    /// Confirm what is not harmless; before that, nothing is done
    Confirm {
        /// What `start` printed, or whoever asked has told you
        token: String,
        /// Only show what would be done
        #[arg(long)]
        show: bool,
        #[command(flatten)]
        arguments: ActionArguments,
    },
    /// Show jobs, newest first
    List {
        /// How many at most
        #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 20,
            value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        arguments: ActionArguments,
    },
    /// Show a job with what became of each device
    Show {
        /// The job
        job: String,
        #[command(flatten)]
        arguments: ActionArguments,
    },
    /// Take back what was not handed over yet
    Cancel {
        /// The job
        job: String,
        #[command(flatten)]
        arguments: ActionArguments,
    },
    /// Show what can be done to a device, and what is in the way
    Possible {
        /// MAC address, GUID, or `kind:value`
        device: String,
        #[command(flatten)]
        arguments: ActionArguments,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ActionStart {
    /// `sync`, `lock`, `retire`, `wipe`, `notify`, or `other:NAME`
    pub(crate) action: ActionKind,

    /// MAC addresses, GUIDs, or `kind:value`
    #[arg(value_name = "DEVICE", required_unless_present = "query")]
    pub(crate) devices: Vec<String>,

    /// All devices that are like this, e.g. `os eq windows and last-seen lt -30d`
    #[arg(
        long,
        short = 'q',
        value_name = "CONDITION",
        conflicts_with = "devices"
    )]
    pub(crate) query: Option<String>,

    /// Title of a message
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,

    /// Text of a message; it may show on locked screens
    #[arg(long, value_name = "TEXT")]
    pub(crate) message: Option<String>,

    /// An argument of the action, as JSON or text; may be repeated
    #[arg(long = "argument", short = 'a', value_name = "NAME=VALUE")]
    pub(crate) settings: Vec<String>,

    /// Asked for twice under the same key it is done once; without one, each call has its own
    #[arg(long, value_name = "TEXT")]
    pub(crate) key: Option<String>,

    #[command(flatten)]
    pub(crate) arguments: ActionArguments,
}

impl ActionCommand {
    pub(crate) const fn arguments(&self) -> &ActionArguments {
        match self {
            Self::Start(start) => &start.arguments,
            Self::Confirm { arguments, .. }
            | Self::List { arguments, .. }
            | Self::Show { arguments, .. }
            | Self::Cancel { arguments, .. }
            | Self::Possible { arguments, .. } => arguments,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ActionArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const ACTION_HELP: &str = "\
Asks the gateway that runs with this configuration on this machine. Only what `allow` of
`[actions]` names is done.

Examples:
  portreeve action possible 00:50:56:a4:89:5a
  portreeve action start sync 00:50:56:a4:89:5a
  portreeve action start notify --title Update --message 'Please restart today' --query 'os eq ios'
  portreeve action start wipe 00:50:56:a4:89:5a -a keepUserData=true
  portreeve action confirm TOKEN
  portreeve action show JOB

Exit codes: 0 done, 1 failed, 2 wrong usage";
