//! Microsoft Entra: the token endpoints and the metadata that clients read first.

mod application;
mod assertion;
mod failure;
mod metadata;
mod resource;
#[cfg(test)]
mod tests;
mod token;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use parking_lot::{Mutex, RwLock};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use uuid::Uuid;

pub use application::RegistrationError;
pub(crate) use application::{Application, RegisteredCertificate, Secret};
use assertion::Assertion;
pub(crate) use failure::Failure;
pub use resource::Resource;
pub(crate) use resource::Right;
use resource::{Asked, from_resource, from_scope};
pub(crate) use token::{Denied, Signer};

/// Bound of remembered assertion ids; when it is reached, remembering starts anew.
const MAX_REMEMBERED: usize = 100_000;
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Generation of the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// `/oauth2/token`, which takes a `resource`.
    V1,
    /// `/oauth2/v2.0/token`, which takes a `scope`.
    V2,
}

/// One request to a token endpoint.
#[derive(Debug)]
pub(crate) struct TokenRequest<'a> {
    /// The tenant as the path names it.
    pub(crate) tenant: &'a str,
    pub(crate) version: Version,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// The directory of one tenant.
#[derive(Debug)]
pub(crate) struct Entra {
    pub(crate) tenant: Uuid,
    pub(crate) domain: String,
    pub(crate) applications: RwLock<HashMap<Uuid, Application>>,
    pub(crate) refuse_replay: AtomicBool,
    /// Lifetime of tokens in seconds.
    pub(crate) lifetime: AtomicU64,
    signer: Signer,
    used: Mutex<HashSet<String>>,
}

/// Parameters of a form; the first of equal names counts.
type Form = HashMap<String, String>;

fn parse_form(body: &[u8]) -> Form {
    let mut form = Form::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        form.entry(name.into_owned()).or_insert(value.into_owned());
    }
    form
}

/// The resource that a token request asks for, if it can be told; used to pick faults.
pub(crate) fn asked_resource(version: Version, body: &[u8]) -> Option<Resource> {
    let form = parse_form(body);
    let asked = match version {
        Version::V1 => from_resource(form.get("resource")?, Uuid::nil()),
        Version::V2 => from_scope(form.get("scope")?, Uuid::nil()),
    };
    asked.ok().map(|asked| asked.resource)
}

impl Entra {
    pub(crate) fn new(tenant: Uuid, domain: String, signer: Signer) -> Self {
        Self {
            tenant,
            domain,
            applications: RwLock::default(),
            refuse_replay: AtomicBool::new(false),
            lifetime: AtomicU64::new(3599),
            signer,
            used: Mutex::default(),
        }
    }

    /// Answers a token request; `now` is in seconds since 1970, `origins` are the addresses under
    /// which the login service is reached. Without `with_roles` the token carries no permission,
    /// as when consent was never given.
    pub(crate) fn token(
        &self,
        request: &TokenRequest<'_>,
        origins: &[String],
        now: i64,
        with_roles: bool,
    ) -> Result<Value, Failure> {
        self.check_tenant(request.tenant)?;
        let form = read_form(request)?;
        match form.get("grant_type").map(String::as_str) {
            Some("client_credentials") => {}
            Some(other) => return Err(Failure::unsupported_grant(other)),
            None => return Err(Failure::missing_parameter("grant_type")),
        }
        let (client, certificate) = self.authenticate(request, &form, origins, now)?;
        let asked = self.asked(request.version, &form)?;
        let roles = if with_roles {
            self.roles(client, asked.resource)
        } else {
            Vec::new()
        };
        let lifetime = i64::try_from(self.lifetime.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        let token = self.signer.issue(&token::Grant {
            tenant: self.tenant,
            client,
            audience: &asked.audience,
            roles: &roles,
            certificate,
            issued: now,
            lifetime,
        });
        Ok(match request.version {
            Version::V2 => json!({
                "token_type": "Bearer",
                "expires_in": lifetime,
                "ext_expires_in": lifetime,
                "access_token": token,
            }),
            Version::V1 => json!({
                "token_type": "Bearer",
                "expires_in": lifetime.to_string(),
                "ext_expires_in": lifetime.to_string(),
                "expires_on": (now + lifetime).to_string(),
                "not_before": now.to_string(),
                "resource": asked.audience,
                "access_token": token,
            }),
        })
    }

    /// Checks a bearer token for one of the services.
    pub(crate) fn authorize(
        &self,
        headers: &HeaderMap,
        right: Right,
        now: i64,
    ) -> Result<(), Denied> {
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(Denied::Missing)?;
        self.signer.verify(bearer, self.tenant, right, now)
    }

    fn check_tenant(&self, name: &str) -> Result<(), Failure> {
        if matches!(name, "common" | "consumers" | "organizations") {
            return Err(Failure::shared_endpoint(name));
        }
        if self.is_tenant(name) {
            return Ok(());
        }
        let domain = name.contains('.')
            && name.split('.').all(|label| {
                !label.is_empty()
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            });
        Err(if domain || Uuid::parse_str(name).is_ok() {
            Failure::unknown_tenant(name)
        } else {
            Failure::malformed_tenant(name)
        })
    }

    /// Whether this is the id or the domain of the tenant.
    pub(crate) fn is_tenant(&self, name: &str) -> bool {
        Uuid::parse_str(name) == Ok(self.tenant) || name.eq_ignore_ascii_case(&self.domain)
    }

    /// Says who asks, and whether a certificate proved it.
    fn authenticate(
        &self,
        request: &TokenRequest<'_>,
        form: &Form,
        origins: &[String],
        now: i64,
    ) -> Result<(Uuid, bool), Failure> {
        let basic = basic_credentials(request.headers)?;
        let assertion = form.get("client_assertion");
        let assertion = assertion.map(|text| Assertion::parse(text)).transpose()?;
        let id = form
            .get("client_id")
            .map(String::as_str)
            .or(basic.as_ref().map(|(id, _)| id.as_str()))
            // Cisco ISE names the client only in the assertion.
            .or(assertion.as_ref().and_then(Assertion::issuer))
            .ok_or_else(|| Failure::missing_parameter("client_id"))?;
        let applications = self.applications.read();
        let application = Uuid::parse_str(id)
            .ok()
            .and_then(|id| applications.get(&id))
            .ok_or_else(|| Failure::unknown_application(id, self.tenant))?;
        if !application.enabled {
            return Err(Failure::disabled_application(application.id));
        }
        if let Some(assertion) = assertion {
            match form.get("client_assertion_type").map(String::as_str) {
                Some(JWT_BEARER) => {}
                Some(_) => return Err(Failure::malformed_request()),
                None => return Err(Failure::missing_parameter("client_assertion_type")),
            }
            assertion.verify(application, &self.audiences(origins), now)?;
            self.remember(assertion.id())?;
            return Ok((application.id, true));
        }
        let secret = form
            .get("client_secret")
            .or(basic.as_ref().map(|(_, secret)| secret))
            .ok_or_else(Failure::no_credential)?;
        let known = application
            .secrets
            .iter()
            .find(|own| own.value == *secret)
            .ok_or_else(|| Failure::wrong_secret(application.id))?;
        if known.expires.is_some_and(|expires| now >= expires) {
            return Err(Failure::expired_secret(application.id));
        }
        Ok((application.id, false))
    }

    /// The audiences an assertion may name: both token URLs, with the id or the domain.
    fn audiences(&self, origins: &[String]) -> Vec<String> {
        let mut audiences = Vec::new();
        for origin in origins {
            for tenant in [&self.tenant.to_string(), &self.domain] {
                audiences.push(format!("{origin}/{tenant}/oauth2/v2.0/token"));
                audiences.push(format!("{origin}/{tenant}/oauth2/token"));
            }
        }
        audiences
    }

    fn remember(&self, id: Option<&str>) -> Result<(), Failure> {
        if !self.refuse_replay.load(Ordering::Relaxed) {
            return Ok(());
        }
        let id = id.ok_or_else(|| Failure::malformed_assertion("Its claim 'jti' is missing."))?;
        let mut used = self.used.lock();
        if used.len() >= MAX_REMEMBERED {
            used.clear();
        }
        if used.insert(id.to_owned()) {
            Ok(())
        } else {
            Err(Failure::replayed())
        }
    }

    fn asked(&self, version: Version, form: &Form) -> Result<Asked, Failure> {
        let resource = form.get("resource");
        match version {
            // A `scope` beside it, as Cisco ISE sends it, has no meaning here.
            Version::V1 => {
                let name = resource.ok_or_else(|| Failure::missing_parameter("resource"))?;
                from_resource(name, self.tenant)
            }
            Version::V2 if resource.is_some() => Err(Failure::resource_on_v2()),
            Version::V2 => {
                let scope = form
                    .get("scope")
                    .ok_or_else(|| Failure::missing_parameter("scope"))?;
                from_scope(scope, self.tenant)
            }
        }
    }

    fn roles(&self, client: Uuid, resource: Resource) -> Vec<String> {
        let applications = self.applications.read();
        applications
            .get(&client)
            .and_then(|application| application.granted.get(&resource))
            .map(|roles| roles.iter().cloned().collect())
            .unwrap_or_default()
    }
}

fn read_form(request: &TokenRequest<'_>) -> Result<Form, Failure> {
    let kind = request
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if kind
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        Ok(parse_form(request.body))
    } else {
        Err(Failure::malformed_request())
    }
}

/// Client id and secret from HTTP Basic, both form-encoded inside (RFC 6749, section 2.3.1).
fn basic_credentials(headers: &HeaderMap) -> Result<Option<(String, String)>, Failure> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let decode = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| {
            let (id, secret) = text.split_once(':')?;
            Some((decode(id), decode(secret)))
        })
        .map(Some)
        .ok_or_else(Failure::malformed_request)
}
