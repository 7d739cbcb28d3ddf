//! What a token is asked for: `scope` and `resource`.

use super::Origin;
use super::path::Version;
use super::refusal::Refusal;
use crate::token::Purpose;

/// Words of `OpenID` Connect that may stand beside a resource; Cisco ISE sends
/// them.
const OPENID: [&str; 4] = ["openid", "profile", "email", "offline_access"];
const DEFAULT: &str = "/.default";

/// Names of Microsoft Graph and of Azure AD Graph before it, in all clouds.
const GRAPH: [&str; 8] = [
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
    "https://graph.windows.net",
    "https://graph.chinacloudapi.cn",
    "00000003-0000-0000-c000-000000000000",
    "00000002-0000-0000-c000-000000000000",
];
/// Names of Intune's interface, in all clouds.
const INTUNE: [&str; 4] = [
    "https://api.manage.microsoft.com",
    "https://api.manage.microsoft.us",
    "https://api.manage.microsoftonline.cn",
    "0000000a-0000-0000-c000-000000000000",
];

/// What a token will be good for, and what the asker called that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Audience {
    pub(super) purpose: Purpose,
    pub(super) text: String,
}

/// Reads what a request names.
pub(super) fn asked(
    version: Version,
    resource: Option<&str>,
    scope: Option<&str>,
    origin: &Origin,
) -> Result<Audience, Refusal> {
    match version {
        // A `scope` beside it, as Cisco ISE sends it, has no meaning here.
        Version::V1 => {
            let resource = resource.ok_or_else(|| Refusal::missing("resource"))?;
            named(resource.strip_suffix(DEFAULT).unwrap_or(resource), origin)
        }
        Version::V2 if resource.is_some() => Err(Refusal::resource_on_v2()),
        Version::V2 => {
            let scope = scope.ok_or_else(|| Refusal::missing("scope"))?;
            named(from_scope(scope)?, origin)
        }
    }
}

/// The one resource in a scope.
fn from_scope(scope: &str) -> Result<&str, Refusal> {
    let words = scope.split_ascii_whitespace();
    let mut found = None;
    for word in words.filter(|word| !OPENID.contains(word)) {
        let resource = word
            .strip_suffix(DEFAULT)
            .ok_or_else(|| Refusal::scope_not_default(word))?;
        if found.is_some_and(|other| other != resource) {
            return Err(Refusal::several_resources());
        }
        found = Some(resource);
    }
    found.ok_or_else(Refusal::scope_without_resource)
}

fn named(text: &str, origin: &Origin) -> Result<Audience, Refusal> {
    let bare = text.trim_end_matches('/');
    let is_one_of = |names: &[&str]| names.iter().any(|name| bare.eq_ignore_ascii_case(name));
    let purpose = if is_one_of(&GRAPH) {
        Purpose::Discovery
    } else if is_one_of(&INTUNE) {
        Purpose::Compliance
    } else if origin.path_of(text).is_some() {
        Purpose::Intune
    } else {
        return Err(Refusal::unknown_resource(text));
    };
    let text = text.to_owned();
    Ok(Audience { purpose, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        version: Version,
        resource: Option<&str>,
        scope: Option<&str>,
        expected: Result<Purpose, u32>,
    ) {
        let origin = Origin("gw.example:8443".to_owned());
        let audience = asked(version, resource, scope, &origin);
        let read = audience.map(|audience| audience.purpose);
        assert_eq!(read.map_err(|refusal| refusal.code()), expected);
    }

    #[test]
    fn scopes() {
        let check = |scope, expected| check(Version::V2, None, Some(scope), expected);
        check(
            "https://graph.microsoft.com/.default",
            Ok(Purpose::Discovery),
        );
        check(
            "https://api.manage.microsoft.com//.default",
            Ok(Purpose::Compliance),
        );
        check(
            "https://api.manage.microsoft.com/.default",
            Ok(Purpose::Compliance),
        );
        check(
            "https://gw.example:8443/intune/.default",
            Ok(Purpose::Intune),
        );
        check(
            "openid https://graph.microsoft.com/.default profile offline_access",
            Ok(Purpose::Discovery),
        );
        check(
            "0000000A-0000-0000-c000-000000000000/.default",
            Ok(Purpose::Compliance),
        );
        check("https://gw.example/intune/.default", Err(500_011));
        check("https://example.com/.default", Err(500_011));
        check("https://graph.microsoft.com/User.Read", Err(1_002_012));
        check("openid", Err(700_023));
        check("", Err(700_023));
        check(
            "https://graph.microsoft.com/.default https://api.manage.microsoft.com//.default",
            Err(700_022),
        );
    }

    #[test]
    fn resources() {
        let check = |resource, expected| {
            check(Version::V1, Some(resource), Some("openid"), expected);
        };
        check("https://graph.microsoft.com", Ok(Purpose::Discovery));
        check("https://graph.windows.net/", Ok(Purpose::Discovery));
        check("https://api.manage.microsoft.com/", Ok(Purpose::Compliance));
        check(
            "https://api.manage.microsoft.com//.default",
            Ok(Purpose::Compliance),
        );
        check("https://gw.example:8443/intune/graph", Ok(Purpose::Intune));
        check("x", Err(500_011));
        super::tests::check(Version::V1, None, Some("openid"), Err(900_144));
        super::tests::check(Version::V2, None, None, Err(900_144));
        let graph = Some("https://graph.microsoft.com");
        super::tests::check(Version::V2, graph, None, Err(901_002));
    }
}
