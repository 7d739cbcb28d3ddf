//! Scheme, host and port as an operator writes them, `*.` included.

use std::{fmt, net::IpAddr};

use url::{Host, Url};

/// How the server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// TLS, the default wherever no scheme is written.
    Https,
    /// In clear; only where an operator wrote `http://`.
    Http,
}

impl Scheme {
    /// The scheme as it stands in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }
}

/// Why a host grant or URL scope cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// There is no host in it.
    #[error("no host is named")]
    NoHost,
    /// Only `https` and `http` exist here.
    #[error("scheme `{0}` is not known, write `https://` or `http://`")]
    Scheme(String),
    /// `user@host` is an old way to hide where a URL leads.
    #[error("a user name before `@` has no place here")]
    UserInfo,
    /// The host is neither a name nor an address.
    #[error("`{0}` is not a host name or address")]
    Host(String),
    /// A `*` that is not the whole first label, or that would grant a top-level domain.
    #[error("`{0}`: `*` may only stand as `*.` before a domain of at least two labels")]
    Wildcard(String),
    /// Not a number from 1 to 65535.
    #[error("`{0}` is not a port")]
    Port(String),
    /// A grant is for a host as a whole.
    #[error("a grant names a host, not a path: remove `{0}`")]
    Path(String),
    /// Scopes end with the path.
    #[error("a URL scope has no query or fragment")]
    Query,
}

/// Which hosts are meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum HostPattern {
    /// This name, in lower case ASCII without a trailing dot.
    Exact(String),
    /// Any name below this one, at any depth, but not the name itself.
    Below(String),
    /// This address literal.
    Address(IpAddr),
}

/// A set of origins: one scheme, one port, one host or the hosts below a domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) host: HostPattern,
    pub(crate) port: u16,
}

impl Origin {
    /// Reads `[https://|http://][*.]host[:port]` and returns it with what follows it.
    pub(crate) fn parse(text: &str) -> Result<(Self, &str), PatternError> {
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::Https, text),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some((scheme, _)) => return Err(PatternError::Scheme(scheme.to_owned())),
        };
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if authority.contains('@') {
            return Err(PatternError::UserInfo);
        }
        let (host, port) = split_port(authority)?;
        let host = HostPattern::parse(host)?;
        let port = match port {
            None => scheme.default_port(),
            Some(port) => parse_port(port)?,
        };
        Ok((Self { scheme, host, port }, rest))
    }

    /// Whether the URL leads to one of these origins.
    pub(crate) fn matches(&self, url: &Url) -> bool {
        url.scheme() == self.scheme.as_str()
            && url.port_or_known_default() == Some(self.port)
            && url.host().is_some_and(|host| self.host.matches(&host))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://", self.scheme.as_str())?;
        write!(formatter, "{}", self.host)?;
        if self.port != self.scheme.default_port() {
            write!(formatter, ":{}", self.port)?;
        }
        Ok(())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => formatter.write_str(name),
            Self::Below(domain) => write!(formatter, "*.{domain}"),
            Self::Address(IpAddr::V4(address)) => write!(formatter, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]"),
        }
    }
}

impl HostPattern {
    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::NoHost);
        }
        let (wildcard, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        if name.contains('*') {
            return Err(PatternError::Wildcard(text.to_owned()));
        }
        // Percent-encoding is for URLs in the wild; in a setting it only hides something.
        if name.contains('%') {
            return Err(PatternError::Host(text.to_owned()));
        }
        let host = Host::parse(name).map_err(|_| PatternError::Host(text.to_owned()))?;
        match host {
            Host::Domain(domain) => {
                let domain = without_trailing_dot(&domain);
                if !has_whole_labels(domain) {
                    return Err(PatternError::Host(text.to_owned()));
                }
                // Other stars of Unicode become `*` only when the name is normalised.
                if domain.contains('*') || (wildcard && !domain.contains('.')) {
                    return Err(PatternError::Wildcard(text.to_owned()));
                }
                let domain = domain.to_owned();
                Ok(if wildcard {
                    Self::Below(domain)
                } else {
                    Self::Exact(domain)
                })
            }
            Host::Ipv4(_) | Host::Ipv6(_) if wildcard => {
                Err(PatternError::Wildcard(text.to_owned()))
            }
            Host::Ipv4(address) => Ok(Self::Address(address.into())),
            Host::Ipv6(address) => Ok(Self::Address(address.into())),
        }
    }

    pub(crate) fn matches(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Exact(name), Host::Domain(domain)) => without_trailing_dot(domain) == name,
            (Self::Below(parent), Host::Domain(domain)) => without_trailing_dot(domain)
                .strip_suffix(parent.as_str())
                .and_then(|below| below.strip_suffix('.'))
                .is_some_and(has_whole_labels),
            (Self::Address(IpAddr::V4(granted)), Host::Ipv4(address)) => granted == address,
            (Self::Address(IpAddr::V6(granted)), Host::Ipv6(address)) => granted == address,
            _ => false,
        }
    }
}

/// `host.` and `host` are one host; only one dot may end a name.
fn without_trailing_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn has_whole_labels(name: &str) -> bool {
    !name.is_empty() && name.split('.').all(|label| !label.is_empty())
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), PatternError> {
    if authority.starts_with('[') {
        let wrong = || PatternError::Host(authority.to_owned());
        let end = authority.find(']').ok_or_else(wrong)?;
        let (host, rest) = authority.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(wrong()),
        };
    }
    match authority.split_once(':') {
        None => Ok((authority, None)),
        // An IPv6 address without brackets cannot be told from host and port.
        Some((_, rest)) if rest.contains(':') => Err(PatternError::Host(authority.to_owned())),
        Some((host, port)) => Ok((host, Some(port))),
    }
}

fn parse_port(text: &str) -> Result<u16, PatternError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(PatternError::Port(text.to_owned())),
    }
}
