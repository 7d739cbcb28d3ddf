//! What a schema cannot say about the settings.

use portreeve_plugin::ConfigProblem;

use super::{AbsenceRule, Application, Settings, Treatment};
use crate::outcome::{templates, unknown_placeholder};

/// Checks a document that already fits the schema.
pub fn validate(document: &str) -> Result<(), Vec<ConfigProblem>> {
    let settings: Settings =
        portreeve_plugin::settings::parse(document).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    restrict_says_how(&settings, &mut problems);
    session_timeouts(&settings, &mut problems);
    placeholders(&settings, &mut problems);
    contradictions(&settings, &mut problems);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// `restrict` without obligations would be full access in most NAC products.
fn restrict_says_how(settings: &Settings, problems: &mut Vec<ConfigProblem>) {
    let restrict = &settings.obligations.restrict;
    if !restrict.is_empty() {
        return;
    }
    for (pointer, over, table) in restricting(settings) {
        if over.is_none_or(Application::is_empty) {
            let or = table.map_or(String::new(), |table| format!(" or `obligations.{table}`"));
            problems.push(ConfigProblem {
                pointer: pointer.to_owned(),
                message: format!(
                    "`restrict` needs something to apply: set a VLAN, role or the like in \
                     `obligations.restrict`{or}"
                ),
            });
        }
    }
}

/// Settings that lead to `restrict`, with the table that is laid over it then.
fn restricting(
    settings: &Settings,
) -> Vec<(&'static str, Option<&Application>, Option<&'static str>)> {
    let unknown = Some(&settings.obligations.unknown);
    let grace = Some(&settings.obligations.grace);
    let mut found = Vec::new();
    for (rule, pointer) in [
        (settings.unknown_device, "/unknown-device"),
        (settings.ambiguous_device, "/ambiguous-device"),
        (settings.sources_unavailable, "/sources-unavailable"),
    ] {
        if rule == AbsenceRule::Restrict {
            found.push((pointer, unknown, Some("unknown")));
        }
    }
    if settings.compliance.in_grace_period == Treatment::Restrict {
        found.push(("/compliance/in-grace-period", grace, Some("grace")));
    }
    let with_contact = settings.last_contact.max_age.is_some();
    let with_os = !settings.minimum_os.versions.is_empty();
    let with_posture = settings.posture.matter();
    for (treatment, counts, pointer) in [
        (settings.enrollment.pending, true, "/enrollment/pending"),
        (
            settings.enrollment.not_enrolled,
            true,
            "/enrollment/not-enrolled",
        ),
        (settings.enrollment.retired, true, "/enrollment/retired"),
        (settings.enrollment.unknown, true, "/enrollment/unknown"),
        (
            settings.compliance.non_compliant,
            true,
            "/compliance/non-compliant",
        ),
        (
            settings.compliance.not_evaluated,
            true,
            "/compliance/not-evaluated",
        ),
        (settings.compliance.conflict, true, "/compliance/conflict"),
        (settings.compliance.failed, true, "/compliance/failed"),
        (settings.compliance.unknown, true, "/compliance/unknown"),
        (
            settings.last_contact.too_old,
            with_contact,
            "/last-contact/too-old",
        ),
        (
            settings.last_contact.unknown,
            with_contact,
            "/last-contact/unknown",
        ),
        (settings.minimum_os.too_old, with_os, "/minimum-os/too-old"),
        (settings.minimum_os.unknown, with_os, "/minimum-os/unknown"),
        (
            settings.minimum_os.other_family,
            with_os,
            "/minimum-os/other-family",
        ),
        (settings.posture.unknown, with_posture, "/posture/unknown"),
    ] {
        if counts && treatment == Treatment::Restrict {
            found.push((pointer, None, None));
        }
    }
    if !settings.posture.restrict.is_empty() {
        found.push(("/posture/restrict", None, None));
    }
    found
}

fn session_timeouts(settings: &Settings, problems: &mut Vec<ConfigProblem>) {
    for (name, application) in settings.obligations.by_name() {
        let too_long = application
            .session_timeout
            .is_some_and(|span| u32::try_from(span.seconds).is_err());
        if too_long {
            problems.push(ConfigProblem {
                pointer: format!("/obligations/{name}/session-timeout"),
                message: "a session cannot last longer than 49710 days".to_owned(),
            });
        }
    }
}

fn placeholders(settings: &Settings, problems: &mut Vec<ConfigProblem>) {
    for (pointer, template) in templates(settings) {
        if let Some(name) = unknown_placeholder(template) {
            problems.push(ConfigProblem {
                pointer,
                message: format!(
                    "`{{{name}}}` stands for nothing; there are `{{reason}}`, `{{minimum-os}}`, \
                     `{{mac}}`, `{{guid}}` and `{{serial}}`"
                ),
            });
        }
    }
}

fn contradictions(settings: &Settings, problems: &mut Vec<ConfigProblem>) {
    for (index, item) in settings.posture.restrict.iter().enumerate() {
        if settings.posture.deny.contains(item) {
            problems.push(ConfigProblem {
                pointer: format!("/posture/restrict/{index}"),
                message: "the same state stands in `posture.deny`".to_owned(),
            });
        }
    }
    for (index, list) in settings.always_permit.iter().enumerate() {
        if settings.always_deny.contains(list) {
            problems.push(ConfigProblem {
                pointer: format!("/always-permit/{index}"),
                message: "the same list stands in `always-deny`".to_owned(),
            });
        }
    }
}
