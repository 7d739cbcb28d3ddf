//! What SCEP servers send.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use portreeve_domain::Timestamp;
use portreeve_domain::scep::{
    ArgumentError, CertificateRequest, Issued, NotIssued, RevocationResult,
};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::problem::Problem;
use crate::text::one_line;

/// Bytes of an error text, which may quote what was sent.
const LONGEST_ERROR: usize = 300;
/// Revocations that are told at once, and their results.
const MOST_REVOCATIONS: usize = 500;
/// Revocations that are told if nobody says how many.
const USUAL_REVOCATIONS: u32 = 50;

/// A body that may name a connector.
pub(super) trait Addressed {
    fn connector(&self) -> Option<&str>;
}

macro_rules! addressed {
    ($($body:ident),*) => {
        $(impl Addressed for $body {
            fn connector(&self) -> Option<&str> {
                self.connector.as_deref()
            }
        })*
    };
}

addressed!(
    RequestBody,
    IssuedBody,
    NotIssuedBody,
    RevocationsBody,
    ResultsBody
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestBody {
    connector: Option<String>,
    transaction_id: String,
    csr: String,
}

impl RequestBody {
    pub(super) fn read(&self) -> Result<CertificateRequest, Problem> {
        request(&self.transaction_id, &self.csr)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuedBody {
    connector: Option<String>,
    transaction_id: String,
    csr: String,
    thumbprint: String,
    serial: String,
    expires_at: String,
    issuer: String,
    ca_configuration: Option<String>,
    certificate_authority: Option<String>,
}

impl IssuedBody {
    pub(super) fn read(&self) -> Result<(CertificateRequest, Issued), Problem> {
        let request = request(&self.transaction_id, &self.csr)?;
        let expires_at = moment(&self.expires_at)?;
        let issued = Issued::new(&self.thumbprint, &self.serial, expires_at, &self.issuer);
        let mut issued = issued.map_err(|error| malformed(&error))?;
        issued.ca_configuration.clone_from(&self.ca_configuration);
        issued
            .certificate_authority
            .clone_from(&self.certificate_authority);
        Ok((request, issued))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotIssuedBody {
    connector: Option<String>,
    transaction_id: String,
    csr: String,
    code: i64,
    message: String,
}

impl NotIssuedBody {
    pub(super) fn read(&self) -> Result<(CertificateRequest, NotIssued), Problem> {
        let request = request(&self.transaction_id, &self.csr)?;
        let code = code(self.code)?;
        let failed = NotIssued::new(code, &self.message);
        Ok((request, failed.map_err(|error| malformed(&error))?))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevocationsBody {
    connector: Option<String>,
    transaction_id: String,
    limit: Option<u32>,
    issuer: Option<String>,
}

impl RevocationsBody {
    pub(super) fn read(&self) -> Result<(&str, u32, Option<&str>), Problem> {
        let transaction = transaction(&self.transaction_id)?;
        let limit = self.limit.unwrap_or(USUAL_REVOCATIONS);
        if limit == 0 || usize::try_from(limit).is_ok_and(|limit| limit > MOST_REVOCATIONS) {
            return Err(Problem::malformed(format!(
                "`limit`: expected 1 to {MOST_REVOCATIONS}, found {limit}"
            )));
        }
        Ok((transaction, limit, self.issuer.as_deref()))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultsBody {
    connector: Option<String>,
    transaction_id: String,
    results: Vec<ResultBody>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResultBody {
    context: String,
    succeeded: bool,
    #[serde(default)]
    code: i64,
    message: Option<String>,
}

impl ResultsBody {
    pub(super) fn read(&self) -> Result<(&str, Vec<RevocationResult>), Problem> {
        let transaction = transaction(&self.transaction_id)?;
        let found = self.results.len();
        if !(1..=MOST_REVOCATIONS).contains(&found) {
            return Err(Problem::malformed(format!(
                "`results`: expected 1 to {MOST_REVOCATIONS} members, found {found}"
            )));
        }
        let results = self.results.iter().enumerate().map(|(position, result)| {
            let code = code(result.code)?;
            let message = result.message.clone();
            RevocationResult::new(&result.context, result.succeeded, code, message)
                .map_err(|error| Problem::malformed(format!("`results[{position}]`: {error}")))
        });
        Ok((transaction, results.collect::<Result<_, _>>()?))
    }
}

/// Reads a body.
pub(super) fn parse<T: for<'a> Deserialize<'a>>(json: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(json).map_err(|error| {
        let detail = one_line(&error.to_string(), LONGEST_ERROR);
        Problem::malformed(format!("the body cannot be read: {detail}"))
    })
}

/// Feeds all readers.
pub(crate) fn fuzz(json: &[u8]) {
    let _ = parse::<RequestBody>(json).and_then(|body| body.read());
    let _ = parse::<IssuedBody>(json).and_then(|body| body.read());
    let _ = parse::<NotIssuedBody>(json).and_then(|body| body.read());
    let _ = parse::<RevocationsBody>(json).is_ok_and(|body| body.read().is_ok());
    let _ = parse::<ResultsBody>(json).is_ok_and(|body| body.read().is_ok());
    let _ = der(&String::from_utf8_lossy(json));
}

fn request(transaction: &str, csr: &str) -> Result<CertificateRequest, Problem> {
    CertificateRequest::new(transaction, der(csr)?).map_err(|error| malformed(&error))
}

fn transaction(text: &str) -> Result<&str, Problem> {
    // The same rule as for requests.
    CertificateRequest::new(text, vec![0x30]).map_err(|error| malformed(&error))?;
    Ok(text.trim())
}

/// The bytes of a request: base64, or PEM (RFC 7468) around it.
fn der(text: &str) -> Result<Vec<u8>, Problem> {
    const NEITHER: &str = "`csr`: expected a certificate request in base64 or PEM";

    let mut lines = text.trim().lines().map(str::trim);
    let content: String = if text.trim_start().starts_with("-----BEGIN") {
        let label = lines.next().unwrap_or_default();
        if !label.ends_with("CERTIFICATE REQUEST-----") {
            return Err(Problem::malformed(NEITHER));
        }
        let content: Vec<&str> = lines
            .by_ref()
            .take_while(|it| !it.starts_with('-'))
            .collect();
        content.concat()
    } else {
        text.split_ascii_whitespace().collect()
    };
    STANDARD
        .decode(&content)
        .or_else(|_| STANDARD_NO_PAD.decode(&content))
        .map_err(|_| Problem::malformed(NEITHER))
}

/// A time as in RFC 3339.
fn moment(text: &str) -> Result<Timestamp, Problem> {
    let read = OffsetDateTime::parse(text.trim(), &Rfc3339).ok();
    let millis = read.and_then(|moment| {
        u64::try_from(moment.unix_timestamp_nanos() / 1_000_000)
            .ok()
            .filter(|millis| *millis > 0)
    });
    millis.map(Timestamp::from_millis).ok_or_else(|| {
        let text = one_line(text, 60);
        Problem::malformed(format!(
            "`expires_at`: `{text}` is no time such as `2027-01-01T00:00:00.000Z`"
        ))
    })
}

/// A code of 32 bits, signed or not: HRESULTs are written both ways.
fn code(code: i64) -> Result<u32, Problem> {
    u32::try_from(code)
        .or_else(|_| i32::try_from(code).map(i32::cast_unsigned))
        .map_err(|_| Problem::malformed(format!("`code`: {code} has more than 32 bits")))
}

fn malformed(error: &ArgumentError) -> Problem {
    Problem::malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn refused<T: std::fmt::Debug>(result: Result<T, Problem>, expected: &str) {
        let problem = result.unwrap_err();
        assert!(problem.detail().contains(expected), "{}", problem.detail());
    }

    #[test]
    fn requests_come_in_base64_and_in_pem() {
        let expected = [0x30, 0x82, 1, 2, 3];
        for text in [
            "MIIBAgM=",
            "MIIBAgM",
            " MIIB\r\n AgM=\n",
            "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\nAgM=\n-----END CERTIFICATE REQUEST-----\n",
            "-----BEGIN NEW CERTIFICATE REQUEST-----\nMIIBAgM=\n-----END NEW CERTIFICATE REQUEST-----",
        ] {
            assert_eq!(der(text).unwrap(), expected, "{text}");
        }
        for text in [
            "*",
            "-----BEGIN CERTIFICATE-----\nMIIBAgM=\n-----END CERTIFICATE-----",
            "ü",
        ] {
            refused(der(text), "in base64 or PEM");
        }
    }

    #[test]
    fn bodies_name_what_is_wrong() {
        let request = |json: &str| parse::<RequestBody>(json.as_bytes()).and_then(|it| it.read());
        assert!(request(r#"{"transaction_id":"tx","csr":"MIIBAgM="}"#).is_ok());
        refused(request("{}"), "missing field `transaction_id`");
        refused(request(r#"{"transaction_id":"tx"}"#), "missing field `csr`");
        refused(
            request(r#"{"transaction_id":"","csr":"MIIBAgM="}"#),
            "`transaction_id`: it is empty",
        );
        refused(
            request(r#"{"transaction_id":"tx","csr":""}"#),
            "`csr`: it is empty",
        );
        refused(
            request(r#"{"transaction_id":"tx","csr":"AAAA"}"#),
            "PKCS #10",
        );
        refused(
            request(r#"{"transaction_id":"tx","csr":"x","x":1}"#),
            "unknown field `x`",
        );
        refused(request("["), "cannot be read");
    }

    #[test]
    fn notifications() {
        let issued = |json: &str| {
            let json =
                format!(r#"{{"transaction_id":"tx","csr":"MIIBAgM=","issuer":"CN=CA",{json}}}"#);
            parse::<IssuedBody>(json.as_bytes()).and_then(|it| it.read())
        };
        let sha1 = "ab".repeat(20);
        let (_, told) = issued(&format!(
            r#""thumbprint":"{sha1}","serial":"1","expires_at":"2027-01-01T01:00:00+01:00""#
        ))
        .unwrap();
        assert_eq!(told.expires_at.as_millis(), 1_798_761_600_000);
        assert_eq!(told.serial(), "01");
        refused(
            issued(&format!(
                r#""thumbprint":"{sha1}","serial":"1","expires_at":"soon""#
            )),
            "`expires_at`: `soon` is no time",
        );
        refused(
            issued(r#""thumbprint":"ab","serial":"1","expires_at":"2027-01-01T00:00:00Z""#),
            "`thumbprint`: expected the 40",
        );
        let failed = |code: i64| {
            let json = format!(
                r#"{{"transaction_id":"tx","csr":"MIIBAgM=","code":{code},"message":"boom"}}"#
            );
            let read = parse::<NotIssuedBody>(json.as_bytes()).and_then(|it| it.read());
            read.map(|(_, failed)| failed.code)
        };
        assert_eq!(failed(5).unwrap(), 5);
        assert_eq!(failed(-2_147_024_891).unwrap(), 0x8007_0005);
        assert_eq!(failed(2_147_942_405).unwrap(), 0x8007_0005);
        refused(failed(1 << 40), "more than 32 bits");
    }

    #[test]
    fn revocations() {
        let list = |json: &str| {
            let body = parse::<RevocationsBody>(json.as_bytes())?;
            body.read().map(|(_, limit, _)| limit)
        };
        assert_eq!(list(r#"{"transaction_id":"tx"}"#).unwrap(), 50);
        assert_eq!(list(r#"{"transaction_id":"tx","limit":500}"#).unwrap(), 500);
        refused(list(r#"{"transaction_id":"tx","limit":0}"#), "1 to 500");
        refused(list(r#"{"transaction_id":"tx","limit":501}"#), "1 to 500");
        refused(list(r#"{"transaction_id":" "}"#), "`transaction_id`");
        let results = |json: &str| {
            let json = format!(r#"{{"transaction_id":"tx","results":[{json}]}}"#);
            let body = parse::<ResultsBody>(json.as_bytes())?;
            body.read().map(|(_, results)| results.len())
        };
        assert_eq!(results(r#"{"context":"rc","succeeded":true}"#).unwrap(), 1);
        refused(results(""), "1 to 500 members");
        refused(
            results(r#"{"context":"rc","succeeded":false}"#),
            "`results[0]`: `succeeded`: what failed needs a `code`",
        );
    }

    proptest! {
        #[test]
        fn any_body_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,80}") {
            fuzz(&bytes);
            let _ = der(&text);
            let _ = moment(&text);
        }
    }
}
