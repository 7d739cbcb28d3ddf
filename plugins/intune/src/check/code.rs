//! The codes of findings. Each has a section in `docs/findings.md` and never changes its meaning.

use std::fmt;

/// Declares the codes with the words they are told by.
macro_rules! codes {
    ($($name:ident = $word:literal,)*) => {
        /// What was found, for people who search and for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $($name,)*
        }

        impl Code {
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as it is told.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

codes! {
    Settings = "intune-settings",
    CredentialMissing = "intune-credential-missing",
    PermissionMissing = "intune-permission-missing",
    PermissionSuperfluous = "intune-permission-superfluous",
    NameResolution = "intune-name-resolution",
    NotGranted = "intune-not-granted",
    Connection = "intune-connection",
    Timeout = "intune-timeout",
    Certificate = "intune-certificate",
    NoToken = "intune-no-token",
    GraphTokenRefused = "intune-graph-token-refused",
    GraphForbidden = "intune-graph-forbidden",
    DevicesForbidden = "intune-devices-forbidden",
    DelegatedOnly = "intune-delegated-only",
    NoLicence = "intune-no-licence",
    ServiceElsewhere = "intune-service-elsewhere",
    ServiceTokenRefused = "intune-service-token-refused",
    ServiceForbidden = "intune-service-forbidden",
    Moved = "intune-moved",
    Busy = "intune-busy",
    Unavailable = "intune-unavailable",
    AnswerUnusable = "intune-answer-unusable",
    FoundNobody = "intune-found-nobody",
    Other = "intune-other",
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
