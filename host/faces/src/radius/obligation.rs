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

/// RADIUS has no words for an obligation that must be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inapplicable(pub(super) String);

/// Adds what the obligations come to.
///
/// # Errors
///
/// When one that is not advisory cannot be expressed; then there is no access.
pub(super) fn apply(
    obligations: &[Obligation],
    attributes: &mut Attributes,
) -> Result<(), Inapplicable> {
    for obligation in obligations {
        let applied = apply_one(&obligation.kind, attributes);
        if !obligation.advisory {
            applied?;
        }
    }
    Ok(())
}

fn apply_one(kind: &ObligationKind, attributes: &mut Attributes) -> Result<(), Inapplicable> {
    match kind {
        // RFC 3580, section 3.31.
        ObligationKind::Vlan(vlan) => {
            let vlan = text("VLAN", vlan, LONGEST)?;
            let words = [("Tunnel-Type", "VLAN"), ("Tunnel-Medium-Type", "IEEE-802")];
            for (name, word) in words {
                attributes.set(List::Reply, name, Value::Text(word.to_owned()));
            }
            attributes.set(List::Reply, "Tunnel-Private-Group-Id", vlan);
        }
        ObligationKind::Acl(name) => {
            let name = text("access list", name, LONGEST)?;
            attributes.set(List::Reply, "Filter-Id", name);
        }
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
            let pair = format!("url-redirect={url}");
            let pair = text("redirect", &pair, LONGEST_OF_VENDOR)?;
            attributes.add(List::Reply, "Cisco-AVPair", pair);
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
