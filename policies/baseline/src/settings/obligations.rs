//! What goes with a verdict: obligations and remediation.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::Span;

/// What the NAC product has to apply, by verdict.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Obligations {
    /// With `permit`.
    pub permit: Application,
    /// With `restrict`.
    pub restrict: Application,
    /// With `deny`.
    pub deny: Application,
    /// Laid over the verdict's own when the grace period is the only reason.
    pub grace: Application,
    /// Laid over the verdict's own when there is no device record.
    pub unknown: Application,
    /// What a NAC product may leave out if it cannot apply it.
    pub advisory: Vec<Kind>,
}

/// The things that can be applied.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Application {
    /// VLAN by name or number.
    pub vlan: Option<String>,
    /// Role or profile known to the NAC product.
    pub role: Option<String>,
    /// Named or downloadable access list.
    pub acl: Option<String>,
    /// Security group tag.
    pub sgt: Option<u16>,
    /// Time until the session must authenticate again.
    pub session_timeout: Option<Span>,
    /// URL to send the user's browser to. May have placeholders.
    pub redirect: Option<String>,
}

/// Names of the things that can be applied.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// VLAN.
    Vlan,
    /// Role.
    Role,
    /// Access list.
    Acl,
    /// Security group tag.
    Sgt,
    /// Session timeout.
    SessionTimeout,
    /// Redirect.
    Redirect,
}

impl Obligations {
    /// Every table with its name.
    pub fn by_name(&self) -> [(&'static str, &Application); 5] {
        [
            ("permit", &self.permit),
            ("restrict", &self.restrict),
            ("deny", &self.deny),
            ("grace", &self.grace),
            ("unknown", &self.unknown),
        ]
    }
}

impl Application {
    /// Whether there is nothing to apply.
    pub const fn is_empty(&self) -> bool {
        self.vlan.is_none()
            && self.role.is_none()
            && self.acl.is_none()
            && self.sgt.is_none()
            && self.session_timeout.is_none()
            && self.redirect.is_none()
    }
}

/// What would help against one reason.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Advice {
    /// Text for the user. May have placeholders.
    pub message: Option<String>,
    /// Where it can be done. May have placeholders.
    pub url: Option<String>,
}

/// Reads an object into pairs: a handful of entries needs no tree.
pub(super) fn by_code<'de, D>(deserializer: D) -> Result<Vec<(String, Advice)>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Codes;

    impl<'de> Visitor<'de> for Codes {
        type Value = Vec<(String, Advice)>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object of reason codes and advice")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut codes = Vec::new();
            while let Some(entry) = map.next_entry()? {
                codes.push(entry);
            }
            Ok(codes)
        }
    }

    deserializer.deserialize_map(Codes)
}
