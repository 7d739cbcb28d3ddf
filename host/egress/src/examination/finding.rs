//! What an examination found.

/// How one step went, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Well.
    Passed,
    /// It works, but not as it should, or not for long.
    Degraded,
    /// It does not work.
    Failed,
}

/// One step of an examination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, e.g. `TLS login.microsoftonline.com`.
    pub subject: String,
    /// How that went.
    pub verdict: Verdict,
    /// The stable code of what was found, a section of `docs/findings.md`. What passed needs none.
    pub code: Option<&'static str>,
    /// What was seen.
    pub message: String,
    /// What an administrator can do about it.
    pub hint: Option<String>,
}

impl Finding {
    pub(super) fn passed(subject: String, message: String) -> Self {
        Self {
            subject,
            verdict: Verdict::Passed,
            code: None,
            message,
            hint: None,
        }
    }

    pub(super) fn failed(
        subject: String,
        code: &'static str,
        message: String,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            subject,
            verdict: Verdict::Failed,
            code: Some(code),
            message,
            hint: Some(hint.into()),
        }
    }

    pub(super) fn degraded(
        subject: String,
        code: &'static str,
        message: String,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Degraded,
            ..Self::failed(subject, code, message, hint)
        }
    }
}
