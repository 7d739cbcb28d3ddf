//! Reading addresses from settings and from answers.
//!
//! A deliberately narrow reader: an `https` address of plain characters, or
//! nothing. What it accepts, every other reader understands the same way, so a
//! host that was checked here is the host that is asked.

/// An `https` address in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Lower case, without port.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path with query, without a slash at the end; empty for the root.
    pub(crate) path: String,
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("it does not begin with `https://`")]
    NotHttps,
    #[error("it has no host")]
    NoHost,
    #[error("its host or port is malformed")]
    Host,
    #[error("it holds a character that does not belong into an address")]
    Character,
}

impl Address {
    /// Reads an address. User names, fragments and anything that needs
    /// interpretation are refused.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        const SCHEME: &str = "https://";
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['\\', '#', '"']) {
            return Err(Problem::Character);
        }
        let rest = match text.split_at_checked(SCHEME.len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
            _ => return Err(Problem::NotHttps),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = split_port(authority)?;
        if host.is_empty() {
            return Err(Problem::NoHost);
        }
        let bare = host
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'));
        let plain = match bare {
            Some(inner) => inner
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')),
            None => host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')),
        };
        if !plain || host.starts_with('.') || host.ends_with('.') || host.contains("..") {
            return Err(Problem::Host);
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
            path: path.trim_end_matches('/').to_owned(),
        })
    }

    /// Whether both lead to the same host and port.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.host == other.host && self.port == other.port
    }

    /// Whether the host is one of these names, or ends in one of these endings
    /// (they begin with a dot).
    pub(crate) fn host_is_one_of(&self, names: &[String]) -> bool {
        names.iter().any(|name| {
            let name = name.to_ascii_lowercase();
            if name.starts_with('.') {
                self.host.len() > name.len() && self.host.ends_with(&name)
            } else {
                self.host == name
            }
        })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "https://{}", self.host)?;
        if self.port != 443 {
            write!(formatter, ":{}", self.port)?;
        }
        formatter.write_str(&self.path)
    }
}

fn split_port(authority: &str) -> Result<(&str, u16), Problem> {
    // The last colon of `[::1]` is part of the host.
    let after_brackets = authority.rfind(']').map_or(0, |end| end + 1);
    let Some(colon) = authority
        .get(after_brackets..)
        .and_then(|rest| rest.find(':'))
    else {
        return Ok((authority, 443));
    };
    let (host, port) = authority.split_at(after_brackets + colon);
    let digits = port.trim_start_matches(':');
    if port.len() != digits.len() + 1 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::Host);
    }
    match digits.parse() {
        Ok(0) | Err(_) => Err(Problem::Host),
        Ok(port) => Ok((host, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, u16, &str), Problem>) {
        let parsed = Address::parse(text);
        let parts = parsed
            .as_ref()
            .map(|address| (address.host.as_str(), address.port, address.path.as_str()));
        assert_eq!(parts, expected.as_ref().map(|parts| *parts), "{text}");
    }

    #[test]
    fn reads_addresses() {
        check(
            "https://graph.microsoft.com",
            Ok(("graph.microsoft.com", 443, "")),
        );
        check(
            "HTTPS://Graph.Microsoft.com/",
            Ok(("graph.microsoft.com", 443, "")),
        );
        check(
            "https://localhost:8443/a/b?c=d",
            Ok(("localhost", 8443, "/a/b?c=d")),
        );
        check("https://[::1]:8443/a/", Ok(("[::1]", 8443, "/a")));
        check("https://h?x", Ok(("h", 443, "?x")));
    }

    #[test]
    fn refuses_what_another_reader_might_understand_otherwise() {
        check("", Err(Problem::NotHttps));
        check("AMSUD0101", Err(Problem::NotHttps));
        check("http://graph.microsoft.com", Err(Problem::NotHttps));
        check("https://", Err(Problem::NoHost));
        check("https:///path", Err(Problem::NoHost));
        check("https://user@host/", Err(Problem::Host));
        check("https://host:443@evil.example/", Err(Problem::Host));
        check("https://host:/", Err(Problem::Host));
        check("https://host:0/", Err(Problem::Host));
        check("https://host:99999/", Err(Problem::Host));
        check("https://host::1/", Err(Problem::Host));
        check(
            "https://evil.example\\.manage.microsoft.com/",
            Err(Problem::Character),
        );
        check(
            "https://evil.example#.manage.microsoft.com/",
            Err(Problem::Character),
        );
        check("https://evil%2e.manage.microsoft.com/", Err(Problem::Host));
        check("https://..manage.microsoft.com/", Err(Problem::Host));
        check("https://host.", Err(Problem::Host));
        check("https://ho st/", Err(Problem::Character));
        check("https://höst/", Err(Problem::Character));
    }

    #[test]
    fn endings_match_whole_labels_only() {
        let names = vec![".manage.microsoft.com".to_owned(), "localhost".to_owned()];
        for (host, expected) in [
            ("fef.msud01.manage.microsoft.com", true),
            ("FEF.Manage.Microsoft.COM", true),
            ("localhost", true),
            ("manage.microsoft.com", false),
            ("evilmanage.microsoft.com", false),
            ("fef.manage.microsoft.com.evil.example", false),
            ("a.localhost", false),
        ] {
            let address = Address::parse(&format!("https://{host}/x")).unwrap();
            assert_eq!(address.host_is_one_of(&names), expected, "{host}");
        }
    }

    #[test]
    fn the_origin_is_host_and_port() {
        let graph = Address::parse("https://graph.microsoft.com").unwrap();
        for (other, expected) in [
            ("https://graph.microsoft.com:443/v1.0/next", true),
            ("https://graph.microsoft.com:444/v1.0/next", false),
            ("https://graph.microsoft.us/v1.0/next", false),
        ] {
            assert_eq!(
                Address::parse(other).unwrap().same_origin(&graph),
                expected,
                "{other}"
            );
        }
    }
}
