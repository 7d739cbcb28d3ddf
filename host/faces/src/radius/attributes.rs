//! RADIUS attributes as `rlm_rest` sends them.
//!
//! With `body = 'json'` an attribute is `{"type": …, "value": […]}`; what the
//! expansion `%{json_encode:…}` makes has a scalar where there is one value.
//! Both are taken, and a bare value too.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// How Cisco's switches and controllers name a session.
const AUDIT_SESSION: &str = "audit-session-id=";

/// Values of one attribute that are kept.
const MOST_VALUES: usize = 64;

/// The attributes that say something about the endpoint or its connection.
///
/// Everything else, `User-Password` above all, is skipped by the parser and
/// never becomes a value here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) calling_station: Option<String>,
    pub(super) called_station: Option<String>,
    pub(super) user_name: Option<String>,
    pub(super) nas_identifier: Option<String>,
    pub(super) nas_address: Option<String>,
    pub(super) nas_port: Option<String>,
    pub(super) nas_port_id: Option<String>,
    pub(super) nas_port_type: Option<String>,
    pub(super) service_type: Option<String>,
    /// Identifiers that the site's own policy chose.
    pub(super) device_ids: Vec<String>,
    /// Subject alternative names and the common name, the former first.
    pub(super) certificate_names: Vec<String>,
    /// DNS names and user principal names of a certificate.
    pub(super) dns_names: Vec<String>,
    pub(super) principal_names: Vec<String>,
    /// Whether there is a client certificate at all.
    pub(super) has_certificate: bool,
    /// Whether this is IEEE 802.1X or another use of EAP.
    pub(super) is_eap: bool,
    /// `Acct-Status-Type`; it and what follows are in reports only.
    pub(super) status_type: Option<String>,
    pub(super) session_id: Option<String>,
    pub(super) session_time: Option<String>,
    pub(super) framed_address: Option<String>,
    /// Of one of Cisco's pairs.
    pub(super) audit_session_id: Option<String>,
}

impl Attributes {
    /// Reads a request's body.
    pub(super) fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AttributesVisitor)
    }
}

struct AttributesVisitor;

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = Attributes;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of RADIUS attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
        let mut found = Attributes::default();
        let mut common_names = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            let name = name.strip_prefix("request:").unwrap_or(&name);
            let place = match name {
                "Calling-Station-Id" => &mut found.calling_station,
                "Called-Station-Id" => &mut found.called_station,
                "User-Name" => &mut found.user_name,
                "NAS-Identifier" => &mut found.nas_identifier,
                "NAS-IP-Address" | "NAS-IPv6-Address" => &mut found.nas_address,
                "NAS-Port" => &mut found.nas_port,
                "NAS-Port-Id" => &mut found.nas_port_id,
                "NAS-Port-Type" => &mut found.nas_port_type,
                "Service-Type" => &mut found.service_type,
                "Acct-Status-Type" => &mut found.status_type,
                "Acct-Session-Id" => &mut found.session_id,
                "Acct-Session-Time" => &mut found.session_time,
                "Framed-IP-Address" | "Framed-IPv6-Address" => &mut found.framed_address,
                "NAC-Device-Id" => {
                    let values = map.next_value::<Values>()?.0.into_iter();
                    found
                        .device_ids
                        .extend(values.filter(|value| !value.is_empty()));
                    continue;
                }
                "Cisco-AVPair" => {
                    let pairs = map.next_value::<Values>()?.0;
                    let audit = pairs
                        .iter()
                        .find_map(|pair| pair.strip_prefix(AUDIT_SESSION));
                    found.audit_session_id = audit.map(str::to_owned).or(found.audit_session_id);
                    continue;
                }
                _ => {
                    let certificate = name.strip_prefix("TLS-Client-Cert-");
                    found.has_certificate |= certificate.is_some();
                    found.is_eap |= matches!(name, "EAP-Message" | "EAP-Type");
                    match certificate {
                        Some("Common-Name") => common_names.extend(map.next_value::<Values>()?.0),
                        Some(name)
                            if name == "X509v3-Subject-Alternative-Name"
                                || name.starts_with("Subject-Alt-Name-") =>
                        {
                            let names = map.next_value::<Values>()?.0;
                            match name {
                                "Subject-Alt-Name-Dns" => found.dns_names.extend_from_slice(&names),
                                "Subject-Alt-Name-Upn" => {
                                    found.principal_names.extend_from_slice(&names);
                                }
                                _ => {}
                            }
                            found.certificate_names.extend(names);
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                    continue;
                }
            };
            let values = map.next_value::<Values>()?.0;
            let value = values.into_iter().find(|value| !value.is_empty());
            *place = place.take().or(value);
        }
        found.certificate_names.append(&mut common_names);
        Ok(found)
    }
}

/// An attribute's name; short in every dictionary.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// The values of one attribute as text.
#[derive(Default)]
struct Values(Vec<String>);

impl Values {
    fn push(&mut self, text: String) {
        if self.0.len() < MOST_VALUES {
            self.0.push(text);
        }
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = Self::default();
        deserializer.deserialize_any(ValuesVisitor {
            values: &mut values,
            inside: Inside::Nothing,
        })?;
        Ok(values)
    }
}

/// What the visitor has gone into; nothing nests deeper.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    Object,
    List,
}

struct ValuesVisitor<'a> {
    values: &'a mut Values,
    inside: Inside,
}

impl<'de> de::DeserializeSeed<'de> for ValuesVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValuesVisitor<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.inside {
            Inside::Nothing => "`{\"value\": …}`, a value or a list of values",
            Inside::Object => "a value or a list of values",
            Inside::List => "a value",
        })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        // FreeRADIUS 3.2.1 escapes `/` twice: after decoding it is still `\/`.
        self.values.push(text.replace("\\/", "/"));
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        self.values.push(number.to_string());
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        self.values.push(number.to_string());
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.inside == Inside::List {
            return Err(de::Error::invalid_type(de::Unexpected::Seq, &self));
        }
        while list
            .next_element_seed(ValuesVisitor {
                values: self.values,
                inside: Inside::List,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.inside != Inside::Nothing {
            return Err(de::Error::invalid_type(de::Unexpected::Map, &self));
        }
        while let Some(Name(key)) = map.next_key()? {
            if key == "value" {
                map.next_value_seed(ValuesVisitor {
                    values: self.values,
                    inside: Inside::Object,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}
