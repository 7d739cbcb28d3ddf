//! Intune's services for certification authorities: validation of certificate requests with
//! notifications (`StatelessScepRequestValidationService`), and revocations
//! (`StatelessPkiConnectorService`).

mod challenge;
mod request;
mod revocation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Map, Value, json};

pub use challenge::Challenge;
pub use revocation::{Revocation, RevocationResult};

use crate::fault::Step;
use challenge::Seal;
use request::CertificateRequest;

/// Notifications and results that are kept for tests.
const MOST_KEPT: usize = 10_000;
/// Revocations that Intune gives at once.
const MOST_REVOCATIONS: u64 = 500;

/// What is asked for or told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Validate,
    NotifySuccess,
    NotifyFailure,
    DownloadRevocations,
    UploadRevocations,
}

impl Operation {
    pub(crate) const fn step(self) -> Step {
        match self {
            Self::Validate => Step::ScepValidation,
            Self::NotifySuccess => Step::ScepSuccess,
            Self::NotifyFailure => Step::ScepFailure,
            Self::DownloadRevocations => Step::RevocationDownload,
            Self::UploadRevocations => Step::RevocationUpload,
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::Validate | Self::NotifySuccess | Self::NotifyFailure => "2018-02-20",
            Self::DownloadRevocations | Self::UploadRevocations => "5019-05-05",
        }
    }
}

/// What was told about a certificate, as it came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notification {
    /// Whether a certificate was issued.
    pub issued: bool,
    /// The member `notification` of the body.
    pub told: Map<String, Value>,
}

impl Notification {
    /// A text in it.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.told.get(key)?.as_str()
    }
}

/// Both services.
#[derive(Debug, Default)]
pub(crate) struct Scep {
    seal: Seal,
    /// Profiles that devices do not have any more.
    pub(crate) withdrawn: Mutex<BTreeSet<String>>,
    pub(crate) notifications: Mutex<VecDeque<Notification>>,
    pub(crate) revocations: Mutex<VecDeque<Revocation>>,
    pub(crate) results: Mutex<VecDeque<RevocationResult>>,
}

/// The code of a refusal.
type Refused = &'static str;

impl Scep {
    /// The challenge password that a device gets; `now` in seconds since 1970.
    pub(crate) fn challenge(&self, challenge: &Challenge, now: i64) -> String {
        self.seal.close(challenge, now)
    }

    /// Answers one request; `now` in seconds since 1970.
    pub(crate) fn answer(
        &self,
        operation: Operation,
        headers: &HeaderMap,
        body: &[u8],
        now: i64,
    ) -> Result<Value, (StatusCode, String)> {
        let version = headers.get("api-version").and_then(|it| it.to_str().ok());
        if version != Some(operation.version()) {
            return Err(bad(&format!("api-version {version:?} is not supported")));
        }
        // Microsoft's library writes Latin letters in ISO 8859-1 without saying so.
        let text = String::from_utf8_lossy(body);
        let body: Value =
            serde_json::from_str(&text).map_err(|error| bad(&format!("no JSON: {error}")))?;
        let member = |name: &str| {
            let member = body.get(name).and_then(Value::as_object);
            member.ok_or_else(|| bad(&format!("`{name}` is missing")))
        };
        match operation {
            Operation::Validate => {
                let request = member("request")?;
                expect(request, &["transactionId", "callerInfo"])?;
                let csr = text_of(request, "certificateRequest");
                Ok(said(self.validate(csr.unwrap_or_default(), now)))
            }
            Operation::NotifySuccess | Operation::NotifyFailure => {
                let issued = operation == Operation::NotifySuccess;
                self.notified(issued, member("notification")?)
            }
            Operation::DownloadRevocations => self.download(member("downloadParameters")?),
            Operation::UploadRevocations => self.upload(body.get("results")),
        }
    }

    fn validate(&self, csr: &str, now: i64) -> Result<(), Refused> {
        let request = CertificateRequest::from_base64(csr)?;
        let password = request.challenge.as_deref().unwrap_or_default();
        if password.is_empty() {
            return Err("ChallengePasswordMissing");
        }
        let challenge = self.seal.open(password, now)?;
        if self.withdrawn.lock().contains(&challenge.profile) {
            return Err("ScepProfileNoLongerTargetedToTheClient");
        }
        request.fits(&challenge)
    }

    fn notified(
        &self,
        issued: bool,
        told: &Map<String, Value>,
    ) -> Result<Value, (StatusCode, String)> {
        expect(told, &["transactionId", "callerInfo"])?;
        if issued {
            let needed = [
                "certificateThumbprint",
                "certificateSerialNumber",
                "certificateExpirationDateUtc",
                "issuingCertificateAuthority",
            ];
            expect(told, &needed)?;
            let thumbprint = text_of(told, "certificateThumbprint").unwrap_or_default();
            if thumbprint.len() != 40 || !thumbprint.bytes().all(|it| it.is_ascii_hexdigit()) {
                return Err(bad("`certificateThumbprint` is no SHA-1"));
            }
            let expires = text_of(told, "certificateExpirationDateUtc").unwrap_or_default();
            let format = &time::format_description::well_known::Rfc3339;
            if time::OffsetDateTime::parse(expires, format).is_err() {
                return Err(bad("`certificateExpirationDateUtc` is no time"));
            }
        } else {
            expect(told, &["errorDescription"])?;
            if told.get("hResult").and_then(Value::as_i64).is_none() {
                return Err(bad("`hResult` is no number"));
            }
        }
        let csr = text_of(told, "certificateRequest").unwrap_or_default();
        if let Err(code) = CertificateRequest::from_base64(csr) {
            return Ok(said(Err(code)));
        }
        keep(
            &self.notifications,
            Notification {
                issued,
                told: told.clone(),
            },
        );
        Ok(said(Ok(())))
    }

    fn download(&self, parameters: &Map<String, Value>) -> Result<Value, (StatusCode, String)> {
        let most = parameters.get("maxRequests").and_then(Value::as_u64);
        let most = most
            .filter(|most| (1..=MOST_REVOCATIONS).contains(most))
            .ok_or_else(|| bad("`maxRequests` is not 1 to 500"))?;
        let issuer = text_of(parameters, "issuerName").filter(|issuer| !issuer.is_empty());
        let revocations = self.revocations.lock();
        let wanted = revocations
            .iter()
            .filter(|it| issuer.is_none_or(|issuer| it.issuer_name == issuer))
            .take(usize::try_from(most).unwrap_or(usize::MAX));
        let wanted: Vec<&Revocation> = wanted.collect();
        Ok(json!({
            "@odata.context": "https://manage.microsoft.com/RACerts/StatelessPkiConnectorService/$metadata#Collection(microsoft.management.services.api.caRevocationRequest)",
            "value": wanted,
        }))
    }

    fn upload(&self, results: Option<&Value>) -> Result<Value, (StatusCode, String)> {
        let results: Vec<RevocationResult> = results
            .and_then(|results| serde_json::from_value(results.clone()).ok())
            .ok_or_else(|| bad("`results` cannot be read"))?;
        for result in results {
            if result.error_number().is_none() {
                return Err(bad(
                    "`errorCode` is neither a known number nor a known name",
                ));
            }
            let mut revocations = self.revocations.lock();
            revocations.retain(|it| it.request_context != result.request_context);
            keep(&self.results, result);
        }
        Ok(json!({
            "@odata.context": "https://manage.microsoft.com/RACerts/StatelessPkiConnectorService/$metadata#Edm.Boolean",
            "value": true,
        }))
    }
}

/// The answer with this code in place of the right one.
pub(crate) fn refusal(code: &str) -> Value {
    json!({
        "@odata.context": "https://manage.microsoft.com/RACerts/StatelessScepRequestValidationService/$metadata#microsoft.management.services.api.scepResult",
        "code": code,
        "errorDescription": if code == "Success" { "" } else { "the request was refused" },
    })
}

fn said(outcome: Result<(), Refused>) -> Value {
    refusal(outcome.err().unwrap_or("Success"))
}

/// Adds one, and forgets the oldest when there are many.
fn keep<T>(kept: &Mutex<VecDeque<T>>, one: T) {
    let mut kept = kept.lock();
    if kept.len() >= MOST_KEPT {
        kept.pop_front();
    }
    kept.push_back(one);
}

fn expect(members: &Map<String, Value>, names: &[&str]) -> Result<(), (StatusCode, String)> {
    for name in names {
        if text_of(members, name).is_none_or(str::is_empty) {
            return Err(bad(&format!("`{name}` is missing")));
        }
    }
    Ok(())
}

fn text_of<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name)?.as_str()
}

fn bad(what: &str) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, what.to_owned())
}

/// Names and numbers of errors of a revocation.
const ERRORS: &[(&str, u32)] = &[
    ("None", 0),
    ("NonRetryableServiceException", 4000),
    ("DataSerializationError", 4001),
    ("ParameterDataInvalidError", 4002),
    ("CryptographyError", 4003),
    ("CertificateNotFoundError", 4004),
    ("ConflictError", 4005),
    ("NotSupportedError", 4006),
    ("PayloadTooLargeError", 4007),
    ("RetryableServiceException", 4100),
    ("ServiceUnavailableException", 4101),
    ("ServiceTooBusyException", 4102),
    ("AuthenticationException", 4103),
];

/// The number of an error, by number (as the Java library sends it) or by name (as the C# one
/// does).
fn error_number(text: &str) -> Option<u32> {
    let number = text.parse().ok();
    ERRORS
        .iter()
        .find(|(name, known)| *name == text || Some(*known) == number)
        .map(|(_, number)| *number)
}
