//! Refusals of the token endpoint, in Entra's words (`AADSTS…`).

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::error_timestamp;

/// One refusal: what OAuth calls it, Entra's own code, and the sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) error: &'static str,
    pub(crate) code: u32,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(
        status: StatusCode,
        error: &'static str,
        code: u32,
        text: impl Into<String>,
    ) -> Self {
        Self {
            status,
            error,
            code,
            text: text.into(),
        }
    }

    fn bad_request(error: &'static str, code: u32, text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, code, text)
    }

    fn bad_client(code: u32, text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", code, text)
    }

    // The request itself.

    pub(crate) fn missing_parameter(name: &str) -> Self {
        Self::bad_request(
            "invalid_request",
            900_144,
            format!("The request body must contain the following parameter: '{name}'."),
        )
    }

    pub(crate) fn malformed_request() -> Self {
        Self::bad_request(
            "invalid_request",
            9_002_313,
            "Invalid request. Request is malformed or invalid.",
        )
    }

    pub(crate) fn unsupported_grant(grant: &str) -> Self {
        Self::bad_request(
            "unsupported_grant_type",
            70_003,
            format!("The app requested an unsupported grant type '{grant}'."),
        )
    }

    pub(crate) fn resource_on_v2() -> Self {
        Self::bad_request(
            "invalid_request",
            901_002,
            "The 'resource' request parameter is not supported.",
        )
    }

    // The tenant.

    pub(crate) fn shared_endpoint(name: &str) -> Self {
        if name == "organizations" {
            return Self::bad_request(
                "invalid_request",
                50_194,
                "Application is not configured as a multi-tenant application. Use a tenant-specific endpoint.",
            );
        }
        Self::bad_request(
            "invalid_request",
            9_001_023,
            "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.",
        )
    }

    pub(crate) fn malformed_tenant(name: &str) -> Self {
        Self::bad_request(
            "invalid_request",
            900_023,
            format!(
                "Specified tenant identifier '{name}' is neither a valid DNS name, nor a valid external domain."
            ),
        )
    }

    pub(crate) fn unknown_tenant(name: &str) -> Self {
        Self::bad_request(
            "invalid_request",
            90_002,
            format!(
                "Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
            ),
        )
    }

    // The application and its credential.

    pub(crate) fn unknown_application(id: &str, tenant: Uuid) -> Self {
        Self::bad_request(
            "unauthorized_client",
            700_016,
            format!(
                "Application with identifier '{id}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
            ),
        )
    }

    pub(crate) fn disabled_application(id: Uuid) -> Self {
        Self::bad_request(
            "unauthorized_client",
            7_000_112,
            format!("Application '{id}' is disabled."),
        )
    }

    pub(crate) fn no_credential() -> Self {
        Self::bad_client(
            7_000_216,
            "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
        )
    }

    pub(crate) fn wrong_secret(id: Uuid) -> Self {
        Self::bad_client(
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{id}'."
            ),
        )
    }

    pub(crate) fn expired_secret(id: Uuid) -> Self {
        Self::bad_client(
            7_000_222,
            format!(
                "The provided client secret keys for app '{id}' are expired. Visit the Azure portal to create new keys for your app, or consider using certificate credentials for added security."
            ),
        )
    }

    // The assertion.

    pub(crate) fn malformed_assertion(reason: &str) -> Self {
        Self::bad_request(
            "invalid_request",
            50_027,
            format!("JWT token is invalid or malformed. {reason}"),
        )
    }

    pub(crate) fn unsupported_algorithm(algorithm: &str) -> Self {
        Self::bad_request(
            "invalid_request",
            5_002_738,
            format!(
                "Invalid JWT token. '{algorithm}' is not a supported signature algorithm. Supported signing algorithms are: 'RS256, PS256'"
            ),
        )
    }

    /// `reason` goes into the brackets, as in `The key was not found.`.
    pub(crate) fn invalid_signature(reason: &str) -> Self {
        Self::bad_client(
            700_027,
            format!("Client assertion contains an invalid signature. [Reason - {reason}]"),
        )
    }

    pub(crate) fn foreign_issuer() -> Self {
        Self::bad_client(
            700_021,
            "Client assertion application identifier doesn't match 'client_id' parameter.",
        )
    }

    pub(crate) fn subject_is_not_issuer() -> Self {
        Self::bad_client(
            50_048,
            "Subject must match Issuer claim in the client assertion.",
        )
    }

    pub(crate) fn wrong_audience() -> Self {
        Self::bad_client(
            700_023,
            "Client assertion audience claim does not match Realm issuer.",
        )
    }

    pub(crate) fn outside_valid_time(now: &str, from: &str, until: &str) -> Self {
        Self::bad_client(
            700_024,
            format!(
                "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {from}, expiry time of assertion {until}."
            ),
        )
    }

    /// Not something Entra does; see [`crate::Tenant::refuse_replay`].
    pub(crate) fn replayed() -> Self {
        Self::bad_client(50_013, "Assertion is invalid: its 'jti' was used before.")
    }

    // The resource.

    pub(crate) fn scope_without_resource() -> Self {
        Self::bad_request(
            "invalid_scope",
            700_023,
            "The provided value for the input parameter 'scope' isn't valid because it doesn't contain a resource.",
        )
    }

    pub(crate) fn several_resources() -> Self {
        Self::bad_request(
            "invalid_scope",
            700_022,
            "The provided value for the input parameter 'scope' isn't valid because it contains more than one resource.",
        )
    }

    pub(crate) fn scope_not_default(scope: &str) -> Self {
        Self::bad_request(
            "invalid_scope",
            1_002_012,
            format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
            ),
        )
    }

    pub(crate) fn unknown_resource(resource: &str, tenant: Uuid) -> Self {
        Self::bad_request(
            "invalid_resource",
            500_011,
            format!(
                "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."
            ),
        )
    }

    // On demand.

    pub(crate) fn unavailable(status: StatusCode) -> Self {
        Self::new(
            status,
            "temporarily_unavailable",
            90_033,
            "A transient error has occurred. Please try again.",
        )
    }

    pub(crate) fn throttled() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "temporarily_unavailable",
            90_055,
            "Tenant is throttled due to too many requests.",
        )
    }

    /// The JSON body, `now` in seconds since 1970; `login` is the origin of the login service.
    pub(crate) fn body(&self, correlation: &str, now: i64, login: &str) -> Value {
        let trace = Uuid::new_v4();
        let timestamp = error_timestamp(now);
        let Self {
            error, code, text, ..
        } = self;
        json!({
            "error": error,
            "error_description": format!(
                "AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
            ),
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("{login}/error?code={code}"),
        })
    }
}
