//! The actions of Graph's `managedDevice`: names, paths, bodies, permissions
//! (`mdm-protocols.md` 4.5, checked against the CSDL of v1.0, August 2026).
//!
//! `updateWindowsDeviceAccount` is not among them: its body holds a password.

use serde_json::{Map, Value};

/// One action.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// What the gateway calls it.
    pub(crate) name: &'static str,
    /// The last segment of its path.
    pub(crate) segment: &'static str,
    /// The version of Graph that has it.
    pub(crate) version: &'static str,
    /// What `deviceActionResults` calls it, in any case of letters. Empty where
    /// nothing is told.
    pub(crate) results: &'static [&'static str],
    /// The application permissions of which one is enough; the first is the one
    /// to ask for.
    pub(crate) permissions: &'static [&'static str],
    /// What its body may have.
    arguments: &'static [Argument],
    /// Whether doing it twice is as good as once.
    pub(crate) is_repeatable: bool,
    /// Whether the device leaves Intune by it.
    pub(crate) removes: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Argument {
    /// As the gateway names it.
    name: &'static str,
    /// As Graph names it.
    field: &'static str,
    takes: Takes,
    required: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Flag,
    /// A text of at most so many characters.
    Text(usize),
}

const PRIVILEGED: &str = "DeviceManagementManagedDevices.PrivilegedOperations.All";
const WRITE: &str = "DeviceManagementManagedDevices.ReadWrite.All";

const PLAIN: Kind = Kind {
    name: "",
    segment: "",
    version: "v1.0",
    results: &[],
    permissions: &[PRIVILEGED],
    arguments: &[],
    is_repeatable: false,
    removes: false,
};

const fn flag(name: &'static str) -> Argument {
    Argument {
        name,
        field: name,
        takes: Takes::Flag,
        required: false,
    }
}

const fn text(name: &'static str, field: &'static str, most: usize, required: bool) -> Argument {
    Argument {
        name,
        field,
        takes: Takes::Text(most),
        required,
    }
}

/// One that has the same name everywhere.
macro_rules! same {
    ($name:literal $(, $key:ident: $value:expr)*) => {
        Kind { name: $name, segment: $name, results: &[$name], $($key: $value,)* ..PLAIN }
    };
}

/// All of them, those that every source may have first.
pub(crate) const ALL: &[Kind] = &[
    Kind {
        name: "sync",
        segment: "syncDevice",
        results: &["syncDevice", "sync"],
        is_repeatable: true,
        ..PLAIN
    },
    Kind {
        name: "lock",
        segment: "remoteLock",
        results: &["remoteLock"],
        is_repeatable: true,
        ..PLAIN
    },
    Kind {
        name: "retire",
        segment: "retire",
        results: &["retire", "removeCompanyData"],
        removes: true,
        ..PLAIN
    },
    Kind {
        name: "wipe",
        segment: "wipe",
        results: &["wipe", "factoryReset"],
        permissions: &[PRIVILEGED, WRITE],
        arguments: &[
            flag("keepEnrollmentData"),
            flag("keepUserData"),
            flag("persistEsimDataPlan"),
            text("macOsUnlockCode", "macOsUnlockCode", 6, false),
        ],
        removes: true,
        ..PLAIN
    },
    Kind {
        name: "notify",
        segment: "sendCustomNotificationToCompanyPortal",
        version: "beta",
        permissions: &[WRITE, "DeviceManagementConfiguration.ReadWrite.All"],
        arguments: &[
            text("title", "notificationTitle", 50, true),
            text("body", "notificationBody", 500, true),
        ],
        ..PLAIN
    },
    same!("rebootNow"),
    same!("shutDown"),
    same!("resetPasscode"),
    same!("recoverPasscode", is_repeatable: true),
    same!("locateDevice", is_repeatable: true),
    same!("disableLostMode", is_repeatable: true),
    same!("requestRemoteAssistance"),
    same!("bypassActivationLock"),
    same!("logoutSharedAppleDeviceActiveUser"),
    same!("windowsDefenderUpdateSignatures", is_repeatable: true),
    Kind {
        name: "windowsDefenderScan",
        segment: "windowsDefenderScan",
        results: &["windowsDefenderScan", "quickScan", "fullScan"],
        arguments: &[Argument {
            required: true,
            ..flag("quickScan")
        }],
        is_repeatable: true,
        ..PLAIN
    },
    same!("cleanWindowsDevice", arguments: &[Argument {
        required: true,
        ..flag("keepUserData")
    }]),
    same!("deleteUserFromSharedAppleDevice",
        arguments: &[text("userPrincipalName", "userPrincipalName", 320, true)]),
];

/// The action of this name.
pub(crate) fn named(name: &str) -> Option<&'static Kind> {
    ALL.iter().find(|kind| kind.name == name)
}

impl Kind {
    /// The body of the request, or what is wrong with the arguments. An action
    /// without arguments has no body.
    pub(crate) fn body(&self, arguments: &str) -> Result<Option<String>, String> {
        let arguments: Map<String, Value> = match serde_json::from_str(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return Err(format!("the arguments are no JSON object: {error}")),
        };
        let known = |name: &String| self.arguments.iter().any(|it| it.name == name);
        if let Some(name) = arguments.keys().find(|name| !known(name)) {
            let names: Vec<String> = self.arguments.iter().map(Argument::quoted).collect();
            let names = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            return Err(format!(
                "`{}` has no argument `{}`; there are: {names}",
                self.name,
                crate::errors::shortened(name)
            ));
        }
        let mut body = Map::new();
        for argument in self.arguments {
            match arguments.get(argument.name) {
                Some(value) => {
                    argument.check(value)?;
                    body.insert(argument.field.to_owned(), value.clone());
                }
                None if argument.required => return Err(argument.expected("it is missing")),
                None => {}
            }
        }
        Ok((!self.arguments.is_empty()).then(|| Value::Object(body).to_string()))
    }
}

impl Argument {
    fn quoted(&self) -> String {
        format!("`{}`", self.name)
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        let fits = match self.takes {
            Takes::Flag => value.is_boolean(),
            Takes::Text(most) => value
                .as_str()
                .is_some_and(|text| !text.is_empty() && text.chars().count() <= most),
        };
        if fits {
            return Ok(());
        }
        // The value may be a code that unlocks a device: it is not repeated.
        Err(self.expected("it is something else"))
    }

    fn expected(&self, found: &str) -> String {
        let wanted = match self.takes {
            Takes::Flag => "`true` or `false`".to_owned(),
            Takes::Text(most) => format!("a text of 1 to {most} characters"),
        };
        format!("`{}`: expected {wanted}, {found}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        for (name, arguments, expected) in [
            ("sync", "{}", Ok(None)),
            ("sync", "{\"a\":1}", Err("there are: none")),
            ("wipe", "{}", Ok(Some("{}"))),
            (
                "wipe",
                "{\"keepUserData\":true,\"macOsUnlockCode\":\"123456\"}",
                Ok(Some(
                    "{\"keepUserData\":true,\"macOsUnlockCode\":\"123456\"}",
                )),
            ),
            (
                "wipe",
                "{\"macOsUnlockCode\":\"1234567\"}",
                Err("1 to 6 characters"),
            ),
            (
                "wipe",
                "{\"keepuserdata\":true}",
                Err("there are: `keepEnrollmentData`"),
            ),
            (
                "windowsDefenderScan",
                "{}",
                Err("`true` or `false`, it is missing"),
            ),
            (
                "windowsDefenderScan",
                "{\"quickScan\":\"yes\"}",
                Err("it is something else"),
            ),
            (
                "notify",
                "{\"title\":\"t\",\"body\":\"b\"}",
                Ok(Some(
                    "{\"notificationBody\":\"b\",\"notificationTitle\":\"t\"}",
                )),
            ),
            ("rebootNow", "[]", Err("no JSON object")),
        ] {
            let body = named(name).unwrap().body(arguments);
            match (body, expected) {
                (Ok(body), Ok(expected)) => assert_eq!(body.as_deref(), expected, "{name}"),
                (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
                (body, _) => panic!("{name} {arguments}: {body:?}"),
            }
        }
        let secret = named("wipe").unwrap().body("{\"macOsUnlockCode\":1234567}");
        assert!(!secret.unwrap_err().contains("1234567"));
    }

    #[test]
    fn names_are_different() {
        for (position, kind) in ALL.iter().enumerate() {
            assert_eq!(named(kind.name), ALL.get(position), "{}", kind.name);
        }
        assert_eq!(named("syncDevice"), None);
    }
}
