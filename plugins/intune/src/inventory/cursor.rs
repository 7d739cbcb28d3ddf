//! Where a read goes on. The host keeps this text and gives it back, perhaps
//! after a restart, perhaps to a later version of this connector.

use std::fmt;

use crate::address::Address;

/// Grows when the form changes; a cursor of another version has expired.
const VERSION: &str = "1";

/// Longest link to a next page.
const LONGEST_LINK: usize = 4096;

/// The state of a read. Times are milliseconds since the Unix epoch, by the
/// clock of Graph where it tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cursor {
    /// In a full read that began at `started`.
    Full { started: u64, link: Link },
    /// Everything up to `since` was read.
    Settled { since: u64 },
    /// In a read of changes that began at `started`.
    Changes { started: u64, link: Link },
}

impl Cursor {
    /// Reads what [`Cursor::to_string`] wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ' ');
        if parts.next() != Some(VERSION) {
            return None;
        }
        let kind = parts.next()?;
        let time = parts.next()?.parse().ok()?;
        let link = parts.next();
        match (kind, link) {
            ("full", Some(link)) => Some(Self::Full {
                started: time,
                link: Link::restored(link)?,
            }),
            ("changes", Some(link)) => Some(Self::Changes {
                started: time,
                link: Link::restored(link)?,
            }),
            ("since", None) => Some(Self::Settled { since: time }),
            _ => None,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { started, link } => {
                write!(formatter, "{VERSION} full {started} {}", link.0)
            }
            Self::Settled { since } => write!(formatter, "{VERSION} since {since}"),
            Self::Changes { started, link } => {
                write!(formatter, "{VERSION} changes {started} {}", link.0)
            }
        }
    }
}

/// Path and query of a next page, at the Graph of the settings: whatever a link
/// or a stored cursor says, no other host is ever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link(String);

/// Why a link is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LinkProblem {
    #[error("it goes on at another host, which is refused")]
    Elsewhere,
    #[error("the link to its next page is no usable address")]
    Malformed,
    #[error("the link to its next page is longer than {LONGEST_LINK} bytes")]
    TooLong,
}

impl Link {
    /// Takes an `@odata.nextLink`: an absolute address that may hold spaces and
    /// other characters that belong escaped.
    pub(super) fn new(next: &str, graph: &Address) -> Result<Self, LinkProblem> {
        let next = next.trim();
        let authority = next.find("://").map_or(0, |scheme| scheme + 3);
        let path = next
            .get(authority..)
            .and_then(|rest| rest.find(['/', '?']))
            .map(|path| authority + path)
            .ok_or(LinkProblem::Malformed)?;
        let (origin, rest) = next.split_at(path);
        let origin = Address::parse(origin).map_err(|_| LinkProblem::Elsewhere)?;
        if !origin.same_origin(graph) {
            return Err(LinkProblem::Elsewhere);
        }
        if !rest.starts_with('/') || rest.chars().any(char::is_control) {
            return Err(LinkProblem::Malformed);
        }
        let link = escaped(rest);
        if link.len() > LONGEST_LINK {
            return Err(LinkProblem::TooLong);
        }
        Ok(Self(link))
    }

    /// The address to ask. A path in the setting is part of the link already.
    pub(super) fn url(&self, graph: &Address) -> String {
        let origin = Address {
            path: String::new(),
            ..graph.clone()
        };
        format!("{origin}{}", self.0)
    }

    /// A link from a cursor is checked like a new one: the host's store may be
    /// anybody's.
    fn restored(text: &str) -> Option<Self> {
        let whole = text.starts_with('/') && text.len() <= LONGEST_LINK && escaped(text) == text;
        whole.then(|| Self(text.to_owned()))
    }
}

/// Escapes what may not stand in an address. What is escaped already stays.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic()
            && !matches!(
                byte,
                b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
            )
        {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            for digit in [byte >> 4, byte & 0xf] {
                let digit = char::from_digit(digit.into(), 16);
                escaped.extend(digit.map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> Address {
        Address::parse("https://graph.microsoft.com").unwrap()
    }

    fn check(next: &str, expected: Result<&str, LinkProblem>) {
        let url = Link::new(next, &graph()).map(|link| link.url(&graph()));
        assert_eq!(url.as_deref(), expected.as_ref().map(|url| *url), "{next}");
    }

    #[test]
    fn links() {
        let list = "https://graph.microsoft.com/v1.0/deviceManagement/managedDevices";
        for (query, expected) in [
            ("?$skiptoken=abc", "?$skiptoken=abc"),
            (
                "?$skiptoken=LastDeviceName%3d%27A B%27,LastDeviceId%3d%271%27",
                "?$skiptoken=LastDeviceName%3d%27A%20B%27,LastDeviceId%3d%271%27",
            ),
            ("?$skiptoken='ü'|#\\", "?$skiptoken='%C3%BC'%7C%23%5C"),
            ("?$skiptoken=%zz%", "?$skiptoken=%zz%"),
        ] {
            check(&format!("{list}{query}"), Ok(&format!("{list}{expected}")));
        }
        check(
            "HTTPS://GRAPH.microsoft.com:443/v1.0/x",
            Ok("https://graph.microsoft.com/v1.0/x"),
        );
        for next in [
            "https://evil.example/v1.0/x",
            "https://graph.microsoft.com.evil.example/x",
            "https://graph.microsoft.com@evil.example/x",
            "https://graph.microsoft.com:8443/x",
            "http://graph.microsoft.com/x",
            "https://evil.example\\@graph.microsoft.com/x",
            "/v1.0/x",
            "//evil.example/x",
        ] {
            check(next, Err(LinkProblem::Elsewhere));
        }
        check("", Err(LinkProblem::Malformed));
        check("https://graph.microsoft.com", Err(LinkProblem::Malformed));
        check("https://graph.microsoft.com?x", Err(LinkProblem::Malformed));
        check(&format!("{list}?a\nb"), Err(LinkProblem::Malformed));
        check(
            &format!("{list}?{}", "a".repeat(5000)),
            Err(LinkProblem::TooLong),
        );
    }

    #[test]
    fn a_path_in_the_setting_is_not_doubled() {
        let proxied = Address::parse("https://proxy.example/graph").unwrap();
        let link = Link::new("https://proxy.example/graph/v1.0/x?y", &proxied).unwrap();
        assert_eq!(link.url(&proxied), "https://proxy.example/graph/v1.0/x?y");
    }

    #[test]
    fn what_is_no_cursor() {
        for text in [
            "",
            "1",
            "1 full",
            "1 full 5",
            "1 full 5 ",
            "1 full x /v1.0",
            "1 full 5 https://evil.example/",
            "1 full 5 @evil.example/",
            "1 full 5 /a b",
            "1 since",
            "1 since 5 /x",
            "1 since -5",
            "1 other 5",
            "2 since 5",
        ] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_cursor_comes_back(started: u64, rest in "[^\\p{C}]{0,60}") {
            let link = Link::new(&format!("https://graph.microsoft.com/{rest}"), &graph()).unwrap();
            for cursor in [
                Cursor::Full { started, link: link.clone() },
                Cursor::Changes { started, link },
                Cursor::Settled { since: started },
            ] {
                proptest::prop_assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
            }
        }

        #[test]
        fn no_cursor_leads_elsewhere(text in ".{0,60}") {
            let cursors = [Cursor::parse(&text), Cursor::parse(&format!("1 full 1 {text}"))];
            for cursor in cursors.into_iter().flatten() {
                if let Cursor::Full { link, .. } | Cursor::Changes { link, .. } = cursor {
                    let address = Address::parse(&link.url(&graph())).unwrap();
                    proptest::prop_assert!(address.same_origin(&graph()));
                }
            }
        }

        #[test]
        fn no_link_leads_elsewhere(text in "(https?://)?(graph\\.microsoft\\.com)?[@:/?#\\\\a-z. ]{0,20}.{0,20}") {
            if let Ok(link) = Link::new(&text, &graph()) {
                let address = Address::parse(&link.url(&graph())).unwrap();
                proptest::prop_assert!(address.same_origin(&graph()));
            }
        }
    }
}
