//! What clients send: which action, on whom, under which key.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use portreeve_domain::{ActionKind, Identifier, Timestamp};
use portreeve_gateway::Action;
use portreeve_gateway::job::Targets;
use portreeve_gateway::query::Query;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::problem::Problem;
use crate::text::one_line;

/// As in the draft `draft-ietf-httpapi-idempotency-key-header`.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Bytes of a client's own key.
const LONGEST_KEY: usize = 128;

/// An action that is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) action: Action,
    pub(super) targets: Targets,
    pub(super) once: Option<Arc<str>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    action: String,
    #[serde(default)]
    arguments: Map<String, Value>,
    #[serde(default)]
    devices: Option<Vec<String>>,
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    idempotency_key: Option<String>,
}

/// A confirmation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    pub(super) token: String,
    /// Only tell what would be done.
    #[serde(default)]
    pub(super) show: bool,
}

impl Confirmation {
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        // serde's own text would repeat what was sent.
        serde_json::from_slice(body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Problem::malformed(format!(
                "the body, line {line} column {column}: expected `{{\"token\": \"…\"}}`, and perhaps \
                 `\"show\": true`"
            ))
        })
    }
}

impl Asked {
    /// Reads a body; `header` is the key from the header.
    pub(super) fn read(body: &[u8], header: Option<String>) -> Result<Self, Problem> {
        let written: Written = serde_json::from_slice(body)
            .map_err(|error| Problem::malformed(format!("the body: {error}")))?;
        let kind: ActionKind = written.action.parse().map_err(|error| {
            let found = one_line(&written.action, 64);
            Problem::malformed(format!("`action`: {error}, found `{found}`"))
        })?;
        let action = Action::with(kind, &written.arguments)
            .map_err(|error| Problem::malformed(format!("`arguments`: {error}")))?;
        let once = match (header, written.idempotency_key) {
            (Some(header), Some(field)) if header != field => {
                let detail = "`idempotency_key` and the header `Idempotency-Key` are different";
                return Err(Problem::malformed(detail));
            }
            (Some(key), _) | (None, Some(key)) => Some(checked_key(&key)?),
            (None, None) => None,
        };
        Ok(Self {
            action,
            targets: targets(written.devices, written.query)?,
            once,
        })
    }
}

fn targets(devices: Option<Vec<String>>, query: Option<String>) -> Result<Targets, Problem> {
    match (devices, query) {
        (Some(devices), None) => {
            let devices = devices.iter().enumerate();
            let identifiers = devices.map(|(place, text)| {
                let identifier = text.parse::<Identifier>();
                identifier
                    .map_err(|error| Problem::malformed(format!("`devices[{place}]`: {error}")))
            });
            Ok(Targets::Identifiers(identifiers.collect::<Result<_, _>>()?))
        }
        (None, Some(query)) => {
            let query = Query::parse(&query, Timestamp::now())
                .map_err(|error| Problem::malformed(format!("`query`: {error}")))?;
            Ok(Targets::Query(query))
        }
        _ => Err(Problem::malformed(
            "expected either `devices`, a list of identifiers, or `query`, a condition on devices",
        )),
    }
}

/// The key in the header, if there is one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(&IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let text = value.to_str().ok().map(str::trim);
    // The draft has it as a quoted string, and most clients without quotes.
    let unquoted = text.map(|text| {
        let inner = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        inner.unwrap_or(text).to_owned()
    });
    match unquoted {
        Some(text) => Ok(Some(text)),
        None => Err(wrong_key()),
    }
}

fn checked_key(key: &str) -> Result<Arc<str>, Problem> {
    let is_good = (1..=LONGEST_KEY).contains(&key.len())
        && key.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
    if is_good {
        Ok(key.into())
    } else {
        Err(wrong_key())
    }
}

fn wrong_key() -> Problem {
    Problem::malformed(format!(
        "the idempotency key: expected 1 to {LONGEST_KEY} visible ASCII characters"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(body: &str, expected: &str) {
        let problem = Asked::read(body.as_bytes(), None).unwrap_err();
        assert!(problem.detail().contains(expected), "{}", problem.detail());
    }

    #[test]
    fn requests() {
        let body = r#"{"action":"wipe","arguments":{"keepUserData":true},
            "devices":["00:50:56:a4:89:5a","serial:C02"],"idempotency_key":"k1"}"#;
        let asked = Asked::read(body.as_bytes(), Some("k1".to_owned())).unwrap();
        assert_eq!(*asked.action.kind(), ActionKind::Wipe);
        assert_eq!(asked.action.arguments(), Some("{\"keepUserData\":true}"));
        assert_eq!(asked.once.as_deref(), Some("k1"));
        let Targets::Identifiers(identifiers) = asked.targets else {
            panic!("{asked:?}");
        };
        assert_eq!(identifiers.len(), 2);
        let body = r#"{"action":"sync","query":"compliance eq non-compliant"}"#;
        let asked = Asked::read(body.as_bytes(), None).unwrap();
        assert!(matches!(asked.targets, Targets::Query(_)));
    }

    #[test]
    fn refusals_name_the_place() {
        refused("[", "the body: ");
        refused("{}", "missing field `action`");
        refused(
            r#"{"action":"explode","devices":[]}"#,
            "`action`: expected `sync`",
        );
        refused(r#"{"action":"sync"}"#, "either `devices`");
        refused(
            r#"{"action":"sync","devices":["x"],"query":"y"}"#,
            "either `devices`",
        );
        refused(
            r#"{"action":"sync","devices":["00:50:56:a4:89:5a",""]}"#,
            "`devices[1]`: ",
        );
        refused(
            r#"{"action":"sync","query":"compliance like 1"}"#,
            "`query`: ",
        );
        refused(
            r#"{"action":"sync","arguments":{"a":1},"devices":[]}"#,
            "`arguments`: the action `sync` takes no arguments",
        );
        refused(
            r#"{"action":"sync","devices":[],"idempotency_key":"a b"}"#,
            "visible ASCII",
        );
        refused(
            r#"{"action":"sync","devices":[],"extra":1}"#,
            "unknown field",
        );
        let both = Asked::read(
            br#"{"action":"sync","devices":[],"idempotency_key":"a"}"#,
            Some("b".to_owned()),
        );
        assert!(both.unwrap_err().detail().contains("are different"));
        let secret = Confirmation::read(b"{\"tokn\":\"abc\"}").unwrap_err();
        assert!(!secret.detail().contains("abc"), "{}", secret.detail());
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_read_or_refused(body: Vec<u8>) {
            let _ = Asked::read(&body, None);
            let _ = Confirmation::read(&body);
        }
    }
}
