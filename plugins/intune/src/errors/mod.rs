//! What a failed request means to the connector's caller.

use std::time::{Duration, UNIX_EPOCH};

use portreeve_plugin::connector::Error;
use portreeve_plugin::http::{Error as HttpError, Response};

use crate::check::code::Code;

/// Longest pause that is believed.
const LONGEST_PAUSE_MS: u64 = 24 * 3_600_000;

/// Longest text that is taken over from an answer.
const LONGEST_TEXT: usize = 400;

/// Who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Graph,
    /// Graph's devices: the same host and credential, another permission.
    Devices,
    Intune,
    /// Intune's validation of certificate requests: the same credential, another
    /// permission.
    Scep,
    /// Intune's revocations, which need the same permission.
    Revocation,
}

impl Party {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Graph | Self::Devices => "Microsoft Graph",
            Self::Intune => "Intune's compliance service",
            Self::Scep => "Intune's SCEP validation service",
            Self::Revocation => "Intune's revocation service",
        }
    }

    /// The credential that the host adds.
    pub(crate) fn slot(self) -> &'static str {
        match self {
            Self::Graph | Self::Devices => "graph",
            Self::Intune | Self::Scep | Self::Revocation => "intune",
        }
    }

    /// The application permission to ask an administrator for.
    pub(crate) fn permission(self) -> &'static str {
        match self {
            Self::Graph => "Application.Read.All",
            Self::Devices => "DeviceManagementManagedDevices.Read.All",
            Self::Intune => "get_device_compliance",
            Self::Scep | Self::Revocation => "scep_challenge_provider",
        }
    }

    /// Where that permission is found in the portal.
    pub(crate) fn permission_place(self) -> &'static str {
        match self {
            Self::Graph | Self::Devices => "Microsoft Graph, application permission",
            Self::Intune | Self::Scep | Self::Revocation => "Intune, application permission",
        }
    }
}

/// A failed request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Whether the service may have moved to another address.
    pub(crate) moved: bool,
    /// What a check calls it, where the error alone does not say that.
    pub(crate) code: Option<Code>,
}

impl Failure {
    pub(crate) fn new(error: Error) -> Self {
        Self {
            error,
            moved: false,
            code: None,
        }
    }

    fn moved(error: Error) -> Self {
        Self {
            moved: true,
            ..Self::new(error)
        }
    }

    /// The same under a code of its own.
    pub(crate) fn coded(self, code: Code) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }
}

/// What the host said about a request that got no answer.
pub(crate) fn from_http(party: Party, error: HttpError) -> Failure {
    let name = party.name();
    match error {
        HttpError::Denied(text) => Failure::new(Error::Misconfigured(format!(
            "the gateway is not allowed to reach {name}: {text}"
        ))),
        HttpError::NameResolution(text) => Failure::moved(Error::Unavailable(format!(
            "the host of {name} has no address: {text}"
        ))),
        HttpError::Connect(text) => Failure::moved(Error::Unavailable(format!(
            "no connection to {name}: {text}"
        ))),
        HttpError::Tls(text) => Failure::new(Error::Unavailable(format!(
            "the certificate of {name} was not accepted: {text}"
        ))),
        HttpError::Timeout => Failure::new(Error::Timeout),
        HttpError::TooLarge(limit) => Failure::new(Error::BadResponse(format!(
            "{name} answered more than {limit} bytes"
        ))),
        HttpError::Busy => Failure::new(Error::Unavailable(format!(
            "too many requests to {name} are on the way"
        ))),
        HttpError::CredentialRefused(advice) => {
            Failure::new(Error::Unauthenticated(advice)).coded(Code::NoToken)
        }
        HttpError::CredentialUnavailable(text) => Failure::new(Error::Unavailable(format!(
            "no token for {name} just now: {text}"
        )))
        .coded(Code::NoToken),
        HttpError::InvalidRequest(text) => Failure::new(Error::Other(format!(
            "the request to {name} cannot be sent: {text}"
        ))),
        HttpError::Other(text) => Failure::new(Error::Other(text)),
    }
}

/// A stable word for a request that got no answer, for the log.
pub(crate) fn word(error: &HttpError) -> &'static str {
    match error {
        HttpError::Denied(_) => "not-granted",
        HttpError::NameResolution(_) => "name-resolution",
        HttpError::Connect(_) => "connection",
        HttpError::Tls(_) => "tls",
        HttpError::Timeout => "timeout",
        HttpError::TooLarge(_) => "answer-too-large",
        HttpError::Busy => "too-many-requests",
        HttpError::CredentialRefused(_) => "credential-refused",
        HttpError::CredentialUnavailable(_) => "credential-unavailable",
        HttpError::InvalidRequest(_) => "request-invalid",
        HttpError::Other(_) => "other",
    }
}

/// An answer that is not the wanted one. `now_ms` is needed for a pause that is
/// given as a date.
pub(crate) fn from_status(party: Party, response: &Response, now_ms: u64) -> Failure {
    let name = party.name();
    let told = told(&response.body);
    let status = response.status;
    let text = match &told {
        Some(text) => format!("{name} answered {status}: {text}"),
        None => format!("{name} answered {status}"),
    };
    match status {
        401 => Failure::new(Error::Unauthenticated(match party {
            Party::Graph | Party::Devices => text,
            Party::Intune | Party::Scep | Party::Revocation => format!(
                "{}; the token's audience is wrong, or the application lacks the permission `{}`",
                text.trim_end_matches('.'),
                party.permission()
            ),
        })),
        403 => {
            let failure = Failure::new(Error::Forbidden(forbidden(party, told.as_deref())));
            if told.as_deref().is_some_and(is_delegated_only) {
                failure.coded(Code::DelegatedOnly)
            } else {
                failure
            }
        }
        429 | 503 => Failure::new(Error::RateLimited(pause_ms(response, now_ms))),
        404 | 410 => Failure::moved(Error::Unavailable(text)),
        300..=399 => Failure::moved(Error::BadResponse(format!(
            "{name} answered with a redirect ({status}), which is never followed"
        ))),
        500..=599 => Failure::new(Error::Unavailable(text)),
        _ => Failure::new(Error::BadResponse(text)),
    }
}

fn forbidden(party: Party, told: Option<&str>) -> String {
    let place = party.permission_place();
    let Some(told) = told else {
        return format!("missing permission `{}` ({place})", party.permission());
    };
    if is_delegated_only(told) {
        return format!(
            "missing permission `{}` ({place}); only a delegated one was granted",
            party.permission()
        );
    }
    match named_permissions(told) {
        Some(named) if named.contains(',') => {
            format!("missing permission, one of `{named}` ({place})")
        }
        Some(named) => format!("missing permission `{named}` ({place})"),
        None => format!(
            "missing permission `{}` ({place}): {told}",
            party.permission()
        ),
    }
}

/// Graph's word for a permission that is there, but of the wrong kind.
fn is_delegated_only(told: &str) -> bool {
    told.contains("does not have application permissions configured")
}

/// The permissions that Intune's part of Graph names in its refusal.
fn named_permissions(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("must have one of the following scopes: ")?;
    let named = rest.split(" - ").next().unwrap_or(rest).trim();
    (!named.is_empty()).then_some(named)
}

/// The text of an error answer. Graph's is JSON, and what comes from Intune has
/// more JSON inside its message, up to three levels of it.
fn told(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let mut value: serde_json::Value = serde_json::from_str(text).ok()?;
    let mut code = None;
    for _ in 0..4 {
        let inner = value.get("error").unwrap_or(&value);
        if inner.is_string() {
            // OAuth's own form, or a bare text.
            let description = value.get("error_description").unwrap_or(inner);
            return description.as_str().map(shortened);
        }
        let found_code = ["code", "ErrorCode"]
            .iter()
            .find_map(|key| inner.get(key)?.as_str());
        if let Some(found) = found_code {
            code = Some(found.to_owned());
        }
        let message = ["message", "Message"]
            .iter()
            .find_map(|key| inner.get(key)?.as_str());
        let Some(message) = message.map(str::to_owned) else {
            break;
        };
        match serde_json::from_str::<serde_json::Value>(&message) {
            Ok(next) if next.is_object() => value = next,
            _ => {
                return Some(match &code {
                    Some(code) => format!("{code}: {}", shortened(&message)),
                    None => shortened(&message),
                });
            }
        }
    }
    code
}

/// One line of bounded length.
pub(crate) fn shortened(text: &str) -> String {
    // Nearly every text is short and plain, and an inventory has millions.
    if text.len() <= LONGEST_TEXT && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.trim().to_owned();
    }
    let mut line: String = text
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .take(LONGEST_TEXT)
        .collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line.trim().to_owned()
}

/// `Retry-After` in its forms: seconds, decimal seconds, a date, or not there.
pub(crate) fn pause_ms(response: &Response, now_ms: u64) -> Option<u64> {
    let value = response.header("retry-after")?.trim();
    if let Ok(date) = httpdate::parse_http_date(value) {
        let then = date.duration_since(UNIX_EPOCH).ok()?;
        let pause = then.saturating_sub(Duration::from_millis(now_ms));
        return u64::try_from(pause.as_millis())
            .ok()
            .map(|pause| pause.min(LONGEST_PAUSE_MS));
    }
    // `try_from` refuses what is negative, infinite or no number.
    let seconds: f64 = value.parse().ok()?;
    let pause = Duration::try_from_secs_f64(seconds).ok()?;
    u64::try_from(pause.as_millis())
        .ok()
        .map(|pause| pause.min(LONGEST_PAUSE_MS))
}

#[cfg(test)]
mod tests;
