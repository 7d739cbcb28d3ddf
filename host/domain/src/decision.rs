//! What a policy says, and what follows from it.

use std::fmt;
use std::time::Duration;

/// What to do with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// No opinion; the next policy of the chain is asked.
    Abstain,
    /// Full access of the matched class.
    Permit,
    /// Limited access: the obligations say how.
    Restrict,
    /// No access.
    Deny,
}

impl Verdict {
    /// The word for it in every protocol and log that is ours.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Abstain => "abstain",
            Self::Permit => "permit",
            Self::Restrict => "restrict",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why. The first reason is the one shown first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reason {
    /// Stable, lower-case kebab-case code, e.g. `os-too-old`.
    pub code: String,
    /// Text for an administrator.
    pub message: String,
    /// Names of the facts this reason rests on.
    pub facts: Vec<String>,
}

/// What the NAC product has to apply along with the verdict. One that cannot
/// must treat the verdict as deny, unless the obligation is advisory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Obligation {
    /// What to apply.
    pub kind: ObligationKind,
    /// Whether it may be left out.
    pub advisory: bool,
}

/// The things a NAC product can be asked to apply.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ObligationKind {
    /// VLAN by name or number.
    Vlan(String),
    /// Named or downloadable access list.
    Acl(String),
    /// Security group tag.
    Sgt(u16),
    /// Role or profile known to the NAC product.
    Role(String),
    /// Time until the session must authenticate again.
    SessionTimeout(Duration),
    /// URL to send the user's browser to.
    Redirect(String),
    /// Disconnect or re-authenticate a running session.
    ChangeOfAuthorization,
    /// A RADIUS attribute in the dictionary's own spelling.
    Radius {
        /// Attribute name.
        name: String,
        /// Its value as text.
        value: String,
    },
    /// Anything else.
    Other {
        /// What it is called.
        name: String,
        /// JSON text.
        value: String,
    },
}

/// What the user or help desk can do to get access.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Remediation {
    /// Stable, lower-case kebab-case code.
    pub code: String,
    /// Text for the user.
    pub message: String,
    /// Where it can be done.
    pub url: Option<String>,
}

/// What a policy, or a chain of them, decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    /// What to do with the connection.
    pub verdict: Verdict,
    /// Why, most important first.
    pub reasons: Vec<Reason>,
    /// What to apply along with it.
    pub obligations: Vec<Obligation>,
    /// What would help.
    pub remediation: Vec<Remediation>,
    /// How long it may be reused while the facts it read stay equal. `None`
    /// leaves that to the operator, zero forbids reuse.
    pub valid_for: Option<Duration>,
}

impl Decision {
    /// A decision for one reason, with nothing to apply.
    pub fn because(verdict: Verdict, code: &str, message: &str) -> Self {
        let reason = Reason {
            code: code.to_owned(),
            message: message.to_owned(),
            facts: Vec::new(),
        };
        Self {
            verdict,
            reasons: vec![reason],
            obligations: Vec::new(),
            remediation: Vec::new(),
            valid_for: None,
        }
    }
}
