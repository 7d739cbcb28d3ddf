//! One connector of the configuration, ready to be asked.

use std::sync::Arc;

use portreeve_egress::{
    AssertionAlgorithm, CredentialKind, CredentialSettings, Egress, EgressSettings, HostGrant,
};
use portreeve_gateway::About;
use portreeve_runtime::{
    Connector, ConnectorSettings, Descriptor, MemoryState, PageLimits, PluginKind, Runtime,
    StateQuota,
};

use portreeve_store::Store;
use sha2::{Digest as _, Sha256};

use super::plugin;
use super::state::StoredState;
use crate::config::{
    self, Algorithm, ConnectorConfig, CredentialConfig, Problem, Problems, listed, nearest,
};

/// A connector that can be asked.
#[derive(Clone, Debug)]
pub(crate) struct LoadedConnector {
    pub(crate) connector: Arc<Connector>,
    pub(crate) about: Arc<About>,
    /// What the operator should know, though it is no error.
    pub(crate) warnings: Vec<Problem>,
}

/// Loads it, unless nothing has changed since the one `before`.
pub(super) async fn load_changed(
    config: &ConnectorConfig,
    before: Option<&LoadedConnector>,
    runtime: &Runtime,
    store: Option<&Arc<Store>>,
) -> Result<LoadedConnector, Problems> {
    if let Some(before) = before
        && let Some(same) = unchanged(config, before).await
    {
        return Ok(same);
    }
    load(config, runtime, store).await
}

async fn unchanged(config: &ConnectorConfig, before: &LoadedConnector) -> Option<LoadedConnector> {
    let component = tokio::fs::read(config.plugin.value.path()).await.ok()?;
    let digest = digest(config, &hex::encode(Sha256::digest(component)));
    (before.about.digest == digest).then(|| LoadedConnector {
        connector: Arc::clone(&before.connector),
        about: Arc::new(About {
            description: config.description.clone(),
            kind: config.kind.word().to_owned(),
            template: config.template.clone(),
            ..About::clone(&before.about)
        }),
        warnings: before.warnings.clone(),
    })
}

/// Loads it.
pub(super) async fn load(
    config: &ConnectorConfig,
    runtime: &Runtime,
    store: Option<&Arc<Store>>,
) -> Result<LoadedConnector, Problems> {
    let plugin = plugin::load(&config.plugin, PluginKind::Connector, runtime).await?;
    let descriptor = plugin.descriptor();
    let about = About {
        digest: digest(config, plugin.digest()),
        description: config.description.clone(),
        kind: config.kind.word().to_owned(),
        provider: match &descriptor.vendor {
            Some(vendor) if !descriptor.display_name.contains(vendor.as_str()) => {
                format!("{} ({vendor})", descriptor.display_name)
            }
            _ => descriptor.display_name.clone(),
        },
        plugin: config.plugin.value.path().display().to_string(),
        version: descriptor.version.clone(),
        template: config.template.clone(),
    };
    let mut problems = credential_problems(config, plugin.descriptor());
    let egress = Egress::new(config.name.value.clone(), egress_settings(config));
    let egress = match egress {
        Ok(egress) => egress,
        Err(error) => {
            let problem = Problem::with(&config.name, error.to_string());
            problems
                .push(problem.hint("see `egress`, `trust` and `credentials` of this connector"));
            return Err(Problems(problems));
        }
    };
    let settings = ConnectorSettings {
        settings: config.settings.to_json(),
        limits: config.limits.to_limits(config.timeout),
        breaker: config.limits.to_breaker(),
        egress,
        pages: PageLimits {
            wall_clock: config
                .inventory
                .as_ref()
                .map_or(PageLimits::default().wall_clock, |inventory| {
                    inventory.page_timeout.0
                }),
            ..PageLimits::default()
        },
        state: match store {
            Some(store) => Arc::new(StoredState::new(Arc::clone(store), &config.name.value)),
            None => Arc::new(MemoryState::new(StateQuota::default())),
        },
    };
    match plugin.connector(&config.name.value, settings).await {
        Ok(connector) if problems.is_empty() => Ok(LoadedConnector {
            connector: Arc::new(connector),
            about: Arc::new(about),
            warnings: ungranted(config, plugin.descriptor()),
        }),
        Ok(_) => Err(Problems(problems)),
        Err(error) => {
            let Problems(found) = plugin::instance_problems(
                &config.name,
                &config.plugin,
                &config.settings,
                &plugin,
                error,
            );
            problems.extend(found);
            Err(Problems(problems))
        }
    }
}

/// SHA-256 of everything that a check is about: plugin, settings, credentials
/// with their secrets, trust and limits. How long its records hold, how often it
/// is read and what it is called is not.
fn digest(config: &ConnectorConfig, component: &str) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    let ConnectorConfig {
        name,
        egress,
        private_networks,
        trust,
        way_out,
        timeout,
        limits,
        requests,
        inventory,
        settings,
        credentials,
        enabled: _,
        description: _,
        kind: _,
        template: _,
        plugin: _,
        ttl: _,
        max_stale_compliant: _,
        max_stale_other: _,
        negative_ttl: _,
        requery_interval: _,
    } = config;
    let page_timeout = inventory.as_ref().map(|inventory| inventory.page_timeout);
    let shown = serde_json::json!({
        "name": name.value,
        "egress": egress.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "private-networks": private_networks,
        "way-out": way_out,
        "timeout": timeout,
        "limits": limits,
        "requests": requests,
        "page-timeout": page_timeout,
        "settings": settings,
        "credentials": credentials,
    });
    part(component.as_bytes());
    part(shown.to_string().as_bytes());
    let trusted = trust.iter().flat_map(|file| &file.certificates);
    for certificate in trusted.chain(&way_out.trusted) {
        part(certificate);
    }
    part(way_out.secret().unwrap_or_default());
    for credential in &credentials.0 {
        for secret in credential.kind.secrets() {
            part(secret);
        }
    }
    hex::encode(hash.finalize())
}

fn egress_settings(config: &ConnectorConfig) -> EgressSettings {
    let roots = config.trust.iter().flat_map(|file| &file.certificates);
    let roots = roots.chain(&config.way_out.trusted);
    EgressSettings {
        allow: config.egress.clone(),
        private_networks: config.private_networks.clone(),
        connect_timeout: config.requests.connect_timeout.0,
        request_timeout: config.requests.timeout.0,
        max_response_bytes: config.requests.max_response.0,
        max_request_bytes: config.requests.max_request.0,
        max_concurrent: config.requests.max_concurrent,
        roots: roots.cloned().collect(),
        system_roots: config.way_out.system_roots(),
        proxy: config.way_out.proxy(),
        credentials: config.credentials.0.iter().map(credential).collect(),
    }
}

fn credential(config: &CredentialConfig) -> CredentialSettings {
    let kind = match &config.kind {
        config::CredentialKind::ClientSecret { token, secret } => {
            CredentialKind::Oauth2ClientSecret {
                token_url: token.token_url.to_string(),
                client_id: token.client_id.clone(),
                secret: secret.value.clone(),
                scope: token.scope.clone().unwrap_or_default(),
            }
        }
        config::CredentialKind::ClientCertificate {
            token,
            certificate,
            algorithm,
        } => CredentialKind::Oauth2ClientCertificate {
            token_url: token.token_url.to_string(),
            client_id: token.client_id.clone(),
            certificate: certificate.certificate.clone(),
            scope: token.scope.clone().unwrap_or_default(),
            algorithm: match algorithm {
                Algorithm::Ps256 => AssertionAlgorithm::Ps256,
                Algorithm::Rs256 => AssertionAlgorithm::Rs256,
            },
        },
        config::CredentialKind::Basic { username, password } => CredentialKind::Basic {
            user: username.clone(),
            password: password.value.clone(),
        },
        config::CredentialKind::Bearer { secret } => CredentialKind::Bearer {
            token: secret.value.clone(),
        },
        config::CredentialKind::Header { header, secret } => CredentialKind::Header {
            name: header.clone(),
            value: secret.value.clone(),
        },
        config::CredentialKind::Hmac { secret } => CredentialKind::Hmac {
            secret: secret.value.clone(),
        },
    };
    CredentialSettings {
        slot: config.name.value.clone(),
        urls: config.urls.clone(),
        kind,
    }
}

/// Credentials that the plugin needs and has not, or has and does not know.
fn credential_problems(config: &ConnectorConfig, descriptor: &Descriptor) -> Vec<Problem> {
    let mut problems = Vec::new();
    let slots: Vec<&str> = descriptor
        .credentials
        .iter()
        .map(|slot| slot.name.as_str())
        .collect();
    for slot in &descriptor.credentials {
        let name = &slot.name;
        let Some(configured) = config.credentials.get(name) else {
            if !slot.optional {
                let message = format!("credential `{name}` is missing: {}", slot.description);
                problems.push(Problem::with(&config.name, message).hint(format!(
                    "add `[connectors.{}.credentials.{name}]`",
                    config.name.value
                )));
            }
            continue;
        };
        let kind = configured.kind.word();
        let accepted: Vec<&str> = slot.kinds.iter().map(String::as_str).collect();
        if !accepted.is_empty() && !accepted.contains(&kind) {
            let message = format!("the plugin takes no credential of kind `{kind}`");
            problems.push(
                Problem::with(&configured.name, message)
                    .hint(format!("it takes {}", listed(&accepted))),
            );
        }
    }
    for configured in &config.credentials.0 {
        let name = configured.name.value.as_str();
        if !slots.contains(&name) {
            let message = format!("the plugin knows no credential `{name}`");
            let hint = match nearest(name, &slots) {
                Some(slot) => format!("did you mean `{slot}`?"),
                None if slots.is_empty() => "it needs none".to_owned(),
                None => format!("it knows {}", listed(&slots)),
            };
            problems.push(Problem::with(&configured.name, message).hint(hint));
        }
    }
    problems
}

/// Hosts that the plugin wants to reach and that no grant covers. Granting
/// less is the operator's right, so this is no error.
fn ungranted(config: &ConnectorConfig, descriptor: &Descriptor) -> Vec<Problem> {
    let settings = config.settings.to_json();
    let wishes = descriptor.egress.iter().map(|wish| fill(wish, &settings));
    wishes
        .filter(|wish| {
            let Ok(host) = wish.parse::<HostGrant>() else {
                // A setting in it is not set.
                return false;
            };
            !config.egress.iter().any(|grant| overlap(grant, &host))
        })
        .map(|wish| {
            let message = format!("the plugin wants to reach `{wish}`, which is not granted");
            Problem::with(&config.name, message).hint(format!("add `\"{wish}\"` to `egress`"))
        })
        .collect()
}

/// Puts settings for `${key}`.
fn fill(wish: &str, settings: &serde_json::Value) -> String {
    let mut filled = String::new();
    let mut rest = wish;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((key, after)) = after.split_once('}') else {
            break;
        };
        filled.push_str(before);
        match settings.get(key) {
            Some(serde_json::Value::String(text)) => filled.push_str(text),
            Some(other) => filled.push_str(&other.to_string()),
            None => filled.push_str("${}"),
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// Whether one of the grants covers a host of the other.
fn overlap(one: &HostGrant, other: &HostGrant) -> bool {
    // `*` is not in a URL; any label in its place will do.
    let example = |grant: &HostGrant| url::Url::parse(&grant.to_string().replace("*.", "any."));
    let matches =
        |grant: &HostGrant, of: &HostGrant| example(of).is_ok_and(|url| grant.matches(&url));
    matches(one, other) || matches(other, one)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_stand_in_for_their_keys() {
        let settings = json!({"host": "mdm.example", "port": 8443});
        for (wish, expected) in [
            ("graph.microsoft.com", "graph.microsoft.com"),
            ("${host}:${port}", "mdm.example:8443"),
            ("*.${host}", "*.mdm.example"),
            ("${other}", "${}"),
            ("${broken", "${broken"),
        ] {
            assert_eq!(fill(wish, &settings), expected, "{wish}");
        }
    }

    #[test]
    fn grants_overlap_when_one_covers_the_other() {
        for (one, other, expected) in [
            ("a.example", "a.example", true),
            ("*.example.com", "a.example.com", true),
            ("a.example.com", "*.example.com", true),
            ("*.example.com", "*.b.example.com", true),
            ("a.example:8443", "a.example", false),
            ("http://a.example", "a.example", false),
            ("a.example", "b.example", false),
        ] {
            let (one, other): (HostGrant, HostGrant) =
                (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(overlap(&one, &other), expected, "{one} {other}");
        }
    }
}
