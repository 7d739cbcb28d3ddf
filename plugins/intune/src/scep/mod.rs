//! Certificate requests: whether Intune vouches for them, and what became of
//! them (Microsoft's API for third-party certification authorities).
//!
//! Arguments are checked before anything is sent. Only the code `Success` is a
//! yes; everything else that Intune answers is a no, and whatever cannot be read
//! is neither.

mod answer;
mod call;
mod challenge;
mod revocation;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portreeve_plugin::connector::Error;
use portreeve_plugin::scep::requests::{Approval, Failed, Issued, Refusal, Request, Verdict};
use portreeve_plugin::scep::{argument, refused};
use serde_json::{Map, Value, json};

use crate::services::Services;
use crate::settings::Settings;
use answer::Answer;
use call::Operation;

pub(crate) use revocation::{pending, report};

/// Characters of a description that Intune takes.
const LONGEST_DESCRIPTION: usize = 255;

/// Asks Intune whether the challenge in a request is genuine and fits.
pub(crate) fn validate<S: Services>(
    services: &S,
    settings: &Settings,
    request: &Request,
) -> Result<Verdict, Error> {
    let csr = arguments(request)?;
    if challenge::is_missing(&request.csr) {
        return Err(Error::Unsupported(
            "the request carries no challenge of Intune, so it is for somebody else".to_owned(),
        ));
    }
    let body = json!({ "request": {
        "certificateRequest": csr,
        "transactionId": request.transaction_id,
        "callerInfo": settings.provider_name,
    } });
    Ok(match ask(services, settings, Operation::Validate, &body)? {
        Answer::Success => Verdict::Approved(Approval {
            ids: Vec::new(),
            user: None,
        }),
        Answer::Refusal { code, message } => Verdict::Refused(Refusal { code, message }),
    })
}

/// Tells Intune that a certificate was issued.
pub(crate) fn notify_success<S: Services>(
    services: &S,
    settings: &Settings,
    request: &Request,
    issued: &Issued,
) -> Result<(), Error> {
    let csr = arguments(request)?;
    for (name, value) in [
        ("thumbprint", &issued.thumbprint),
        ("serial", &issued.serial),
        ("issuer", &issued.issuer),
    ] {
        expect(name, value)?;
    }
    let expires = moment(issued.expires_at)?;
    let mut notification = notification(settings, request, csr);
    let mut set = |key: &str, value: &str| {
        notification.insert(key.to_owned(), value.into());
    };
    set("certificateThumbprint", &issued.thumbprint);
    set("certificateSerialNumber", &issued.serial);
    set("certificateExpirationDateUtc", &expires);
    set("issuingCertificateAuthority", &issued.issuer);
    if let Some(configuration) = &issued.ca_configuration {
        set("caConfiguration", configuration);
    }
    if let Some(authority) = &issued.certificate_authority {
        set("certificateAuthority", authority);
    }
    notify(services, settings, Operation::NotifySuccess, &notification)
}

/// Tells Intune that no certificate was issued.
pub(crate) fn notify_failure<S: Services>(
    services: &S,
    settings: &Settings,
    request: &Request,
    failed: &Failed,
) -> Result<(), Error> {
    let csr = arguments(request)?;
    expect("message", &failed.message)?;
    let mut notification = notification(settings, request, csr);
    notification.insert("hResult".to_owned(), failed.code.into());
    let description: String = failed.message.chars().take(LONGEST_DESCRIPTION).collect();
    notification.insert("errorDescription".to_owned(), description.into());
    notify(services, settings, Operation::NotifyFailure, &notification)
}

fn notification(settings: &Settings, request: &Request, csr: String) -> Map<String, Value> {
    let mut notification = Map::new();
    let mut set = |key: &str, value: String| {
        notification.insert(key.to_owned(), value.into());
    };
    set("transactionId", request.transaction_id.clone());
    set("certificateRequest", csr);
    set("callerInfo", settings.provider_name.clone());
    notification
}

fn notify<S: Services>(
    services: &S,
    settings: &Settings,
    operation: Operation,
    notification: &Map<String, Value>,
) -> Result<(), Error> {
    let body = json!({ "notification": notification });
    match ask(services, settings, operation, &body)? {
        Answer::Success => Ok(()),
        Answer::Refusal { code, message } => Err(refused(&code, &message)),
    }
}

fn ask<S: Services>(
    services: &S,
    settings: &Settings,
    operation: Operation,
    body: &Value,
) -> Result<Answer, Error> {
    let response =
        call::post(services, settings, operation, body).map_err(|failure| failure.error)?;
    answer::read(&response.body)
        .map_err(|problem| Error::BadResponse(format!("{}: {problem}", operation.party().name())))
}

/// What every request needs; gives it in base64.
fn arguments(request: &Request) -> Result<String, Error> {
    expect("transaction_id", &request.transaction_id)?;
    if request.csr.is_empty() {
        return Err(argument("`csr`: it is empty"));
    }
    Ok(STANDARD.encode(&request.csr))
}

fn expect(name: &str, value: &str) -> Result<(), Error> {
    if value.trim().is_empty() {
        return Err(argument(&format!("`{name}`: it is empty")));
    }
    Ok(())
}

/// ISO 8601 as Microsoft's documentation asks for: `YYYY-MM-DDThh:mm:ss.sssZ`.
fn moment(timestamp_ms: u64) -> Result<String, Error> {
    /// The end of the year 9999.
    const LATEST: u64 = 253_402_300_799_999;
    if timestamp_ms == 0 || timestamp_ms > LATEST {
        return Err(argument(
            "`expires_at`: it is no time at which a certificate ends",
        ));
    }
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(timestamp_ms);
    Ok(humantime::format_rfc3339_millis(time).to_string())
}

#[cfg(test)]
mod tests;
