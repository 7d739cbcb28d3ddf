//! What in a certificate names the device.
//!
//! | in the certificate | identifier |
//! | --- | --- |
//! | GUID in a URI, or a subject alternative or common name that is one | `guid` |
//! | DNS name, if there is no GUID | `hostname` |
//! | principal name of a computer (`NAME$@DOMAIN`), if there is no GUID | `hostname` |
//!
//! What is not taken, because it does not name a device: the principal name or
//! mail address of a user, who has several devices; `TLS-Client-Cert-Serial`,
//! the number of the certificate; a common name that is no GUID, which may be
//! anything. Whoever knows what his certificates hold says so in
//! `NAC-Device-Id`.

use portreeve_domain::{Guid, Identifier};

use super::attributes::Attributes;

/// Host names that are taken from one certificate.
const MOST_NAMES: usize = 4;

/// Adds what names the device, best first.
pub(super) fn identifiers(attributes: &Attributes, identifiers: &mut Vec<Identifier>) {
    let names = attributes.certificate_names.iter();
    let guid = names
        .map(String::as_str)
        .find_map(Guid::find_in_certificate_name);
    if let Some(guid) = guid {
        identifiers.push(Identifier::Guid(guid));
        return;
    }
    let dns = attributes.dns_names.iter().map(String::as_str);
    let principals = attributes.principal_names.iter();
    let computers = principals.filter_map(|name| computer(name));
    let mut taken = 0;
    for name in dns.chain(computers) {
        // A name for many hosts is no name of this one.
        if name.starts_with('*') || taken == MOST_NAMES {
            continue;
        }
        if let Ok(identifier) = Identifier::of_kind("hostname", name)
            && !identifiers.contains(&identifier)
        {
            identifiers.push(identifier);
            taken += 1;
        }
    }
}

/// The host name in the principal name of a computer account of Active
/// Directory: its `sAMAccountName` ends with `$`.
fn computer(principal: &str) -> Option<&str> {
    let account = principal.split('@').next()?;
    let name = account.strip_suffix('$')?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "3eeb9e62-cec9-4dd8-9dd6-74903695a62b";

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let attributes = Attributes::read(json.as_bytes()).unwrap();
        let mut found = Vec::new();
        identifiers(&attributes, &mut found);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.join(" "), expected, "{json}");
    }

    #[test]
    fn a_guid_is_found_anywhere() {
        for extension in [
            "URI:IntuneDeviceId://3eeb9e62-cec9-4dd8-9dd6-74903695a62b",
            "DNS:laptop1.example, URI:ID:Microsoft Endpoint Manager:GUID:3eeb9e62-cec9-4dd8-9dd6-74903695a62b",
            // Strong mapping (KB5014754) adds a URI of its own.
            "URI:tag:microsoft.com\\\\,2022-09-14:sid:S-1-5-21-1-2-3-1104, URI:IntuneDeviceId:\\\\/\\\\/3EEB9E62-CEC9-4DD8-9DD6-74903695A62B, DNS:x",
            "URI:https://crl.example/00000000-0000-0000-0000-000000000000, URI:IntuneDeviceId://3eeb9e62-cec9-4dd8-9dd6-74903695a62b",
            "3eeb9e62-cec9-4dd8-9dd6-74903695a62b",
        ] {
            check(
                &format!(
                    r#"{{"TLS-Client-Cert-X509v3-Subject-Alternative-Name":{{"value":["{extension}"]}},
                        "TLS-Client-Cert-Subject-Alt-Name-Dns":"laptop1.example",
                        "TLS-Client-Cert-Common-Name":"laptop1"}}"#
                ),
                GUID,
            );
        }
        // In an attribute of its own, among several, and as the common name.
        check(
            r#"{"TLS-Client-Cert-Subject-Alt-Name-Uri":["urn:x","IntuneDeviceId://3eeb9e62-cec9-4dd8-9dd6-74903695a62b"]}"#,
            GUID,
        );
        check(
            r#"{"TLS-Client-Cert-Common-Name":"3EEB9E62-CEC9-4DD8-9DD6-74903695A62B"}"#,
            GUID,
        );
    }

    #[test]
    fn without_a_guid_names_count() {
        for (json, expected) in [
            (
                r#"{"TLS-Client-Cert-Subject-Alt-Name-Dns":["Laptop1.Example.com","*.example.com","laptop1.example.com","laptop1"]}"#,
                "hostname:laptop1.example.com hostname:laptop1",
            ),
            (
                r#"{"TLS-Client-Cert-Subject-Alt-Name-Upn":"LAPTOP1$@example.com"}"#,
                "hostname:laptop1",
            ),
            // A user has several devices.
            (
                r#"{"TLS-Client-Cert-Subject-Alt-Name-Upn":"ada@example.com","TLS-Client-Cert-Subject-Alt-Name-Email":"ada@example.com"}"#,
                "",
            ),
            (
                r#"{"TLS-Client-Cert-Subject-Alt-Name-Upn":["$@example.com","$",""]}"#,
                "",
            ),
            (
                r#"{"TLS-Client-Cert-Serial":"01ff","TLS-Client-Cert-Common-Name":"C02XK0AAJGH5","TLS-Client-Cert-Issuer":"/CN=x"}"#,
                "",
            ),
            // Not more than a few, and none that is no name.
            (
                r#"{"TLS-Client-Cert-Subject-Alt-Name-Dns":["a","b","c","d","e"]}"#,
                "hostname:a hostname:b hostname:c hostname:d",
            ),
            (
                r#"{"TLS-Client-Cert-Subject-Alt-Name-Dns":["", "a\nb"]}"#,
                "",
            ),
        ] {
            check(json, expected);
        }
    }
}
