//! Credentials as an operator configures them, and what may be said about them.

mod signing;
mod slots;

use crate::{AssertionAlgorithm, ClientCertificate, Secret, UrlScope};

pub use signing::{HmacAlgorithm, SignError};

pub(crate) use slots::{Slot, SlotKind, Slots, describe};

/// One credential of a connector instance.
#[derive(Debug, Clone)]
pub struct CredentialSettings {
    /// The name under which the plugin's descriptor declared it.
    pub slot: String,
    /// Where it may be sent. Empty only for [`CredentialKind::Hmac`], which is never sent.
    pub urls: Vec<UrlScope>,
    /// What it is.
    pub kind: CredentialKind,
}

/// The kinds of credentials.
#[derive(Debug, Clone)]
pub enum CredentialKind {
    /// OAuth 2 client credentials with a client secret.
    Oauth2ClientSecret {
        /// Where tokens are had. A path ending in `/oauth2/token` is Entra's version 1.
        token_url: String,
        /// Application (client) ID.
        client_id: String,
        /// Value of the client secret.
        secret: Secret,
        /// Scope or audience, sent as it is; may be empty where the server wants none.
        scope: String,
    },
    /// OAuth 2 client credentials with a certificate (RFC 7523).
    Oauth2ClientCertificate {
        /// As for the client secret.
        token_url: String,
        /// Application (client) ID.
        client_id: String,
        /// Certificate with private key.
        certificate: ClientCertificate,
        /// As for the client secret.
        scope: String,
        /// How the assertion is signed.
        algorithm: AssertionAlgorithm,
    },
    /// HTTP Basic (RFC 7617).
    Basic {
        /// User name, without colon.
        user: String,
        /// Password.
        password: Secret,
    },
    /// A fixed token as `Authorization: Bearer …`.
    Bearer {
        /// The token.
        token: Secret,
    },
    /// A fixed value in a header of the source's own, e.g. `aw-tenant-code`.
    Header {
        /// Name of the header.
        name: String,
        /// Its value.
        value: Secret,
    },
    /// A key for message authentication; never sent.
    Hmac {
        /// The key.
        secret: Secret,
    },
}

/// Whether a credential can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialStatus {
    /// No credential of this name is configured.
    Missing,
    /// Configured, no token was needed yet.
    Idle,
    /// It can be sent at once.
    Ready,
    /// The last attempt to get a token failed. An older token may still be in use.
    Failing,
}

/// What may be said about a credential. Nothing secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialInfo {
    /// Whether it can be used.
    pub status: CredentialStatus,
    /// URL prefixes it is sent to.
    pub scopes: Vec<String>,
    /// Text for an administrator: failure with advice, or validity of token and certificate.
    pub detail: Option<String>,
    /// Permissions (`roles`) that the token names, where it can be read. For advice only: what a
    /// token says is its receiver's affair.
    pub roles: Vec<String>,
}

impl CredentialInfo {
    pub(crate) fn missing() -> Self {
        Self {
            status: CredentialStatus::Missing,
            scopes: Vec::new(),
            detail: None,
            roles: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
