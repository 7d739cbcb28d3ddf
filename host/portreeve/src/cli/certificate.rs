//! `portreeve certificate …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

#[derive(Debug, Subcommand)]
pub(crate) enum CertificateCommand {
    /// Make an RSA key and a certificate that it signs itself
    New(CertificateNew),
    /// Show names, fingerprints, validity and issuers
    Show(CertificateShow),
    /// Give out the certificate without its key
    Export(CertificateExport),
    /// Print `keyCredentials` for the manifest of an application in Entra
    Keycredentials(CertificateFiles),
    /// Find the certificate in a manifest that was downloaded from Entra
    Find(CertificateFind),
}

#[derive(Debug, Args)]
pub(crate) struct CertificateNew {
    /// Name of the two files, `NAME.pem` and `NAME-key.pem`
    pub(crate) name: String,

    /// Common name of the subject; Entra shows it as the entry's name
    #[arg(long, value_name = "TEXT")]
    pub(crate) common_name: Option<String>,

    /// How long it is valid
    #[arg(long, value_name = "DAYS", default_value_t = 365,
        value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) days: u32,

    /// Size of the RSA key
    #[arg(long, value_name = "BITS", default_value = "3072", value_parser = ["2048", "3072", "4096"])]
    pub(crate) bits: String,

    /// Where the files are put
    #[arg(long, value_name = "PATH", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) directory: PathBuf,

    /// Encrypt the key with the password in this file
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) password_file: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CertificateShow {
    #[command(flatten)]
    pub(crate) files: CertificateFiles,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CertificateExport {
    /// PEM, DER, base64 or PFX file
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// In which form
    #[arg(long, value_enum, default_value = "pem")]
    pub(crate) form: CertificateForm,

    /// Write it here, not to stdout; the file must not be there yet
    #[arg(long, short, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Password of a PFX file is in this file
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) password_file: Option<PathBuf>,

    /// Print JSON, with the certificate as base64
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a certificate is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CertificateForm {
    /// DER
    Cer,
    /// PEM text
    Pem,
    /// PEM text, as `pem`
    Crt,
    /// One line of base64, without `BEGIN` and `END`
    Base64,
}

#[derive(Debug, Args)]
pub(crate) struct CertificateFiles {
    /// PEM, DER, base64 or PFX files
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,

    /// Password of PFX files is in this file
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CertificateFind {
    #[command(flatten)]
    pub(crate) files: CertificateFiles,

    /// The manifest, JSON
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) manifest: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const CERTIFICATE_HELP: &str = "\
None of these needs a configuration, and none gives out a private key but `new`, into a file that
only you can read.

Examples:
  portreeve certificate new portreeve --days 730
  portreeve certificate show portreeve.pfx --password-file pfx-password
  portreeve certificate export portreeve.pfx --form cer --output portreeve.cer
  portreeve certificate keycredentials node1.pem node2.pem
  portreeve certificate find portreeve.pem --manifest manifest.json

Exit codes: 0 done, 1 failed or not found, 2 wrong usage";
