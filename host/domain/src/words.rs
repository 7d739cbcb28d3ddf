//! The words for what a device is, in every protocol and log that is ours.

use crate::{ComplianceState, Enrollment, OperatingSystem, Ownership};

impl Enrollment {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Unknown,
        Self::NotEnrolled,
        Self::Pending,
        Self::Enrolled,
        Self::Retired,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::NotEnrolled => "not-enrolled",
            Self::Pending => "pending",
            Self::Enrolled => "enrolled",
            Self::Retired => "retired",
        }
    }
}

impl Ownership {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Corporate, Self::Personal, Self::Shared];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Corporate => "corporate",
            Self::Personal => "personal",
            Self::Shared => "shared",
        }
    }
}

impl ComplianceState {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Compliant,
        Self::NonCompliant,
        Self::InGracePeriod,
        Self::NotEvaluated,
        Self::Conflict,
        Self::Failed,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Compliant => "compliant",
            Self::NonCompliant => "non-compliant",
            Self::InGracePeriod => "in-grace-period",
            Self::NotEvaluated => "not-evaluated",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
        }
    }
}

/// What kind of device it is, by what it runs: coarser than the family of its
/// operating system, and a closed set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceType {
    /// The source does not say what it runs.
    #[default]
    Unknown,
    /// Android, in any form.
    Android,
    /// iPhone, iPod or iPad.
    Ios,
    /// Windows.
    Windows,
    /// A Mac.
    Macos,
    /// Linux.
    Linux,
    /// A Chromebook or the like.
    Chromeos,
    /// It runs something else.
    Other,
}

impl DeviceType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Android,
        Self::Ios,
        Self::Windows,
        Self::Macos,
        Self::Linux,
        Self::Chromeos,
        Self::Other,
    ];

    /// What kind of device runs this.
    pub fn of(os: Option<&OperatingSystem>) -> Self {
        match os.map(|os| os.family.as_str()) {
            None | Some("" | "unknown") => Self::Unknown,
            Some("android") => Self::Android,
            Some("ios" | "ipados") => Self::Ios,
            Some("windows") => Self::Windows,
            Some("macos") => Self::Macos,
            Some("linux") => Self::Linux,
            Some("chromeos") => Self::Chromeos,
            Some(_) => Self::Other,
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Android => "android",
            Self::Ios => "ios",
            Self::Windows => "windows",
            Self::Macos => "macos",
            Self::Linux => "linux",
            Self::Chromeos => "chromeos",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        for (family, expected) in [
            ("android", "android"),
            ("ios", "ios"),
            ("ipados", "ios"),
            ("windows", "windows"),
            ("macos", "macos"),
            ("linux", "linux"),
            ("chromeos", "chromeos"),
            ("tizen", "other"),
            ("unknown", "unknown"),
            ("", "unknown"),
        ] {
            let os = OperatingSystem {
                family: family.to_owned(),
                ..OperatingSystem::default()
            };
            assert_eq!(DeviceType::of(Some(&os)).as_str(), expected, "{family}");
        }
        assert_eq!(DeviceType::of(None), DeviceType::Unknown);
    }
}
