//! The configured credentials, checked and ready to be chosen by URL.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use time::OffsetDateTime;
use tokio::time::Instant;
use url::Url;

use super::{CredentialInfo, CredentialKind, CredentialSettings, CredentialStatus};
use crate::{
    ClientCertificate, Scheme, Secret, SettingsError, UrlScope,
    guard::{AddressGuard, HostPattern},
    headers,
    oauth::{ClientProof, TokenRequest, TokenSource},
    text,
};

/// The credentials of one connector instance.
#[derive(Debug)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
}

/// One credential, ready for use.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) urls: Vec<UrlScope>,
    pub(crate) kind: SlotKind,
}

#[derive(Debug)]
pub(crate) enum SlotKind {
    Token {
        source: Arc<TokenSource>,
        request: Arc<TokenRequest>,
        certificate: Option<ClientCertificate>,
    },
    Fixed {
        header: HeaderName,
        value: HeaderValue,
        secrets: Vec<Secret>,
    },
    Signing(Secret),
}

impl Slots {
    /// Checks the settings. `source` makes the cache for one kind of token; credentials that would
    /// get the same token share one.
    pub(crate) fn new(
        settings: Vec<CredentialSettings>,
        guard: &AddressGuard,
        source: impl Fn(Arc<TokenRequest>) -> TokenSource,
    ) -> Result<Self, SettingsError> {
        let mut sources = HashMap::new();
        let mut slots: Vec<Slot> = Vec::new();
        for CredentialSettings {
            slot: name,
            urls,
            kind,
        } in settings
        {
            if slots.iter().any(|other| other.name == name) {
                return Err(SettingsError::DuplicateSlot(name));
            }
            let kind = match prepare(&name, kind)? {
                Prepared::Ready(kind) => kind,
                Prepared::Token(request, certificate) => {
                    let request = Arc::new(request);
                    let source = sources
                        .entry(request.key())
                        .or_insert_with(|| Arc::new(source(Arc::clone(&request))));
                    SlotKind::Token {
                        source: Arc::clone(source),
                        request,
                        certificate,
                    }
                }
            };
            check_scopes(&name, &urls, &kind, guard)?;
            for other in &slots {
                if let Some(scope) = urls.iter().find(|scope| other.urls.contains(scope)) {
                    return Err(SettingsError::AmbiguousScope {
                        first: other.name.clone(),
                        second: name,
                        scope: scope.to_string(),
                    });
                }
            }
            slots.push(Slot { name, urls, kind });
        }
        Ok(Self { slots })
    }

    /// The credential for a URL: of those whose scope covers it, the one that names it closest.
    pub(crate) fn for_url(&self, url: &Url) -> Option<&Slot> {
        self.slots
            .iter()
            .filter_map(|slot| {
                let matching = slot.urls.iter().filter(|scope| scope.matches(url));
                matching
                    .map(UrlScope::specificity)
                    .max()
                    .map(|rank| (rank, slot))
            })
            .max_by_key(|(rank, _)| *rank)
            .map(|(_, slot)| slot)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }
}

impl Slot {
    /// The header that carries the credential, if it is one that is sent.
    pub(crate) fn header_name(&self) -> Option<&HeaderName> {
        match &self.kind {
            SlotKind::Token { .. } => Some(&AUTHORIZATION),
            SlotKind::Fixed { header, .. } => Some(header),
            SlotKind::Signing(_) => None,
        }
    }

    pub(crate) fn info(&self) -> CredentialInfo {
        let scopes = self.urls.iter().map(ToString::to_string).collect();
        let SlotKind::Token {
            source,
            certificate,
            ..
        } = &self.kind
        else {
            let status = CredentialStatus::Ready;
            return CredentialInfo {
                status,
                scopes,
                detail: None,
                roles: Vec::new(),
            };
        };
        let known = source.snapshot();
        let (status, mut details) = match (&known.failure, &known.token) {
            (Some(failure), _) => (CredentialStatus::Failing, vec![failure.to_string()]),
            (None, Some(token)) => {
                let left = token.unusable_at.saturating_duration_since(Instant::now());
                let text = format!("token at hand for another {} s", left.as_secs());
                (CredentialStatus::Ready, vec![text])
            }
            (None, None) => (CredentialStatus::Idle, Vec::new()),
        };
        details.extend(certificate.as_ref().map(describe));
        CredentialInfo {
            status,
            scopes,
            detail: (!details.is_empty()).then(|| details.join("; ")),
            roles: known
                .token
                .map(|token| token.roles.clone())
                .unwrap_or_default(),
        }
    }

    /// Every text whose appearance in an answer or a log line would be a leak.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        match &self.kind {
            SlotKind::Token { source, .. } => source.secrets(),
            SlotKind::Fixed { secrets, .. } => secrets.clone(),
            SlotKind::Signing(secret) => vec![secret.clone()],
        }
    }
}

pub(crate) fn describe(certificate: &ClientCertificate) -> String {
    let expired = if certificate.not_after() < OffsetDateTime::now_utc() {
        "EXPIRED, was valid"
    } else {
        "valid"
    };
    format!(
        "certificate `{}`, thumbprint {}, {expired} until {}",
        text::foreign(certificate.subject()),
        certificate.sha1_thumbprint(),
        text::day(certificate.not_after()),
    )
}

enum Prepared {
    Ready(SlotKind),
    Token(TokenRequest, Option<ClientCertificate>),
}

fn prepare(slot: &str, kind: CredentialKind) -> Result<Prepared, SettingsError> {
    let present = |secret: Secret, what: &str| {
        if secret.is_empty() {
            return Err(wrong(slot, &format!("the {what} is empty")));
        }
        Ok(secret)
    };
    Ok(match kind {
        CredentialKind::Oauth2ClientSecret {
            token_url,
            client_id,
            secret,
            scope,
        } => {
            let proof = ClientProof::Secret(present(secret, "client secret")?);
            let token_url = parse_token_url(slot, &token_url)?;
            Prepared::Token(
                TokenRequest {
                    token_url,
                    client_id,
                    proof,
                    scope,
                },
                None,
            )
        }
        CredentialKind::Oauth2ClientCertificate {
            token_url,
            client_id,
            certificate,
            scope,
            algorithm,
        } => {
            let proof = ClientProof::Certificate {
                certificate: certificate.clone(),
                algorithm,
            };
            let token_url = parse_token_url(slot, &token_url)?;
            let request = TokenRequest {
                token_url,
                client_id,
                proof,
                scope,
            };
            Prepared::Token(request, Some(certificate))
        }
        CredentialKind::Basic { user, password } => {
            if user.contains(':') {
                return Err(wrong(slot, "the user name has a colon"));
            }
            let password = present(password, "password")?;
            let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
            let value = header_value(slot, &format!("Basic {pair}"))?;
            let secrets = vec![Secret::new(pair), password];
            Prepared::Ready(SlotKind::Fixed {
                header: AUTHORIZATION,
                value,
                secrets,
            })
        }
        CredentialKind::Bearer { token } => {
            let token = present(token, "token")?;
            let value = header_value(slot, &format!("Bearer {}", token.expose()))?;
            Prepared::Ready(SlotKind::Fixed {
                header: AUTHORIZATION,
                value,
                secrets: vec![token],
            })
        }
        CredentialKind::Header { name, value } => {
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| wrong(slot, &format!("`{name}` is not a header name")))?;
            if headers::belongs_to_connection(&header) {
                return Err(wrong(
                    slot,
                    &format!("`{name}` is not a header for credentials"),
                ));
            }
            let secret = present(value, "value")?;
            let value = header_value(slot, secret.expose())?;
            Prepared::Ready(SlotKind::Fixed {
                header,
                value,
                secrets: vec![secret],
            })
        }
        CredentialKind::Hmac { secret } => {
            Prepared::Ready(SlotKind::Signing(present(secret, "key")?))
        }
    })
}

fn parse_token_url(slot: &str, text: &str) -> Result<Url, SettingsError> {
    let reason = match Url::parse(text) {
        Err(error) => error.to_string(),
        Ok(url) if url.scheme() != "https" => "it must begin with `https://`".to_owned(),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "a user name before `@` has no place here".to_owned()
        }
        Ok(url) if url.fragment().is_some() => "a fragment has no place here".to_owned(),
        Ok(url) => return Ok(url),
    };
    Err(SettingsError::TokenUrl {
        slot: slot.to_owned(),
        reason,
    })
}

fn header_value(slot: &str, text: &str) -> Result<HeaderValue, SettingsError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| wrong(slot, "the value has characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn wrong(slot: &str, reason: &str) -> SettingsError {
    SettingsError::Value {
        slot: slot.to_owned(),
        reason: reason.to_owned(),
    }
}

fn check_scopes(
    name: &str,
    urls: &[UrlScope],
    kind: &SlotKind,
    guard: &AddressGuard,
) -> Result<(), SettingsError> {
    let sent = !matches!(kind, SlotKind::Signing(_));
    if sent && urls.is_empty() {
        return Err(SettingsError::NoScope(name.to_owned()));
    }
    // A name could lead anywhere; only a literal is known to stay in the granted network.
    let private = |host: &HostPattern| matches!(host, HostPattern::Address(address) if guard.is_granted(*address));
    let in_clear = urls
        .iter()
        .find(|scope| scope.scheme() == Scheme::Http && !private(scope.host()));
    match in_clear {
        Some(scope) if sent => Err(SettingsError::PlainHttp {
            slot: name.to_owned(),
            scope: scope.to_string(),
        }),
        _ => Ok(()),
    }
}
