//! What an operator can set, and what is refused.

use portreeve_plugin::ConfigProblem;
use serde::Deserialize;

use crate::address::Address;

/// JSON Schema of the settings.
pub(crate) const SCHEMA: &str = include_str!("../settings.schema.json");

/// Settings of one tenant. The schema describes each.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) graph_url: String,
    pub(crate) service_hosts: Vec<String>,
    pub(crate) service_url: Option<String>,
    pub(crate) service_version: u8,
    pub(crate) discovery_cache_hours: u32,
    pub(crate) inventory: Inventory,
    pub(crate) delta: Delta,
    pub(crate) non_compliant_list: bool,
    pub(crate) compliance_details: bool,
    pub(crate) provider_name: String,
}

/// Where the whole fleet is read from.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Inventory {
    /// Graph's `managedDevices`.
    Graph,
    /// Nowhere: it needs a permission that look-ups do not need.
    #[default]
    Off,
}

/// What is read between two full reads.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Delta {
    /// Devices that reported since.
    #[default]
    LastSync,
    /// Nothing.
    None,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            graph_url: "https://graph.microsoft.com".to_owned(),
            service_hosts: [
                ".manage.microsoft.com",
                ".manage.microsoft.us",
                ".manage.microsoftonline.cn",
            ]
            .map(str::to_owned)
            .to_vec(),
            service_url: None,
            service_version: 3,
            discovery_cache_hours: 24,
            inventory: Inventory::default(),
            delta: Delta::default(),
            non_compliant_list: false,
            compliance_details: false,
            provider_name: concat!("Portreeve ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl Settings {
    /// Reads settings and checks what the schema cannot say. All that is wrong
    /// is reported at once.
    pub(crate) fn parse(document: &str) -> Result<Self, Vec<ConfigProblem>> {
        let settings: Self =
            portreeve_plugin::settings::parse(document).map_err(|problem| vec![problem])?;
        let problems = settings.problems();
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems)
        }
    }

    /// The versions of the compliance service.
    pub(crate) fn version(&self) -> ServiceVersion {
        if self.service_version == 2 {
            ServiceVersion::V2
        } else {
            ServiceVersion::V3
        }
    }

    /// How long a discovered address is kept, in milliseconds; 0 for not at all.
    pub(crate) fn discovery_cache_ms(&self) -> u64 {
        u64::from(self.discovery_cache_hours) * 3_600_000
    }

    fn problems(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut refuse = |pointer: String, message: String| {
            problems.push(ConfigProblem { pointer, message });
        };
        if let Some(message) = graph_problem(&self.graph_url) {
            refuse("/graph-url".to_owned(), message);
        }
        if self.service_hosts.is_empty() {
            refuse(
                "/service-hosts".to_owned(),
                "at least one host is needed".to_owned(),
            );
        }
        for (index, host) in self.service_hosts.iter().enumerate() {
            if let Some(message) = host_problem(host) {
                refuse(format!("/service-hosts/{index}"), message);
            }
        }
        if !matches!(self.service_version, 2 | 3) {
            refuse(
                "/service-version".to_owned(),
                format!("`{}` is neither 2 nor 3", self.service_version),
            );
        }
        if self.discovery_cache_hours > 168 {
            refuse(
                "/discovery-cache-hours".to_owned(),
                format!("`{}` is more than 168", self.discovery_cache_hours),
            );
        }
        if self.compliance_details && self.inventory == Inventory::Off {
            refuse(
                "/compliance-details".to_owned(),
                "the details are part of an inventory; hint: set `inventory = \"graph\"`"
                    .to_owned(),
            );
        }
        if let Some(message) = provider_problem(&self.provider_name) {
            refuse("/provider-name".to_owned(), message);
        }
        if self.non_compliant_list && self.inventory == Inventory::Off {
            refuse(
                "/non-compliant-list".to_owned(),
                "the list is part of an inventory; hint: set `inventory = \"graph\"`".to_owned(),
            );
        }
        if self.non_compliant_list && self.version() == ServiceVersion::V2 {
            refuse(
                "/non-compliant-list".to_owned(),
                "the list names devices by GUID, which only `service-version` 3 does".to_owned(),
            );
        }
        problems
    }
}

/// Which compliance service is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServiceVersion {
    /// `NACAPIService`, NAC 1.x in its ISE form.
    V2,
    /// `ComplianceRetrievalService`, NAC 2.0.
    V3,
}

impl ServiceVersion {
    /// Its name in the list of Intune's services.
    pub(crate) fn provider(self) -> &'static str {
        match self {
            Self::V2 => "NACAPIService",
            Self::V3 => "ComplianceRetrievalService",
        }
    }

    /// Where its devices are, below the address of the service.
    pub(crate) fn devices_path(self) -> &'static str {
        match self {
            Self::V2 => "/ciscodeviceinfo/mdm/api/devices/",
            Self::V3 => "/cisco/devices/",
        }
    }

    /// The number it goes by in queries and answers.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// It becomes the value of a header (RFC 9110, section 5.5).
fn provider_problem(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some("the name and version of who issues certificates are missing".to_owned());
    }
    let plain = name.bytes().all(|byte| matches!(byte, b' '..=b'~')) && name.trim() == name;
    (!plain || name.len() > 128)
        .then(|| format!("`{name}` is no name and version of at most 128 plain characters"))
}

fn graph_problem(url: &str) -> Option<String> {
    // Old set-ups have it with the tenant stuck to the host, without a slash.
    if url.to_ascii_lowercase().contains("graph.windows.net") {
        return Some(format!(
            "`{url}` is Azure AD Graph, which Intune left on 30 June 2023; \
             set `https://graph.microsoft.com` instead"
        ));
    }
    match Address::parse(url) {
        Err(problem) => Some(format!(
            "`{url}` is no address of Microsoft Graph: {problem}"
        )),
        Ok(address) if address.path.contains('?') => Some(format!(
            "`{url}` has a query; only scheme and host are wanted"
        )),
        Ok(_) => None,
    }
}

fn host_problem(host: &str) -> Option<String> {
    let name = host.strip_prefix('.').unwrap_or(host);
    if Address::parse(&format!("https://{name}")).map(|address| address.host)
        != Ok(name.to_ascii_lowercase())
    {
        return Some(format!("`{host}` is no host name, nor the ending of one"));
    }
    // An ending such as `.com` would let the token go nearly anywhere.
    (host.starts_with('.') && !name.contains('.'))
        .then(|| format!("the ending `{host}` is too wide; it needs two names at least"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_the_same_defaults() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let defaults: serde_json::Map<_, _> = schema["properties"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, property)| (key.clone(), property["default"].clone()))
            .collect();
        let document = serde_json::Value::Object(defaults).to_string();
        assert_eq!(Settings::parse(&document).unwrap(), Settings::default());
        assert_eq!(Settings::parse("{}").unwrap(), Settings::default());
    }

    fn check(document: &str, expected: &[(&str, &str)]) {
        let problems = Settings::parse(document).unwrap_err();
        assert_eq!(problems.len(), expected.len(), "{document}: {problems:?}");
        for (problem, (pointer, text)) in problems.iter().zip(expected) {
            assert_eq!(problem.pointer, *pointer, "{document}");
            assert!(
                problem.message.contains(text),
                "{document}: {}",
                problem.message
            );
        }
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        check("[", &[("", "do not fit")]);
        check(r#"{"graph":"x"}"#, &[("", "graph")]);
        check(
            r#"{"graph-url":"http://graph.microsoft.com"}"#,
            &[("/graph-url", "https")],
        );
        check(
            r#"{"graph-url":"https://graph.windows.net/contoso"}"#,
            &[("/graph-url", "set `https://graph.microsoft.com` instead")],
        );
        check(
            r#"{"graph-url":"https://graph.windows.net72f988bf-86f1"}"#,
            &[("/graph-url", "30 June 2023")],
        );
        check(
            r#"{"graph-url":"https://h/?a=b"}"#,
            &[("/graph-url", "query")],
        );
        check(
            r#"{"service-hosts":[]}"#,
            &[("/service-hosts", "at least one")],
        );
        check(
            r#"{"service-hosts":["localhost",".com","a b",""],"service-version":1}"#,
            &[
                ("/service-hosts/1", "too wide"),
                ("/service-hosts/2", "no host name"),
                ("/service-hosts/3", "no host name"),
                ("/service-version", "neither 2 nor 3"),
            ],
        );
        check(r#"{"inventory":"Graph"}"#, &[("", "`graph` or `off`")]);
        check(r#"{"inventory":true}"#, &[("", "do not fit")]);
        check(r#"{"delta":"delta"}"#, &[("", "`last-sync` or `none`")]);
        check(
            r#"{"non-compliant-list":true}"#,
            &[("/non-compliant-list", "set `inventory = \"graph\"`")],
        );
        check(
            r#"{"non-compliant-list":true,"inventory":"graph","service-version":2}"#,
            &[("/non-compliant-list", "only `service-version` 3")],
        );
        check(
            r#"{"compliance-details":true}"#,
            &[("/compliance-details", "set `inventory = \"graph\"`")],
        );
        check(
            r#"{"provider-name":" "}"#,
            &[("/provider-name", "are missing")],
        );
        check(
            r#"{"provider-name":"Contoso CA\n1.0"}"#,
            &[("/provider-name", "plain characters")],
        );
        check(
            r#"{"discovery-cache-hours":169}"#,
            &[("/discovery-cache-hours", "168")],
        );
    }

    #[test]
    fn takes_a_test_tenant() {
        let settings = Settings::parse(
            r#"{"graph-url":"https://localhost:8443/","service-hosts":["localhost","127.0.0.1"]}"#,
        );
        assert!(settings.is_ok(), "{settings:?}");
    }
}
