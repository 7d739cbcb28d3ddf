//! Which checks a device failed: Graph's `deviceCompliancePolicyStates`, many
//! devices in one `$batch`, `mdm-protocols.md` 4.4 and 4.8.
//!
//! Only devices that are not compliant are asked about. Each counts as a request
//! of its own when Graph counts, so a page has fewer devices while this is on,
//! and a page whose devices Graph would not all answer for is read once more
//! after the pause that Graph asks for.

use portreeve_plugin::connector::Error;
use portreeve_plugin::device::{ComplianceState, Device, FailingCheck};
use portreeve_plugin::http::{Header, Response};
use serde::Deserialize;
use serde_json::Value;

use super::page::Scalar;
use super::pause;
use crate::address::Address;
use crate::errors::{self, Party, shortened};
use crate::services::Services;
use crate::settings::Settings;

/// Devices on a page, so that all of them are asked for within what Graph
/// answers in 20 seconds (2000 requests) and within one call.
const LARGEST_PAGE: u32 = 200;

/// Requests in one `$batch`.
const MOST_IN_BATCH: usize = 20;
/// Checks of one device that are kept.
const MOST_CHECKS: usize = 16;

/// Graph refused, which an administrator has to change; it is not asked again
/// for an hour.
const REFUSED: &str = "policy-states/refused";
const REFUSED_MS: u64 = 3_600_000;

/// The most devices to ask for, where `limit` are wanted and 0 is no wish.
pub(super) const fn largest(limit: u32) -> u32 {
    if limit == 0 || limit > LARGEST_PAGE {
        LARGEST_PAGE
    } else {
        limit
    }
}

/// Adds the checks that they failed to those devices that are not compliant.
pub(super) fn add<S: Services>(
    services: &S,
    settings: &Settings,
    graph: &Address,
    devices: &mut [Device],
) -> Result<(), Error> {
    if !settings.compliance_details || services.recall(REFUSED).is_some() {
        return Ok(());
    }
    let mut failing: Vec<&mut Device> = devices.iter_mut().filter(|it| fails(it)).collect();
    for some in failing.chunks_mut(MOST_IN_BATCH) {
        let keys: Vec<&str> = some.iter().map(|device| device.key.as_str()).collect();
        let Some(answers) = ask(services, graph, &keys)? else {
            services.remember(REFUSED, &[], REFUSED_MS);
            return Ok(());
        };
        for (place, checks) in answers {
            if let Some(device) = some.get_mut(place) {
                merge(&mut device.compliance.failing, checks);
            }
        }
    }
    Ok(())
}

/// The compliance service may have given a reason of its own, by another code.
fn merge(known: &mut Vec<FailingCheck>, checks: Vec<FailingCheck>) {
    for check in checks {
        if !known.iter().any(|it| it.code == check.code) {
            known.push(check);
        }
    }
}

fn fails(device: &Device) -> bool {
    matches!(
        device.compliance.state,
        ComplianceState::NonCompliant
            | ComplianceState::InGracePeriod
            | ComplianceState::Conflict
            | ComplianceState::Failed
    )
}

/// Devices by their places among those asked about, and what they failed.
type Answers = Vec<(usize, Vec<FailingCheck>)>;

/// Asks about these devices. `None` if Graph refuses to tell about any.
fn ask<S: Services>(
    services: &S,
    graph: &Address,
    keys: &[&str],
) -> Result<Option<Answers>, Error> {
    let requests: Vec<Value> = keys
        .iter()
        .enumerate()
        .map(|(place, key)| {
            let url =
                format!("/deviceManagement/managedDevices/{key}/deviceCompliancePolicyStates");
            serde_json::json!({ "id": place.to_string(), "method": "GET", "url": url })
        })
        .collect();
    let body = serde_json::json!({ "requests": requests }).to_string();
    let url = format!("{graph}/v1.0/$batch");
    let response = services
        .post(&url, &[], body.into_bytes())
        .map_err(|error| errors::from_http(Party::Devices, error).error)?;
    if response.status != 200 {
        return refusal(services, &response);
    }
    let batch: Batch<'_> = serde_json::from_slice(&response.body).map_err(|error| {
        Error::BadResponse(format!("the answers to a `$batch` cannot be read: {error}"))
    })?;
    let mut answers = Vec::with_capacity(batch.responses.len());
    for answer in batch.responses {
        let place = answer.id.text().and_then(|id| id.parse().ok());
        let (Some(place), status) = (place, answer.status) else {
            continue;
        };
        match status {
            200 => answers.push((place, answer.body.as_ref().map(checks).unwrap_or_default())),
            // It has gone meanwhile.
            404 => {}
            403 | 429 | 503 => return refusal(services, &answer.response()),
            // One device that Graph has trouble with must not hold up the rest.
            _ => {
                portreeve_plugin::warn!(
                    "Graph does not tell what a device failed",
                    status = status
                );
            }
        }
    }
    Ok(Some(answers))
}

/// What follows from an answer that is none.
fn refusal<S: Services>(services: &S, response: &Response) -> Result<Option<Answers>, Error> {
    let failure = errors::from_status(Party::Devices, response, services.now_ms());
    match failure.error {
        Error::RateLimited(None) => Err(Error::RateLimited(Some(pause::next(services)))),
        error @ (Error::RateLimited(_) | Error::Unauthenticated(_)) => Err(error),
        error if response.status >= 500 => Err(error),
        error => {
            portreeve_plugin::warn!(
                "the inventory goes on without the checks that devices failed; \
                 does the application have DeviceManagementConfiguration.Read.All?",
                error = format!("{error:?}")
            );
            Ok(None)
        }
    }
}

#[derive(Debug, Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    responses: Vec<Answer<'a>>,
}

/// One answer of a batch, in any order.
#[derive(Debug, Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: Scalar<'a>,
    status: u16,
    #[serde(default)]
    headers: serde_json::Map<String, Value>,
    #[serde(default)]
    body: Option<Value>,
}

impl Answer<'_> {
    /// The same as if it had come alone.
    fn response(self) -> Response {
        let headers = self.headers.into_iter().map(|(name, value)| Header {
            name,
            value: match value {
                Value::String(text) => text,
                other => other.to_string(),
            },
        });
        Response {
            status: self.status,
            headers: headers.collect(),
            body: self.body.unwrap_or_default().to_string().into_bytes(),
        }
    }
}

#[derive(Debug, Deserialize)]
struct States<'a> {
    #[serde(borrow)]
    value: Vec<Policy<'a>>,
}

/// `deviceCompliancePolicyState`, as far as it is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Policy<'a> {
    #[serde(borrow, rename = "displayName")]
    name: Scalar<'a>,
    #[serde(borrow)]
    state: Scalar<'a>,
    #[serde(borrow, rename = "settingStates")]
    settings: Option<Vec<Setting<'a>>>,
}

/// `deviceCompliancePolicySettingState`, as far as it is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Setting<'a> {
    #[serde(borrow, rename = "setting")]
    path: Scalar<'a>,
    #[serde(borrow, rename = "settingName")]
    name: Scalar<'a>,
    #[serde(borrow)]
    state: Scalar<'a>,
    #[serde(borrow, rename = "errorDescription")]
    error: Scalar<'a>,
}

/// The checks that a device failed. A policy of which no setting failed by
/// itself is a check of its own.
fn checks(body: &Value) -> Vec<FailingCheck> {
    let Ok(states) = States::deserialize(body) else {
        portreeve_plugin::warn!("what Graph tells about a device's policies cannot be read");
        return Vec::new();
    };
    let mut checks: Vec<FailingCheck> = Vec::new();
    for policy in states
        .value
        .iter()
        .filter(|policy| is_failing(&policy.state))
    {
        let settings = policy.settings.iter().flatten();
        let mut settings = settings.filter(|it| is_failing(&it.state)).peekable();
        if settings.peek().is_none() {
            push(&mut checks, "compliance-policy", policy.name.text());
        }
        for setting in settings {
            let code = setting.path.text().map(code);
            let told = [
                policy.name.text(),
                setting.name.text().or_else(|| setting.path.text()),
                setting.error.text(),
            ];
            let message: Vec<&str> = told.into_iter().flatten().collect();
            let code = code.filter(|code| !code.is_empty());
            let code = code.as_deref().unwrap_or("compliance-policy");
            push(&mut checks, code, Some(&message.join(": ")));
        }
    }
    checks
}

/// A policy may be there once for each user of a device.
fn push(checks: &mut Vec<FailingCheck>, code: &str, message: Option<&str>) {
    let check = FailingCheck {
        code: code.to_owned(),
        message: message.map(shortened),
    };
    let is_known = checks
        .iter()
        .any(|known| known.code == check.code && known.message == check.message);
    if !is_known && checks.len() < MOST_CHECKS {
        checks.push(check);
    }
}

fn is_failing(state: &Scalar<'_>) -> bool {
    let failing = ["nonCompliant", "error", "conflict"];
    let state = state.text().unwrap_or_default();
    failing.iter().any(|word| state.eq_ignore_ascii_case(word))
}

/// `Windows10CompliancePolicy.BitLockerEnabled` becomes `bit-locker-enabled`.
fn code(setting: &str) -> String {
    let name = setting.rsplit('.').next().unwrap_or(setting);
    let mut code = String::with_capacity(name.len() + 4);
    let mut before = ' ';
    for character in name.chars().take(64) {
        let is_word = character.is_ascii_alphanumeric();
        let begins = character.is_ascii_uppercase() && !before.is_ascii_uppercase();
        if (begins || !is_word) && !code.is_empty() && !code.ends_with('-') {
            code.push('-');
        }
        if is_word {
            code.push(character.to_ascii_lowercase());
        }
        before = character;
    }
    code.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests;
