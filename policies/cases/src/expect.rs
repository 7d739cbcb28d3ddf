//! What has to come out, and where it is something else.

use std::fmt::Debug;

use serde::Deserialize;

use crate::Span;

/// What to do with the connection.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No opinion.
    Abstain,
    /// Full access.
    Permit,
    /// Limited access.
    Restrict,
    /// No access.
    Deny,
}

/// Why a policy could not decide.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// A fact is missing that it cannot do without.
    MissingFact,
    /// The settings are at fault.
    Misconfigured,
    /// Anything else.
    Other,
}

/// What the NAC product has to apply. Exactly one of the kinds is there.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Obligation {
    /// VLAN by name or number.
    pub vlan: Option<String>,
    /// Access list.
    pub acl: Option<String>,
    /// Security group tag.
    pub sgt: Option<u16>,
    /// Role or profile.
    pub role: Option<String>,
    /// Seconds until the session must authenticate again.
    pub session_timeout: Option<u32>,
    /// URL to send the user's browser to.
    pub redirect: Option<String>,
    /// Disconnect or re-authenticate a running session.
    pub change_of_authorization: bool,
    /// Name and value of a RADIUS attribute.
    pub radius: Option<[String; 2]>,
    /// Name and JSON value of anything else.
    pub other: Option<[String; 2]>,
    /// Whether it may be left out.
    pub advisory: bool,
}

/// A reason as the policy gave it.
#[derive(Clone, Debug, Default)]
pub struct Reason {
    /// Its code.
    pub code: String,
    /// Text for an administrator.
    pub message: String,
    /// Names of the facts it rests on.
    pub facts: Vec<String>,
}

/// Remediation as the policy gave it.
#[derive(Clone, Debug, Default)]
pub struct Remediation {
    /// Its code.
    pub code: String,
    /// Text for the user.
    pub message: String,
    /// Where it can be done.
    pub url: Option<String>,
}

/// What a policy came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It decided.
    Decided {
        /// What to do.
        verdict: Verdict,
        /// Why, in order.
        reasons: Vec<Reason>,
        /// What to apply, in order.
        obligations: Vec<Obligation>,
        /// What would help, in order.
        remediation: Vec<Remediation>,
        /// How long it may be reused.
        valid_for_ms: Option<u64>,
    },
    /// It could not decide.
    Failed(Failure),
}

/// A code, or a table that says more about the reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum ExpectedReason {
    /// Only the code matters.
    Code(String),
    /// What is said must be equal.
    Whole {
        /// Its code.
        code: String,
        /// Text for an administrator.
        message: Option<String>,
        /// Names of the facts it rests on, in order.
        facts: Option<Vec<String>>,
    },
}

/// A code, or a table that says more about the remediation.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum ExpectedRemediation {
    /// Only the code matters.
    Code(String),
    /// What is said must be equal.
    Whole {
        /// Its code.
        code: String,
        /// Text for the user.
        message: Option<String>,
        /// Where it can be done.
        url: Option<String>,
    },
}

/// What has to come out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expectation {
    /// What to do; exactly one of this and `failure` is there.
    pub verdict: Option<Verdict>,
    /// Why it cannot decide.
    pub failure: Option<Failure>,
    /// All reasons in order.
    #[serde(default)]
    pub reasons: Vec<ExpectedReason>,
    /// All obligations in order.
    #[serde(default)]
    pub obligations: Vec<Obligation>,
    /// All remediation in order; not compared when it is not said.
    pub remediation: Option<Vec<ExpectedRemediation>>,
    /// How long it may be reused; not said means that the policy must not say
    /// it either.
    pub valid_for: Option<Span>,
    /// Names of all facts that may be read, in any order; not compared when it
    /// is not said.
    pub reads: Option<Vec<String>>,
}

impl Expectation {
    /// Where the outcome, or the facts that were read, differ. Empty when all is
    /// as it should be.
    pub fn differences(&self, outcome: &Outcome, read: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        match outcome {
            Outcome::Failed(failure) => {
                compare(&mut found, "failure", &self.failure, &Some(*failure));
            }
            Outcome::Decided {
                verdict,
                reasons,
                obligations,
                remediation,
                valid_for_ms,
            } => {
                compare(&mut found, "verdict", &self.verdict, &Some(*verdict));
                self.compare_reasons(&mut found, reasons);
                compare(&mut found, "obligations", &self.obligations, obligations);
                self.compare_remediation(&mut found, remediation);
                let valid_for = self.valid_for.map(|span| span.0);
                compare(&mut found, "valid-for (ms)", &valid_for, valid_for_ms);
            }
        }
        if let Some(expected) = &self.reads {
            compare(&mut found, "reads", &sorted(expected), &sorted(read));
        }
        found
    }

    fn compare_reasons(&self, found: &mut Vec<String>, reasons: &[Reason]) {
        let expected: Vec<&str> = self.reasons.iter().map(ExpectedReason::code).collect();
        let given: Vec<&str> = reasons.iter().map(|reason| reason.code.as_str()).collect();
        compare(found, "reasons", &expected, &given);
        for (expected, reason) in self.reasons.iter().zip(reasons) {
            if let ExpectedReason::Whole {
                code,
                message,
                facts,
            } = expected
            {
                if let Some(message) = message {
                    compare(
                        found,
                        &format!("message of `{code}`"),
                        message,
                        &reason.message,
                    );
                }
                if let Some(facts) = facts {
                    compare(found, &format!("facts of `{code}`"), facts, &reason.facts);
                }
            }
        }
    }

    fn compare_remediation(&self, found: &mut Vec<String>, remediation: &[Remediation]) {
        let Some(all) = &self.remediation else {
            return;
        };
        let expected: Vec<&str> = all.iter().map(ExpectedRemediation::code).collect();
        let given: Vec<&str> = remediation.iter().map(|one| one.code.as_str()).collect();
        compare(found, "remediation", &expected, &given);
        for (expected, one) in all.iter().zip(remediation) {
            if let ExpectedRemediation::Whole { code, message, url } = expected {
                if let Some(message) = message {
                    compare(found, &format!("text of `{code}`"), message, &one.message);
                }
                compare(found, &format!("url of `{code}`"), url, &one.url);
            }
        }
    }
}

impl ExpectedReason {
    /// The reason's code.
    pub fn code(&self) -> &str {
        match self {
            Self::Code(code) | Self::Whole { code, .. } => code,
        }
    }
}

impl ExpectedRemediation {
    /// The remediation's code.
    pub fn code(&self) -> &str {
        match self {
            Self::Code(code) | Self::Whole { code, .. } => code,
        }
    }
}

fn compare<T: PartialEq + Debug + ?Sized>(
    found: &mut Vec<String>,
    what: &str,
    expected: &T,
    given: &T,
) {
    if expected != given {
        found.push(format!("{what}: expected {expected:?}, found {given:?}"));
    }
}

fn sorted(names: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectation(text: &str) -> Expectation {
        toml::from_str(text).unwrap()
    }

    fn permitted() -> Outcome {
        Outcome::Decided {
            verdict: Verdict::Permit,
            reasons: vec![Reason {
                code: "fine".into(),
                message: "all is well".into(),
                facts: vec!["os".into()],
            }],
            obligations: vec![Obligation {
                vlan: Some("corp".into()),
                ..Obligation::default()
            }],
            remediation: vec![Remediation {
                code: "none".into(),
                ..Remediation::default()
            }],
            valid_for_ms: Some(1_000),
        }
    }

    #[test]
    fn each_part_is_compared() {
        let fits = "verdict = \"permit\"\nreasons = [\"fine\"]\n\
                    obligations = [{ vlan = \"corp\" }]\nvalid-for = \"1s\"\n";
        assert!(expectation(fits).differences(&permitted(), &[]).is_empty());
        for (written, instead, what) in [
            ("\"permit\"", "\"deny\"", "verdict"),
            ("[\"fine\"]", "[]", "reasons"),
            (
                "[\"fine\"]",
                "[{ code = \"fine\", facts = [] }]",
                "facts of",
            ),
            (
                "[\"fine\"]",
                "[{ code = \"fine\", message = \"\" }]",
                "message of",
            ),
            ("\"corp\" }", "\"corp\", advisory = true }", "obligations"),
            ("\"1s\"", "\"2s\"", "valid-for"),
            ("\"1s\"\n", "\"1s\"\nremediation = []\n", "remediation"),
            ("\"1s\"\n", "\"1s\"\nreads = [\"os\"]\n", "reads"),
            ("verdict = \"permit\"", "failure = \"other\"", "verdict"),
        ] {
            let other = expectation(&fits.replace(written, instead));
            let found = other.differences(&permitted(), &[]);
            assert_eq!(found.len(), 1, "{instead}: {found:?}");
            assert!(found[0].starts_with(what), "{instead}: {found:?}");
        }
    }

    #[test]
    fn a_failure_is_no_verdict() {
        let expected = expectation("verdict = \"deny\"\nreasons = []");
        let outcome = Outcome::Failed(Failure::Misconfigured);
        assert_eq!(expected.differences(&outcome, &[]).len(), 1);
    }
}
