//! Certificates that Intune wants revoked, and what became of them.

use portreeve_plugin::connector::Error;
use portreeve_plugin::scep::argument;
use portreeve_plugin::scep::revocations::{Outcome, Revocation};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{self, Operation};
use crate::errors::Party;
use crate::services::Services;
use crate::settings::Settings;

/// Most that Intune gives at once.
const MOST: u32 = 500;

/// What Intune takes as the code of a failure.
const CODES: &[u32] = &[
    4000, // NonRetryableServiceException
    4001, // DataSerializationError
    4002, // ParameterDataInvalidError
    4003, // CryptographyError
    4004, // CertificateNotFoundError
    4005, // ConflictError
    4006, // NotSupportedError
    4007, // PayloadTooLargeError
    4100, // RetryableServiceException
    4101, // ServiceUnavailableException
    4102, // ServiceTooBusyException
    4103, // AuthenticationException
];

/// An entry of the list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    request_context: String,
    serial_number: String,
    issuer_name: Option<String>,
    ca_configuration: Option<String>,
}

/// The certificates that are to be revoked.
pub(crate) fn pending<S: Services>(
    services: &S,
    settings: &Settings,
    limit: u32,
    issuer: Option<&str>,
) -> Result<Vec<Revocation>, Error> {
    if !(1..=MOST).contains(&limit) {
        return Err(argument(&format!(
            "`limit`: expected 1 to {MOST}, found {limit}"
        )));
    }
    let body = json!({ "downloadParameters": { "maxRequests": limit, "issuerName": issuer } });
    let value = ask(services, settings, Operation::DownloadRevocations, &body)?;
    let entries: Vec<Entry> = match value {
        Value::Array(_) => serde_json::from_value(value)
            .map_err(|error| unreadable(&format!("an entry of `value`: {error}")))?,
        _ => return Err(unreadable("`value` is no list")),
    };
    if entries.len() > usize::try_from(limit).unwrap_or(usize::MAX) {
        return Err(unreadable(&format!(
            "{} entries where {limit} were asked for",
            entries.len()
        )));
    }
    Ok(entries
        .into_iter()
        .map(|entry| Revocation {
            context: entry.request_context,
            serial: entry.serial_number,
            issuer: entry.issuer_name,
            ca_configuration: entry.ca_configuration,
        })
        .collect())
}

/// Tells what became of revocations.
pub(crate) fn report<S: Services>(
    services: &S,
    settings: &Settings,
    outcomes: &[Outcome],
) -> Result<(), Error> {
    if outcomes.is_empty() {
        return Err(argument("`results`: it is empty"));
    }
    let results = outcomes.iter().map(result).collect::<Result<Vec<_>, _>>()?;
    let body = json!({ "results": results });
    match ask(services, settings, Operation::UploadRevocations, &body)? {
        Value::Bool(true) => Ok(()),
        Value::Bool(false) => Err(unreadable("the results were not taken")),
        _ => Err(unreadable("`value` is neither true nor false")),
    }
}

fn result(outcome: &Outcome) -> Result<Value, Error> {
    if outcome.context.trim().is_empty() {
        return Err(argument("`context`: it is empty"));
    }
    let code = outcome.code;
    match (outcome.succeeded, code, &outcome.message) {
        (true, 0, None) => {}
        (true, ..) => {
            return Err(argument(
                "`succeeded`: what succeeded has no `code` and no `message`",
            ));
        }
        (false, ..) if CODES.contains(&code) => {}
        (false, ..) => {
            return Err(argument(&format!(
                "`code`: Intune knows 4000 to 4007 and 4100 to 4103, found {code}"
            )));
        }
    }
    let mut result = json!({
        "requestContext": outcome.context,
        "succeeded": outcome.succeeded,
        // A number as text, as Microsoft's Java library sends it.
        "errorCode": code.to_string(),
    });
    if let (Some(message), Some(members)) = (&outcome.message, result.as_object_mut()) {
        members.insert("errorMessage".to_owned(), message.as_str().into());
    }
    Ok(result)
}

/// The member `value` of an answer.
fn ask<S: Services>(
    services: &S,
    settings: &Settings,
    operation: Operation,
    body: &Value,
) -> Result<Value, Error> {
    let response =
        call::post(services, settings, operation, body).map_err(|failure| failure.error)?;
    let mut answer: Value = serde_json::from_slice(&response.body)
        .map_err(|error| unreadable(&format!("it is no JSON: {error}")))?;
    answer
        .get_mut("value")
        .map(Value::take)
        .ok_or_else(|| unreadable("it has no `value`"))
}

fn unreadable(what: &str) -> Error {
    Error::BadResponse(format!(
        "the answer of {} cannot be used: {what}",
        Party::Revocation.name()
    ))
}
