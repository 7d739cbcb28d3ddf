//! The URLs that may receive a credential.

use std::{fmt, str::FromStr};

use url::Url;

use super::origin::{HostPattern, Origin, PatternError, Scheme};

/// A prefix of URLs: scheme, host (with `*.` as in [`HostGrant`](crate::HostGrant)), port and a
/// path that ends at a segment, so `/v1` covers `/v1` and `/v1/devices` but not `/v10`.
///
/// ```
/// use portreeve_egress::UrlScope;
///
/// let scope: UrlScope = "https://graph.microsoft.com/v1.0".parse()?;
/// assert!(scope.matches(&"https://graph.microsoft.com/v1.0/devices".parse().unwrap()));
/// assert!(!scope.matches(&"https://graph.microsoft.com/beta".parse().unwrap()));
/// # Ok::<(), portreeve_egress::PatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UrlScope {
    origin: Origin,
    /// Without trailing slash: empty for the whole host.
    path: String,
}

/// How closely a scope names a URL; of two scopes that match one URL the greater wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Specificity {
    exact_host: bool,
    domain_length: usize,
    path_length: usize,
}

impl UrlScope {
    /// Whether a request to the URL may carry the credential.
    pub fn matches(&self, url: &Url) -> bool {
        self.origin.matches(url) && self.covers_path(url.path())
    }

    /// The scheme the scope is for.
    pub fn scheme(&self) -> Scheme {
        self.origin.scheme
    }

    pub(crate) fn host(&self) -> &HostPattern {
        &self.origin.host
    }

    pub(crate) fn specificity(&self) -> Specificity {
        let (exact_host, domain_length) = match &self.origin.host {
            HostPattern::Exact(_) | HostPattern::Address(_) => (true, 0),
            HostPattern::Below(domain) => (false, domain.len()),
        };
        Specificity {
            exact_host,
            domain_length,
            path_length: self.path.len(),
        }
    }

    fn covers_path(&self, path: &str) -> bool {
        if self.path.is_empty() {
            return true;
        }
        let inside = path
            .strip_prefix(self.path.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        inside && !climbs(path)
    }
}

/// Whether a server that decodes before it resolves `..` could see the path leave its prefix.
///
/// `url` has resolved plain `..` and `%2e%2e`; left are encoded separators and path parameters
/// (`/a/..%2fb`, `/a/..;/b`).
fn climbs(path: &str) -> bool {
    let path = path.to_ascii_lowercase().replace("%2e", ".");
    path.replace("%2f", "/")
        .replace("%5c", "/")
        .split(['/', '\\'])
        .any(|segment| segment.split(';').next().is_some_and(|name| name == ".."))
}

impl FromStr for UrlScope {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let (origin, path) = Origin::parse(text)?;
        if path.contains(['?', '#', '\\']) {
            return Err(PatternError::Query);
        }
        // The same normalisation as the URLs it will be compared with.
        let mut normal =
            Url::parse("https://host.invalid/").map_err(|_| PatternError::Host(text.to_owned()))?;
        normal.set_path(path);
        let path = normal.path().trim_end_matches('/').to_owned();
        Ok(Self { origin, path })
    }
}

impl fmt::Display for UrlScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() {
            "/"
        } else {
            &self.path
        };
        write!(formatter, "{}{path}", self.origin)
    }
}
