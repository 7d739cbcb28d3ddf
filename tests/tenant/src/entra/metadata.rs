//! What Microsoft's libraries read before they ask for a token.

use serde_json::{Value, json};

use super::{Entra, Failure};

impl Entra {
    /// `/{tenant}/v2.0/.well-known/openid-configuration`; `tenant` is what the path names.
    pub(crate) fn openid_configuration(&self, tenant: &str, login: &str) -> Result<Value, Failure> {
        if tenant != "common" {
            self.check_tenant(tenant)?;
        }
        let id = self.tenant;
        Ok(json!({
            "token_endpoint": format!("{login}/{id}/oauth2/v2.0/token"),
            "token_endpoint_auth_methods_supported":
                ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": format!("{login}/{id}/discovery/v2.0/keys"),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": format!("{login}/{id}/v2.0"),
            "request_uri_parameter_supported": false,
            "authorization_endpoint": format!("{login}/{id}/oauth2/v2.0/authorize"),
            "device_authorization_endpoint": format!("{login}/{id}/oauth2/v2.0/devicecode"),
            "end_session_endpoint": format!("{login}/{id}/oauth2/v2.0/logout"),
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
        }))
    }

    /// `/common/discovery/instance`: which hosts belong to one cloud. Here it is only this one.
    pub(crate) fn instance_discovery(&self, login: &str) -> Value {
        let host = login.strip_prefix("https://").unwrap_or(login);
        let id = self.tenant;
        json!({
            "tenant_discovery_endpoint":
                format!("{login}/{id}/v2.0/.well-known/openid-configuration"),
            "api-version": "1.1",
            "metadata": [{
                "preferred_network": host, "preferred_cache": host, "aliases": [host],
            }],
        })
    }

    /// The keys that access tokens are signed with.
    pub(crate) fn keys(&self) -> Value {
        self.signer.keys()
    }
}
