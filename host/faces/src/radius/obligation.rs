//! Obligations as RADIUS attributes.

use std::time::Duration;

use portreeve_domain::{Obligation, ObligationKind};

use super::reply::{Attributes, List, Value};
use crate::problem::whole_seconds;

/// Bytes of a value (RFC 2865, section 5).
const LONGEST: usize = 253;
/// Bytes of a vendor's value (RFC 2865, section 5.26): four name the vendor,
/// two are the vendor's own header.
const LONGEST_OF_VENDOR: usize = 247;

/// Bytes of an access list's name on Cisco's wireless controllers.
const LONGEST_ON_CONTROLLER: usize = 32;
/// Entries of an access list in one answer: a RADIUS packet has 4,096 bytes.
const MOST_ENTRIES: usize = 32;

/// A tag of a tunnel (RFC 2868, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u8);

impl Tag {
    const FIRST: Self = Self(1);

    /// 1 to 31.
    pub(super) const fn new(number: u8) -> Option<Self> {
        match number {
            1..=31 => Some(Self(number)),
            _ => None,
        }
    }
}

/// RADIUS has no words for an obligation that must be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inapplicable(pub(super) String);

/// Adds what the obligations come to. `tag` is the tag of the first tunnel, if
/// the client wants its tunnels to have one.
///
/// # Errors
///
/// When one that is not advisory cannot be expressed; then there is no access.
pub(super) fn apply(
    obligations: &[Obligation],
    tag: Option<Tag>,
    attributes: &mut Attributes,
) -> Result<(), Inapplicable> {
    let is_vlan = |obligation: &&Obligation| matches!(obligation.kind, ObligationKind::Vlan(_));
    let several = obligations.iter().filter(is_vlan).count() > 1;
    let mut tag = tag
        .or(several.then_some(Tag::FIRST))
        .map(|Tag(first)| first);
    for obligation in obligations {
        let applied = apply_one(&obligation.kind, &mut tag, attributes);
        if !obligation.advisory {
            applied?;
        }
    }
    Ok(())
}

/// A VLAN (RFC 3580, section 3.31). Of several ones each is a tunnel with a tag
/// of its own (RFC 2868, section 3.1), in the order in which they are preferred.
fn tunnel(
    vlan: &str,
    next: &mut Option<u8>,
    attributes: &mut Attributes,
) -> Result<(), Inapplicable> {
    let vlan = text("VLAN", vlan, LONGEST)?;
    let suffix = match next {
        None => String::new(),
        Some(number) => {
            let tag = Tag::new(*number);
            let Tag(tag) = tag.ok_or_else(|| Inapplicable("more VLANs than tags".to_owned()))?;
            *number += 1;
            format!(":{tag}")
        }
    };
    for (name, word) in [("Tunnel-Type", "VLAN"), ("Tunnel-Medium-Type", "IEEE-802")] {
        let name = format!("{name}{suffix}");
        attributes.set(List::Reply, &name, Value::Text(word.to_owned()));
    }
    let name = format!("Tunnel-Private-Group-Id{suffix}");
    attributes.set(List::Reply, &name, vlan);
    Ok(())
}

fn apply_one(
    kind: &ObligationKind,
    tag: &mut Option<u8>,
    attributes: &mut Attributes,
) -> Result<(), Inapplicable> {
    match kind {
        ObligationKind::Vlan(vlan) => tunnel(vlan, tag, attributes)?,
        ObligationKind::Acl(acl) => access_list(acl, attributes)?,
        ObligationKind::Sgt(tag) => {
            let pair = format!("cts:security-group-tag={tag:04x}-00");
            attributes.add(List::Reply, "Cisco-AVPair", Value::Text(pair));
        }
        // There is no standard attribute for a role: one vendor's for those who
        // have it, one of ours for the site's policy to translate.
        ObligationKind::Role(role) => {
            let role = text("role", role, LONGEST_OF_VENDOR)?;
            attributes.set(List::Control, "NAC-Role", role.clone());
            attributes.set(List::Reply, "Aruba-User-Role", role);
        }
        ObligationKind::SessionTimeout(span) => session_timeout(*span, attributes),
        ObligationKind::Redirect(url) => {
            pair("redirect", &format!("url-redirect={url}"), attributes)?;
        }
        // About a running session; this answer is about one that begins.
        ObligationKind::ChangeOfAuthorization => {}
        ObligationKind::Radius { name, value } => {
            if !is_attribute_name(name) {
                return Err(Inapplicable(
                    "a RADIUS attribute with a malformed name".to_owned(),
                ));
            }
            let value = text(name, value, LONGEST)?;
            attributes.add(List::Reply, name, value);
        }
        ObligationKind::Other { name, .. } => return Err(Inapplicable(format!("`{name}`"))),
    }
    Ok(())
}

/// An access list, in the three ways that there are:
///
/// * by the name it has on the network access server: `Filter-Id`, and the
///   attribute of Cisco's wireless controllers, which know no other;
/// * by the name of one that a Cisco switch downloads from the RADIUS server:
///   it begins with `#ACSACL#`;
/// * by its entries, one on each line, in Cisco's words.
fn access_list(acl: &str, attributes: &mut Attributes) -> Result<(), Inapplicable> {
    const WHAT: &str = "access list";

    if acl.starts_with("#ACSACL#") {
        return pair(
            WHAT,
            &format!("ACS:CiscoSecure-Defined-ACL={acl}"),
            attributes,
        );
    }

    let entries = acl.lines().map(str::trim);
    let entries: Vec<&str> = entries.filter(|entry| !entry.is_empty()).collect();
    let is_entry = |entry: &&str| entry.starts_with("permit ") || entry.starts_with("deny ");
    if !entries.is_empty() && entries.iter().all(is_entry) {
        if entries.len() > MOST_ENTRIES {
            let problem = format!("an {WHAT} of more than {MOST_ENTRIES} entries");
            return Err(Inapplicable(problem));
        }
        let pairs = (1..).zip(&entries).map(|(number, entry)| {
            let pair = format!("ip:inacl#{number}={entry}");
            text(WHAT, &pair, LONGEST_OF_VENDOR)
        });
        // All of them or none: half a list is another list.
        let pairs: Vec<Value> = pairs.collect::<Result<_, _>>()?;
        for pair in pairs {
            attributes.add(List::Reply, "Cisco-AVPair", pair);
        }
        return Ok(());
    }
    let name = text(WHAT, acl, LONGEST)?;
    attributes.set(List::Reply, "Filter-Id", name.clone());
    if acl.len() <= LONGEST_ON_CONTROLLER {
        attributes.set(List::Reply, "Airespace-ACL-Name", name);
    }
    Ok(())
}

/// One of Cisco's pairs.
fn pair(what: &str, pair: &str, attributes: &mut Attributes) -> Result<(), Inapplicable> {
    let pair = text(what, pair, LONGEST_OF_VENDOR)?;
    attributes.add(List::Reply, "Cisco-AVPair", pair);
    Ok(())
}

/// At the end the endpoint has to authenticate again, not to leave (RFC 3580,
/// section 3.17).
fn session_timeout(span: Duration, attributes: &mut Attributes) {
    let seconds = u32::try_from(whole_seconds(span)).unwrap_or(u32::MAX);
    attributes.set(List::Reply, "Session-Timeout", Value::Number(seconds));
    let action = Value::Text("RADIUS-Request".to_owned());
    attributes.set(List::Reply, "Termination-Action", action);
}

/// A value that reaches the network access server as it is. A longer one would
/// be cut by FreeRADIUS, and half a VLAN's name is another VLAN.
fn text(what: &str, value: &str, longest: usize) -> Result<Value, Inapplicable> {
    if value.is_empty() || value.len() > longest || value.chars().any(char::is_control) {
        let problem = format!("{what} that is not 1 to {longest} bytes without control characters");
        return Err(Inapplicable(problem));
    }
    Ok(Value::Text(value.to_owned()))
}

/// `Name` or `Name:tag`. Nothing that FreeRADIUS reads as a list or a request
/// qualifier: a policy speaks to the network access server only.
fn is_attribute_name(name: &str) -> bool {
    let (name, tag) = match name.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (name, None),
    };
    let is_name = (1..=128).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_tag =
        |tag: &str| (1..=2).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_digit());
    is_name && tag.is_none_or(is_tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_attributes() {
        for (name, expected) in [
            ("Filter-Id", true),
            ("Tunnel-Private-Group-Id:1", true),
            ("3GPP-IMSI", true),
            ("", false),
            (":1", false),
            ("control:Auth-Type", false),
            ("Filter-Id:", false),
            ("Filter-Id:123", false),
            ("Filter-Id:1:2", false),
            ("outer.reply:Filter-Id", false),
            ("Filter|Id", false),
            ("Filter Id", false),
            ("Filter-Id\0", false),
            ("%{exec:x}", false),
        ] {
            assert_eq!(is_attribute_name(name), expected, "{name}");
        }
    }
}
