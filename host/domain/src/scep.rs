//! Certificate requests for which a management system vouches, or does not.
//!
//! A SCEP server (RFC 8894) or another certification authority asks whether the
//! challenge in a request is genuine, and tells what became of the request.
//! Arguments are checked when they are made, so that what cannot be right never
//! travels.

use std::fmt::Write as _;

use crate::{Identifier, Timestamp};

/// Bytes of a request for a certificate. One with a large key, many names and a
/// long challenge has a quarter of that.
const LARGEST_CSR: usize = 32 << 10;

/// Characters of names and texts that travel to a management system.
const LONGEST_TEXT: usize = 1024;

/// Bytes of a serial number (RFC 5280, section 4.1.2.2).
const LONGEST_SERIAL: usize = 20;

/// An argument that cannot be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {problem}")]
pub struct ArgumentError {
    /// Which one, as clients write it.
    pub field: &'static str,
    /// What is wrong with it and what was expected.
    pub problem: String,
}

/// A request for a certificate as the SCEP server received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    transaction_id: String,
    csr: Vec<u8>,
}

impl CertificateRequest {
    /// `transaction_id` joins validation and notification in the logs of all
    /// parties; `csr` is PKCS #10 (RFC 2986) in DER.
    pub fn new(transaction_id: &str, csr: Vec<u8>) -> Result<Self, ArgumentError> {
        let transaction_id = text("transaction_id", transaction_id)?;
        let problem = match csr.as_slice() {
            [] => "it is empty".to_owned(),
            _ if csr.len() > LARGEST_CSR => {
                format!(
                    "expected at most {LARGEST_CSR} bytes of DER, found {}",
                    csr.len()
                )
            }
            // Every request is a SEQUENCE.
            [0x30, ..] => {
                return Ok(Self {
                    transaction_id,
                    csr,
                });
            }
            _ => "expected a certificate request (PKCS #10) in DER, base64 or PEM".to_owned(),
        };
        Err(ArgumentError {
            field: "csr",
            problem,
        })
    }

    /// What joins validation and notification.
    pub fn transaction_id(&self) -> &str {
        &self.transaction_id
    }

    /// The request, in DER.
    pub fn csr(&self) -> &[u8] {
        &self.csr
    }
}

/// A certificate may be issued; for whom a management system vouches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approval {
    /// The device, as far as it says.
    pub ids: Vec<Identifier>,
    /// Whose it is.
    pub user: Option<String>,
}

/// Something was asked of a management system, and it is not to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// An argument cannot be right; nobody was asked.
    #[error("{0}")]
    Argument(String),
    /// The request carries no challenge of this management system: whoever else
    /// vouches for requests may be asked.
    #[error("{0}")]
    Elsewhere(String),
    /// The management system said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A management system said no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused with `{code}`{}", after_colon(.message))]
pub struct Refusal {
    /// Its own code, e.g. `ChallengeExpired`.
    pub code: String,
    /// What it says beside it; may be empty.
    pub message: String,
}

/// A certificate that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    thumbprint: String,
    serial: String,
    issuer: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The authority's own name for how it was issued.
    pub ca_configuration: Option<String>,
    /// The authority, where that is not the issuer.
    pub certificate_authority: Option<String>,
}

impl Issued {
    /// `thumbprint` is the SHA-1 of the certificate and `serial` its serial
    /// number, both in hexadecimal in any spelling; `issuer` is the subject of
    /// the authority.
    pub fn new(
        thumbprint: &str,
        serial: &str,
        expires_at: Timestamp,
        issuer: &str,
    ) -> Result<Self, ArgumentError> {
        let thumbprint = hexadecimal("thumbprint", thumbprint)?;
        if thumbprint.len() != 40 {
            return Err(ArgumentError {
                field: "thumbprint",
                problem: format!(
                    "expected the 40 hexadecimal digits of a SHA-1, found {}",
                    thumbprint.len()
                ),
            });
        }
        let serial = hexadecimal("serial", serial)?;
        if serial.len() > 2 * LONGEST_SERIAL {
            return Err(ArgumentError {
                field: "serial",
                problem: format!("expected at most {LONGEST_SERIAL} bytes"),
            });
        }
        Ok(Self {
            thumbprint,
            serial,
            issuer: text("issuer", issuer)?,
            expires_at,
            ca_configuration: None,
            certificate_authority: None,
        })
    }

    /// The SHA-1 of the certificate in upper-case hexadecimal.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The serial number in upper-case hexadecimal, two digits a byte.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// The subject of the authority.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

/// No certificate was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotIssued {
    /// A Win32 code or HRESULT.
    pub code: u32,
    message: String,
}

impl NotIssued {
    /// `message` says why.
    pub fn new(code: u32, message: &str) -> Result<Self, ArgumentError> {
        let message = text("message", message)?;
        Ok(Self { code, message })
    }

    /// Why.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// A certificate that a management system wants revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Given back unchanged with the result.
    pub context: String,
    /// The serial number as the management system writes it.
    pub serial: String,
    /// Who issued it.
    pub issuer: Option<String>,
    /// What the authority called the way it was issued.
    pub ca_configuration: Option<String>,
}

/// What became of a revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationResult {
    context: String,
    succeeded: bool,
    code: u32,
    message: Option<String>,
}

impl RevocationResult {
    /// `context` is that of the [`Revocation`], `code` 0 where there is none.
    /// What succeeded has neither code nor message.
    pub fn new(
        context: &str,
        succeeded: bool,
        code: u32,
        message: Option<String>,
    ) -> Result<Self, ArgumentError> {
        if context.trim().is_empty() {
            return Err(ArgumentError {
                field: "context",
                problem: "it is empty".to_owned(),
            });
        }
        let problem = match (succeeded, code, &message) {
            (true, 0, None) => None,
            (true, ..) => Some("what succeeded has no `code` and no `message`"),
            (false, 0, _) => Some("what failed needs a `code`"),
            (false, ..) => None,
        };
        if let Some(problem) = problem {
            return Err(ArgumentError {
                field: "succeeded",
                problem: problem.to_owned(),
            });
        }
        Ok(Self {
            context: context.to_owned(),
            succeeded,
            code,
            message: message
                .map(|message| text("message", &message))
                .transpose()?,
        })
    }

    /// What the management system called the revocation.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// Whether the certificate is revoked.
    pub const fn succeeded(&self) -> bool {
        self.succeeded
    }

    /// The management system's code, 0 for none.
    pub const fn code(&self) -> u32 {
        self.code
    }

    /// What is said beside it.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

fn after_colon(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

fn text(field: &'static str, given: &str) -> Result<String, ArgumentError> {
    let trimmed = given.trim();
    let problem = if trimmed.is_empty() {
        "it is empty".to_owned()
    } else if trimmed.chars().any(char::is_control) {
        "it has control characters".to_owned()
    } else if trimmed.chars().count() > LONGEST_TEXT {
        format!("expected at most {LONGEST_TEXT} characters")
    } else {
        return Ok(trimmed.to_owned());
    };
    Err(ArgumentError { field, problem })
}

/// Whole bytes in upper-case hexadecimal; colons and spaces between them, as
/// programs print them, are left out.
fn hexadecimal(field: &'static str, given: &str) -> Result<String, ArgumentError> {
    let mut digits = String::new();
    for character in given.chars().filter(|it| !matches!(it, ':' | ' ' | '-')) {
        if !character.is_ascii_hexdigit() {
            let problem = format!("expected hexadecimal digits, found `{character}`");
            return Err(ArgumentError { field, problem });
        }
        let _ = write!(digits, "{}", character.to_ascii_uppercase());
    }
    if digits.is_empty() {
        let problem = "it is empty".to_owned();
        return Err(ArgumentError { field, problem });
    }
    if digits.len() % 2 == 1 {
        digits.insert(0, '0');
    }
    Ok(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1: &str = "0123456789abcdef0123456789ABCDEF01234567";

    #[track_caller]
    fn refused<T: std::fmt::Debug>(result: Result<T, ArgumentError>, expected: &str) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_request_has_an_id_and_is_a_sequence() {
        let request = CertificateRequest::new(" tx-1 ", vec![0x30, 0]).unwrap();
        assert_eq!(request.transaction_id(), "tx-1");
        let new = CertificateRequest::new;
        refused(new("", vec![0x30]), "`transaction_id`: it is empty");
        refused(new(" \t", vec![0x30]), "`transaction_id`: it is empty");
        refused(new("a\nb", vec![0x30]), "control characters");
        refused(new(&"x".repeat(1025), vec![0x30]), "at most 1024");
        refused(new("t", vec![]), "`csr`: it is empty");
        refused(new("t", b"MIIB".to_vec()), "PKCS #10");
        refused(new("t", vec![0x30; LARGEST_CSR + 1]), "at most 32768");
    }

    #[test]
    fn what_was_issued_is_written_as_management_systems_expect() {
        let issued = |thumbprint, serial| {
            Issued::new(thumbprint, serial, Timestamp::from_millis(1), "CN=CA")
        };
        let fine = issued(SHA1, "1:af").unwrap();
        assert_eq!(fine.thumbprint(), SHA1.to_uppercase());
        assert_eq!((fine.serial(), fine.issuer()), ("01AF", "CN=CA"));
        let spelled = "01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67";
        assert_eq!(issued(spelled, "00").unwrap().thumbprint().len(), 40);
        refused(issued("", "01"), "`thumbprint`: it is empty");
        refused(issued("abcd", "01"), "40 hexadecimal digits");
        refused(issued(SHA1, ""), "`serial`: it is empty");
        refused(issued(SHA1, "12x"), "found `x`");
        refused(issued(SHA1, &"00".repeat(21)), "at most 20 bytes");
        refused(
            Issued::new(SHA1, "01", Timestamp::default(), " "),
            "`issuer`: it is empty",
        );
    }

    #[test]
    fn a_failure_says_why() {
        assert_eq!(NotIssued::new(5, "boom").unwrap().message(), "boom");
        refused(NotIssued::new(5, ""), "`message`: it is empty");
    }

    #[test]
    fn a_result_is_one_thing_or_the_other() {
        let new = |succeeded, code, message: Option<&str>| {
            RevocationResult::new("rc", succeeded, code, message.map(str::to_owned))
        };
        assert!(new(true, 0, None).unwrap().succeeded());
        assert_eq!(new(false, 4004, Some("no")).unwrap().message(), Some("no"));
        assert!(new(false, 4004, None).is_ok());
        refused(new(true, 4004, None), "what succeeded has no");
        refused(new(true, 0, Some("fine")), "what succeeded has no");
        refused(new(false, 0, None), "what failed needs a `code`");
        refused(RevocationResult::new("", true, 0, None), "`context`");
    }

    #[test]
    fn a_refusal_is_told_with_its_code() {
        let mut refusal = Refusal {
            code: "ChallengeExpired".to_owned(),
            message: String::new(),
        };
        assert_eq!(refusal.to_string(), "refused with `ChallengeExpired`");
        "late".clone_into(&mut refusal.message);
        assert_eq!(refusal.to_string(), "refused with `ChallengeExpired`: late");
    }
}
