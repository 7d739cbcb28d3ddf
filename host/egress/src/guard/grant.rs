//! One line of the allow-list.

use std::{fmt, str::FromStr};

use url::Url;

use super::origin::{Origin, PatternError};

/// A host that an operator granted: `host`, `host:port`, `*.domain` or `*.domain:port`, over TLS on
/// port 443 unless it says otherwise; `http://` grants plain HTTP.
///
/// `*.` stands for one or more labels and does not include the domain itself. Addresses have to be
/// granted literally. A grant opens a name; whether the *address* behind it may be reached is
/// decided on its own ([`EgressSettings::private_networks`](crate::EgressSettings)).
///
/// ```
/// use portreeve_egress::HostGrant;
///
/// let grant: HostGrant = "*.manage.microsoft.com".parse()?;
/// assert!(grant.matches(&"https://fef.msub06.manage.microsoft.com/x".parse().unwrap()));
/// assert!(!grant.matches(&"http://fef.msub06.manage.microsoft.com/x".parse().unwrap()));
/// # Ok::<(), portreeve_egress::PatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostGrant(Origin);

impl HostGrant {
    /// Whether the URL leads to a host of this grant, by scheme, host and port.
    pub fn matches(&self, url: &Url) -> bool {
        self.0.matches(url)
    }

    /// Whether it stands for more than one name.
    pub(crate) fn is_wildcard(&self) -> bool {
        self.to_string().contains("*.")
    }
}

impl FromStr for HostGrant {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        match Origin::parse(text)? {
            // A pasted base URL ends with a slash and still means the host.
            (origin, "" | "/") => Ok(Self(origin)),
            (_, path) => Err(PatternError::Path(path.to_owned())),
        }
    }
}

impl fmt::Display for HostGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
