//! Certificates that are to be revoked.

use serde::{Deserialize, Serialize};

use super::error_number;

/// A certificate that is to be revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revocation {
    /// Comes back with the result.
    pub request_context: String,
    /// Its serial number.
    pub serial_number: String,
    /// Who issued it.
    pub issuer_name: String,
    /// What the authority called the way it was issued.
    #[serde(default)]
    pub ca_configuration: String,
}

/// What became of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevocationResult {
    /// That of the revocation.
    pub request_context: String,
    /// Whether it is revoked.
    pub succeeded: bool,
    /// A number as text, or the name of an error.
    pub error_code: String,
    /// What is said beside it.
    #[serde(default)]
    pub error_message: Option<String>,
}

impl RevocationResult {
    /// The number of the error; 0 for none, `None` where it is not known.
    pub fn error_number(&self) -> Option<u32> {
        error_number(&self.error_code)
    }
}
