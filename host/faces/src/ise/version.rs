//! Versions of the ISE MDM API.

use crate::problem::{Problem, ProblemKind};

/// Where everything but `mdminfo` is.
const API: &str = "/ciscoise/mdmapi/";

/// A version that is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Version {
    /// The path form, by MAC address, user and compliance.
    V1,
    /// Parameters in the query; hardware numbers.
    V2,
    /// GUIDs, last contact.
    V3,
}

impl Version {
    /// The highest version that ISE and this server both speak, from what ISE
    /// says it speaks itself. Version 1 says nothing.
    pub(super) fn agreed(highest: Option<&str>) -> Result<Self, Problem> {
        let Some(text) = highest else {
            return Ok(Self::V1);
        };
        match text.trim().parse::<u32>() {
            Ok(1) => Ok(Self::V1),
            Ok(2) => Ok(Self::V2),
            Ok(3..) => Ok(Self::V3),
            _ => Err(Problem::malformed(format!(
                "`ise_api_version`: expected a whole number from 1 on, found `{}`",
                crate::text::one_line(text, 64)
            ))),
        }
    }

    /// The version in a path, and what follows the name of the call after it.
    pub(super) fn of_path<'a>(path: &'a str, call: &str) -> Result<(Self, &'a str), Problem> {
        let rest = path.strip_prefix(API).unwrap_or_default();
        let (version, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let version = match version {
            "v1" => Self::V1,
            "v2" => Self::V2,
            "v3" => Self::V3,
            other => {
                let detail = format!(
                    "expected `v1`, `v2` or `v3` after `{API}`, found `{}`",
                    crate::text::one_line(other, 64)
                );
                return Err(Problem::new(ProblemKind::NoSuchPath, detail));
            }
        };
        let rest = rest.strip_prefix(call).unwrap_or_default();
        Ok((version, rest.trim_matches('/')))
    }

    pub(super) const fn number(self) -> u64 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }

    /// What stands before all other calls of this version.
    pub(super) fn api_path(self) -> String {
        format!("{API}v{}", self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_is_of_a_higher_version_than_was_asked_for() {
        for (asked, expected) in [
            (None, Some(Version::V1)),
            (Some("1"), Some(Version::V1)),
            (Some("2"), Some(Version::V2)),
            (Some(" 3 "), Some(Version::V3)),
            (Some("4"), Some(Version::V3)),
            (Some("4294967295"), Some(Version::V3)),
            (Some("0"), None),
            (Some("-1"), None),
            (Some("2.0"), None),
            (Some("three"), None),
            (Some(""), None),
            (Some("99999999999"), None),
        ] {
            assert_eq!(Version::agreed(asked).ok(), expected, "{asked:?}");
        }
    }

    #[test]
    fn paths() {
        for (path, call, expected) in [
            ("/ciscoise/mdmapi/v1/devices", "devices", Some((1, ""))),
            ("/ciscoise/mdmapi/v2/devices/", "devices", Some((2, ""))),
            (
                "/ciscoise/mdmapi/v1/devices/0/all/",
                "devices",
                Some((1, "0/all")),
            ),
            (
                "/ciscoise/mdmapi/v3/action/actionType=pin_lock",
                "action",
                Some((3, "actionType=pin_lock")),
            ),
            ("/ciscoise/mdmapi/v4/devices/", "devices", None),
            ("/ciscoise/mdmapi//devices/", "devices", None),
        ] {
            let read = Version::of_path(path, call).ok();
            let read = read.map(|(version, rest)| (version.number(), rest));
            assert_eq!(read, expected, "{path}");
        }
    }
}
