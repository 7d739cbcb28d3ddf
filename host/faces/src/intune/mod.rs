//! The face for products that ask Microsoft Intune: token endpoint, discovery
//! and compliance service under `/intune/`.
//!
//! A product's form has three addresses. All of them can be this gateway's:
//!
//! | field | value |
//! | --- | --- |
//! | Auto Discovery URL | `https://GATEWAY/intune/graph` |
//! | Token Issuing URL | `https://GATEWAY/intune/TENANT/oauth2/v2.0/token` or `…/oauth2/token` |
//! | Token Audience | Microsoft's own, or `https://GATEWAY/intune/.default` |
//!
//! The product gets a token with a secret or a signed assertion (Entra's client
//! credentials), finds the compliance service and asks it, in the XML that Cisco
//! defined or in the older JSON. `TENANT` is any word: a gateway is one tenant.

mod answer;
mod assertion;
mod discovery;
mod form;
mod list;
mod path;
mod query;
mod refusal;
mod replay;
mod resource;
mod service;
mod token;
mod xml;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method};

use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};
use crate::token::Purpose;

pub use assertion::{CertificateError, RegisteredCertificate};
use path::Place;
pub(crate) use replay::Replay;

/// What there is here.
pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new().route("/intune/{*rest}", any(serve))
}

/// Whether a path is for who has no token yet.
pub(crate) fn is_open(path: &str) -> bool {
    matches!(
        Place::of(path),
        Some(Place::Token { .. } | Place::Metadata { .. })
    )
}

/// What a token has to be for at this path.
pub(crate) fn purpose(path: &str) -> Option<Purpose> {
    match Place::of(path)? {
        Place::Token { .. } | Place::Metadata { .. } => None,
        Place::Endpoints(_) => Some(Purpose::Discovery),
        Place::ServerInfo(_) | Place::Devices(_) | Place::Flat => Some(Purpose::Compliance),
    }
}

async fn serve(State(faces): State<Arc<Faces>>, request: Request) -> Result<Response, Problem> {
    let written = request.uri().path().to_owned();
    let Some(place) = Place::of(&written) else {
        let shown = crate::text::one_line(&written, 100);
        let detail = format!("there is nothing at `{shown}`");
        return Err(Problem::new(ProblemKind::NoSuchPath, detail));
    };
    let is_token = matches!(place, Place::Token { .. });
    let method = request.method();
    // One client sends what it posts with GET; Entra takes that, too.
    let taken = *method == Method::GET || (is_token && *method == Method::POST);
    if !taken {
        let detail = format!("`{method}` is not taken here; `Allow` says what is");
        let methods = if is_token { "GET, POST" } else { "GET" };
        let problem = Problem::new(ProblemKind::MethodNotAllowed, detail);
        return Err(problem.allow(Some(HeaderValue::from_static(methods))));
    }
    let origin = Origin::of(&request)?;
    match place {
        Place::Token { tenant, version } => {
            Ok(token::issue(&faces, &tenant, version, &origin, request).await)
        }
        Place::Metadata { tenant } => Ok(json(&discovery::openid(&origin, &tenant))),
        Place::Endpoints(generation) => Ok(json(&discovery::endpoints(&origin, generation))),
        Place::ServerInfo(service) => Ok(service::information(service)),
        Place::Devices(service) => service::devices(&faces, service, request).await,
        Place::Flat => service::flat(&faces, request).await,
    }
}

/// The name and port under which this gateway is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin(String);

impl Origin {
    fn of<B>(request: &http::Request<B>) -> Result<Self, Problem> {
        let written = request
            .headers()
            .get(HOST)
            .and_then(|host| host.to_str().ok());
        let authority = match (request.uri().authority(), written) {
            (Some(authority), _) => Some(authority.as_str()),
            (None, written) => written,
        };
        authority
            .filter(|text| {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
                !text.is_empty() && text.len() <= 260 && text.bytes().all(plain)
            })
            .map(|text| Self(text.to_ascii_lowercase()))
            .ok_or_else(|| Problem::malformed("`Host`: expected a name and perhaps a port"))
    }

    /// The path of a URL of this gateway; `None` for all others.
    fn path_of<'a>(&self, url: &'a str) -> Option<&'a str> {
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let bare = |authority: &str| {
            let lower = authority.to_ascii_lowercase();
            lower
                .strip_suffix(":443")
                .map(str::to_owned)
                .unwrap_or(lower)
        };
        (bare(authority) == bare(&self.0)).then_some(path)
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.0)
    }
}

fn json(document: &serde_json::Value) -> Response {
    ([(CACHE_CONTROL, "no-store")], axum::Json(document)).into_response()
}

fn xml_response(document: impl Into<axum::body::Body>) -> Response {
    let kind = (CONTENT_TYPE, "application/xml; charset=utf-8");
    let headers = [kind, (CACHE_CONTROL, "no-store")];
    (headers, document.into()).into_response()
}

/// For a fuzzer: the assertion of a client.
pub(crate) fn fuzz_assertion(text: &str) {
    let _ = assertion::Assertion::read(text);
}

/// For a fuzzer: the form that asks for a token.
pub(crate) fn fuzz_form(body: &[u8]) {
    let _ = form::Form::read(body);
}

/// For a fuzzer: the query about a device.
pub(crate) fn fuzz_query(query: &[u8]) {
    let _ = query::read(query);
}
