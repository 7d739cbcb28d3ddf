//! Which permission each function needs, and which of them a token names.

use portreeve_plugin::connector::{Finding, Verdict};

use super::code::Code;
use super::finding;

/// One thing that this connector, or the gateway through it, can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// What it is, as in `permission for NAME`.
    pub(crate) name: &'static str,
    /// The credential whose token has to name the permission.
    pub(crate) slot: &'static str,
    /// Application permissions of which one is enough; the first is the one to ask for.
    pub(crate) sufficient: &'static [&'static str],
}

/// All functions, by `mdm-protocols.md` 2.5, 3.1, 4.4, 4.5 and 5.8.
pub(crate) const FUNCTIONS: [Function; 8] = [
    Function {
        name: "discovery",
        slot: "graph",
        sufficient: &[
            "Application.Read.All",
            "Application.ReadWrite.All",
            "Application.ReadWrite.OwnedBy",
            "Directory.Read.All",
            "ServicePrincipalEndpoint.Read.All",
        ],
    },
    Function {
        name: "inventory",
        slot: "graph",
        sufficient: &[
            "DeviceManagementManagedDevices.Read.All",
            "DeviceManagementManagedDevices.ReadWrite.All",
        ],
    },
    Function {
        name: "compliance details",
        slot: "graph",
        sufficient: &[
            "DeviceManagementConfiguration.Read.All",
            "DeviceManagementConfiguration.ReadWrite.All",
            // Recalled, not documented.
            "DeviceManagementManagedDevices.Read.All",
            "DeviceManagementManagedDevices.ReadWrite.All",
        ],
    },
    Function {
        name: "actions (sync, lock, retire, restart, shut down, passcode, locate, scan and the like)",
        slot: "graph",
        sufficient: &["DeviceManagementManagedDevices.PrivilegedOperations.All"],
    },
    Function {
        name: "the action wipe",
        slot: "graph",
        sufficient: &[
            "DeviceManagementManagedDevices.PrivilegedOperations.All",
            "DeviceManagementManagedDevices.ReadWrite.All",
        ],
    },
    Function {
        name: "the action notify",
        slot: "graph",
        sufficient: &[
            "DeviceManagementManagedDevices.ReadWrite.All",
            "DeviceManagementConfiguration.ReadWrite.All",
        ],
    },
    Function {
        name: "compliance",
        slot: "intune",
        sufficient: &["get_device_compliance"],
    },
    Function {
        name: "SCEP",
        slot: "intune",
        sufficient: &["scep_challenge_provider"],
    },
];

impl Function {
    /// The permission to ask an administrator for.
    pub(crate) fn wanted(&self) -> &'static str {
        self.sufficient.first().copied().unwrap_or_default()
    }

    /// Where that permission is found in the portal.
    pub(crate) fn place(&self) -> &'static str {
        match self.slot {
            "graph" => "Microsoft Graph, application permission",
            _ => "Intune, application permission",
        }
    }

    /// The permission that a token names and that is enough.
    pub(crate) fn found(&self, present: &[String]) -> Option<&'static str> {
        let is_present =
            |wanted: &str| present.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        self.sufficient
            .iter()
            .find(|wanted| is_present(wanted))
            .copied()
    }
}

/// What the token of one credential permits, function by function. `is_on` says which functions
/// are in use: only what these lack is a fault.
///
/// A token may be unreadable, and what it says is its receiver's affair, so all of this is advice:
/// the steps after it show what works.
pub(super) fn findings(
    slot: &str,
    present: &[String],
    is_on: impl Fn(&Function) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for function in FUNCTIONS.iter().filter(|function| function.slot == slot) {
        let subject = format!("permission for {}", function.name);
        let (wanted, place) = (function.wanted(), function.place());
        match function.found(present) {
            Some(found) => {
                findings.push(finding::passed(
                    subject,
                    format!("the token names `{found}`"),
                ));
            }
            None if is_on(function) => findings.push(finding::degraded(
                Code::PermissionMissing,
                &subject,
                if present.is_empty() {
                    "the token names no permission at all".to_owned()
                } else {
                    format!("the token names only: {}", present.join(", "))
                },
                format!("add `{wanted}` ({place}), grant admin consent and wait up to 10 minutes"),
            )),
            // Unreadable tokens leave nothing to say about what nobody wants.
            None if present.is_empty() => {}
            None => findings.push(finding::passed(
                subject,
                format!("not granted; it needs `{wanted}` ({place}) if you want it"),
            )),
        }
    }
    findings.extend(superfluous(slot, present));
    findings
}

/// Permissions that nothing here makes use of.
fn superfluous(slot: &str, present: &[String]) -> Option<Finding> {
    let of_slot = || FUNCTIONS.iter().filter(|function| function.slot == slot);
    let used: Vec<&str> = of_slot()
        .filter_map(|function| function.found(present))
        .collect();
    let idle: Vec<&str> = present
        .iter()
        .map(String::as_str)
        .filter(|name| !used.iter().any(|used| used.eq_ignore_ascii_case(name)))
        .collect();
    (!idle.is_empty()).then(|| Finding {
        verdict: Verdict::Passed,
        ..finding::degraded(
            Code::PermissionSuperfluous,
            &format!("superfluous permissions of {slot}"),
            format!("nothing here uses: {}", idle.join(", ")),
            "take them away from the application, unless something else uses it".to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(slot: &str, present: &[&str], on: &[&str], expected: &[&str]) {
        let present: Vec<String> = present.iter().map(|name| (*name).to_owned()).collect();
        let found: Vec<String> =
            super::findings(slot, &present, |function| on.contains(&function.name))
                .into_iter()
                .filter(|finding| finding.hint.is_some())
                .map(|finding| format!("{}: {}", finding.subject, finding.message))
                .collect();
        assert_eq!(found, expected, "{present:?}");
    }

    #[test]
    fn each_function_has_the_permission_that_is_missing() {
        for function in FUNCTIONS {
            let (present, on) = (["Some.Other".to_owned()], [function.name]);
            let found = super::findings(function.slot, &present, |one| on.contains(&one.name));
            let missing = found
                .iter()
                .find(|finding| finding.verdict == Verdict::Degraded);
            let missing = missing.unwrap();
            assert_eq!(
                missing.subject,
                format!(
                    "[intune-permission-missing] permission for {}",
                    function.name
                )
            );
            let hint = missing.hint.as_ref().unwrap();
            assert!(
                hint.contains(&format!("add `{}`", function.wanted())),
                "{hint}"
            );
            // One of them is enough, whichever, however it is written.
            for permission in function.sufficient {
                assert!(function.found(&[permission.to_lowercase()]).is_some());
            }
        }
    }

    #[test]
    fn the_sets_of_older_guides_work_and_their_rest_is_superfluous() {
        // Cisco's guide for ISE 3.0 and Microsoft's of October 2020, application permissions.
        check("graph", &["Directory.Read.All"], &["discovery"], &[]);
        check("intune", &["get_device_compliance"], &["compliance"], &[]);
        // Today's beside the old one.
        check(
            "graph",
            &[
                "Application.Read.All",
                "Directory.Read.All",
                "User.Read.All",
            ],
            &["discovery"],
            &[
                "[intune-permission-superfluous] superfluous permissions of graph: nothing here \
                 uses: Directory.Read.All, User.Read.All",
            ],
        );
        // The set of ACMP's connector.
        check(
            "graph",
            &[
                "DeviceManagementApps.Read.All",
                "DeviceManagementConfiguration.Read.All",
                "DeviceManagementManagedDevices.PrivilegedOperations.All",
                "DeviceManagementManagedDevices.Read.All",
                "DeviceManagementManagedDevices.ReadWrite.All",
                "DeviceManagementServiceConfig.Read.All",
                "User.Read.All",
            ],
            &["discovery", "inventory", "the action wipe"],
            &[
                "[intune-permission-missing] permission for discovery: the token names only: \
                 DeviceManagementApps.Read.All, DeviceManagementConfiguration.Read.All, \
                 DeviceManagementManagedDevices.PrivilegedOperations.All, \
                 DeviceManagementManagedDevices.Read.All, \
                 DeviceManagementManagedDevices.ReadWrite.All, \
                 DeviceManagementServiceConfig.Read.All, User.Read.All",
                "[intune-permission-superfluous] superfluous permissions of graph: nothing here \
                 uses: DeviceManagementApps.Read.All, DeviceManagementServiceConfig.Read.All, \
                 User.Read.All",
            ],
        );
        check("graph", &[], &[], &[]);
    }
}
