//! `portreeve trust …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::ConfigArgument;

#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Show who is trusted
    List(TrustList),
    /// Show the certificates of one trusted file
    Show(TrustShow),
    /// Trust the certificates in a file
    Import(TrustImport),
    /// Show what a server presents, whether that is accepted, and what is missing
    Fetch(Box<TrustFetch>),
}

#[derive(Debug, Args)]
pub(crate) struct TrustList {
    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TrustShow {
    /// Name under `[trust.NAME]`
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How something that is trusted is written down.
#[derive(Debug, Args)]
pub(crate) struct TrustTerms {
    /// What for; may be given several times
    #[arg(long = "purpose", value_name = "PURPOSE", default_value = "connectors", value_parser = ["connectors", "clients"])]
    pub(crate) purposes: Vec<String>,

    /// Only for this connector; may be given several times
    #[arg(long = "connector", value_name = "NAME")]
    pub(crate) connectors: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TrustImport {
    /// A name of your own, e.g. `firewall`
    pub(crate) name: String,

    /// PEM with one or more certificates, DER or base64
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) terms: TrustTerms,

    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TrustFetch {
    /// The server; port 443 if none is named
    #[arg(value_name = "HOST[:PORT]")]
    pub(crate) server: String,

    /// Trust one of the presented certificates under this name
    #[arg(long, value_name = "NAME", requires = "fingerprint")]
    pub(crate) import: Option<String>,

    /// SHA-256 of that certificate, as somebody who knows it told you
    #[arg(long, value_name = "SHA256", requires = "import")]
    pub(crate) fingerprint: Option<String>,

    #[command(flatten)]
    pub(crate) terms: TrustTerms,

    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// How long it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) timeout: u64,
}

pub(crate) const TRUST_HELP: &str = "\
`fetch` takes the proxy and trust of the configuration, if there is one, and of the first
`--connector`. It sends nothing but a TLS handshake, and writes nothing unless `--import` and
`--fingerprint` say so. What is imported becomes `trust.d/NAME.toml` and `trust.d/NAME.pem` beside
the configuration, which has to have `include = [\"trust.d/*.toml\"]`.

Examples:
  portreeve trust list
  portreeve trust fetch graph.microsoft.com
  portreeve trust fetch mdm.example.com:8443 --import mdm --fingerprint 3F2C…
  portreeve trust import firewall firewall-ca.cer --connector contoso

Exit codes: 0 done or accepted, 1 failed or not accepted, 2 wrong usage";
