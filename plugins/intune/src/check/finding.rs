//! Findings in the form that the host reads: the code stands in brackets before the subject,
//! because WIT 0.1 has no field of its own for it.

use portreeve_plugin::connector::{Finding, Verdict};

use super::code::Code;

pub(super) fn passed(subject: String, message: String) -> Finding {
    Finding {
        subject,
        verdict: Verdict::Passed,
        message,
        hint: None,
    }
}

pub(super) fn failed(code: Code, subject: &str, message: String, hint: String) -> Finding {
    Finding {
        subject: format!("[{code}] {subject}"),
        verdict: Verdict::Failed,
        message,
        hint: Some(hint),
    }
}

pub(super) fn degraded(code: Code, subject: &str, message: String, hint: String) -> Finding {
    Finding {
        verdict: Verdict::Degraded,
        ..failed(code, subject, message, hint)
    }
}
