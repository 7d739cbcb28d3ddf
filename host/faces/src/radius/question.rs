//! From RADIUS attributes to a question.

use std::sync::Arc;

use portreeve_domain::{Authentication, Connection, Identifier, MacAddress, Medium, Question};

use super::attributes::Attributes;
use super::certificate;
use super::obligation::Tag;
use crate::clients::Client;
use crate::problem::Problem;
use crate::text::one_line;

/// Bytes of a RADIUS attribute's value (RFC 2865, section 5).
pub(super) const LONGEST: usize = 253;

/// Reads the question from an access request's attributes.
pub(super) fn read(json: &[u8], client: &Client) -> Result<Question, Problem> {
    let attributes = Attributes::read(json).map_err(|error| malformed_body(&error))?;
    let mut identifiers = Vec::with_capacity(3);
    for text in &attributes.device_ids {
        let identifier = text.parse::<Identifier>();
        identifiers.push(
            identifier.map_err(|error| Problem::malformed(format!("`NAC-Device-Id`: {error}")))?,
        );
    }
    certificate::identifiers(&attributes, &mut identifiers);
    let mac = calling_station(&attributes, identifiers.is_empty())?;
    identifiers.extend(mac.map(Identifier::Mac));
    if identifiers.is_empty() {
        return Err(Problem::malformed(
            "nothing names the endpoint: expected `Calling-Station-Id` with a MAC address, \
             a device GUID or DNS name in `TLS-Client-Cert-*`, or `NAC-Device-Id`",
        ));
    }
    let connection = connection(attributes, mac, client);
    Ok(Question::new(
        identifiers,
        Arc::new(connection),
        client.patience,
    ))
}

/// The tag that the client wants its tunnels to have: `?tunnel-tag=1`. Nothing
/// else in a query is looked at; sites have their own.
pub(super) fn tunnel_tag(query: Option<&str>) -> Result<Option<Tag>, Problem> {
    let parameters = query.unwrap_or_default().split('&');
    let mut tags = parameters.filter_map(|parameter| parameter.strip_prefix("tunnel-tag="));
    let Some(text) = tags.next() else {
        return Ok(None);
    };
    let tag = text.parse().ok().and_then(Tag::new);
    tag.map(Some)
        .ok_or_else(|| Problem::malformed("`tunnel-tag`: expected a number from 1 to 31"))
}

pub(super) fn malformed_body(error: &serde_json::Error) -> Problem {
    Problem::malformed(format!("the body: {}", one_line(&error.to_string(), 300)))
}

/// The endpoint's address. In a tunnel `Calling-Station-Id` is an IP address;
/// that is an error only when nothing else names the endpoint.
fn calling_station(attributes: &Attributes, needed: bool) -> Result<Option<MacAddress>, Problem> {
    let Some(text) = &attributes.calling_station else {
        return Ok(None);
    };
    match text.trim().parse() {
        Ok(mac) => Ok(Some(mac)),
        Err(error) if needed => {
            let text = one_line(text, 64);
            let detail = format!("`Calling-Station-Id`: `{text}` is no MAC address: {error}");
            Err(Problem::malformed(detail))
        }
        Err(_) => Ok(None),
    }
}

fn connection(attributes: Attributes, mac: Option<MacAddress>, client: &Client) -> Connection {
    let medium = medium(attributes.nas_port_type.as_deref());
    let authentication = authentication(&attributes, mac);
    let attachment = match medium {
        Medium::Wireless => attributes.called_station.as_deref().and_then(ssid),
        _ => None,
    };
    let attachment = attachment
        .map(str::to_owned)
        .or(attributes.nas_port_id)
        .or(attributes.nas_port);
    let nas = attributes.nas_identifier.or(attributes.nas_address);
    let short = |text: String| one_line(&text, LONGEST);
    Connection {
        medium,
        authentication,
        client: Arc::clone(&client.name),
        view: client.connection.view.clone(),
        nas: nas.map(short),
        attachment: attachment.map(short),
        location: None,
        mac,
    }
}

/// `NAS-Port-Type` by the dictionary's name or by number (RFC 2865, section
/// 5.41).
fn medium(port_type: Option<&str>) -> Medium {
    match port_type {
        Some("Ethernet" | "15") => Medium::Wired,
        Some("Wireless-802.11" | "19") => Medium::Wireless,
        Some("Virtual" | "5") => Medium::Vpn,
        _ => Medium::Unknown,
    }
}

fn authentication(attributes: &Attributes, mac: Option<MacAddress>) -> Authentication {
    let user = attributes.user_name.as_deref();
    let is_address = mac.is_some() && user.and_then(|user| user.parse().ok()) == mac;
    let calls_to_check = matches!(
        attributes.service_type.as_deref(),
        Some("Call-Check" | "10")
    );
    if attributes.has_certificate {
        Authentication::EapTls
    } else if attributes.is_eap {
        Authentication::EapOther
    } else if calls_to_check || is_address {
        Authentication::MacBypass
    } else {
        Authentication::Unknown
    }
}

/// The network's name in `Called-Station-Id`, which is `MAC:SSID` (RFC 3580,
/// section 3.20). A name may hold colons, an address too.
fn ssid(called_station: &str) -> Option<&str> {
    for length in [17, 14, 12] {
        if let Some((address, rest)) = called_station.split_at_checked(length)
            && address.parse::<MacAddress>().is_ok()
        {
            return rest.strip_prefix(':').filter(|name| !name.is_empty());
        }
    }
    let (_, name) = called_station.rsplit_once(':')?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_networks() {
        for (called_station, expected) in [
            ("AA-BB-CC-DD-EE-FF:corp", Some("corp")),
            ("aa:bb:cc:dd:ee:ff:corp", Some("corp")),
            ("AA-BB-CC-DD-EE-FF:a:b", Some("a:b")),
            ("aabb.ccdd.eeff:corp", Some("corp")),
            ("aabbccddeeff:corp", Some("corp")),
            ("ap-7:corp", Some("corp")),
            ("AA-BB-CC-DD-EE-FF", None),
            ("aa:bb:cc:dd:ee:ff", None),
            ("AA-BB-CC-DD-EE-FF:", None),
            ("äääääääää", None),
            ("", None),
        ] {
            assert_eq!(ssid(called_station), expected, "{called_station}");
        }
    }
}
