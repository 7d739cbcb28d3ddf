//! `portreeve scep-verifier` and `portreeve scep-notify`

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use url::Url;

use super::Remote;

/// Which gateway is asked, and how it knows who asks.
#[derive(Debug, Args)]
pub(crate) struct ScepGateway {
    /// Address of the gateway; else `PORTREEVE_URL` names it
    #[arg(long, value_hint = ValueHint::Url)]
    pub(crate) url: Option<Url>,

    /// Trust the certificates in this file, not those of the system; else `PORTREEVE_CA` names it
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) ca: Option<PathBuf>,

    /// File with a bearer key; else `PORTREEVE_TOKEN_FILE` names it or `PORTREEVE_TOKEN` is the key
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,

    /// Client certificate and key, one PEM file
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Option<PathBuf>,

    /// Which connector is meant, if several answer for certificate requests
    #[arg(long, value_name = "NAME")]
    pub(crate) connector: Option<String>,

    /// How long the gateway may take
    #[arg(long, value_name = "SECONDS", default_value_t = 40,
        value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) timeout: u64,
}

impl ScepGateway {
    /// The same as for other commands that ask a gateway.
    pub(crate) fn remote(&self) -> Remote {
        Remote {
            url: self.url.clone(),
            ca: self.ca.clone(),
            user: None,
            password_file: None,
            token_file: self.token_file.clone(),
            identity: self.identity.clone(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ScepVerifier {
    #[command(flatten)]
    pub(crate) gateway: ScepGateway,

    /// Folder where approved requests wait until `portreeve scep-notify` has told what became of
    /// them
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    pub(crate) spool: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ScepNotify {
    #[command(flatten)]
    pub(crate) gateway: ScepGateway,

    /// Folder where `portreeve scep-verifier` left approved requests
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    pub(crate) spool: PathBuf,

    /// Folder where the SCEP server keeps the certificates that it issues
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    pub(crate) depot: PathBuf,

    /// How long a certificate may take after its approval; then it is told that none was issued
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) wait: u64,

    /// How often to look
    #[arg(long, value_name = "SECONDS", default_value_t = 5,
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) interval: u64,

    /// Look once and end
    #[arg(long, conflicts_with = "listen")]
    pub(crate) once: bool,

    /// Stand before the SCEP server at this address: its answers leave once it is told what was
    /// issued
    #[arg(long, value_name = "ADDRESS:PORT", requires = "server")]
    pub(crate) listen: Option<SocketAddr>,

    /// Address of the SCEP server behind it, e.g. `http://127.0.0.1:8081`
    #[arg(long, value_hint = ValueHint::Url, requires = "listen")]
    pub(crate) server: Option<Url>,
}

pub(crate) const SCEP_VERIFIER_HELP: &str = "\
Reads a certificate request (PKCS #10, DER or PEM) from stdin and asks a gateway whether the
management system behind it vouches for it. A SCEP server runs it for every request, micromdm's
as `scepserver -csrverifierexec`.

Examples:
  portreeve scep-verifier --url https://portreeve.example.com:8443 \\
      --token-file /etc/portreeve/scep-key --spool /var/lib/scep/approved < request.der

Exit codes: 0 approved, 1 failed, 2 wrong usage, 3 refused, 4 for another management system.
A certificate may be issued after 0 only.";

pub(crate) const SCEP_NOTIFY_HELP: &str = "\
Tells the management system, through a gateway, which of the approved requests got a certificate
and which did not. Goes on until it is stopped.

Examples:
  portreeve scep-notify --url https://portreeve.example.com:8443 \\
      --token-file /etc/portreeve/scep-key --spool /var/lib/scep/approved --depot /var/lib/scep/depot
  portreeve scep-notify --once --spool approved --depot depot
  portreeve scep-notify --spool approved --depot depot \\
      --listen 0.0.0.0:8080 --server http://127.0.0.1:8081

Exit codes: 0 done, 1 something was not taken, 2 wrong usage";
