//! What is read before anything else: where tokens are, where the compliance
//! service is.

use serde_json::{Value, json};

use super::Origin;
use super::path::{Generation, RETRIEVAL, STATELESS};

/// Intune's own application.
const INTUNE: &str = "0000000a-0000-0000-c000-000000000000";

/// The services that products look for, by name.
const SERVICES: [(&str, &str); 2] = [
    ("ComplianceRetrievalService", RETRIEVAL),
    ("NACAPIService", STATELESS),
];

/// `OpenID` configuration, as far as libraries look at it.
pub(super) fn openid(origin: &Origin, tenant: &str) -> Value {
    let base = format!("/intune/{tenant}");
    json!({
        "issuer": origin.url(&format!("{base}/v2.0")),
        "token_endpoint": origin.url(&format!("{base}/oauth2/v2.0/token")),
        // Nobody signs in here, but libraries want the member.
        "authorization_endpoint": origin.url(&format!("{base}/oauth2/v2.0/authorize")),
        "jwks_uri": origin.url(&format!("{base}/discovery/v2.0/keys")),
        "token_endpoint_auth_methods_supported":
            ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "token_endpoint_auth_signing_alg_values_supported": ["PS256", "RS256"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
}

/// The services, in the words of Graph or of the directory before it.
pub(super) fn endpoints(origin: &Origin, generation: Generation) -> Value {
    let entries: Vec<Value> = SERVICES
        .iter()
        .zip(1_u8..)
        .map(|((name, path), number)| {
            let id = format!("0000000a-0000-0000-c000-00000000000{number}");
            let uri = origin.url(&format!("/intune/{path}"));
            match generation {
                Generation::Graph => json!({
                    "id": id,
                    "deletedDateTime": null,
                    "capability": name,
                    "providerId": INTUNE,
                    "providerName": name,
                    "uri": uri,
                    "providerResourceId": id,
                }),
                Generation::Directory => json!({
                    "odata.type": "Microsoft.DirectoryServices.ServiceEndpoint",
                    "objectType": "ServiceEndpoint",
                    "objectId": id,
                    "deletionTimestamp": null,
                    "capability": name,
                    "serviceId": INTUNE,
                    "serviceName": name,
                    "uri": uri,
                    "resourceId": id,
                }),
            }
        })
        .collect();
    match generation {
        Generation::Graph => {
            let context = origin.url("/intune/graph/v1.0/$metadata#endpoints");
            json!({ "@odata.context": context, "value": entries })
        }
        Generation::Directory => {
            let context = origin.url("/intune/$metadata#directoryObjects");
            json!({ "odata.metadata": context, "value": entries })
        }
    }
}
