//! `portreeve secret …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::ConfigArgument;

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Make a key for sealed secrets, in a file of its own
    Key(SecretKey),
    /// Seal a secret, so that it may stand in the configuration
    Seal(SecretSeal),
    /// Make a new key and seal everything in the configuration again
    Rotate(SecretRotate),
}

#[derive(Debug, Args)]
pub(crate) struct SecretKey {
    /// The file, which must not be there yet
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SecretSeal {
    /// The secret is in this file; else it is read from stdin
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SecretRotate {
    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const SECRET_HELP: &str = "\
The key is in the file that `PORTREEVE_KEY_FILE` names, in systemd's credential `portreeve-key`, or
in `PORTREEVE_KEY` itself.

Examples:
  portreeve secret key /etc/portreeve/key
  export PORTREEVE_KEY_FILE=/etc/portreeve/key
  portreeve secret seal < client-secret
  portreeve secret rotate

Exit codes: 0 done, 1 failed, 2 wrong usage";
