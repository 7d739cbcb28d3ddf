//! What can be typed.

mod action;
mod bundle;
mod certificate;
mod device;
mod explain;
mod list;
mod policy;
mod pxgrid;
mod quarantine;
mod record;
mod scep;
mod secret;
mod trust;

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

pub(crate) use action::{ActionCommand, ActionStart};
pub(crate) use bundle::SupportBundle;
pub(crate) use certificate::{
    CertificateCommand, CertificateExport, CertificateFiles, CertificateFind, CertificateForm,
    CertificateNew, CertificateShow,
};
pub(crate) use device::{DeviceChoice, DeviceCommand, DeviceFormat};
pub(crate) use explain::Explain;
pub(crate) use list::{ListChange, ListCommand};
pub(crate) use policy::{PolicyCommand, PolicyImpact, PolicyReplay};
pub(crate) use pxgrid::{MayArgument, PxgridCommand};
pub(crate) use quarantine::QuarantineCommand;
pub(crate) use record::RecordCommand;
pub(crate) use scep::{ScepGateway, ScepNotify, ScepVerifier};
pub(crate) use secret::{SecretCommand, SecretKey, SecretRotate, SecretSeal};
pub(crate) use trust::{TrustCommand, TrustFetch, TrustImport, TrustList, TrustShow, TrustTerms};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Decides who may use a network port.
///
/// Portreeve answers the questions of network access control products (NAC) from what device
/// management systems know, under a policy that is a WebAssembly component.
#[derive(Debug, Parser)]
#[command(
    name = "portreeve",
    version,
    styles = STYLES,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = "Read `portreeve COMMAND --help` for examples and exit codes."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// What to log to stderr, e.g. `debug` or `info,portreeve_gateway=trace`; overrides `PORTREEVE_LOG` and the configuration
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway
    #[command(after_help = SERVE_HELP)]
    Serve(ConfigArgument),
    /// Let the gateway that runs read its configuration again
    #[command(after_help = RELOAD_HELP)]
    Reload(Reload),
    /// Add, list, rotate and revoke clients
    #[command(subcommand, after_help = CLIENT_HELP)]
    Client(ClientCommand),
    /// Check the configuration without touching the network
    #[command(after_help = CHECK_CONFIG_HELP)]
    CheckConfig(CheckConfig),
    /// Ask about one endpoint and show the verdict
    #[command(after_help = LOOKUP_HELP)]
    Lookup(Box<Lookup>),
    /// Show why an endpoint gets the answer it gets
    #[command(after_help = explain::EXPLAIN_HELP)]
    Explain(Box<Explain>),
    /// Search, list and export what is known about devices
    #[command(subcommand, after_help = device::DEVICE_HELP)]
    Device(Box<DeviceCommand>),
    /// Work with connectors
    #[command(subcommand, after_help = record::RECORD_HELP)]
    Connector(ConnectorCommand),
    /// Look after what is kept over restarts
    #[command(subcommand, after_help = STORE_HELP)]
    Store(StoreCommand),
    /// Show what was decided, newest last
    #[command(after_help = DECISIONS_HELP)]
    Decisions(Box<Decisions>),
    /// Look at the lists that policies ask about, and change them
    #[command(subcommand, after_help = list::LIST_HELP)]
    List(ListCommand),
    /// Look at what decides, and try out other policies
    #[command(subcommand, after_help = policy::POLICY_HELP)]
    Policy(PolicyCommand),
    /// Decide who may be a node of pxGrid
    #[command(subcommand, after_help = pxgrid::PXGRID_HELP)]
    Pxgrid(PxgridCommand),
    /// Act on devices: sync, lock, retire, wipe, notify and more
    #[command(subcommand, after_help = action::ACTION_HELP)]
    Action(ActionCommand),
    /// Hold endpoints back, whatever their management system says
    #[command(subcommand, after_help = quarantine::QUARANTINE_HELP)]
    Quarantine(QuarantineCommand),
    /// Look at the sessions of endpoints
    #[command(subcommand)]
    Session(SessionCommand),
    /// Collect what somebody who is to help needs to know, without secrets
    #[command(after_help = bundle::SUPPORT_BUNDLE_HELP)]
    SupportBundle(SupportBundle),
    /// Ask whether a certificate may be issued, for a SCEP server
    #[command(after_help = scep::SCEP_VERIFIER_HELP)]
    ScepVerifier(Box<ScepVerifier>),
    /// Tell which certificates a SCEP server has issued
    #[command(after_help = scep::SCEP_NOTIFY_HELP)]
    ScepNotify(Box<ScepNotify>),
    /// Work with plugin files
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Make, show and export certificates, and compare them with Entra
    #[command(subcommand, after_help = certificate::CERTIFICATE_HELP)]
    Certificate(CertificateCommand),
    /// Show whom the gateway trusts, and trust others
    #[command(subcommand, after_help = trust::TRUST_HELP)]
    Trust(TrustCommand),
    /// Seal secrets, so that they may stand in the configuration
    #[command(subcommand, after_help = secret::SECRET_HELP)]
    Secret(SecretCommand),
    /// Print a script that completes commands in your shell
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// Your shell
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectorCommand {
    /// Talk to a connector's source and report what works and what does not
    #[command(after_help = CONNECTOR_CHECK_HELP)]
    Check(ConnectorCheck),
    /// Read all devices of a connector's source now
    #[command(after_help = CONNECTOR_SYNC_HELP)]
    Sync(ConnectorSync),
    #[command(flatten)]
    Record(RecordCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Check the whole file; no gateway may be running with it
    Verify {
        #[command(flatten)]
        arguments: StoreArguments,
    },
    /// Copy it, also while the gateway runs
    Backup {
        /// The copy, a file that is not there yet
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        #[command(flatten)]
        arguments: StoreArguments,
    },
    /// Put a copy in its place; no gateway may be running with it
    Restore {
        /// The copy
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        #[command(flatten)]
        arguments: StoreArguments,
    },
    /// Give free space in the file back to the disk; no gateway may be running with it
    Compact {
        #[command(flatten)]
        arguments: StoreArguments,
    },
}

impl StoreCommand {
    pub(crate) const fn arguments(&self) -> &StoreArguments {
        match self {
            Self::Verify { arguments }
            | Self::Backup { arguments, .. }
            | Self::Restore { arguments, .. }
            | Self::Compact { arguments } => arguments,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct StoreArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// Show who is connected where, as network access servers have reported it
    #[command(after_help = SESSION_LIST_HELP)]
    List(SessionList),
}

#[derive(Debug, Args)]
pub(crate) struct SessionList {
    /// Only of the endpoint with this MAC address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mac: Option<portreeve_domain::MacAddress>,

    /// Only at this network access server, by its address or identifier
    #[arg(long, value_name = "NAME")]
    pub(crate) nas: Option<String>,

    /// How many, those heard of last
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,

    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Show what a plugin is, what it wants, and how to configure it
    #[command(after_help = PLUGIN_INSPECT_HELP)]
    Inspect(PluginInspect),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgument {
    /// Configuration file; else `PORTREEVE_CONFIG` names it, else it is `/etc/portreeve/portreeve.toml`
    #[arg(long, short, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Also if it changes the verdicts of more endpoints than `[policy-change]` allows
    #[arg(long)]
    pub(crate) force: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Add a client; prints its new key once
    Add(Box<ClientAdd>),
    /// Show all clients, without secrets
    List {
        #[command(flatten)]
        arguments: ClientArguments,
    },
    /// Give a client a new key; prints it once
    Rotate {
        /// Name of the client
        name: String,

        /// How long the key before stays valid, e.g. `30m`, `1h` or `7d`; `0s` ends it at once
        #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = crate::moment::span)]
        overlap: std::time::Duration,

        #[command(flatten)]
        arguments: ClientArguments,
    },
    /// Take a client out; it is refused from its next request on
    Revoke {
        /// Name of the client
        name: String,

        #[command(flatten)]
        arguments: ClientArguments,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ClientArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ClientAdd {
    /// Its name in the configuration, logs and policies
    pub(crate) name: String,

    /// What it may use, e.g. `rest` or `radius`; may be given several times
    #[arg(long = "face", value_name = "FACE", required = true,
        value_parser = clap::builder::PossibleValuesParser::new(portreeve_faces::Face::ALL.map(portreeve_faces::Face::as_str)))]
    pub(crate) faces: Vec<String>,

    /// From where it may connect, e.g. `10.0.0.0/8`; may be given several times
    #[arg(long = "network", value_name = "NETWORK")]
    pub(crate) networks: Vec<ipnet::IpNet>,

    /// User name for HTTP Basic; without it the key goes after `Bearer`
    #[arg(long, value_name = "USERNAME")]
    pub(crate) basic: Option<String>,

    /// Take the password in this file and make no key
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, requires = "basic")]
    pub(crate) password_file: Option<PathBuf>,

    /// No key: a certificate of a trusted issuer with this name
    #[arg(long, value_name = "NAME", conflicts_with = "basic")]
    pub(crate) san: Option<String>,

    /// No key: the certificate with this SHA-256 fingerprint
    #[arg(long, value_name = "HEX", conflicts_with_all = ["basic", "san"])]
    pub(crate) fingerprint: Option<String>,

    /// A connector that it may see, otherwise all; may be given several times
    #[arg(long = "source", value_name = "CONNECTOR")]
    pub(crate) sources: Vec<String>,

    /// How often it may ask, e.g. `100/s`
    #[arg(long, value_name = "RATE")]
    pub(crate) rate_limit: Option<String>,

    #[command(flatten)]
    pub(crate) arguments: ClientArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Lookup {
    /// What names the endpoint: a MAC address, a GUID or `kind:value`, e.g.
    /// `serial:C02XK0AAJGH5`; several identifiers name the same endpoint
    #[arg(required = true, value_name = "IDENTIFIER")]
    pub(crate) identifiers: Vec<portreeve_domain::Identifier>,

    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// How long to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) timeout: u64,

    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// Asking a gateway that runs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Asking a running gateway")]
pub(crate) struct Remote {
    /// Ask the gateway at this address, not the configuration
    #[arg(long, value_hint = ValueHint::Url, conflicts_with = "config")]
    pub(crate) url: Option<url::Url>,

    /// Trust the certificates in this file, not those of the system
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, requires = "url")]
    pub(crate) ca: Option<PathBuf>,

    /// User name; the password is in `--password-file` or in `PORTREEVE_PASSWORD`
    #[arg(long, value_name = "NAME", requires = "url")]
    pub(crate) user: Option<String>,

    /// File with the password
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, requires = "user")]
    pub(crate) password_file: Option<PathBuf>,

    /// File with a bearer key; else `PORTREEVE_TOKEN` holds the key itself
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath,
        requires = "url", conflicts_with = "user")]
    pub(crate) token_file: Option<PathBuf>,

    /// Client certificate and key, one PEM file
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, requires = "url")]
    pub(crate) identity: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectorCheck {
    /// Name of the connector in the configuration
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// How long the check may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) timeout: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectorSync {
    /// Name of the connector in the configuration
    pub(crate) name: String,

    /// Read everything, not only what changed
    #[arg(long)]
    pub(crate) full: bool,

    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Decisions {
    #[command(flatten)]
    pub(crate) config: ConfigArgument,

    /// Only since then: a time as in RFC 3339, or how long ago, e.g. `2h` or `7d`
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<crate::moment::Moment>,

    /// Only until then
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<crate::moment::Moment>,

    /// Only this verdict: `permit`, `restrict`, `deny` or `cannot-tell`
    #[arg(long, value_parser = ["permit", "restrict", "deny", "cannot-tell"])]
    pub(crate) verdict: Option<String>,

    /// Only what this client asked
    #[arg(long, value_name = "NAME")]
    pub(crate) client: Option<String>,

    /// Only about this endpoint
    #[arg(long, value_name = "IDENTIFIER")]
    pub(crate) identifier: Option<portreeve_domain::Identifier>,

    /// Only with this reason, e.g. `os-too-old`
    #[arg(long, value_name = "CODE")]
    pub(crate) reason: Option<String>,

    /// Only what this policy decided
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,

    /// Only what was different from before
    #[arg(long)]
    pub(crate) changed: bool,

    /// How many, the newest ones; 0 for all
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
    pub(crate) limit: usize,

    /// Go on showing what is decided
    #[arg(long, short)]
    pub(crate) follow: bool,

    /// Print JSON, one line for each decision
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PluginInspect {
    /// The component, a `.wasm` file
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const SERVE_HELP: &str = "\
For each listener one line `ready URL` goes to stdout once it serves. SIGTERM or SIGINT ends it
after the answers that are under way, a second one at once.

Examples:
  portreeve serve
  portreeve serve --config ./portreeve.toml --log debug

Exit codes: 0 ended by a signal, 1 error, 2 wrong usage";

const RELOAD_HELP: &str = "\
Clients, their keys and the server's certificates take effect at once, without a dropped
connection. A configuration with a mistake changes nothing. SIGHUP does the same.

Examples:
  portreeve reload
  portreeve reload --json | jq .needs_restart

Exit codes: 0 done, 1 failed, 2 wrong usage";

const CLIENT_HELP: &str = "\
Each client has a file of its own, `clients.d/NAME.toml` beside the configuration, which has to
have `include = [\"clients.d/*.toml\"]`. Only hashes of keys are kept. A gateway that runs reads
its configuration again at once.

Examples:
  portreeve client add helpdesk --face rest --network 10.1.0.0/16
  portreeve client add radius --face radius --basic radius
  portreeve client list --json | jq '.clients[].name'
  portreeve client rotate helpdesk --overlap 7d
  portreeve client revoke helpdesk

Exit codes: 0 done, 1 failed, 2 wrong usage";

const CHECK_CONFIG_HELP: &str = "\
Reads the configuration, its certificates, keys and secrets, loads every plugin and checks its
settings. Prints what is in force, with all defaults and without secrets.

Examples:
  portreeve check-config
  portreeve check-config --config ./portreeve.toml --json | jq .connectors

Exit codes: 0 usable, 1 not usable, 2 wrong usage";

const LOOKUP_HELP: &str = "\
Without `--url` the connectors and policies of the configuration run in this process, with an
empty cache. With `--url` a running gateway is asked.

Examples:
  portreeve lookup 00:50:56:a4:89:5a
  portreeve lookup serial:C02XK0AAJGH5 user:ada@example.com --json
  portreeve lookup 3eeb9e62-cec9-4dd8-9dd6-74903695a62b \\
      --url https://portreeve.example.com:8443 --user helpdesk --password-file ~/.portreeve

Exit codes: 0 permit, 1 error, 2 wrong usage, 3 restrict, 4 deny, 5 cannot tell";

const CONNECTOR_CHECK_HELP: &str = "\
Examples:
  portreeve connector check contoso
  portreeve connector check contoso --config ./portreeve.toml --json

Exit codes: 0 passed or degraded, 1 failed, 2 wrong usage";

const CONNECTOR_SYNC_HELP: &str = "\
Asks the gateway that runs with this configuration on this machine. When none runs, the devices
are read in this process and put into the store.

Examples:
  portreeve connector sync contoso
  portreeve connector sync contoso --full --json | jq .read

Exit codes: 0 done, 1 failed, 2 wrong usage";

const STORE_HELP: &str = "\
Examples:
  portreeve store verify
  portreeve store backup /var/backups/portreeve-2026-11-21.redb
  portreeve store restore /var/backups/portreeve-2026-11-21.redb
  portreeve store compact --json

Exit codes: 0 done, 1 failed, 2 wrong usage";

const DECISIONS_HELP: &str = "\
Reads the log under `directory` of `[store]`; what is in it `[decisions]` says.

Examples:
  portreeve decisions --since 1h --verdict deny
  portreeve decisions --identifier 00:50:56:a4:89:5a --limit 0
  portreeve decisions --follow --json | jq -c '[.at, .client, .verdict]'

Exit codes: 0 shown, 1 failed, 2 wrong usage";

const SESSION_LIST_HELP: &str = "\
Asks the gateway that runs with this configuration on this machine.

Examples:
  portreeve session list --mac 00:50:56:a4:89:5a
  portreeve session list --nas switch-7 --json | jq -r '.sessions[].user'

Exit codes: 0 shown, 1 failed, 2 wrong usage";

const PLUGIN_INSPECT_HELP: &str = "\
Examples:
  portreeve plugin inspect plugins/intune.wasm
  portreeve plugin inspect plugins/intune.wasm --json | jq .imports

Exit codes: 0 usable, 1 not usable, 2 wrong usage";

const COMPLETIONS_HELP: &str = "\
Examples:
  portreeve completions bash > ~/.local/share/bash-completion/completions/portreeve
  portreeve completions zsh > ~/.zfunc/_portreeve
  portreeve completions fish > ~/.config/fish/completions/portreeve.fish";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
