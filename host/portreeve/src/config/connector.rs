//! `[connectors.NAME]`: one tenant of a device-management system.

use ipnet::IpNet;
use portreeve_egress::{EgressSettings, HostGrant};
use portreeve_runtime::Limits;
use serde::Serialize;

use super::certificate::CertificateFile;
use super::credential::{self, CredentialConfig, as_texts};
use super::egress::WayOut;
use super::file::ExistingFile;
use super::named::Named;
use super::place::Located;
use super::plugin::{LimitsConfig, Settings};
use super::read::{FromNode, Reader, Section};
use super::store::InventoryConfig;
use super::tree::Node;
use super::value::{Size, Span, choice};

/// Characters of a description.
const LONGEST_DESCRIPTION: usize = 256;

/// `[connectors.NAME]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ConnectorConfig {
    #[serde(skip)]
    pub(crate) name: Located<String>,
    pub(crate) enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: ServerKind,
    /// The template that is filled in already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) template: Option<String>,
    #[serde(serialize_with = "super::named::value")]
    pub(crate) plugin: Located<ExistingFile>,
    #[serde(serialize_with = "as_texts")]
    pub(crate) egress: Vec<HostGrant>,
    pub(crate) private_networks: Vec<IpNet>,
    pub(crate) trust: Vec<CertificateFile>,
    #[serde(flatten)]
    pub(crate) way_out: WayOut,
    pub(crate) ttl: Span,
    pub(crate) max_stale_compliant: Span,
    pub(crate) max_stale_other: Span,
    pub(crate) negative_ttl: Span,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requery_interval: Option<Span>,
    pub(crate) timeout: Span,
    pub(crate) limits: LimitsConfig,
    pub(crate) requests: RequestsConfig,
    pub(crate) inventory: Option<InventoryConfig>,
    pub(crate) settings: Settings,
    pub(crate) credentials: Named<CredentialConfig>,
}

/// What kind of server it is, for people: it decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ServerKind {
    MobileDeviceManager,
    DesktopDeviceManager,
    Other,
}

impl ServerKind {
    const WORDS: [(&str, Self); 3] = [
        ("mobile-device-manager", Self::MobileDeviceManager),
        ("desktop-device-manager", Self::DesktopDeviceManager),
        ("other", Self::Other),
    ];

    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        let known = Self::WORDS.into_iter().find(|(_, kind)| *kind == self);
        known.map_or("", |(word, _)| word)
    }
}

impl FromNode for ServerKind {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        choice(node, reader, &Self::WORDS)
    }
}

/// `[connectors.NAME.requests]`: bounds of what it asks its source.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RequestsConfig {
    pub(crate) connect_timeout: Span,
    pub(crate) timeout: Span,
    pub(crate) max_request: Size,
    pub(crate) max_response: Size,
    pub(crate) max_concurrent: usize,
}

impl RequestsConfig {
    fn read(section: Section<'_>) -> Self {
        let defaults = EgressSettings::default();
        let read = Self {
            connect_timeout: section.or("connect-timeout", Span(defaults.connect_timeout)),
            timeout: section.or("timeout", Span(defaults.request_timeout)),
            max_request: section.or("max-request", Size(defaults.max_request_bytes)),
            max_response: section.or("max-response", Size(defaults.max_response_bytes)),
            max_concurrent: section.or("max-concurrent", defaults.max_concurrent),
        };
        section.finish();
        read
    }
}

pub(super) fn read(name: Located<String>, section: Section<'_>) -> Option<ConnectorConfig> {
    let defaults = Limits::connector();
    let plugin = section.required("plugin", "\"plugins/intune.wasm\"");
    let enabled = section.or("enabled", true);
    let description: Option<String> = section.optional("description");
    if let Some(text) = &description
        && text.chars().count() > LONGEST_DESCRIPTION
    {
        let problem = section.problem("the description is too long");
        let hint = format!("it has at most {LONGEST_DESCRIPTION} characters");
        section.reader.report(problem.hint(hint));
    }
    let kind = section.or("type", ServerKind::MobileDeviceManager);
    let template = section.optional("template");
    let egress = section.or("egress", Vec::new());
    let private_networks = section.or("private-networks", Vec::new());
    let trust = section.or("trust", Vec::new());
    let way_out = WayOut::read(&section);
    let ttl = section.or("ttl", Span::seconds(5 * 60));
    let max_stale_compliant = section.or("max-stale-compliant", Span::seconds(24 * 3600));
    let max_stale_other = section.or("max-stale-other", Span::seconds(3600));
    let negative_ttl = section.or("negative-ttl", Span::seconds(60));
    let requery_interval = section.optional("requery-interval");
    let timeout = section.or("timeout", Span(defaults.wall_clock));
    let limits = LimitsConfig::read(section.section("limits"), &defaults);
    let requests = RequestsConfig::read(section.section("requests"));
    let inventory = section
        .optional_section("inventory")
        .map(InventoryConfig::read);
    let settings = Settings::read(&section);
    let credentials = section
        .named_sections("credentials")
        .into_iter()
        .filter_map(|(name, section)| credential::read(name, section))
        .collect();
    for (key, span) in [
        ("max-stale-compliant", max_stale_compliant),
        ("max-stale-other", max_stale_other),
    ] {
        if span < ttl {
            let problem =
                section.problem(format!("`{key}` ({span}) is shorter than `ttl` ({ttl})"));
            section.reader.report(
                problem.hint("a record is fresh for `ttl`, then stale until its `max-stale-…`"),
            );
        }
    }
    section.finish();
    Some(ConnectorConfig {
        name,
        enabled,
        description,
        kind,
        template,
        plugin: plugin?,
        egress,
        private_networks,
        trust,
        way_out,
        ttl,
        max_stale_compliant,
        max_stale_other,
        negative_ttl,
        requery_interval,
        timeout,
        limits,
        requests,
        inventory,
        settings: settings?,
        credentials: Named(credentials),
    })
}
