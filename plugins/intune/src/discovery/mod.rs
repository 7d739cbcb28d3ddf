//! Where Intune's services are for this tenant.
//!
//! Tenants are moved between scale units, so the address is asked for in
//! Microsoft Graph, kept for a day, and asked for again when it fails.

use portreeve_plugin::connector::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::check::code::Code;
use crate::errors::{self, Failure, Party};
use crate::services::Services;
use crate::settings::Settings;

/// Intune's own application, the same in every tenant.
const INTUNE_APPLICATION: &str = "0000000a-0000-0000-c000-000000000000";

/// One of the services that are found here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Tells about devices.
    Compliance,
    /// Validates certificate requests.
    Scep,
    /// Names certificates to be revoked.
    Revocation,
}

impl Wanted {
    /// Where its address is kept.
    const fn key(self) -> &'static str {
        match self {
            Self::Compliance => "compliance-service",
            Self::Scep => "scep-service",
            Self::Revocation => "revocation-service",
        }
    }

    /// Its name in the list of Intune's services.
    fn provider(self, settings: &Settings) -> &'static str {
        match self {
            Self::Compliance => settings.version().provider(),
            Self::Scep => "ScepRequestValidationFEService",
            Self::Revocation => "PkiConnectorFEService",
        }
    }
}

/// Most pages of the list that are read; today it has one.
const MAX_PAGES: usize = 10;

/// An address, and whether it was only remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) address: Address,
    pub(crate) remembered: bool,
}

/// What is kept. Settings that changed since make it void.
#[derive(Deserialize, Serialize)]
struct Kept {
    graph: String,
    version: u8,
    uri: String,
}

/// The address of the compliance service, remembered or discovered.
pub(crate) fn service<S: Services>(services: &S, settings: &Settings) -> Result<Service, Failure> {
    find(services, settings, Wanted::Compliance)
}

/// The address of a service, remembered or discovered.
pub(crate) fn find<S: Services>(
    services: &S,
    settings: &Settings,
    wanted: Wanted,
) -> Result<Service, Failure> {
    match recall(services, settings, wanted) {
        Some(address) => Ok(Service {
            address,
            remembered: true,
        }),
        None => find_anew(services, settings, wanted),
    }
}

/// The address of the compliance service, asked for in Graph now.
pub(crate) fn discover<S: Services>(services: &S, settings: &Settings) -> Result<Service, Failure> {
    find_anew(services, settings, Wanted::Compliance)
}

/// The address of a service, asked for in Graph now. It takes the place of the
/// remembered one only once it is known: if Graph does not answer either, the
/// old one is still better than none.
pub(crate) fn find_anew<S: Services>(
    services: &S,
    settings: &Settings,
    wanted: Wanted,
) -> Result<Service, Failure> {
    if let (Wanted::Compliance, Some(uri)) = (wanted, &settings.service_url) {
        return Ok(Service {
            address: accepted(uri, settings)?,
            remembered: false,
        });
    }
    let uri = find_uri(services, settings, wanted.provider(settings))?;
    let address = accepted(&uri, settings)?;
    if settings.discovery_cache_hours > 0 {
        let kept = Kept {
            graph: settings.graph_url.clone(),
            version: settings.service_version,
            uri,
        };
        if let Ok(value) = serde_json::to_vec(&kept) {
            services.remember(wanted.key(), &value, settings.discovery_cache_ms());
        }
    }
    Ok(Service {
        address,
        remembered: false,
    })
}

/// Has the address of a service asked for in Graph the next time.
pub(crate) fn forget<S: Services>(services: &S, wanted: Wanted) {
    services.forget(wanted.key());
}

/// The address of Graph.
pub(crate) fn graph(settings: &Settings) -> Result<Address, Failure> {
    Address::parse(&settings.graph_url).map_err(|problem| {
        Failure::new(Error::Misconfigured(format!(
            "`graph-url` is no address: {problem}"
        )))
    })
}

fn recall<S: Services>(services: &S, settings: &Settings, wanted: Wanted) -> Option<Address> {
    let by_hand = wanted == Wanted::Compliance && settings.service_url.is_some();
    if settings.discovery_cache_hours == 0 || by_hand {
        return None;
    }
    let kept: Kept = serde_json::from_slice(&services.recall(wanted.key())?).ok()?;
    let same = kept.graph == settings.graph_url && kept.version == settings.service_version;
    same.then(|| accepted(&kept.uri, settings).ok()).flatten()
}

fn find_uri<S: Services>(
    services: &S,
    settings: &Settings,
    provider: &str,
) -> Result<String, Failure> {
    let graph = graph(settings)?;
    let mut url = format!("{graph}/v1.0/servicePrincipals/appId={INTUNE_APPLICATION}/endpoints");
    let mut any = false;
    for _ in 0..MAX_PAGES {
        let page = page(services, &url)?;
        any |= !page.entries.is_empty();
        if let Some(uri) = page
            .entries
            .iter()
            .find_map(|entry| uri_of(entry, provider))
        {
            return Ok(uri);
        }
        let Some(next) = page.next else {
            break;
        };
        // The host would add the token for Graph to any address in its scope,
        // but another origin has no business in this list.
        match Address::parse(&next) {
            Ok(address) if address.same_origin(&graph) => url = next,
            _ => {
                return Err(Failure::new(Error::BadResponse(
                    "the list of Intune's services goes on at another host, which is refused"
                        .to_owned(),
                )));
            }
        }
    }
    Err(Failure::new(Error::Misconfigured(if any {
        format!("this tenant has no `{provider}`; is there an Intune licence?")
    } else {
        "Graph lists no Intune services for this tenant; is there an Intune licence?".to_owned()
    })))
}

struct Page {
    entries: Vec<Value>,
    next: Option<String>,
}

fn page<S: Services>(services: &S, url: &str) -> Result<Page, Failure> {
    let response = services
        .get(url, "application/json")
        .map_err(|error| errors::from_http(Party::Graph, error))?;
    if response.status == 404 {
        return Err(Failure::new(Error::Misconfigured(
            "this tenant does not know the application Intune; is there an Intune licence?"
                .to_owned(),
        )));
    }
    if response.status != 200 {
        return Err(errors::from_status(
            Party::Graph,
            &response,
            services.now_ms(),
        ));
    }
    let malformed = |why: String| {
        Failure::new(Error::BadResponse(format!(
            "the list of Intune's services cannot be read: {why}"
        )))
    };
    let mut document: Value =
        serde_json::from_slice(&response.body).map_err(|error| malformed(error.to_string()))?;
    let Some(Value::Array(entries)) = document.get_mut("value").map(Value::take) else {
        return Err(malformed("it has no `value`".to_owned()));
    };
    Ok(Page {
        entries,
        next: document
            .get("@odata.nextLink")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}

/// The address in an entry, if it is that of the wanted service. Entries that
/// are not understood are passed over: not all of them hold addresses.
fn uri_of(entry: &Value, provider: &str) -> Option<String> {
    let name = ["providerName", "serviceName"]
        .iter()
        .find_map(|key| entry.get(key)?.as_str())?;
    let uri = entry.get("uri")?.as_str()?;
    name.eq_ignore_ascii_case(provider).then(|| uri.to_owned())
}

/// An address that a token may be sent to.
fn accepted(uri: &str, settings: &Settings) -> Result<Address, Failure> {
    let refused = |why: String| Failure::new(Error::BadResponse(why));
    let shown = errors::shortened(uri);
    let address = Address::parse(uri).map_err(|problem| {
        refused(format!(
            "the discovered service `{shown}` is no usable address: {problem}"
        ))
    })?;
    if address.path.contains('?') {
        return Err(refused(format!(
            "the discovered service `{shown}` has a query"
        )));
    }
    if !address.host_is_one_of(&settings.service_hosts) {
        let failure = refused(format!(
            "the discovered service is at `{}`, which is none of `service-hosts`",
            address.host
        ));
        return Err(failure.coded(Code::ServiceElsewhere));
    }
    Ok(address)
}

#[cfg(test)]
mod tests;
