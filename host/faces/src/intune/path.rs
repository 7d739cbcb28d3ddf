//! What a path below `/intune/` asks for.
//!
//! Products put paths behind the addresses of their form as they always did,
//! so an empty segment (`//v1.0/…`) and one at the end mean nothing, and in
//! front of what Graph is asked may stand what the form has.

use percent_encoding::percent_decode_str;

/// Intune's own application, by which its services are found.
const INTUNE: &str = "0000000a-0000-0000-c000-000000000000";
/// The compliance service of today, below `/intune/`.
pub(super) const RETRIEVAL: &str = "ComplianceRetrievalService";
/// The one before it.
pub(super) const STATELESS: &str = "StatelessNACService";

/// More segments than any path has here.
const MOST_SEGMENTS: usize = 12;

/// Generation of the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// `/oauth2/token`, which takes a `resource`.
    V1,
    /// `/oauth2/v2.0/token`, which takes a `scope`.
    V2,
}

/// Whose form of discovery is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// Microsoft Graph.
    Graph,
    /// Azure AD Graph, which older versions of products still ask.
    Directory,
}

/// The compliance services, by the version of their interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// By MAC address; the older one.
    V2,
    /// By GUID and MAC address.
    V3,
}

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Token {
        tenant: String,
        version: Version,
    },
    /// `OpenID` configuration, which libraries read before they ask for tokens.
    Metadata {
        tenant: String,
    },
    Endpoints(Generation),
    ServerInfo(Service),
    Devices(Service),
    /// Devices as flat JSON.
    Flat,
}

impl Place {
    /// `None` when there is nothing at `path`.
    pub(super) fn of(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/intune/")?;
        let decoded = percent_decode_str(rest).decode_utf8().ok()?;
        let segments: Vec<&str> = decoded
            .split('/')
            .filter(|segment| !segment.is_empty())
            .take(MOST_SEGMENTS + 1)
            .collect();
        let lower: Vec<String> = segments
            .iter()
            .map(|part| part.to_ascii_lowercase())
            .collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        match (lower.as_slice(), segments.first()) {
            ([_, "oauth2", "token"], Some(tenant)) => token(tenant, Version::V1),
            ([_, "oauth2", "v2.0", "token"], Some(tenant)) => token(tenant, Version::V2),
            (
                [_, "v2.0", ".well-known", "openid-configuration"]
                | [_, ".well-known", "openid-configuration"],
                Some(tenant),
            ) => Some(Self::Metadata {
                tenant: named(tenant)?,
            }),
            ([service, rest @ ..], _) if service.eq_ignore_ascii_case(RETRIEVAL) => match rest {
                ["ciscoise", "mdminfo"] => Some(Self::ServerInfo(Service::V3)),
                ["cisco", "devices"] => Some(Self::Devices(Service::V3)),
                _ => None,
            },
            ([service, rest @ ..], _) if service.eq_ignore_ascii_case(STATELESS) => match rest {
                ["ciscoise", "mdminfo"] => Some(Self::ServerInfo(Service::V2)),
                ["ciscodeviceinfo", "mdm", "api", "devices"] => Some(Self::Devices(Service::V2)),
                ["devices"] => Some(Self::Flat),
                _ => None,
            },
            (lower, _) if lower.len() <= MOST_SEGMENTS => endpoints(lower),
            _ => None,
        }
    }
}

fn token(tenant: &str, version: Version) -> Option<Place> {
    let tenant = named(tenant)?;
    Some(Place::Token { tenant, version })
}

/// A tenant's GUID or domain. Which one it is has no meaning here.
fn named(tenant: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_name = tenant.len() <= 253 && tenant.bytes().all(plain);
    is_name.then(|| tenant.to_owned())
}

/// The forms in which Intune's services are looked for: by Microsoft's own
/// libraries, by Cisco ISE, and as key and function of `OData`.
fn endpoints(lower: &[&str]) -> Option<Place> {
    match lower {
        [.., "serviceprincipals", application, "endpoints"] => {
            let id = application.strip_prefix("appid=")?;
            (unquoted(id) == INTUNE).then_some(Place::Endpoints(Generation::Graph))
        }
        [.., principal, "endpoints"] => {
            let key = principal.strip_prefix("serviceprincipals(appid=")?;
            let id = key.strip_suffix(')')?;
            (unquoted(id) == INTUNE).then_some(Place::Endpoints(Generation::Graph))
        }
        [.., "serviceprincipalsbyappid", id, "serviceendpoints"] => {
            (*id == INTUNE).then_some(Place::Endpoints(Generation::Directory))
        }
        _ => None,
    }
}

fn unquoted(text: &str) -> &str {
    let inner = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''));
    inner.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths() {
        let token = |tenant: &str, version| {
            let tenant = tenant.to_owned();
            Some(Place::Token { tenant, version })
        };
        let graph = Some(Place::Endpoints(Generation::Graph));
        for (path, expected) in [
            (
                "contoso.example/oauth2/token",
                token("contoso.example", Version::V1),
            ),
            ("T1/oauth2/v2.0/token", token("T1", Version::V2)),
            ("t//oauth2/v2.0/token/", token("t", Version::V2)),
            ("a%20b/oauth2/token", None),
            (
                "t/v2.0/.well-known/openid-configuration",
                Some(Place::Metadata {
                    tenant: "t".to_owned(),
                }),
            ),
            (
                "graph/v1.0/servicePrincipals/appId=0000000a-0000-0000-c000-000000000000/endpoints",
                graph.clone(),
            ),
            (
                "graph//v1.0/servicePrincipals/appId%3D0000000a-0000-0000-c000-000000000000/endpoints",
                graph.clone(),
            ),
            (
                "graph/v1.0/servicePrincipals(appId='0000000a-0000-0000-c000-000000000000')/endpoints",
                graph.clone(),
            ),
            (
                "v1.0/servicePrincipals/appId='0000000A-0000-0000-C000-000000000000'/endpoints/",
                graph,
            ),
            (
                "graph/v1.0/servicePrincipals/appId=00000003-0000-0000-c000-000000000000/endpoints",
                None,
            ),
            (
                "t/servicePrincipalsByAppId/0000000a-0000-0000-c000-000000000000/serviceEndpoints",
                Some(Place::Endpoints(Generation::Directory)),
            ),
            (
                "ComplianceRetrievalService/ciscoise/mdminfo/",
                Some(Place::ServerInfo(Service::V3)),
            ),
            (
                "ComplianceRetrievalService/cisco/devices",
                Some(Place::Devices(Service::V3)),
            ),
            (
                "StatelessNACService/ciscoise/mdminfo",
                Some(Place::ServerInfo(Service::V2)),
            ),
            (
                "StatelessNACService/ciscodeviceinfo/mdm/api/devices/",
                Some(Place::Devices(Service::V2)),
            ),
            ("statelessnacservice/devices/", Some(Place::Flat)),
            ("ComplianceRetrievalService/devices", None),
            ("", None),
            ("%ff", None),
        ] {
            assert_eq!(Place::of(&format!("/intune/{path}")), expected, "{path}");
        }
        assert_eq!(Place::of("/intune"), None);
    }

    proptest! {
        #[test]
        fn any_path_is_read(path in ".{0,200}") {
            let _ = Place::of(&format!("/intune/{path}"));
        }
    }
}
