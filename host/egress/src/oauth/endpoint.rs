//! What is asked of a token endpoint.

use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::assertion::{self, AssertionAlgorithm};
use crate::{ClientCertificate, Secret};

/// The value of `client_assertion_type`, RFC 7523 section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How the gateway proves that it is the client.
#[derive(Debug, Clone)]
pub(crate) enum ClientProof {
    Secret(Secret),
    Certificate {
        certificate: ClientCertificate,
        algorithm: AssertionAlgorithm,
    },
}

/// One kind of token: asked where, as whom, for what.
#[derive(Debug, Clone)]
pub(crate) struct TokenRequest {
    pub(crate) token_url: Url,
    pub(crate) client_id: String,
    pub(crate) proof: ClientProof,
    /// The operator's words; for Entra the audience with `/.default`.
    pub(crate) scope: String,
}

/// Requests with equal keys get equal tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TokenKey {
    token_url: String,
    client_id: String,
    proof: [u8; 32],
    scope: String,
}

impl TokenRequest {
    pub(crate) fn key(&self) -> TokenKey {
        let proof = match &self.proof {
            ClientProof::Secret(secret) => Sha256::new()
                .chain_update(b"secret")
                .chain_update(secret.expose()),
            ClientProof::Certificate {
                certificate,
                algorithm,
            } => Sha256::new()
                .chain_update(b"certificate")
                .chain_update([u8::from(*algorithm == AssertionAlgorithm::Rs256)])
                .chain_update(certificate.der()),
        };
        TokenKey {
            token_url: self.token_url.as_str().to_owned(),
            client_id: self.client_id.clone(),
            proof: proof.finalize().into(),
            scope: self.scope.clone(),
        }
    }

    /// The form to post. A certificate gets a fresh assertion each time, because some servers
    /// refuse a repeated `jti`.
    pub(crate) fn form(&self) -> Result<Zeroizing<String>, jsonwebtoken::errors::Error> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        form.append_pair("client_id", &self.client_id);
        match &self.proof {
            ClientProof::Secret(secret) => {
                form.append_pair("client_secret", secret.expose());
            }
            ClientProof::Certificate {
                certificate,
                algorithm,
            } => {
                let assertion =
                    assertion::sign(&self.token_url, &self.client_id, certificate, *algorithm)?;
                form.append_pair("client_assertion_type", ASSERTION_TYPE);
                form.append_pair("client_assertion", &assertion);
            }
        }
        if let Some((name, value)) = self.resource() {
            form.append_pair(name, value);
        }
        Ok(Zeroizing::new(form.finish()))
    }

    /// Entra's old v1 endpoint wants a `resource`, every other endpoint a `scope`.
    ///
    /// The operator's text is never normalised: `https://api.manage.microsoft.com//.default` is
    /// right with its two slashes, because the resource's own name ends with one.
    fn resource(&self) -> Option<(&'static str, &str)> {
        if self.scope.is_empty() {
            return None;
        }
        if self
            .token_url
            .path()
            .trim_end_matches('/')
            .ends_with("/oauth2/token")
        {
            let resource = self.scope.strip_suffix("/.default").unwrap_or(&self.scope);
            return Some(("resource", resource));
        }
        Some(("scope", &self.scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "https://login.microsoftonline.com/tenant/oauth2/token";
    const V2: &str = "https://login.microsoftonline.com/tenant/oauth2/v2.0/token";

    fn request(url: &str, scope: &str) -> TokenRequest {
        TokenRequest {
            token_url: url.parse().unwrap(),
            client_id: "client".to_owned(),
            proof: ClientProof::Secret(Secret::new("s3cret/+&")),
            scope: scope.to_owned(),
        }
    }

    fn check(url: &str, scope: &str, expected: Option<(&str, &str)>) {
        assert_eq!(request(url, scope).resource(), expected);
    }

    #[test]
    fn the_path_tells_v1_from_v2() {
        let intune = "https://api.manage.microsoft.com//.default";
        check(V2, intune, Some(("scope", intune)));
        check(
            V1,
            intune,
            Some(("resource", "https://api.manage.microsoft.com/")),
        );
        let graph = "https://graph.microsoft.com/.default";
        check(V2, graph, Some(("scope", graph)));
        check(V1, graph, Some(("resource", "https://graph.microsoft.com")));
        let old = "https://api.manage.microsoft.com/";
        check(V1, old, Some(("resource", old)));
        check(V2, old, Some(("scope", old)));
        check(
            "https://mdm.example/api/oauth/token",
            "read write",
            Some(("scope", "read write")),
        );
        check("https://mdm.example/api/oauth/token", "", None);
    }

    #[test]
    fn the_secret_is_form_encoded() {
        assert_eq!(
            request(V2, "https://graph.microsoft.com/.default")
                .form()
                .unwrap()
                .as_str(),
            "grant_type=client_credentials&client_id=client&client_secret=s3cret%2F%2B%26\
             &scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
        );
    }

    #[test]
    fn keys_differ_where_tokens_do() {
        let key = request(V2, "a").key();
        assert_eq!(key, request(V2, "a").key());
        assert_ne!(key, request(V1, "a").key());
        assert_ne!(key, request(V2, "b").key());
        let mut other = request(V2, "a");
        other.proof = ClientProof::Secret(Secret::new("another"));
        assert_ne!(key, other.key());
    }
}
