//! Whether tokens can be had, step by step: the way to the login host, its clock and ours, the
//! certificate, the token, and what it permits.
//!
//! All of it is learnt from the token request itself, so it takes the way that every other takes.

pub(crate) mod code;
mod finding;

use std::sync::Arc;

use futures_util::future::join_all;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use url::Url;

pub use finding::{Finding, Verdict};

use crate::{
    ClientCertificate, EgressError, TokenError,
    credential::{SlotKind, Slots, describe},
    oauth::{Token, TokenRequest, TokenSource},
};

/// Clocks that differ by more are worth a word, in seconds.
const CLOCK_DEGRADED: i64 = 60;
/// Clocks that differ by more break signed assertions, which hold for eight minutes, and
/// certificates that are new.
const CLOCK_FAILED: i64 = 300;
/// A certificate that ends sooner is worth a word, in days.
const CERTIFICATE_DEGRADED: i64 = 30;

/// One credential with a token, and how getting it went.
struct Tried<'a> {
    name: &'a str,
    request: &'a TokenRequest,
    certificate: Option<&'a ClientCertificate>,
    outcome: Result<Arc<Token>, Box<TokenError>>,
}

pub(crate) async fn examine(slots: &Slots, deadline: Instant) -> Vec<Finding> {
    let tried = slots.iter().filter_map(|slot| match &slot.kind {
        SlotKind::Token {
            source,
            request,
            certificate,
        } => Some(async move {
            Tried {
                name: &slot.name,
                request,
                certificate: certificate.as_ref(),
                outcome: renewed(source, request, deadline).await,
            }
        }),
        _ => None,
    });
    report(&join_all(tried).await, OffsetDateTime::now_utc())
}

async fn renewed(
    source: &Arc<TokenSource>,
    request: &TokenRequest,
    deadline: Instant,
) -> Result<Arc<Token>, Box<TokenError>> {
    let late = || {
        let host = host(&request.token_url);
        Box::new(TokenError::transport(host, EgressError::Timeout))
    };
    if timeout_at(deadline, source.renew()).await.is_err() {
        return Err(late());
    }
    let known = source.snapshot();
    match (known.failure, known.token) {
        (Some(failure), _) => Err(failure),
        (None, Some(token)) => Ok(token),
        (None, None) => Err(late()),
    }
}

fn report(tried: &[Tried<'_>], now: OffsetDateTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut origins: Vec<String> = Vec::new();
    for one in tried {
        let origin = one.request.token_url.origin().ascii_serialization();
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    for origin in origins {
        let here: Vec<_> = tried
            .iter()
            .filter(|one| one.request.token_url.origin().ascii_serialization() == origin)
            .collect();
        way(&mut findings, &here);
    }
    for one in tried {
        if let Some(certificate) = one.certificate {
            findings.push(validity(one.name, certificate, now));
        }
        token(&mut findings, one, open(tried, one));
    }
    findings
}

/// Whether another credential got an answer from the same host: then what went wrong on the way
/// concerns this token only.
fn open(tried: &[Tried<'_>], one: &Tried<'_>) -> bool {
    tried.iter().any(|other| {
        other.request.token_url.origin() == one.request.token_url.origin() && answered(other)
    })
}

fn answered(one: &Tried<'_>) -> bool {
    one.outcome
        .as_ref()
        .err()
        .is_none_or(|error| error.transport.is_none())
}

/// How far requests got on the way to a login host. Several credentials may have been tried; one
/// answer shows that the way is open.
fn way(findings: &mut Vec<Finding>, tried: &[&Tried<'_>]) {
    let Some(first) = tried.first() else {
        return;
    };
    let host = host(&first.request.token_url);
    let resolution = format!("name resolution {host}");
    let connection = format!("connection {host}");
    let tls = format!("TLS {host}");
    let fine = |subject: String| Finding::passed(subject, "works".to_owned());
    let open = tried.iter().any(|one| answered(one));
    let failure = tried.iter().find_map(|one| {
        let error = one.outcome.as_ref().err()?;
        Some((error, error.transport.as_deref()?))
    });
    let Some((error, cause)) = failure.filter(|_| !open) else {
        findings.extend([resolution, connection, tls].map(fine));
        clock(findings, tried);
        return;
    };
    let reason = cause.to_string();
    let failed = |subject| Finding::failed(subject, error.finding, reason, error.advice.clone());
    match cause {
        EgressError::NameResolution { .. } | EgressError::AddressRefused { .. } => {
            findings.push(failed(resolution));
        }
        EgressError::Tls(_) => {
            findings.extend([resolution, connection].map(fine));
            findings.push(failed(tls));
        }
        EgressError::TooLarge { .. } | EgressError::Other(_) => {
            findings.extend([resolution, connection, tls].map(fine));
            findings.push(failed(format!("answer {host}")));
        }
        EgressError::Connect { .. } => {
            findings.push(fine(resolution));
            findings.push(failed(connection));
        }
        // Where the time went is not known.
        _ => findings.push(failed(connection)),
    }
}

fn clock(findings: &mut Vec<Finding>, tried: &[&Tried<'_>]) {
    let ahead = tried.iter().find_map(|one| match &one.outcome {
        Ok(token) => token.clock_ahead,
        Err(error) => error.clock_ahead,
    });
    let Some(ahead) = ahead else {
        return;
    };
    let subject = "clock".to_owned();
    if ahead.abs() <= CLOCK_DEGRADED {
        let message = "it agrees with the login host's, to the minute".to_owned();
        findings.push(Finding::passed(subject, message));
        return;
    }
    let direction = if ahead > 0 { "behind" } else { "ahead of" };
    let message = format!(
        "this machine's clock is {} s {direction} the login host's",
        ahead.abs()
    );
    let hint = "set the clock of this machine, by NTP for instance";
    let code = code::CLOCK_WRONG;
    findings.push(if ahead.abs() > CLOCK_FAILED {
        Finding::failed(subject, code, message, hint)
    } else {
        Finding::degraded(subject, code, message, hint)
    });
}

fn validity(name: &str, certificate: &ClientCertificate, now: OffsetDateTime) -> Finding {
    let subject = format!("certificate {name}");
    let message = describe(certificate);
    let left = certificate.not_after() - now;
    let renew = "make a new certificate, upload it to the application beside the old one, then \
                 enter it here";
    if left.is_negative() {
        Finding::failed(subject, code::CERTIFICATE_EXPIRED, message, renew)
    } else if left.whole_days() < CERTIFICATE_DEGRADED {
        Finding::degraded(subject, code::CERTIFICATE_EXPIRES_SOON, message, renew)
    } else {
        Finding::passed(subject, message)
    }
}

fn token(findings: &mut Vec<Finding>, one: &Tried<'_>, way_is_open: bool) {
    let Tried {
        name,
        request,
        outcome,
        ..
    } = one;
    let subject = format!("token {name}");
    let TokenRequest {
        token_url,
        client_id,
        scope,
        ..
    } = request;
    match outcome {
        Ok(token) => {
            let message = format!("`{token_url}` gave client `{client_id}` one for `{scope}`");
            findings.push(Finding::passed(subject, message));
            if token.readable && token.roles.is_empty() {
                findings.extend(consent(name, request));
            }
        }
        // Told as a failure of the way.
        Err(error) if error.transport.is_some() && !way_is_open => {}
        Err(error) => {
            let message = format!(
                "`{token_url}` gave client `{client_id}` none for `{scope}`{}",
                told(error)
            );
            let mut advice = error.advice.clone();
            if let Some(certificate) = one.certificate {
                advice = format!("{advice} (here: {})", describe(certificate));
            }
            findings.push(Finding::failed(subject, error.finding, message, advice));
        }
    }
}

/// The provider's own words, and what its support asks for.
fn told(error: &TokenError) -> String {
    let mut text = String::new();
    let said = error.description.as_ref().or(error.error.as_ref());
    if let Some(said) = said {
        text.push_str(": ");
        // Entra repeats the identifiers in its words; they are told below, whole.
        let words = said.split(" Trace ID: ").next().unwrap_or(said);
        text.push_str(words);
    } else if let Some(transport) = &error.transport {
        text.push_str(": ");
        text.push_str(&transport.to_string());
    }
    for (word, id) in [
        ("correlation id", &error.correlation_id),
        ("trace id", &error.trace_id),
        ("at", &error.timestamp),
    ] {
        if let Some(id) = id {
            text.push_str(", ");
            text.push_str(word);
            text.push(' ');
            text.push_str(id);
        }
    }
    text
}

/// A token of Entra's that permits nothing: it is issued all the same, and refused by whoever gets
/// it. Tokens of others need not name what they permit.
fn consent(name: &str, request: &TokenRequest) -> Option<Finding> {
    let url = &request.token_url;
    let mut segments = url.path_segments()?;
    let (tenant, next) = (segments.next()?, segments.next()?);
    if next != "oauth2" {
        return None;
    }
    let mut page = url.join(&format!("/{tenant}/adminconsent")).ok()?;
    page.query_pairs_mut()
        .append_pair("client_id", &request.client_id);
    Some(Finding::degraded(
        format!("consent {name}"),
        code::CONSENT_MISSING,
        "the token names no permission at all".to_owned(),
        format!(
            "add the permissions to the application, then grant admin consent, in the portal or at \
             `{page}`; wait 5 to 10 minutes and check again"
        ),
    ))
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
