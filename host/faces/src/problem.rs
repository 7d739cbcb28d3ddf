//! Errors as problem details (RFC 9457).

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response as AxumResponse};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::clients::Challenges;
use crate::json::Json;

/// What kind of problem it is. Each has a `type` of its own, which clients may
/// rely on; titles and details are for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProblemKind {
    /// Something in the request cannot be read.
    Malformed,
    /// Nobody known asks.
    NotAuthenticated,
    /// This client may not ask here.
    NotAllowed,
    /// There is nothing at this path.
    NoSuchPath,
    /// No source knows the device.
    UnknownDevice,
    /// What was begun is not kept any more.
    Gone,
    /// Something of this name is there already.
    Conflict,
    /// The settings of a connector have not passed a check.
    NotTested,
    /// The path takes other methods.
    MethodNotAllowed,
    /// The body did not come in time.
    BodyTimeout,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// The body is not in a form that is read here.
    MediaType,
    /// The header section is larger than allowed.
    HeaderTooLarge,
    /// The client asks more often than it may.
    TooManyRequests,
    /// Too much of this is going on already.
    Busy,
    /// The facts are missing.
    CannotTell,
    /// A source could not be read.
    SourceFailed,
    /// A source is not there just now, or asks to be left alone.
    SourceUnavailable,
    /// The source said no.
    Refused,
    /// The certificate request is for another management system.
    Elsewhere,
    /// The configuration has mistakes.
    ConfigurationRefused,
    /// The fault is ours.
    Internal,
}

impl ProblemKind {
    /// The `type`.
    pub(crate) const fn uri(self) -> &'static str {
        match self {
            Self::Malformed => "urn:portreeve:problem:malformed-request",
            Self::NotAuthenticated => "urn:portreeve:problem:not-authenticated",
            Self::NotAllowed => "urn:portreeve:problem:not-allowed",
            Self::NoSuchPath => "urn:portreeve:problem:no-such-path",
            Self::UnknownDevice => "urn:portreeve:problem:unknown-device",
            Self::Gone => "urn:portreeve:problem:gone",
            Self::Conflict => "urn:portreeve:problem:conflict",
            Self::NotTested => "urn:portreeve:problem:not-tested",
            Self::MethodNotAllowed => "urn:portreeve:problem:method-not-allowed",
            Self::BodyTimeout => "urn:portreeve:problem:body-timeout",
            Self::BodyTooLarge => "urn:portreeve:problem:body-too-large",
            Self::MediaType => "urn:portreeve:problem:unsupported-media-type",
            Self::HeaderTooLarge => "urn:portreeve:problem:header-too-large",
            Self::TooManyRequests => "urn:portreeve:problem:too-many-requests",
            Self::Busy => "urn:portreeve:problem:busy",
            Self::CannotTell => "urn:portreeve:problem:cannot-tell",
            Self::SourceFailed => "urn:portreeve:problem:source-failed",
            Self::SourceUnavailable => "urn:portreeve:problem:source-unavailable",
            Self::Refused => "urn:portreeve:problem:refused",
            Self::Elsewhere => "urn:portreeve:problem:elsewhere",
            Self::ConfigurationRefused => "urn:portreeve:problem:configuration-refused",
            Self::Internal => "urn:portreeve:problem:internal",
        }
    }

    /// The `title`.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Malformed => "The request cannot be read",
            Self::NotAuthenticated => "The client is not authenticated",
            Self::NotAllowed => "The client may not use this face",
            Self::NoSuchPath => "There is nothing at this path",
            Self::UnknownDevice => "No source knows this device",
            Self::Gone => "What was begun is not kept any more",
            Self::Conflict => "There is one of this name already",
            Self::NotTested => "The connection has not passed a check",
            Self::MethodNotAllowed => "The path does not take this method",
            Self::BodyTimeout => "The body did not come in time",
            Self::BodyTooLarge => "The body is too large",
            Self::MediaType => "The body is not in a form that is read here",
            Self::HeaderTooLarge => "The header section is too large",
            Self::TooManyRequests => "The client asks more often than it may",
            Self::Busy => "Too many requests of this kind are on the way",
            Self::CannotTell => "The sources could not be asked",
            Self::SourceFailed => "The source could not be read",
            Self::SourceUnavailable => "The source cannot be asked just now",
            Self::Refused => "The management system refused",
            Self::Elsewhere => "The request is for another management system",
            Self::ConfigurationRefused => "The configuration has mistakes",
            Self::Internal => "Something went wrong inside Portreeve",
        }
    }

    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::NotAuthenticated => StatusCode::UNAUTHORIZED,
            Self::NotAllowed | Self::Refused => StatusCode::FORBIDDEN,
            Self::NoSuchPath | Self::UnknownDevice => StatusCode::NOT_FOUND,
            Self::Gone => StatusCode::GONE,
            Self::Conflict | Self::NotTested => StatusCode::CONFLICT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::CannotTell | Self::SourceUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::SourceFailed => StatusCode::BAD_GATEWAY,
            Self::ConfigurationRefused | Self::Elsewhere => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A request that is not answered, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    kind: ProblemKind,
    detail: Cow<'static, str>,
    retry_after: Option<Duration>,
    allow: Option<HeaderValue>,
    challenges: Challenges,
}

impl Problem {
    /// `detail` says what was wrong, where, and what was expected. Never a secret.
    pub(crate) fn new(kind: ProblemKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            retry_after: None,
            allow: None,
            challenges: Challenges::default(),
        }
    }

    pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ProblemKind::Malformed, detail)
    }

    /// When asking again may help.
    #[must_use]
    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The methods that the path takes.
    #[must_use]
    pub(crate) fn allow(mut self, methods: Option<HeaderValue>) -> Self {
        self.allow = methods;
        self
    }

    /// The ways in which a client could prove itself.
    #[must_use]
    pub(crate) fn challenges(mut self, challenges: Challenges) -> Self {
        self.challenges = challenges;
        self
    }

    pub(crate) const fn kind(&self) -> ProblemKind {
        self.kind
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Writes the members that every problem has (RFC 9457, section 3.1).
    /// `request` is the request's name, `status` the one that is really sent.
    pub(crate) fn write_members(&self, json: &mut Json, request: &str, status: StatusCode) {
        json.raw("\"type\":\"").raw(self.kind.uri());
        json.raw("\",\"title\":").text(self.kind.title());
        json.raw(",\"status\":").number(u64::from(status.as_u16()));
        json.raw(",\"detail\":").text(&self.detail);
        // A request's name has only characters that need no escape anywhere.
        json.raw(",\"instance\":\"urn:portreeve:request:")
            .raw(request)
            .raw("\"");
    }

    /// The response, with the kind's own status unless `status` is another.
    pub(crate) fn response(&self, request: &str, status: StatusCode) -> Response<Full<Bytes>> {
        let mut json = Json::new();
        json.raw("{");
        self.write_members(&mut json, request, status);
        json.raw("}");
        let mut response = Response::new(Full::new(Bytes::from(json.into_bytes())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            let Challenges { basic, bearer } = self.challenges;
            let challenges = [
                (basic, "Basic realm=\"portreeve\", charset=\"UTF-8\""),
                // One at least has to be there (RFC 9110, section 15.5.2).
                (bearer || !basic, "Bearer realm=\"portreeve\""),
            ];
            for (_, challenge) in challenges.into_iter().filter(|(possible, _)| *possible) {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
        }
        if let Some(after) = self.retry_after {
            headers.insert(RETRY_AFTER, whole_seconds(after).into());
        }
        if let Some(methods) = &self.allow {
            headers.insert(http::header::ALLOW, methods.clone());
        }
        response
    }
}

pub(crate) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Seconds for `Retry-After`: at least one, so that nobody asks in a circle.
pub(crate) fn whole_seconds(span: Duration) -> u64 {
    span.as_secs()
        .saturating_add(u64::from(span.subsec_nanos() > 0))
        .max(1)
}

/// Handlers behind axum give the problem itself; the dispatcher, which knows
/// the request's name and the face, makes the response of it.
impl IntoResponse for Problem {
    fn into_response(self) -> AxumResponse {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
