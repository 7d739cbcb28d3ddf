//! Which chain decides about a question: by who asks, and about which network.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ipnet::IpNet;
use portreeve_cache::ChainId;
use portreeve_domain::{Authentication, Connection, Decision, Medium, Timestamp, Verdict};

use crate::decide::{Chain, ChainParts};
use crate::{ChainsSettings, PartStatus};

/// The questions that a chain is for. A question has to fit every kind of
/// condition that has members; it fits one by fitting any of its members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Clients, by their configured names.
    pub clients: Vec<Arc<str>>,
    /// Switches, controllers and gateways, as clients name them.
    pub nas: Vec<Pattern>,
    /// SSIDs, ports and tunnel groups.
    pub attachments: Vec<Pattern>,
    /// Where that is.
    pub locations: Vec<Pattern>,
    /// How endpoints connect.
    pub media: Vec<Medium>,
    /// How they were authenticated.
    pub authentications: Vec<Authentication>,
}

impl Selector {
    /// Whether the chain is for a question with this connection.
    pub fn takes(&self, connection: &Connection) -> bool {
        let fits = |patterns: &[Pattern], text: Option<&String>| {
            patterns.is_empty()
                || text.is_some_and(|text| patterns.iter().any(|pattern| pattern.takes(text)))
        };
        (self.clients.is_empty() || self.clients.contains(&connection.client))
            && (self.media.is_empty() || self.media.contains(&connection.medium))
            && (self.authentications.is_empty()
                || self.authentications.contains(&connection.authentication))
            && fits(&self.nas, connection.nas.as_ref())
            && fits(&self.attachments, connection.attachment.as_ref())
            && fits(&self.locations, connection.location.as_ref())
    }

    /// A connection that it takes, for trying out its chain.
    pub fn example(&self) -> Connection {
        let first = |patterns: &[Pattern]| patterns.first().map(Pattern::example);
        Connection {
            client: self.clients.first().cloned().unwrap_or_default(),
            nas: first(&self.nas),
            attachment: first(&self.attachments),
            location: first(&self.locations),
            medium: self.media.first().copied().unwrap_or_default(),
            authentication: self.authentications.first().copied().unwrap_or_default(),
            ..Connection::default()
        }
    }
}

/// A text to compare with: itself, ASCII letters in any case, `*` for any
/// characters, or a range of IP addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Split at each `*`.
    Text(Vec<String>),
    /// IPv4 or IPv6.
    Addresses(IpNet),
}

/// This is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// There is nothing to compare with.
    #[error("it is empty")]
    Empty,
    /// The part after `/` is none.
    #[error("the number of bits after `/` is not one of such an address")]
    NoRange,
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidPattern::Empty);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Addresses(address.into()));
        }
        let is_range = text
            .split_once('/')
            .is_some_and(|(first, _)| first.parse::<IpAddr>().is_ok());
        if is_range {
            let range = text.parse();
            return range
                .map(Self::Addresses)
                .map_err(|_| InvalidPattern::NoRange);
        }
        Ok(Self::Text(text.split('*').map(str::to_owned).collect()))
    }
}

impl Pattern {
    /// Whether a text is meant.
    pub fn takes(&self, text: &str) -> bool {
        match self {
            // An IPv4 address may come written as an IPv6 one.
            Self::Addresses(range) => text
                .parse::<IpAddr>()
                .is_ok_and(|address| range.contains(&address.to_canonical())),
            Self::Text(parts) => has_parts(text.as_bytes(), parts),
        }
    }

    fn example(&self) -> String {
        match self {
            Self::Text(parts) => parts.concat(),
            Self::Addresses(range) => range.network().to_string(),
        }
    }
}

/// Whether a text is the parts, in order, with anything between them. This is
/// on the path of a hit, so nothing is allocated.
fn has_parts(text: &[u8], parts: &[String]) -> bool {
    let [first, between @ .., last] = parts else {
        let mut only = parts.first().into_iter();
        return only.any(|only| text.eq_ignore_ascii_case(only.as_bytes()));
    };
    let Some(mut rest) = after(text, first.as_bytes()) else {
        return false;
    };
    for part in between {
        let mut places = (0..=rest.len()).filter_map(|place| rest.get(place..));
        let Some(found) = places.find_map(|place| after(place, part.as_bytes())) else {
            return false;
        };
        rest = found;
    }
    let end = rest.len().checked_sub(last.len());
    let end = end.and_then(|start| rest.get(start..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(last.as_bytes()))
}

/// What comes after the part that a text begins with.
fn after<'a>(text: &'a [u8], part: &[u8]) -> Option<&'a [u8]> {
    let (begin, rest) = text.split_at_checked(part.len())?;
    begin.eq_ignore_ascii_case(part).then_some(rest)
}

/// The chains in force.
#[derive(Debug)]
pub(crate) struct Chains {
    default: Arc<Chain>,
    selected: Box<[(Selector, Arc<Chain>)]>,
    undecided: Arc<Decision>,
    loaded_at: Timestamp,
}

impl Chains {
    /// Each chain has a number that none had before.
    pub(crate) fn new(settings: ChainsSettings, numbers: &AtomicU64, parts: &ChainParts) -> Self {
        let chain = |settings| {
            let id = ChainId(numbers.fetch_add(1, Ordering::Relaxed));
            Arc::new(Chain::new(id, settings, parts))
        };
        let message = "no policy of the chain decided, and access is denied by default";
        let undecided = Decision::because(Verdict::Deny, "no-policy-decided", message);
        let selected = settings.selected.into_iter();
        Self {
            default: chain(settings.default),
            selected: selected
                .map(|(selector, settings)| (selector, chain(settings)))
                .collect(),
            undecided: Arc::new(undecided),
            loaded_at: Timestamp::now(),
        }
    }

    /// The one for a question.
    pub(crate) fn of(&self, connection: &Connection) -> &Arc<Chain> {
        let mut selected = self.selected.iter();
        let found = selected.find(|(selector, _)| selector.takes(connection));
        found.map_or(&self.default, |(_, chain)| chain)
    }

    /// Whether it depends on the connection which of them decides.
    pub(crate) const fn rest_on_connection(&self) -> bool {
        !self.selected.is_empty()
    }

    /// All of them with the questions they are for, in the order in which they
    /// are tried.
    pub(crate) fn selectors(&self) -> impl Iterator<Item = (Option<&Selector>, &Arc<Chain>)> {
        let selected = self.selected.iter();
        let selected = selected.map(|(selector, chain)| (Some(selector), chain));
        selected.chain([(None, &self.default)])
    }

    /// All of them, in the order in which they are tried.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Chain>> {
        let selected = self.selected.iter().map(|(_, chain)| chain);
        selected.chain([&self.default])
    }

    /// What holds when every policy abstains about a subject whose facts are
    /// known: access is denied by default.
    pub(crate) const fn undecided(&self) -> &Arc<Decision> {
        &self.undecided
    }

    /// When they were put in force.
    pub(crate) const fn loaded_at(&self) -> Timestamp {
        self.loaded_at
    }

    pub(crate) fn status(&self) -> Vec<PartStatus> {
        let mut found: Vec<PartStatus> = Vec::new();
        let mut chains: Vec<&Arc<Chain>> = self.iter().collect();
        chains.rotate_right(1);
        for policy in chains.into_iter().flat_map(|chain| chain.policies()) {
            if !found.iter().any(|known| known.name == policy.name) {
                found.push(PartStatus {
                    name: Arc::clone(&policy.name),
                    health: policy.evaluator.health(),
                });
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, takes: &[&str], leaves: &[&str]) {
        let pattern: Pattern = pattern.parse().unwrap();
        for text in takes {
            assert!(pattern.takes(text), "{text}");
        }
        for text in leaves {
            assert!(!pattern.takes(text), "{text}");
        }
        assert!(pattern.takes(&pattern.example()));
    }

    #[test]
    fn patterns() {
        check("Guest", &["guest", "GUEST"], &["guests", "a guest", ""]);
        check(
            "switch-*",
            &["switch-", "Switch-7"],
            &["aswitch-7", "switch"],
        );
        check("*-lab", &["x-lab", "-lab"], &["x-lab2"]);
        check("a*b*c", &["abc", "a1b2c", "abbc"], &["acb", "ab", "ac"]);
        check("*", &["", "x"], &[]);
        check("a*a", &["aa", "aba"], &["a"]);
        check(
            "10.1.0.0/16",
            &["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3"],
            &["10.2.0.0", "switch", "10.1.0", "::1"],
        );
        check("0.0.0.0/0", &["1.2.3.4"], &["::1"]);
        check("192.0.2.1", &["192.0.2.1"], &["192.0.2.2"]);
        check("2001:db8::/32", &["2001:DB8::1"], &["2001:db9::1"]);
        check("1/2/3", &["1/2/3"], &["1/2/4"]);
    }

    #[test]
    fn ranges_that_cannot_be() {
        for text in ["10.0.0.0/33", "10.0.0.0/x", "::/129"] {
            assert_eq!(text.parse::<Pattern>(), Err(InvalidPattern::NoRange));
        }
        assert_eq!(" ".parse::<Pattern>(), Err(InvalidPattern::Empty));
    }

    #[test]
    fn every_condition_has_to_fit() {
        let selector = Selector {
            clients: vec!["ise".into(), "radius".into()],
            nas: vec!["10.1.0.0/16".parse().unwrap()],
            media: vec![Medium::Wireless],
            ..Selector::default()
        };
        let fitting = Connection {
            client: "radius".into(),
            nas: Some("10.1.2.3".to_owned()),
            medium: Medium::Wireless,
            ..Connection::default()
        };
        assert!(selector.takes(&fitting));
        assert!(selector.takes(&selector.example()));
        assert!(Selector::default().takes(&fitting));
        let others = [
            Connection {
                client: "rest".into(),
                ..fitting.clone()
            },
            Connection {
                nas: None,
                ..fitting.clone()
            },
            Connection {
                nas: Some("10.2.0.1".to_owned()),
                ..fitting.clone()
            },
            Connection {
                medium: Medium::Wired,
                ..fitting
            },
        ];
        for other in others {
            assert!(!selector.takes(&other), "{other:?}");
        }
    }
}
