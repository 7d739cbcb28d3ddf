//! The configuration: one TOML file and what it includes, read into types.
//!
//! Reading finds everything that is wrong, not only the first mistake, and
//! says of each in which file, line and column it is, under which key, and
//! what to do. What comes out needs no further checks but those that take a
//! loaded plugin.
//!
//! No other part of the program reads the environment or a secret.

mod action;
mod certificate;
mod chain;
mod change;
mod client;
mod connector;
mod credential;
mod deciding;
mod egress;
mod environment;
mod expires;
mod file;
mod form;
mod intune;
mod ise;
mod list;
mod load;
mod log;
mod named;
mod outline;
mod place;
mod plugin;
mod policy;
mod problem;
mod proof;
mod pxgrid;
mod quarantine;
mod rate;
mod read;
mod resources;
mod sealed;
mod secret;
mod server;
mod store;
mod tree;
mod trust;
mod value;

use std::path::{Path, PathBuf};

use portreeve_egress::Secret;
use serde::{Serialize, Serializer};

pub(crate) use action::ActionsConfig;
pub(crate) use chain::{ChainConfig, SelectedChainConfig};
pub(crate) use change::{PolicyChangeConfig, Share};
pub(crate) use client::{CertificateMatch, ClientConfig};
pub(crate) use connector::ConnectorConfig;
pub(crate) use credential::{Algorithm, CredentialConfig, CredentialKind};
pub(crate) use deciding::{CandidateConfig, Deciding};
pub(crate) use environment::{Environment, ProcessEnvironment};
pub(crate) use file::ExistingFile;
pub(crate) use intune::IntuneConfig;
pub(crate) use ise::IseConfig;
pub(crate) use list::ListConfig;
pub(crate) use log::{LogConfig, LogFormat};
pub(crate) use named::Named;
pub(crate) use outline::Outline;
pub(crate) use place::Located;
pub(crate) use plugin::Settings;
pub(crate) use policy::{OnError, PolicyConfig};
pub(crate) use problem::{Problem, Problems};
pub(crate) use pxgrid::PxgridConfig;
pub(crate) use quarantine::QuarantineConfig;
pub(crate) use read::{is_name, listed, nearest};
pub(crate) use resources::{CacheConfig, PluginsConfig, SessionsConfig};
pub(crate) use sealed::{KEY_FILE, keys_in, sealed_texts, sealing_keys};
pub(crate) use secret::{SecretSetting, read_secret};
pub(crate) use server::{ServerConfig, TlsConfig};
pub(crate) use store::{DecisionsConfig, FactsKept, Keep, StoreConfig};
pub(crate) use trust::Purpose;
pub(crate) use value::Span;

use read::{Reader, Section};

/// Everything the operator decided.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The main file.
    #[serde(skip)]
    pub(crate) path: PathBuf,
    /// SHA-256 of all files of the configuration, in hexadecimal.
    #[serde(skip)]
    pub(crate) digest: String,
    /// All secrets that it names, to keep them out of what leaves the house.
    #[serde(skip)]
    pub(crate) secrets: Vec<Secret>,
    /// What the operator should know, though it is no error.
    #[serde(skip)]
    pub(crate) warnings: Vec<Problem>,
    pub(crate) server: ServerConfig,
    pub(crate) clients: Named<ClientConfig>,
    pub(crate) ise: IseConfig,
    pub(crate) egress: egress::EgressConfig,
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub(crate) trust: Named<trust::TrustConfig>,
    pub(crate) sources: SourcesConfig,
    /// In the order in which they are trusted.
    pub(crate) connectors: Named<ConnectorConfig>,
    pub(crate) chain: ChainConfig,
    /// In the order in which they are tried.
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub(crate) chains: Named<SelectedChainConfig>,
    /// Those that some chain names.
    pub(crate) policies: Named<PolicyConfig>,
    pub(crate) policy_change: PolicyChangeConfig,
    #[serde(serialize_with = "lists")]
    pub(crate) lists: Vec<(String, ListConfig)>,
    /// Ways to hold an endpoint back.
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub(crate) quarantine: Named<QuarantineConfig>,
    /// What may be done to devices.
    pub(crate) actions: ActionsConfig,
    pub(crate) cache: CacheConfig,
    pub(crate) sessions: SessionsConfig,
    pub(crate) store: Option<StoreConfig>,
    pub(crate) decisions: DecisionsConfig,
    pub(crate) pxgrid: Option<PxgridConfig>,
    pub(crate) plugins: PluginsConfig,
    pub(crate) log: LogConfig,
}

/// `[sources]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SourcesConfig {
    order: Vec<String>,
    pub(crate) max_calls: usize,
    pub(crate) retry_after: Span,
}

impl Config {
    /// Reads the file at `path` and what it includes.
    pub(crate) fn load(path: &Path, environment: &dyn Environment) -> Result<Self, Problems> {
        let reader = Reader::new(environment);
        let loaded = load::load(path, &reader).map(|(mut root, start)| {
            form::fill_in(&mut root, &reader);
            (root, start)
        });
        let config = loaded
            .and_then(|(root, start)| Self::read(Section::new(&reader, start, "", Some(&root))));
        let (digest, secrets) = (reader.digest(), reader.secrets());
        let warnings = reader.warnings();
        let mut config = reader.finish(config)?;
        path.clone_into(&mut config.path);
        config.digest = digest;
        config.secrets = secrets;
        config.warnings = warnings;
        Ok(config)
    }

    fn read(root: Section<'_>) -> Option<Self> {
        let mut server = server::read(root.section("server"));
        let clients = root.named_sections("clients").into_iter();
        let clients = clients.filter_map(|(name, section)| client::read(name, section));
        let clients = Named(clients.collect());
        client::report_same(&clients.0, root.reader);
        let ise = IseConfig::read(root.section("ise"));

        // What connectors use of them is in the connectors by now.
        root.node("templates");
        let connectors = root.named_sections("connectors").into_iter();
        let connectors = connectors.filter_map(|(name, section)| connector::read(name, section));
        let mut connectors = Named(connectors.collect());
        let egress = egress::EgressConfig::read(root.section("egress"));
        let trust = root.named_sections("trust").into_iter();
        let trust = Named(
            trust
                .filter_map(|(name, section)| trust::read(name, section))
                .collect(),
        );
        trust::check_connectors(&trust, &connectors.names(), root.reader);
        if let Some(tls) = server.as_mut().and_then(|server| server.tls.as_mut()) {
            tls.trusted_clients = trust::client_issuers(&trust);
        }
        egress::inherit(&mut connectors, &egress, &trust);
        let sources = root.section("sources");
        connectors.order(&sources, "order", true);
        client::check_sources(&clients.0, &connectors.names(), root.reader);
        let sources_config = SourcesConfig {
            order: connectors.owned_names(),
            max_calls: sources.or("max-calls", 256),
            retry_after: sources.or("retry-after", Span::seconds(30)),
        };
        sources.finish();

        let policies = root.named_sections("policies").into_iter();
        let policies = policies.filter_map(|(name, section)| policy::read(name, section));
        let mut policies = Named(policies.collect());
        let (chain, chains) = chain::read(&root, &mut policies, Some(&clients.names()));
        let policy_change = PolicyChangeConfig::read(root.section("policy-change"));

        let lists = list::read(root.node("lists"), root.reader);
        let quarantine = root.named_sections("quarantine").into_iter();
        let quarantine = quarantine.map(|(name, section)| quarantine::read(name, section));
        let quarantine = Named(quarantine.collect());
        let actions = ActionsConfig::read(root.section("actions"));
        let cache = CacheConfig::read(root.section("cache"));
        let sessions = SessionsConfig::read(root.section("sessions"));
        let store = root.optional_section("store").map(StoreConfig::read);
        let decisions = DecisionsConfig::read(root.section("decisions"), store.is_some());
        let pxgrid = root
            .optional_section("pxgrid")
            .map(|section| PxgridConfig::read(section, store.is_some()));
        let plugins = PluginsConfig::read(root.section("plugins"));
        let log = LogConfig::read(root.section("log"));
        root.finish();
        Some(Self {
            path: PathBuf::new(),
            digest: String::new(),
            secrets: Vec::new(),
            warnings: Vec::new(),
            server: server?,
            clients,
            ise,
            egress,
            trust,
            sources: sources_config,
            connectors,
            chain,
            chains,
            policies,
            policy_change,
            lists,
            quarantine,
            actions,
            cache,
            sessions,
            store: match store {
                Some(store) => Some(store?),
                None => None,
            },
            decisions,
            pxgrid,
            plugins,
            log,
        })
    }

    /// What is in force, with every default filled in and every secret left
    /// out, as TOML.
    pub(crate) fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }
}

fn lists<S: Serializer>(lists: &[(String, ListConfig)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(lists.iter().map(|(name, list)| (name, list)))
}

#[cfg(test)]
mod tests;
