//! Questions as JSON.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use portreeve_domain::{
    Asked, Authentication, Connection, Identifier, MacAddress, Medium, Question,
};
use portreeve_gateway::{Gateway, Hit};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::clients::Client;
use crate::hit::{REST, plain_identifier};
use crate::problem::Problem;
use crate::text::one_line;

/// One endpoint has no more names than this.
const MOST_IDENTIFIERS: usize = 16;
/// Bytes of a text about the connection.
const LONGEST_TEXT: usize = 256;
/// Bytes of an error text, which may quote what was sent.
const LONGEST_ERROR: usize = 300;

/// Reads one question. Positions in errors count from the start of `json`.
pub(crate) fn read(json: &[u8], client: &Client) -> Result<Question, Problem> {
    let Object(written): Object<WrittenQuestion<'_>> =
        serde_json::from_slice(json).map_err(|error| not_json(&error))?;
    if written.identifiers.is_empty() {
        return Err(Problem::malformed(
            "`identifiers` is empty, expected at least one",
        ));
    }
    if written.identifiers.len() > MOST_IDENTIFIERS {
        let found = written.identifiers.len();
        let detail =
            format!("`identifiers` has {found} members, expected at most {MOST_IDENTIFIERS}");
        return Err(Problem::malformed(detail));
    }
    let identifiers = written
        .identifiers
        .iter()
        .enumerate()
        .map(|(position, written)| {
            let identifier = match written {
                WrittenIdentifier::Text(text) => text.parse::<Identifier>(),
                WrittenIdentifier::Parts { kind, value } => Identifier::of_kind(kind, value),
            };
            identifier
                .map_err(|error| Problem::malformed(format!("`identifiers[{position}]`: {error}")))
        });
    let identifiers = identifiers.collect::<Result<Vec<_>, _>>()?;
    let connection = match written.connection {
        Some(Object(connection)) => Arc::new(connection.read(client)?),
        None => Arc::clone(&client.connection),
    };
    Ok(Question::new(identifiers, connection, client.patience))
}

/// The hit for a question that is nothing but one plain identifier, as most
/// are: `{"identifiers":["00:50:56:a4:89:5a"]}`. Its JSON is not taken apart.
pub(crate) fn hit(json: &[u8], gateway: &Gateway, client: &Client) -> Option<(Hit, Identifier)> {
    let identifier = plain(json)?;
    let asked = Asked {
        identifiers: std::slice::from_ref(&identifier),
        connection: &client.connection,
    };
    Some((gateway.hit(asked, REST)?, identifier))
}

fn plain(json: &[u8]) -> Option<Identifier> {
    let mut rest = json;
    for token in [&b"{"[..], b"\"identifiers\"", b":", b"[", b"\""] {
        rest = rest.trim_ascii_start().strip_prefix(token)?;
    }
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let (identifier, mut rest) = rest.split_at(end);
    for token in [&b"\""[..], b"]", b"}"] {
        rest = rest.trim_ascii_start().strip_prefix(token)?;
    }
    if !rest.trim_ascii_start().is_empty() {
        return None;
    }
    plain_identifier(identifier)
}

/// Says what is wrong with a body that is no JSON of the expected form.
pub(crate) fn not_json(error: &serde_json::Error) -> Problem {
    Problem::malformed(format!(
        "the body: {}",
        one_line(&error.to_string(), LONGEST_ERROR)
    ))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenQuestion<'a> {
    #[serde(borrow)]
    identifiers: Vec<WrittenIdentifier<'a>>,
    #[serde(borrow, default)]
    connection: Option<Object<WrittenConnection<'a>>>,
}

#[derive(Debug)]
enum WrittenIdentifier<'a> {
    Text(Cow<'a, str>),
    Parts {
        kind: Cow<'a, str>,
        value: Cow<'a, str>,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenConnection<'a> {
    medium: WrittenMedium,
    authentication: WrittenAuthentication,
    #[serde(borrow)]
    nas: Option<Cow<'a, str>>,
    #[serde(borrow)]
    attachment: Option<Cow<'a, str>>,
    #[serde(borrow)]
    location: Option<Cow<'a, str>>,
    #[serde(borrow)]
    mac: Option<Cow<'a, str>>,
}

impl WrittenConnection<'_> {
    fn read(self, client: &Client) -> Result<Connection, Problem> {
        let mac = self.mac.map(|mac| {
            mac.parse::<MacAddress>().map_err(|error| {
                let mac = one_line(&mac, 64);
                Problem::malformed(format!(
                    "`connection.mac`: `{mac}` is no MAC address: {error}"
                ))
            })
        });
        Ok(Connection {
            medium: self.medium.into(),
            authentication: self.authentication.into(),
            client: Arc::clone(&client.name),
            view: client.connection.view.clone(),
            nas: text("nas", self.nas)?,
            attachment: text("attachment", self.attachment)?,
            location: text("location", self.location)?,
            mac: mac.transpose()?,
        })
    }
}

fn text(field: &str, written: Option<Cow<'_, str>>) -> Result<Option<String>, Problem> {
    match written {
        Some(text) if text.len() > LONGEST_TEXT || text.chars().any(char::is_control) => {
            let detail = format!(
                "`connection.{field}`: expected at most {LONGEST_TEXT} bytes without control characters"
            );
            Err(Problem::malformed(detail))
        }
        Some(text) if text.is_empty() => Ok(None),
        other => Ok(other.map(Cow::into_owned)),
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenMedium {
    #[default]
    Unknown,
    Wired,
    Wireless,
    Vpn,
}

impl From<WrittenMedium> for Medium {
    fn from(written: WrittenMedium) -> Self {
        match written {
            WrittenMedium::Unknown => Self::Unknown,
            WrittenMedium::Wired => Self::Wired,
            WrittenMedium::Wireless => Self::Wireless,
            WrittenMedium::Vpn => Self::Vpn,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenAuthentication {
    #[default]
    Unknown,
    None,
    MacBypass,
    EapTls,
    EapOther,
    Web,
}

impl From<WrittenAuthentication> for Authentication {
    fn from(written: WrittenAuthentication) -> Self {
        match written {
            WrittenAuthentication::Unknown => Self::Unknown,
            WrittenAuthentication::None => Self::None,
            WrittenAuthentication::MacBypass => Self::MacBypass,
            WrittenAuthentication::EapTls => Self::EapTls,
            WrittenAuthentication::EapOther => Self::EapOther,
            WrittenAuthentication::Web => Self::Web,
        }
    }
}

/// Written out, because an untagged enum cannot say what was expected.
impl<'de: 'a, 'a> Deserialize<'de> for WrittenIdentifier<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = WrittenIdentifier<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an identifier as text or as `{\"kind\": …, \"value\": …}`")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(WrittenIdentifier::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(WrittenIdentifier::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Parts<'a> {
                    #[serde(borrow)]
                    kind: Cow<'a, str>,
                    #[serde(borrow)]
                    value: Cow<'a, str>,
                }

                let parts = Parts::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(WrittenIdentifier::Parts {
                    kind: parts.kind,
                    value: parts.value,
                })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// What is written as an object only; serde alone would take a list of the
/// values too.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Only<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Only<T> {
            type Value = Object<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Only(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_question_is_what_it_is_for_everyone() {
        for (json, expected) in [
            (r#"{"identifiers":["00:50:56:a4:89:5a"]}"#, true),
            (" { \"identifiers\" : [ \"0050.56a4.895a\" ] }\n", true),
            (
                r#"{"identifiers":["3eeb9e62-cec9-4dd8-9dd6-74903695a62b"]}"#,
                true,
            ),
            (r#"{"identifiers":["00:50:56:a4:89:5a","serial:x"]}"#, false),
            (
                r#"{"identifiers":["00:50:56:a4:89:5a"],"connection":{}}"#,
                false,
            ),
            (r#"{"identifiers":["00:50:56:a4:89:5a"]}}"#, false),
            (r#"{"identifiers":["\u0030050.56a4.895a"]}"#, false),
            (r#"{"identifiers":["serial:x"]}"#, false),
            (r#"{"identifiers":[]}"#, false),
            ("", false),
        ] {
            let read = plain(json.as_bytes());
            assert_eq!(read.is_some(), expected, "{json}");
            if let Some(identifier) = read {
                let client = crate::clients::test_client("rest");
                let question = super::read(json.as_bytes(), &client).unwrap();
                assert_eq!(**question.identifiers(), [identifier], "{json}");
            }
        }
    }
}
