//! What can go wrong, by what the caller can do about it.

use std::{net::IpAddr, time::Duration};

use crate::{PatternError, TlsFailure, TokenError};

/// Why a request has no answer.
///
/// Texts name hosts, never paths or query strings, and never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// No grant covers the destination.
    #[error("`{destination}` is not granted; {hint}")]
    Denied {
        /// Scheme, host and port asked for.
        destination: String,
        /// What an operator would have to write.
        hint: String,
    },
    /// The host is granted, but its address is private and not granted.
    #[error(
        "`{host}` leads to the address {address}, which is not public; grant its network if that is meant"
    )]
    AddressRefused {
        /// Host of the URL.
        host: String,
        /// One of the refused addresses.
        address: IpAddr,
    },
    /// The host name has no address, or no name server answered.
    #[error("`{host}` has no address: {reason}")]
    NameResolution {
        /// Host of the URL.
        host: String,
        /// The resolver's words.
        reason: String,
    },
    /// Nobody accepted the connection, or it broke.
    #[error("connection with `{host}` failed: {reason}")]
    Connect {
        /// Host of the URL.
        host: String,
        /// The system's words.
        reason: String,
    },
    /// The proxy on the way did not let it through; the host itself was not reached.
    #[error("the proxy `{proxy}` gives no way to `{host}`: {reason}")]
    Proxy {
        /// The proxy, as `HOST:PORT`.
        proxy: String,
        /// Host of the URL.
        host: String,
        /// What it said, or why it cannot be reached.
        reason: String,
    },
    /// No TLS connection; carries the presented chain.
    #[error("{0}")]
    Tls(Box<TlsFailure>),
    /// The answer did not come whole before the deadline.
    #[error("no complete answer in time")]
    Timeout,
    /// The answer is larger than allowed.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// As many requests as allowed are under way.
    #[error("{limit} requests are already under way")]
    Busy {
        /// The limit.
        limit: usize,
    },
    /// There is no credential to send with the request.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The request cannot be sent as it is.
    #[error("the request cannot be sent: {0}")]
    InvalidRequest(String),
    /// Anything else, e.g. an answer that is not HTTP.
    #[error("{0}")]
    Other(String),
}

impl EgressError {
    /// A stable word for it in logs, from a closed set; that of the credential where one failed.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "not-granted",
            Self::AddressRefused { .. } => "address-private",
            Self::NameResolution { .. } => "name-resolution",
            Self::Connect { .. } => "connection",
            Self::Proxy { .. } => "proxy",
            Self::Tls(failure) if failure.missing_issuer.is_some() => "certificate-untrusted",
            Self::Tls(_) => "tls",
            Self::Timeout => "timeout",
            Self::TooLarge { .. } => "answer-too-large",
            Self::Busy { .. } => "too-many-requests",
            Self::Credential(
                CredentialError::Refused { error, .. } | CredentialError::Unavailable { error, .. },
            ) => error.finding,
            Self::InvalidRequest(_) => "request-invalid",
            Self::Other(_) => "other",
        }
    }
}

/// Why a credential is not at hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The identity provider refused it, or it is set up wrongly: only an administrator can help.
    #[error("credential `{slot}` was refused: {error}")]
    Refused {
        /// Name of the credential.
        slot: String,
        /// Answer and advice.
        error: Box<TokenError>,
    },
    /// The identity provider cannot be asked just now; trying again later helps.
    #[error("credential `{slot}` is not available: {error}")]
    Unavailable {
        /// Name of the credential.
        slot: String,
        /// Answer or failure.
        error: Box<TokenError>,
    },
}

impl CredentialError {
    /// How long to wait before the identity provider is asked again, if known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { error, .. } | Self::Unavailable { error, .. } => error.retry_after,
        }
    }
}

/// Why settings cannot be used. Texts never hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A certificate given as trust root is none.
    #[error("a trust root cannot be read: {0}")]
    TrustRoot(String),
    /// Neither the system nor the settings have trust roots.
    #[error("no trust roots: install the system's CA certificates or name a file with trust roots")]
    NoTrustRoots,
    /// Two credentials have the same name.
    #[error("credential `{0}` is configured twice")]
    DuplicateSlot(String),
    /// It would never be sent.
    #[error("credential `{0}` has no URL scope, so it would never be sent")]
    NoScope(String),
    /// Nobody could say which one to send.
    #[error("credentials `{first}` and `{second}` have the same URL scope `{scope}`")]
    AmbiguousScope {
        /// One credential.
        first: String,
        /// The other.
        second: String,
        /// What both claim.
        scope: String,
    },
    /// The secret would go over the wire in clear.
    #[error(
        "credential `{slot}` would be sent in clear to `{scope}`: use `https://`, or an address literal inside a granted private network"
    )]
    PlainHttp {
        /// Name of the credential.
        slot: String,
        /// The scope in question.
        scope: String,
    },
    /// The token URL is no `https://` URL.
    #[error("token URL of credential `{slot}`: {reason}")]
    TokenUrl {
        /// Name of the credential.
        slot: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value is missing or cannot be sent.
    #[error("credential `{slot}`: {reason}")]
    Value {
        /// Name of the credential.
        slot: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A URL scope or host grant cannot be read.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
}
