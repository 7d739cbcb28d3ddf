//! What a request is for. Paths are read as tolerantly as the real services read them: doubled
//! and trailing slashes, percent-encoding and case do not matter.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::compliance::Api;
use crate::entra::{Version, asked_resource};
use crate::fault::Step;
use crate::graph::{ActionKind, INTUNE, action_kind};
use crate::scep::Operation;

/// One of the things that the tenant answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    InstanceDiscovery,
    OpenidConfiguration {
        tenant: String,
    },
    Keys,
    Token {
        tenant: String,
        version: Version,
    },
    /// The endpoints of a service principal; of another one than Intune when `intune` is false.
    Discovery {
        intune: bool,
    },
    /// All managed devices in Graph.
    ManagedDevices,
    /// One managed device in Graph.
    ManagedDevice {
        id: String,
    },
    /// An action on a managed device in Graph.
    DeviceAction {
        id: String,
        kind: &'static ActionKind,
    },
    /// The compliance policies of one managed device in Graph.
    PolicyStates {
        id: String,
    },
    /// Several requests to Graph at once.
    Batch,
    ServerInfo(Api),
    Devices(Api),
    Certificates(Operation),
}

const CRS: [&str; 4] = [
    "trafficgateway",
    "trafficroutingservice",
    "resourceaccess",
    "complianceretrievalservice",
];

const RACERTS: [&str; 3] = ["trafficgateway", "trafficroutingservice", "racerts"];

impl Target {
    /// Reads the path of a URL.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let path = percent_decode_str(path)
            .decode_utf8_lossy()
            .to_ascii_lowercase();
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        if let Some(rest) = segments.strip_prefix(&CRS) {
            return match rest {
                ["cisco", "devices"] => Some(Self::Devices(Api::V3)),
                ["ciscoise", "mdminfo"] => Some(Self::ServerInfo(Api::V3)),
                _ => None,
            };
        }
        if let Some([service, group, action]) = segments.strip_prefix(&RACERTS) {
            let operation = match (*service, *group, *action) {
                ("statelesssceprequestvalidationservice", "scepactions", action) => match action {
                    "validaterequest" => Operation::Validate,
                    "successnotification" => Operation::NotifySuccess,
                    "failurenotification" => Operation::NotifyFailure,
                    _ => return None,
                },
                ("statelesspkiconnectorservice", "certificateauthorityrequests", action) => {
                    match action {
                        "downloadrevocationrequests" => Operation::DownloadRevocations,
                        "uploadrevocationresults" => Operation::UploadRevocations,
                        _ => return None,
                    }
                }
                _ => return None,
            };
            return Some(Self::Certificates(operation));
        }
        Some(match segments.as_slice() {
            ["common", "discovery", "instance"] => Self::InstanceDiscovery,
            [tenant, ".well-known", "openid-configuration"]
            | [tenant, "v2.0", ".well-known", "openid-configuration"] => {
                Self::OpenidConfiguration {
                    tenant: (*tenant).to_owned(),
                }
            }
            [_, "discovery", "v2.0", "keys"] => Self::Keys,
            [tenant, "oauth2", "token"] => Self::Token {
                tenant: (*tenant).to_owned(),
                version: Version::V1,
            },
            [tenant, "oauth2", "v2.0", "token"] => Self::Token {
                tenant: (*tenant).to_owned(),
                version: Version::V2,
            },
            ["v1.0", "serviceprincipals", id, "endpoints"] => Self::Discovery {
                intune: id.strip_prefix("appid=")? == INTUNE,
            },
            ["v1.0", principal, "endpoints"] => Self::Discovery {
                intune: principal
                    .strip_prefix("serviceprincipals(appid='")?
                    .strip_suffix("')")?
                    == INTUNE,
            },
            ["v1.0", "devicemanagement", "manageddevices"] => Self::ManagedDevices,
            ["v1.0", "devicemanagement", "manageddevices", id] => Self::ManagedDevice {
                id: (*id).to_owned(),
            },
            [
                version @ ("v1.0" | "beta"),
                "devicemanagement",
                "manageddevices",
                id,
                action,
            ] if *action != "devicecompliancepolicystates" => {
                let kind = action_kind(action)?;
                if kind.beta && *version != "beta" {
                    return None;
                }
                Self::DeviceAction {
                    id: (*id).to_owned(),
                    kind,
                }
            }
            ["v1.0", "devicemanagement", device] => Self::ManagedDevice {
                id: device
                    .strip_prefix("manageddevices('")?
                    .strip_suffix("')")?
                    .to_owned(),
            },
            [
                "v1.0",
                "devicemanagement",
                "manageddevices",
                id,
                "devicecompliancepolicystates",
            ] => Self::PolicyStates {
                id: (*id).to_owned(),
            },
            ["v1.0", "$batch"] => Self::Batch,
            ["statelessnacservice", "ciscoise", "mdminfo"] => Self::ServerInfo(Api::V2),
            [
                "statelessnacservice",
                "ciscodeviceinfo",
                "mdm",
                "api",
                "devices",
            ] => Self::Devices(Api::V2),
            _ => return None,
        })
    }

    /// The one method it is asked with.
    pub(crate) fn method(&self) -> Method {
        match self {
            Self::Token { .. }
            | Self::Batch
            | Self::Certificates(_)
            | Self::DeviceAction { .. } => Method::POST,
            _ => Method::GET,
        }
    }

    /// The steps that such a request passes.
    pub(crate) fn steps(&self, query: &str, body: &[u8]) -> Vec<Step> {
        match self {
            Self::InstanceDiscovery => vec![Step::InstanceDiscovery],
            Self::OpenidConfiguration { .. } | Self::Keys => vec![Step::OpenidConfiguration],
            Self::Token { version, .. } => std::iter::once(Step::Token)
                .chain(asked_resource(*version, body).map(Step::token_for))
                .collect(),
            Self::Discovery { .. } => vec![Step::Discovery],
            Self::ManagedDevices => vec![Step::DeviceList],
            Self::ManagedDevice { .. } => vec![Step::Device],
            Self::DeviceAction { .. } => vec![Step::DeviceAction],
            Self::PolicyStates { .. } => vec![Step::PolicyStates],
            Self::Batch => vec![Step::Batch],
            Self::ServerInfo(_) => vec![Step::ServerInfo],
            Self::Certificates(operation) => vec![operation.step()],
            Self::Devices(_) => {
                let list = url::form_urlencoded::parse(query.as_bytes()).any(|(name, value)| {
                    name.eq_ignore_ascii_case("querycriteria") && value == "compliance"
                });
                vec![if list {
                    Step::NonCompliantList
                } else {
                    Step::Compliance
                }]
            }
        }
    }

    /// Whether it belongs to a service that lives on a scale unit.
    pub(crate) fn on_scale_unit(&self) -> bool {
        matches!(
            self,
            Self::ServerInfo(_) | Self::Devices(_) | Self::Certificates(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery_in_every_spelling() {
        let id = INTUNE;
        for path in [
            format!("/v1.0/servicePrincipals/appId={id}/endpoints"),
            format!("//v1.0/servicePrincipals/appId={id}/endpoints"),
            format!("/v1.0/servicePrincipals/appId={id}/endpoints/"),
            format!("/v1.0/servicePrincipals/appId%3D{id}/endpoints"),
            format!("/v1.0/servicePrincipals(appId='{id}')/endpoints"),
            format!("/v1.0/serviceprincipals(appId=%27{id}%27)/endpoints"),
        ] {
            assert_eq!(
                Target::of(&path),
                Some(Target::Discovery { intune: true }),
                "{path}"
            );
        }
        assert_eq!(
            Target::of(
                "/v1.0/servicePrincipals/appId=00000003-0000-0000-c000-000000000000/endpoints"
            ),
            Some(Target::Discovery { intune: false })
        );
        assert_eq!(Target::of("/v1.0/servicePrincipals/endpoints"), None);
    }

    #[test]
    fn managed_devices() {
        let one = Some(Target::ManagedDevice { id: "7".to_owned() });
        for (path, expected) in [
            (
                "/v1.0/deviceManagement/managedDevices",
                Some(Target::ManagedDevices),
            ),
            (
                "//v1.0/deviceManagement/managedDevices/",
                Some(Target::ManagedDevices),
            ),
            ("/v1.0/deviceManagement/managedDevices/7", one.clone()),
            ("/v1.0/deviceManagement/managedDevices('7')", one.clone()),
            ("/v1.0/deviceManagement/manageddevices(%277%27)", one),
            (
                "/v1.0/deviceManagement/managedDevices/7/syncDevice",
                Some(Target::DeviceAction {
                    id: "7".to_owned(),
                    kind: action_kind("syncDevice").unwrap(),
                }),
            ),
            ("/v1.0/deviceManagement/managedDevices/7/explode", None),
            (
                "/v1.0/deviceManagement/managedDevices/7/sendCustomNotificationToCompanyPortal",
                None,
            ),
            (
                "/v1.0/deviceManagement/managedDevices/7/deviceCompliancePolicyStates",
                Some(Target::PolicyStates { id: "7".to_owned() }),
            ),
            ("/v1.0/$batch", Some(Target::Batch)),
            ("/beta/deviceManagement/managedDevices", None),
        ] {
            assert_eq!(Target::of(path), expected, "{path}");
        }
    }

    #[test]
    fn other_paths() {
        let token = |version| Target::Token {
            tenant: "t.example".to_owned(),
            version,
        };
        for (path, expected) in [
            ("/T.example/oauth2/token", Some(token(Version::V1))),
            ("/t.example/oauth2/v2.0/token", Some(token(Version::V2))),
            (
                "/common/discovery/instance",
                Some(Target::InstanceDiscovery),
            ),
            (
                "/StatelessNacService/ciscodeviceinfo/mdm/api/devices/",
                Some(Target::Devices(Api::V2)),
            ),
            (
                "/StatelessNACService/ciscoise/mdminfo",
                Some(Target::ServerInfo(Api::V2)),
            ),
            (
                "/TrafficGateway/TrafficRoutingService/ResourceAccess/ComplianceRetrievalService/cisco/devices",
                Some(Target::Devices(Api::V3)),
            ),
            (
                "/TrafficGateway/TrafficRoutingService/ResourceAccess/ComplianceRetrievalService/",
                None,
            ),
            (
                "/TrafficGateway/TrafficRoutingService/RACerts/StatelessScepRequestValidationService/ScepActions/validateRequest",
                Some(Target::Certificates(Operation::Validate)),
            ),
            (
                "/TrafficGateway/TrafficRoutingService/RACerts/StatelessPkiConnectorService/CertificateAuthorityRequests/uploadRevocationResults",
                Some(Target::Certificates(Operation::UploadRevocations)),
            ),
            (
                "/TrafficGateway/TrafficRoutingService/RACerts/StatelessPkiConnectorService/ScepActions/validateRequest",
                None,
            ),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(Target::of(path), expected, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_path_is_read(path in "(/|%|[a-z0-9.='()])*", query in ".{0,40}") {
            if let Some(target) = Target::of(&path) {
                proptest::prop_assert!(!target.steps(&query, query.as_bytes()).is_empty());
            }
        }
    }
}
