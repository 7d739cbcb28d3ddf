//! `portreeve explain`

use clap::Args;

use super::ConfigArgument;

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// What names the endpoint: a MAC address, a GUID or `kind:value`; several identifiers name the
    /// same endpoint
    #[arg(value_name = "IDENTIFIER", required_unless_present = "decision")]
    pub(crate) identifiers: Vec<portreeve_domain::Identifier>,

    /// As this client asks: its chain, and what it may see
    #[arg(long, value_name = "NAME", conflicts_with = "decision")]
    pub(crate) client: Option<String>,

    /// As for an endpoint at this switch, controller or gateway
    #[arg(long, value_name = "NAME", conflicts_with = "decision")]
    pub(crate) nas: Option<String>,

    /// As for an endpoint at this SSID, port or tunnel group
    #[arg(long, value_name = "NAME", conflicts_with = "decision")]
    pub(crate) attachment: Option<String>,

    /// As for an endpoint that connects like this
    #[arg(long, value_name = "MEDIUM", value_parser = ["wired", "wireless", "vpn"], conflicts_with = "decision")]
    pub(crate) medium: Option<String>,

    /// A decision of the past, by the `X-Request-Id` of its answer
    #[arg(long, value_name = "ID")]
    pub(crate) decision: Option<String>,

    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const EXPLAIN_HELP: &str = "\
Asks the gateway that runs with this configuration on this machine.

Examples:
  portreeve explain 00:50:56:a4:89:5a
  portreeve explain 00:50:56:a4:89:5a --client ise --nas 10.20.0.7
  portreeve explain --decision 3f2a7c9e00000017

Exit codes: 0 explained, 1 failed, 2 wrong usage";
