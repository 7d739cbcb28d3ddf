//! The token endpoint: Entra's client credentials, answered by this gateway.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use portreeve_domain::Timestamp;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::Origin;
use super::assertion::{Assertion, Expected};
use super::form::Form;
use super::path::Version;
use super::refusal::Refusal;
use super::replay::Worn;
use super::resource::{self, Audience};
use crate::body;
use crate::clients::{AuthenticationFailure, Client, Face, Peer};
use crate::dispatch::Stranger;
use crate::faces::Faces;
use crate::token::Purpose;

/// Bytes of a token request. Assertions may carry a chain of certificates.
const LARGEST: usize = 32 << 10;
/// What Entra says of its own tokens.
const LIFETIME: Duration = Duration::from_secs(3599);
/// When to come again while too many assertions are remembered.
const FULL: Duration = Duration::from_mins(5);

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// By which an asker finds its request again.
const CORRELATION: &str = "client-request-id";

/// Who wants a token, and how that was proved.
struct Proved {
    client: Arc<Client>,
    id: String,
}

/// Answers a token request.
pub(super) async fn issue(
    faces: &Faces,
    tenant: &str,
    version: Version,
    origin: &Origin,
    request: Request,
) -> Response {
    let now = Timestamp::now();
    let Some(stranger) = request.extensions().get::<Stranger>().cloned() else {
        return Refusal::internal().response("", "", now);
    };
    let trace = stranger.request_id.as_str();
    let correlation = correlation(request.headers()).unwrap_or_else(|| trace.to_owned());
    match grant(faces, tenant, version, origin, &stranger, request, now).await {
        Ok(granted) => ([(CACHE_CONTROL, "no-store")], axum::Json(granted)).into_response(),
        Err(refusal) => {
            tracing::warn!(
                code = refusal.code(),
                peer = %stranger.peer.address,
                request = trace,
                "no token was issued"
            );
            refusal.response(trace, &correlation, now)
        }
    }
}

fn correlation(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CORRELATION)?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    ((1..=64).contains(&text.len()) && text.bytes().all(plain)).then(|| text.to_owned())
}

async fn grant(
    faces: &Faces,
    tenant: &str,
    version: Version,
    origin: &Origin,
    stranger: &Stranger,
    request: Request,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let headers = request.headers().clone();
    expect_form(&headers)?;
    let body = body::read(request, LARGEST, faces.limits.body_timeout).await;
    let body = body.map_err(|problem| Refusal::unreadable(&problem))?;
    let mut form = Form::read(&body)?;
    form.complete(&headers);
    match form.grant_type.as_deref() {
        Some("client_credentials") => {}
        Some(other) => return Err(Refusal::grant(other)),
        None => return Err(Refusal::missing("grant_type")),
    }
    let proved = match &form.assertion {
        Some(assertion) => by_assertion(faces, tenant, origin, stranger, &form, assertion, now)?,
        None => by_secret(faces, stranger, &form).await?,
    };
    if !proved.client.may_use(Face::Intune) {
        faces.metrics.not_allowed.inc();
        return Err(Refusal::not_allowed());
    }
    let audience = resource::asked(
        version,
        form.resource.as_deref(),
        form.scope.as_deref(),
        origin,
    )?;
    let claims = claims(&proved.id, tenant, origin, &audience);
    let token = faces
        .tokens
        .issue_with(&proved.client, audience.purpose, now, LIFETIME, claims)
        .map_err(|_| Refusal::internal())?;
    tracing::info!(
        client = &*proved.client.name,
        peer = %stranger.peer.address,
        request = stranger.request_id.as_str(),
        "a token was issued"
    );
    Ok(granted(version, &audience, &token, now))
}

fn granted(
    version: Version,
    audience: &Audience,
    token: &Zeroizing<String>,
    now: Timestamp,
) -> Value {
    let (seconds, lifetime) = (now.as_millis() / 1000, LIFETIME.as_secs());
    match version {
        Version::V2 => json!({
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": **token,
        }),
        // Numbers are texts there.
        Version::V1 => json!({
            "token_type": "Bearer",
            "expires_in": lifetime.to_string(),
            "ext_expires_in": lifetime.to_string(),
            "expires_on": (seconds + lifetime).to_string(),
            "not_before": seconds.to_string(),
            "resource": audience.text,
            "access_token": **token,
        }),
    }
}

/// What products look for in a token when they explain why they are refused.
fn claims(id: &str, tenant: &str, origin: &Origin, audience: &Audience) -> Map<String, Value> {
    let roles: &[&str] = match audience.purpose {
        Purpose::Discovery => &["Application.Read.All"],
        Purpose::Compliance => &["get_device_compliance"],
        _ => &["Application.Read.All", "get_device_compliance"],
    };
    let claims = json!({
        "aud": audience.text,
        "iss": origin.url(&format!("/intune/{tenant}/")),
        "appid": id,
        "tid": tenant,
        "roles": roles,
        "ver": "1.0",
    });
    match claims {
        Value::Object(claims) => claims,
        _ => Map::new(),
    }
}

fn expect_form(headers: &HeaderMap) -> Result<(), Refusal> {
    let written = headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    let kind = written
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    if kind
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    {
        Ok(())
    } else {
        let text = "Expected a body with the content type application/x-www-form-urlencoded.";
        Err(Refusal::malformed(text))
    }
}

/// A secret is the password of HTTP Basic with the identifier as user name: it
/// is checked as any other client's, with the same care.
async fn by_secret(faces: &Faces, stranger: &Stranger, form: &Form) -> Result<Proved, Refusal> {
    let secret = form
        .client_secret
        .as_ref()
        .ok_or_else(Refusal::no_credential)?;
    let id = form
        .client_id
        .as_deref()
        .ok_or_else(|| Refusal::missing("client_id"))?;
    let plain = Zeroizing::new(format!("{id}:{}", **secret));
    let encoded = Zeroizing::new(format!("Basic {}", STANDARD.encode(&*plain)));
    let header = HeaderValue::from_str(&encoded).map_err(|_| Refusal::wrong_secret(id))?;
    let headers = HeaderMap::from_iter([(AUTHORIZATION, header)]);
    let peer = Peer::unproven(stranger.peer.address);
    match faces.clients.recognise(&headers, &peer).await {
        Ok(client) => Ok(Proved {
            client,
            id: id.to_owned(),
        }),
        Err(failure) => {
            if failure.is_guess() {
                // Too many who guess are not waited for.
                let _ = faces.clients.slow_down(peer.address).await;
            }
            Err(refused(faces, failure, Refusal::wrong_secret(id)))
        }
    }
}

fn by_assertion(
    faces: &Faces,
    tenant: &str,
    origin: &Origin,
    stranger: &Stranger,
    form: &Form,
    text: &str,
    now: Timestamp,
) -> Result<Proved, Refusal> {
    match form.assertion_type.as_deref() {
        Some(JWT_BEARER) => {}
        Some(_) => {
            let text = format!("Expected the 'client_assertion_type' {JWT_BEARER}.");
            return Err(Refusal::malformed(&text));
        }
        None => return Err(Refusal::missing("client_assertion_type")),
    }
    let assertion = Assertion::read(text)?;
    // Cisco ISE names the client in the assertion only.
    let id = form.client_id.as_deref().unwrap_or(assertion.issuer());
    let wrong = |refusal| refused(faces, AuthenticationFailure::Wrong, refusal);
    let roster = faces.clients.now();
    let signer = roster.signer(id);
    let (client, certificates) = signer.ok_or_else(|| wrong(Refusal::unknown_client(id)))?;
    let expected = Expected {
        client_id: id,
        tenant,
        origin,
        now,
    };
    let until = assertion
        .verify(certificates, expected)
        .map_err(|refusal| {
            if refusal.is_of_client() {
                wrong(refusal)
            } else {
                refusal
            }
        })?;
    let client = roster
        .named(&client.name, stranger.peer.address)
        .map_err(|failure| refused(faces, failure, Refusal::not_allowed()))?;
    let seconds = i64::try_from(now.as_millis() / 1000).unwrap_or(i64::MAX);
    match faces.assertions.admit(assertion.digest(), until, seconds) {
        Ok(()) => {}
        Err(Worn::UsedUp) => return Err(wrong(Refusal::used_up())),
        Err(Worn::Full) => return Err(Refusal::busy(FULL)),
    }
    Ok(Proved {
        client: Arc::clone(client),
        id: id.to_owned(),
    })
}

/// Counts a failed authentication.
fn refused(faces: &Faces, failure: AuthenticationFailure, refusal: Refusal) -> Refusal {
    faces.metrics.count_failure(failure);
    match failure {
        AuthenticationFailure::Network => Refusal::not_allowed(),
        _ => refusal,
    }
}
