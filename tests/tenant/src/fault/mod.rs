//! Faults on demand, per step of what a connector does.

mod answer;
mod plan;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use answer::{Body, Dropped, HANG_LIMIT, spoil, whole};
pub(crate) use plan::Faults;

use crate::entra::Resource;

/// One step of the way to an answer; requests are counted and faults are set per step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// `/common/discovery/instance`.
    InstanceDiscovery,
    /// `…/.well-known/openid-configuration` and its keys.
    OpenidConfiguration,
    /// Any request for a token.
    Token,
    /// A request for a token of Graph; it counts as [`Step::Token`] as well.
    GraphToken,
    /// A request for a token of Intune; it counts as [`Step::Token`] as well.
    IntuneToken,
    /// The list of service endpoints in Graph.
    Discovery,
    /// `mdminfo` of the compliance service.
    ServerInfo,
    /// A query for one device.
    Compliance,
    /// A query for all devices that are not compliant.
    NonCompliantList,
    /// A page of the managed devices in Graph.
    DeviceList,
    /// One managed device in Graph.
    Device,
    /// An action on a managed device in Graph.
    DeviceAction,
    /// The compliance policies of a managed device in Graph, alone or in a batch.
    PolicyStates,
    /// Several requests to Graph at once.
    Batch,
    /// The validation of a certificate request.
    ScepValidation,
    /// The notification that a certificate was issued.
    ScepSuccess,
    /// The notification that none was issued.
    ScepFailure,
    /// The list of certificates to be revoked.
    RevocationDownload,
    /// What became of them.
    RevocationUpload,
}

impl Step {
    /// All steps.
    pub const ALL: [Self; 19] = [
        Self::InstanceDiscovery,
        Self::OpenidConfiguration,
        Self::Token,
        Self::GraphToken,
        Self::IntuneToken,
        Self::Discovery,
        Self::ServerInfo,
        Self::Compliance,
        Self::NonCompliantList,
        Self::DeviceList,
        Self::Device,
        Self::DeviceAction,
        Self::PolicyStates,
        Self::Batch,
        Self::ScepValidation,
        Self::ScepSuccess,
        Self::ScepFailure,
        Self::RevocationDownload,
        Self::RevocationUpload,
    ];

    /// The step of token requests for this resource.
    pub const fn token_for(resource: Resource) -> Self {
        match resource {
            Resource::Graph => Self::GraphToken,
            Resource::Intune => Self::IntuneToken,
        }
    }

    pub(crate) const fn is_token(self) -> bool {
        matches!(self, Self::Token | Self::GraphToken | Self::IntuneToken)
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Fault {
    /// The request is read, and nothing is ever answered.
    Timeout,
    /// The connection is closed before an answer. To refuse connections, see
    /// [`crate::Tenant::stop`].
    Dropped,
    /// Status 429.
    TooManyRequests {
        /// The header `Retry-After`.
        #[serde(default)]
        retry_after: RetryAfter,
    },
    /// Status 500.
    InternalError,
    /// Status 503.
    Unavailable {
        /// The header `Retry-After`.
        #[serde(default)]
        retry_after: RetryAfter,
    },
    /// Status 401 in the words of the step: for tokens a wrong secret (AADSTS7000215).
    Unauthorized,
    /// The client secret has expired (AADSTS7000222, status 401). For steps after the token the
    /// same as [`Fault::Unauthorized`].
    ExpiredSecret,
    /// A token is issued without any role; after that, status 403 as for such a token.
    MissingPermission,
    /// The first half of the body, in an answer that is complete as HTTP.
    Malformed,
    /// The right body under the wrong content type `text/html`.
    WrongContentType,
    /// The connection is closed after half of the announced body.
    Truncated,
    /// One byte of the body in every interval, and then spaces without end.
    Drip {
        /// Milliseconds between two bytes.
        interval_ms: u64,
    },
    /// The right body, followed by spaces without end as fast as they can be sent.
    Endless,
    /// The right answer, this much later.
    Slow {
        /// Milliseconds.
        delay_ms: u64,
    },
    /// The link to the next page has expired. That is status 410 or 400, both of which are met.
    ExpiredLink {
        /// Whether it is 410.
        gone: bool,
    },
    /// All devices of a page of [`Step::DeviceList`] have the serial number of the first.
    OneSerial,
    /// Status 200 with this code, from [`Step::ScepValidation`] and its notifications.
    Code {
        /// As Intune writes it, e.g. `ChallengeExpired`.
        code: String,
    },
    /// Status 302 to this URL.
    Redirect {
        /// The header `Location`.
        location: String,
    },
    /// Status 200 with the request's own `Authorization` header and body in the answer, as
    /// careless servers do.
    EchoCredential,
}

/// The header `Retry-After` in the forms that Microsoft's services use.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryAfter {
    /// No such header.
    #[default]
    Absent,
    /// Seconds, with a fraction as Graph sends it.
    Seconds(f64),
    /// A date this many seconds ahead.
    Date(u32),
}

impl RetryAfter {
    /// The text of the header; `now` is in seconds since 1970.
    pub(crate) fn header(self, now: i64) -> Option<String> {
        match self {
            Self::Absent => None,
            Self::Seconds(seconds) => Some(seconds.to_string()),
            Self::Date(ahead) => {
                let now = Duration::from_secs(u64::try_from(now).unwrap_or_default());
                let at = std::time::UNIX_EPOCH + now + Duration::from_secs(ahead.into());
                Some(httpdate::fmt_http_date(at))
            }
        }
    }
}
