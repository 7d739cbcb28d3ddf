//! Actions on a managed device: what they take, where they fit, what they leave behind.
//!
//! Which action fits which platform is a choice made here, after Microsoft's lists of supported
//! platforms; the real service knows more exceptions.

use serde_json::{Map, Value};

use crate::device::{ActionResult, ActionState, Device};
use crate::entra::Right;

/// One action as its path names it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// As it is written.
    pub(crate) name: &'static str,
    pub(crate) right: Right,
    /// Whether only the beta version of Graph has it.
    pub(crate) beta: bool,
    fields: &'static [(&'static str, Field)],
    systems: &'static [&'static str],
    /// Whether the device leaves Intune by it.
    pub(crate) removes: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Field {
    Flag,
    RequiredFlag,
    Text,
    /// A text that has to be there, with at most so many characters.
    RequiredText(usize),
}

const ALL_SYSTEMS: &[&str] = &["Windows", "macOS", "iOS", "Android"];
const WINDOWS: &[&str] = &["Windows"];
const APPLE: &[&str] = &["iOS"];

const fn plain(name: &'static str, systems: &'static [&'static str]) -> Kind {
    Kind {
        name,
        right: Right::ActOnDevices,
        beta: false,
        fields: &[],
        systems,
        removes: false,
    }
}

const ALL: &[Kind] = &[
    plain("syncDevice", ALL_SYSTEMS),
    plain("remoteLock", &["macOS", "iOS", "Android"]),
    Kind {
        removes: true,
        ..plain("retire", ALL_SYSTEMS)
    },
    Kind {
        right: Right::WipeDevices,
        fields: &[
            ("keepEnrollmentData", Field::Flag),
            ("keepUserData", Field::Flag),
            ("macOsUnlockCode", Field::Text),
            ("persistEsimDataPlan", Field::Flag),
        ],
        removes: true,
        ..plain("wipe", ALL_SYSTEMS)
    },
    Kind {
        right: Right::NotifyUsers,
        beta: true,
        fields: &[
            ("notificationTitle", Field::RequiredText(50)),
            ("notificationBody", Field::RequiredText(500)),
        ],
        ..plain(
            "sendCustomNotificationToCompanyPortal",
            &["iOS", "Android", "Windows", "macOS"],
        )
    },
    plain("rebootNow", &["Windows", "macOS", "iOS"]),
    plain("shutDown", &["macOS", "iOS"]),
    plain("resetPasscode", &["Android", "iOS"]),
    plain("recoverPasscode", &["macOS", "iOS"]),
    plain("locateDevice", &["iOS", "Windows", "Android"]),
    plain("disableLostMode", APPLE),
    plain("requestRemoteAssistance", ALL_SYSTEMS),
    plain("bypassActivationLock", APPLE),
    plain("logoutSharedAppleDeviceActiveUser", APPLE),
    plain("windowsDefenderUpdateSignatures", WINDOWS),
    Kind {
        fields: &[("quickScan", Field::RequiredFlag)],
        ..plain("windowsDefenderScan", WINDOWS)
    },
    Kind {
        fields: &[("keepUserData", Field::RequiredFlag)],
        ..plain("cleanWindowsDevice", WINDOWS)
    },
    Kind {
        fields: &[("userPrincipalName", Field::RequiredText(320))],
        ..plain("deleteUserFromSharedAppleDevice", APPLE)
    },
];

/// The action of a path's last segment, in any case of letters.
pub(crate) fn kind(segment: &str) -> Option<&'static Kind> {
    let mut all = ALL.iter();
    all.find(|kind| kind.name.eq_ignore_ascii_case(segment))
}

impl Kind {
    /// Takes the action on, or says in Graph's words what is wrong; that is status 400.
    pub(crate) fn take_on(&self, device: &mut Device, body: &[u8], now: i64) -> Result<(), String> {
        self.check(body)?;
        if !self.systems.contains(&device.operating_system.as_str()) {
            return Err(format!(
                "The action '{}' is not supported on the platform '{}'.",
                self.name, device.operating_system
            ));
        }
        // A message leaves nothing to be followed.
        if self.right != Right::NotifyUsers {
            device
                .action_results
                .retain(|result| result.name != self.name);
            device.action_results.push(ActionResult {
                name: self.name.to_owned(),
                state: ActionState::Pending,
                started: now,
                updated: now,
            });
        }
        Ok(())
    }

    fn check(&self, body: &[u8]) -> Result<(), String> {
        let body: Map<String, Value> = if body.is_empty() {
            Map::new()
        } else {
            serde_json::from_slice(body)
                .map_err(|_| "Unable to read JSON request payload.".to_owned())?
        };
        let known = |name: &str| self.fields.iter().find(|(field, _)| *field == name);
        for (name, value) in &body {
            let fits = known(name).is_some_and(|(_, field)| match field {
                Field::Flag => value.is_boolean() || value.is_null(),
                Field::RequiredFlag => value.is_boolean(),
                Field::Text => value.is_string() || value.is_null(),
                Field::RequiredText(most) => value
                    .as_str()
                    .is_some_and(|text| (1..=*most).contains(&text.chars().count())),
            });
            if !fits {
                return Err(format!(
                    "The parameter '{name}' in the request payload is not a valid parameter for the operation '{}'.",
                    self.name
                ));
            }
        }
        let required =
            |field: &Field| matches!(field, Field::RequiredFlag | Field::RequiredText(_));
        let mut missing = self.fields.iter().filter(|(_, field)| required(field));
        match missing.find(|(name, _)| !body.contains_key(*name)) {
            Some((name, _)) => Err(format!("The parameter '{name}' is missing.")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn bodies_and_platforms() {
        for (name, system, body, expected) in [
            ("syncdevice", "Windows", "", true),
            ("syncDevice", "Windows", "{}", true),
            ("syncDevice", "Windows", "{\"a\":1}", false),
            ("remoteLock", "Windows", "", false),
            ("remoteLock", "iOS", "", true),
            ("wipe", "iOS", "{\"keepUserData\":true}", true),
            ("wipe", "iOS", "{\"keepUserData\":\"x\"}", false),
            ("wipe", "iOS", "[]", false),
            (
                "windowsDefenderScan",
                "Windows",
                "{\"quickScan\":true}",
                true,
            ),
            ("windowsDefenderScan", "Windows", "{}", false),
        ] {
            let mut device = Device::new(Uuid::nil());
            device.operating_system = system.to_owned();
            let taken = kind(name).unwrap().take_on(&mut device, body.as_bytes(), 7);
            assert_eq!(taken.is_ok(), expected, "{name} {system} {body}: {taken:?}");
            assert_eq!(device.action_results.len(), usize::from(expected));
        }
        assert!(kind("explode").is_none());
    }
}
