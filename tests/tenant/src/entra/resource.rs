//! The two services that tokens are asked for, and the rules of naming them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::failure::Failure;

/// A service whose tokens the tenant issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// Microsoft Graph.
    Graph,
    /// The Intune API, `api.manage.microsoft.com`.
    Intune,
}

impl Resource {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Graph, Self::Intune];

    /// The permission that a NAC partner needs: for discovery, and for look-ups.
    pub const fn role(self) -> &'static str {
        match self {
            Self::Graph => "Application.Read.All",
            Self::Intune => "get_device_compliance",
        }
    }

    /// The permissions that an application has from the start: those of a NAC partner, and reading
    /// devices.
    pub(crate) fn default_roles(self) -> impl Iterator<Item = &'static str> {
        let more = match self {
            Self::Graph => Some("DeviceManagementManagedDevices.Read.All"),
            Self::Intune => None,
        };
        std::iter::once(self.role()).chain(more)
    }

    /// The scope that asks for it at the v2 endpoint. Intune's has two slashes, because its
    /// identifier ends with one.
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Graph => "https://graph.microsoft.com/.default",
            Self::Intune => "https://api.manage.microsoft.com//.default",
        }
    }

    const fn identifier(self) -> &'static str {
        match self {
            Self::Graph => "https://graph.microsoft.com",
            Self::Intune => "https://api.manage.microsoft.com",
        }
    }

    const fn application_id(self) -> &'static str {
        match self {
            Self::Graph => "00000003-0000-0000-c000-000000000000",
            Self::Intune => "0000000a-0000-0000-c000-000000000000",
        }
    }

    /// The resource with this App ID URI (with or without a slash at its end) or application id.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let bare = name.strip_suffix('/').unwrap_or(name);
        Self::ALL.into_iter().find(|resource| {
            bare.eq_ignore_ascii_case(resource.identifier())
                || bare.eq_ignore_ascii_case(resource.application_id())
        })
    }
}

/// What a request needs a permission for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Reading service principals in Graph.
    Discover,
    /// Reading managed devices in Graph.
    ReadDevices,
    /// Actions on managed devices in Graph.
    ActOnDevices,
    /// Erasing them.
    WipeDevices,
    /// Messages to their users.
    NotifyUsers,
    /// Reading which compliance policies a device meets in Graph.
    ReadPolicyStates,
    /// Asking the compliance service.
    AskCompliance,
    /// Having certificate requests validated, and all that goes with it.
    ValidateChallenges,
}

impl Right {
    /// The service that gives it.
    pub(crate) const fn resource(self) -> Resource {
        match self {
            Self::Discover
            | Self::ReadDevices
            | Self::ReadPolicyStates
            | Self::ActOnDevices
            | Self::WipeDevices
            | Self::NotifyUsers => Resource::Graph,
            Self::AskCompliance | Self::ValidateChallenges => Resource::Intune,
        }
    }

    /// The permissions of which one is enough.
    pub(crate) const fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Discover => &["Application.Read.All"],
            Self::ReadDevices => &[
                "DeviceManagementManagedDevices.Read.All",
                "DeviceManagementManagedDevices.ReadWrite.All",
            ],
            Self::ActOnDevices => &["DeviceManagementManagedDevices.PrivilegedOperations.All"],
            Self::WipeDevices => &[
                "DeviceManagementManagedDevices.ReadWrite.All",
                "DeviceManagementManagedDevices.PrivilegedOperations.All",
            ],
            Self::NotifyUsers => &[
                "DeviceManagementManagedDevices.ReadWrite.All",
                "DeviceManagementConfiguration.ReadWrite.All",
            ],
            Self::ReadPolicyStates => &[
                "DeviceManagementConfiguration.Read.All",
                "DeviceManagementConfiguration.ReadWrite.All",
            ],
            Self::AskCompliance => &["get_device_compliance"],
            Self::ValidateChallenges => &["scep_challenge_provider"],
        }
    }
}

/// A resource together with the words the client used, which become the `aud` of the token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) resource: Resource,
    pub(crate) audience: String,
}

/// Words of `OpenID` Connect that Entra takes beside a resource; Cisco ISE sends them.
const OPENID_WORDS: [&str; 4] = ["openid", "profile", "email", "offline_access"];
const DEFAULT: &str = "/.default";

/// Reads the `scope` of a v2 request.
pub(crate) fn from_scope(scope: &str, tenant: Uuid) -> Result<Asked, Failure> {
    let mut words = scope
        .split_ascii_whitespace()
        .filter(|word| !OPENID_WORDS.contains(word));
    let first = words.next().ok_or_else(Failure::scope_without_resource)?;
    let mut audience = None;
    for word in std::iter::once(first).chain(words) {
        let resource = word
            .strip_suffix(DEFAULT)
            .ok_or_else(|| Failure::scope_not_default(word))?;
        if audience.is_some_and(|other| other != resource) {
            return Err(Failure::several_resources());
        }
        audience = Some(resource);
    }
    from_resource(audience.unwrap_or_default(), tenant)
}

/// Reads the `resource` of a v1 request.
pub(crate) fn from_resource(name: &str, tenant: Uuid) -> Result<Asked, Failure> {
    Resource::named(name)
        .map(|resource| Asked {
            resource,
            audience: name.to_owned(),
        })
        .ok_or_else(|| Failure::unknown_resource(name, tenant))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scope: &str, expected: Result<(Resource, &str), u32>) {
        let asked = from_scope(scope, Uuid::nil());
        match (asked, expected) {
            (Ok(asked), Ok((resource, audience))) => {
                assert_eq!(
                    (asked.resource, asked.audience.as_str()),
                    (resource, audience)
                );
            }
            (Err(failure), Err(code)) => assert_eq!(failure.code, code, "{scope}"),
            (asked, _) => panic!("{scope}: {asked:?}"),
        }
    }

    #[test]
    fn scopes() {
        use Resource::{Graph, Intune};
        check(Graph.scope(), Ok((Graph, "https://graph.microsoft.com")));
        check(
            Intune.scope(),
            Ok((Intune, "https://api.manage.microsoft.com/")),
        );
        check(
            "https://api.manage.microsoft.com/.default",
            Ok((Intune, "https://api.manage.microsoft.com")),
        );
        check(
            "openid https://graph.microsoft.com/.default offline_access profile",
            Ok((Graph, "https://graph.microsoft.com")),
        );
        check(
            "0000000a-0000-0000-c000-000000000000/.default",
            Ok((Intune, "0000000a-0000-0000-c000-000000000000")),
        );
        check("openid", Err(700_023));
        check("", Err(700_023));
        check("https://graph.microsoft.com/User.Read", Err(1_002_012));
        check("https://graph.microsoft.com", Err(1_002_012));
        check(
            "https://graph.microsoft.com/.default https://api.manage.microsoft.com//.default",
            Err(700_022),
        );
        check("https://example.com/.default", Err(500_011));
        check("https://api.manage.microsoft.com///.default", Err(500_011));
    }
}
