//! `portreeve policy …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::ConfigArgument;
use crate::moment::Moment;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Show the chains in force and how their policies are doing
    List {
        #[command(flatten)]
        arguments: PolicyArguments,
    },
    /// Show which verdicts other policies would change, over all known endpoints
    #[command(after_help = IMPACT_HELP)]
    Impact(PolicyImpact),
    /// Decide once more, under other policies, about what is in the decision log
    #[command(after_help = REPLAY_HELP)]
    Replay(PolicyReplay),
}

impl PolicyCommand {
    pub(crate) const fn arguments(&self) -> &PolicyArguments {
        match self {
            Self::List { arguments } => arguments,
            Self::Impact(command) => &command.arguments,
            Self::Replay(command) => &command.arguments,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PolicyImpact {
    /// A configuration, or a file with its tables `[chain]`, `[chains]`, `[policies]` and `[lists]`
    #[arg(value_hint = ValueHint::FilePath, required_unless_present = "wasm")]
    pub(crate) file: Option<PathBuf>,

    /// This component in the place of the one in force, with the settings in force
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "file")]
    pub(crate) wasm: Option<PathBuf>,

    /// Which policy the component is, if there are several
    #[arg(long, value_name = "NAME", requires = "wasm")]
    pub(crate) policy: Option<String>,

    #[command(flatten)]
    pub(crate) arguments: PolicyArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyReplay {
    /// A configuration, or a file with its tables `[chain]`, `[chains]`, `[policies]` and `[lists]`
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Decisions since then: a time, or how long ago, e.g. `7d`
    #[arg(long, value_name = "TIME", default_value = "7d")]
    pub(crate) since: Moment,

    /// Decisions before then
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,

    #[command(flatten)]
    pub(crate) arguments: PolicyArguments,
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
Examples:
  portreeve policy list
  portreeve policy impact new.toml
  portreeve policy replay --since 7d new.toml

Exit codes: 0 done, 1 failed, 2 wrong usage";

const IMPACT_HELP: &str = "\
Asks the gateway that runs with this configuration on this machine. No answer changes.

Examples:
  portreeve policy impact new.toml
  portreeve policy impact --wasm baseline-2.wasm --policy baseline

Exit codes: 0 shown, 1 failed, 2 wrong usage";

const REPLAY_HELP: &str = "\
Reads the decision log beside the store; the gateway may run. What the policies read has to be in the
log: see `facts` of `[decisions]`.

Examples:
  portreeve policy replay --since 7d new.toml
  portreeve policy replay --since 2026-11-20T00:00:00Z --until 2026-11-21T00:00:00Z new.toml --json

Exit codes: 0 shown, 1 failed, 2 wrong usage";
