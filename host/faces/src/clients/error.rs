//! What can be wrong with clients, and with a request of one.

use std::sync::Arc;

/// The configured clients cannot be told apart or cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientsError {
    /// Two clients have one name.
    #[error("there are two clients called `{0}`")]
    SameName(Arc<str>),
    /// Two clients have the same credential.
    #[error("clients `{0}` and `{1}` have the same credential")]
    SameCredential(Arc<str>, Arc<str>),
    /// A password, key or name is empty.
    #[error("client `{0}` has an empty credential")]
    EmptyCredential(Arc<str>),
    /// A user name with a colon cannot be sent (RFC 7617, section 2).
    #[error("the user name of client `{0}` contains a colon")]
    Colon(Arc<str>),
    /// A client may see a source that there is not.
    #[error("there is no source `{name}`, which client `{client}` may see")]
    NoSuchSource {
        /// The client.
        client: Arc<str>,
        /// What it names.
        name: Arc<str>,
    },
    /// The issuers of a client's certificate cannot be used.
    #[error("the issuers of the certificate of client `{client}`: {message}")]
    Issuers {
        /// The client.
        client: Arc<str>,
        /// What is wrong.
        message: String,
    },
    /// No random key for comparing credentials.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthenticationFailure {
    /// Neither a header nor a certificate.
    Missing,
    /// The header is neither Basic nor Bearer.
    Malformed,
    /// No client has this credential.
    Wrong,
    /// The credential is right, but it came from a network of somebody else.
    Network,
    /// Nobody looked at the credential: too many wrong ones came from there.
    TooMany,
    /// Nobody looked at the credential: too many are being looked at.
    Busy,
}

impl AuthenticationFailure {
    pub(crate) const ALL: [Self; 6] = [
        Self::Missing,
        Self::Malformed,
        Self::Wrong,
        Self::Network,
        Self::TooMany,
        Self::Busy,
    ];

    /// The word for it in logs and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Wrong => "wrong",
            Self::Network => "network",
            Self::TooMany => "too-many",
            Self::Busy => "busy",
        }
    }

    /// Whether somebody may be guessing. Who sends no credential at all learns
    /// by the answer that one is wanted.
    pub(crate) const fn is_guess(self) -> bool {
        matches!(self, Self::Wrong | Self::Network)
    }
}

/// What a look at a request's credential comes to when it is of no client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// It is wrong.
    Failed(AuthenticationFailure),
    /// It may be right, but that takes work which nobody may be kept waiting for.
    NotYet,
}

impl From<AuthenticationFailure> for Unknown {
    fn from(failure: AuthenticationFailure) -> Self {
        Self::Failed(failure)
    }
}
