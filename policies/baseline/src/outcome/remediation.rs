//! What the user or the help desk can do.

use portreeve_plugin::policy::{Reason, Remediation};

use super::template::{self, Words};
use crate::settings::{Advice, Settings};

/// Whether any text that will be used names an identifier.
pub(super) fn needs_ids(settings: &Settings, reasons: &[Reason]) -> bool {
    reasons.iter().any(|reason| {
        let (text, url) = texts(settings, &reason.code);
        text.is_some_and(template::needs_ids) || url.is_some_and(template::needs_ids)
    })
}

/// One entry for each reason against which something can be done.
pub(super) fn of(settings: &Settings, reasons: &[Reason], words: Words<'_>) -> Vec<Remediation> {
    let mut entries = Vec::new();
    for reason in reasons {
        let words = words.about(&reason.code);
        if let (Some(text), url) = texts(settings, &reason.code) {
            entries.push(Remediation {
                code: reason.code.clone(),
                message: template::text(text, words),
                url: url.map(|url| template::url(url, words)),
            });
        }
    }
    entries
}

/// Text and URL for a reason. No text, no entry.
fn texts<'a>(settings: &'a Settings, code: &str) -> (Option<&'a str>, Option<&'a str>) {
    let own = settings.remediation.iter().find(|(known, _)| known == code);
    let own: Option<&Advice> = own.map(|(_, advice)| advice);
    let message = own.and_then(|advice| advice.message.as_deref());
    let url = own.and_then(|advice| advice.url.as_deref());
    let message = message.or_else(|| built_in(code)).or(url.and(Some("")));
    let url = url.or(settings.remediation_url.as_deref());
    (message, message.and(url))
}

/// What to tell the user when the operator does not say anything else.
fn built_in(code: &str) -> Option<&'static str> {
    Some(match code {
        "unknown-device" | "not-enrolled" => "Enrol this device in device management.",
        "retired" => "Enrol this device in device management again.",
        "enrollment-pending" => "Finish enrolling this device.",
        "non-compliant" | "grace-period-over" | "grace-period-end-unknown" => {
            "Open the management app on this device and correct what it lists."
        }
        "in-grace-period" => {
            "Open the management app on this device and correct what it lists before access ends."
        }
        "not-evaluated" | "last-contact-too-old" | "last-contact-unknown" => {
            "Open the management app on this device and let it synchronise."
        }
        "compliance-conflict" | "compliance-failed" | "compliance-unknown" => {
            "Ask the help desk to look at this device in device management."
        }
        "os-too-old" => "Update the operating system to version {minimum-os} or newer.",
        "jailbroken" => "Restore the original operating system of this device.",
        "not-encrypted" => "Encrypt the storage of this device.",
        "no-screen-lock" => "Set a screen lock on this device.",
        "no-firewall" => "Turn on the firewall of this device.",
        "no-antivirus" => "Turn on and update the protection against malware.",
        "no-secure-boot" => "Turn on secure boot on this device.",
        _ => return None,
    })
}
