//! What is read back from the log.

use std::collections::BTreeMap;

use portreeve_domain::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::entry::{PolicyDigest, Ruling, SourceKey};
use super::time::parse_time;

/// One decision as it stands in the log. Members that a later version added are
/// passed over.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a line of the log, member by member"
)]
pub struct Record {
    /// When the question was asked.
    #[serde(deserialize_with = "time")]
    pub at: Timestamp,
    /// Who asked, by its configured name.
    pub client: String,
    /// In which protocol.
    pub face: String,
    /// The request's identifier in other logs.
    #[serde(default)]
    pub request: Option<String>,
    /// What the client said about the endpoint.
    pub identifiers: Vec<String>,
    /// How the decision came about: `cached`, `evaluated` or `fetched`.
    pub origin: String,
    /// Whether the facts were older than the operator likes.
    pub stale: bool,
    /// How long the answer took, in microseconds.
    pub latency_us: u64,
    /// Whether it differs from the last decision about the endpoint.
    pub changed: bool,
    /// What it came to.
    pub verdict: Ruling,
    /// Why, most important first.
    #[serde(default)]
    pub reasons: Vec<LoggedReason>,
    /// The policy that decided.
    #[serde(default)]
    pub policy: Option<PolicyDigest>,
    /// All policies in force, in order.
    #[serde(default)]
    pub chain: Vec<PolicyDigest>,
    /// The facts that were read, by name.
    #[serde(default)]
    pub facts: BTreeMap<String, Value>,
    /// The facts were too large for the log.
    #[serde(default)]
    pub facts_omitted: bool,
    /// Whether `facts` are all there were, not only those that were read.
    #[serde(default)]
    pub whole: bool,
    /// The chain that decided.
    #[serde(default)]
    pub chain_name: Option<String>,
    /// A digest of the whole decision, with its obligations.
    #[serde(default)]
    pub decision: Option<String>,
    /// The quarantine made the decision what it is.
    #[serde(default)]
    pub quarantined: bool,
    /// The device record that was judged.
    #[serde(default)]
    pub source: Option<SourceKey>,
    /// Why there is none.
    #[serde(default)]
    pub absence: Option<String>,
    /// What is missing when nobody can tell.
    #[serde(default)]
    pub detail: Option<String>,
}

/// One reason of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LoggedReason {
    /// Stable code.
    pub code: String,
    /// Text for an administrator.
    pub message: String,
    /// Names of the facts it rests on.
    #[serde(default)]
    pub facts: Vec<String>,
}

/// Denials that are missing from the log because it could not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Gap {
    /// How many.
    pub gap: u64,
    /// When the first was asked for.
    #[serde(deserialize_with = "time")]
    pub from: Timestamp,
    /// When the last was asked for.
    #[serde(deserialize_with = "time")]
    pub to: Timestamp,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    parse_time(&text).map_err(serde::de::Error::custom)
}
