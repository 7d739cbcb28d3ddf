//! The cases of a policy: what it is told, and what it has to decide.
//!
//! Cases are TOML, the same for policies in every language; the words are those
//! of `wit/`, in kebab-case. [`File::parse`] reads them, a runner gives each
//! [`Case`] to a policy, and [`Expectation::differences`] says where the
//! [`Outcome`] is another one. The format is described at the head of
//! `policies/baseline/cases.toml`.
//!
//! Nothing here runs a policy and nothing depends on the SDK or the host: both
//! turn these types into their own.
//!
//! ```
//! let file = portreeve_policy_cases::File::parse(r#"
//!     policy = "baseline"
//!     [[case]]
//!     name = "an unknown device stays outside"
//!     absence = "unknown-device"
//!     expect.verdict = "deny"
//!     expect.reasons = ["unknown-device"]
//! "#)?;
//! assert_eq!(file.cases[0].settings_document(), "{}");
//! # Ok::<(), portreeve_policy_cases::Malformed>(())
//! ```

mod expect;
mod subject;
mod time;

use serde::Deserialize;

pub use expect::{
    Expectation, ExpectedReason, ExpectedRemediation, Failure, Obligation, Outcome, Reason,
    Remediation, Verdict,
};
pub use subject::{
    Absence, Authentication, Compliance, ComplianceState, Connection, Device, Enrollment,
    FailingCheck, Identifier, Medium, OperatingSystem, Ownership, Posture, Source, SourceOutcome,
    Tristate, User, Value,
};
pub use time::{Moment, Span};

/// The time of every question that does not say another one: 2025-01-01, noon.
pub const DEFAULT_NOW: u64 = 1_735_732_800_000;

/// The text is no file of cases.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It is no TOML, or a key or value does not fit.
    #[error("{0}")]
    Text(#[from] toml::de::Error),
    /// A case contradicts itself.
    #[error("case `{name}`: {problem}")]
    Case {
        /// The case.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// All cases of one policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// The policy, by its package name.
    pub policy: String,
    /// Questions and the decisions that are expected.
    #[serde(default, rename = "case")]
    pub cases: Vec<Case>,
    /// Settings and what `validate-config` has to say about them.
    #[serde(default, rename = "settings-case")]
    pub settings_cases: Vec<SettingsCase>,
}

/// One question and the decision that is expected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// What it shows; no other case of the file has this name.
    pub name: String,
    /// The operator's settings. What is not said has its default.
    #[serde(default)]
    settings: toml::Table,
    /// The time of the question, in milliseconds since the Unix epoch.
    #[serde(default = "default_now")]
    pub now: u64,
    /// The identifiers that were asked for.
    #[serde(default)]
    pub requested: Vec<Identifier>,
    /// The connection that is judged.
    #[serde(default)]
    pub connection: Connection,
    /// What the sources came to, in the operator's order.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// The operator's lists by name. Members stand as the policy asks for them.
    #[serde(default)]
    pub lists: std::collections::BTreeMap<String, Vec<String>>,
    /// The device; exactly one of this and `absence` is there.
    pub device: Option<Device>,
    /// Why there is no device.
    pub absence: Option<Absence>,
    /// What has to come out.
    pub expect: Expectation,
}

/// Settings and what is wrong with them beyond what the schema can say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SettingsCase {
    /// What it shows.
    pub name: String,
    /// The operator's settings.
    #[serde(default)]
    settings: toml::Table,
    /// JSON pointers to the places that are reported, in any order. Empty when
    /// the settings are fine.
    pub problems: Vec<String>,
}

const fn default_now() -> u64 {
    DEFAULT_NOW
}

impl File {
    /// Reads a file.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let file: Self = toml::from_str(text)?;
        for (index, case) in file.cases.iter().enumerate() {
            let earlier = file.cases.iter().take(index);
            if let Some(problem) = case.problem(earlier) {
                return Err(Malformed::Case {
                    name: case.name.clone(),
                    problem,
                });
            }
        }
        Ok(file)
    }
}

impl Case {
    /// The settings as the JSON document that the policy reads.
    pub fn settings_document(&self) -> String {
        json(&self.settings)
    }

    /// Whether the member stands in the list, `None` when there is no such list.
    pub fn in_list(&self, list: &str, member: &str) -> Option<bool> {
        self.lists
            .get(list)
            .map(|members| members.iter().any(|one| one == member))
    }

    fn problem<'a>(&self, mut earlier: impl Iterator<Item = &'a Self>) -> Option<&'static str> {
        if self.device.is_some() == self.absence.is_some() {
            return Some("it needs either `device` or `absence`");
        }
        if self.expect.verdict.is_some() == self.expect.failure.is_some() {
            return Some("it needs either `expect.verdict` or `expect.failure`");
        }
        if earlier.any(|other| other.name == self.name) {
            return Some("another case has this name");
        }
        None
    }
}

impl SettingsCase {
    /// The settings as the JSON document that the policy reads.
    pub fn settings_document(&self) -> String {
        json(&self.settings)
    }
}

fn json(table: &toml::Table) -> String {
    // A table has text keys and finite values only, or TOML would not have it.
    serde_json::to_string(table).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_contradicts_itself_is_refused() {
        let case = |lines: &str| format!("policy = \"x\"\n[[case]]\nname = \"a\"\n{lines}");
        let expect = "expect.verdict = \"deny\"\nexpect.reasons = []\n";
        for (text, problem) in [
            (case(expect), "either `device` or `absence`"),
            (
                case(&format!("device = {{}}\nabsence = \"ambiguous\"\n{expect}")),
                "either `device` or `absence`",
            ),
            (
                case("device = {}\nexpect.reasons = []"),
                "either `expect.verdict` or `expect.failure`",
            ),
            (
                case(&format!(
                    "device = {{}}\n{expect}[[case]]\nname = \"a\"\ndevice = {{}}\n{expect}"
                )),
                "another case has this name",
            ),
            (
                case(&format!("device = {{ colour = 1 }}\n{expect}")),
                "colour",
            ),
        ] {
            let error = File::parse(&text).unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn settings_become_json() {
        let text = "policy = \"x\"\n[[settings-case]]\nname = \"a\"\nproblems = [\"/a\"]\n\
                    settings.a.b = [\"c\", 1, true]\n";
        let file = File::parse(text).unwrap();
        assert_eq!(
            file.settings_cases[0].settings_document(),
            r#"{"a":{"b":["c",1,true]}}"#
        );
    }
}
