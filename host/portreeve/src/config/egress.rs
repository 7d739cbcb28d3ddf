//! `[egress]` and what each connector may have otherwise: the proxy on the
//! way, and whom to trust.

use portreeve_egress::{ProxyException, ProxySettings};
use rustls_pki_types::CertificateDer;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::connector::ConnectorConfig;
use super::named::Named;
use super::problem::Problem;
use super::read::{FromNode, Reader, Section};
use super::secret::SecretSetting;
use super::tree::{Node, Value};
use super::trust::{Purpose, TrustConfig};
use super::value::parsed;

const DIRECT: &str = "direct";

/// `[egress]`: for all connectors.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct EgressConfig {
    pub(crate) proxy: Proxy,
    pub(crate) system_roots: bool,
}

impl EgressConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let read = Self {
            proxy: section.or("proxy", Proxy::Direct),
            system_roots: section.or("system-roots", true),
        };
        section.finish();
        read
    }
}

/// The same keys of one connector, and what it inherits.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct WayOut {
    proxy: Option<Proxy>,
    system_roots: Option<bool>,
    /// Of `[trust.NAME]`.
    #[serde(skip)]
    pub(crate) trusted: Vec<CertificateDer<'static>>,
}

impl WayOut {
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self {
            proxy: section.optional("proxy"),
            system_roots: section.optional("system-roots"),
            trusted: Vec::new(),
        }
    }

    pub(crate) fn proxy(&self) -> Option<ProxySettings> {
        self.proxy.as_ref().and_then(Proxy::settings)
    }

    /// What must not be shown, to tell whether it has changed.
    pub(crate) fn secret(&self) -> Option<&[u8]> {
        match &self.proxy {
            Some(Proxy::Through(proxy)) => {
                let password = proxy.password.as_ref()?;
                Some(password.value.expose().as_bytes())
            }
            _ => None,
        }
    }

    pub(crate) fn system_roots(&self) -> bool {
        self.system_roots.unwrap_or(true)
    }
}

/// Gives connectors what is said for all.
pub(super) fn inherit(
    connectors: &mut Named<ConnectorConfig>,
    egress: &EgressConfig,
    trust: &Named<TrustConfig>,
) {
    for connector in &mut connectors.0 {
        let name = &connector.name.value;
        let way = &mut connector.way_out;
        way.proxy.get_or_insert_with(|| egress.proxy.clone());
        way.system_roots.get_or_insert(egress.system_roots);
        let trust = trust.0.iter();
        let trust = trust.filter(|trust| trust.is_for(Purpose::Connectors, Some(name)));
        way.trusted
            .extend(trust.flat_map(|trust| trust.file.certificates.iter().cloned()));
    }
}

/// What is between the gateway and those whom it asks.
#[derive(Clone, Debug)]
pub(crate) enum Proxy {
    Direct,
    Through(Box<ProxyConfig>),
}

/// An HTTP proxy.
#[derive(Clone, Debug)]
pub(crate) struct ProxyConfig {
    url: String,
    user: Option<String>,
    password: Option<SecretSetting>,
    no_proxy: Vec<String>,
    settings: ProxySettings,
}

impl Proxy {
    pub(crate) fn settings(&self) -> Option<ProxySettings> {
        match self {
            Self::Direct => None,
            Self::Through(proxy) => Some(proxy.settings.clone()),
        }
    }
}

impl FromNode for Proxy {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        if matches!(&node.value, Value::String(text) if text == DIRECT) {
            return Some(Self::Direct);
        }
        if !matches!(node.value, Value::Table(_)) {
            let problem = Problem::new(&node.place, &node.key, "this is no proxy");
            reader.report(problem.hint(
                "write `{ url = \"http://proxy.example.com:3128\" }`, or `\"direct\"` for none",
            ));
            return None;
        }
        let section = Section::of_node(node, reader)?;
        let url: Option<String> = section.required("url", "\"http://proxy.example.com:3128\"");
        let user: Option<String> = section.optional("user");
        let password: Option<SecretSetting> = section.optional("password");
        let one_alone = section.node("user").is_some() != section.node("password").is_some();
        let except: Vec<ProxyException> = section.or("no-proxy", Vec::new());
        section.finish();
        if one_alone {
            let message = "`user` and `password` go together";
            reader.report(
                Problem::new(&node.place, &node.key, message)
                    .hint("add the other one, or leave both out"),
            );
            return None;
        }
        let url = url?;
        let no_proxy = except.iter().map(ToString::to_string).collect();
        let pair = user.as_deref().zip(password.as_ref());
        let pair = pair.map(|(user, password)| (user, &password.value));
        match ProxySettings::new(&url, pair, except) {
            Ok(settings) => Some(Self::Through(Box::new(ProxyConfig {
                url,
                user,
                password,
                no_proxy,
                settings,
            }))),
            Err(error) => {
                let problem = Problem::new(&node.place, &node.key, error.to_string());
                reader.report(problem.hint(
                    "write `{ url = \"http://proxy.example.com:3128\", user = \"…\", password = { file = \"…\" } }`",
                ));
                None
            }
        }
    }
}

impl FromNode for ProxyException {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        parsed(
            node,
            reader,
            "destination to be asked without the proxy",
            "write a host, `*.domain`, an address or a network",
        )
    }
}

impl Serialize for Proxy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self::Through(proxy) = self else {
            return serializer.serialize_str(DIRECT);
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("url", &proxy.url)?;
        if let (Some(user), Some(password)) = (&proxy.user, &proxy.password) {
            map.serialize_entry("user", user)?;
            map.serialize_entry("password", password)?;
        }
        map.serialize_entry("no-proxy", &proxy.no_proxy)?;
        map.end()
    }
}
