//! The schema and the types mean the same.

use std::sync::LazyLock;

use baseline::{SCHEMA, Settings};
use jsonschema::Validator;
use portreeve_plugin::settings::parse;

/// Whether the schema lets a document through.
pub(crate) fn fits(document: &str) -> bool {
    static VALIDATOR: LazyLock<Validator> = LazyLock::new(validator);
    let document = serde_json::from_str(document).unwrap();
    VALIDATOR.is_valid(&document)
}

fn schema() -> serde_json::Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn validator() -> Validator {
    jsonschema::draft202012::options()
        .build(&schema())
        .expect("the schema is a JSON Schema")
}

/// The document that the defaults of a schema add up to.
fn defaults(schema: &serde_json::Value) -> Option<serde_json::Value> {
    let mut value = schema.get("default").cloned();
    if let Some(properties) = schema.get("properties").and_then(|one| one.as_object()) {
        let mut object = serde_json::Map::new();
        for (name, property) in properties {
            if let Some(default) = defaults(property) {
                object.insert(name.clone(), default);
            }
        }
        value = Some(object.into());
    }
    value
}

#[test]
fn defaults_of_schema_and_types_are_equal() {
    let filled = defaults(&schema()).unwrap().to_string();
    assert!(fits(&filled), "{filled}");
    let filled: Settings = parse(&filled).unwrap();
    let empty: Settings = parse("{}").unwrap();
    let own = Settings::default();
    assert_eq!(format!("{filled:?}"), format!("{own:?}"));
    assert_eq!(format!("{empty:?}"), format!("{own:?}"));
}

#[test]
fn every_place_is_described_and_closed() {
    fn walk(schema: &serde_json::Value, place: &str) {
        assert!(
            schema["description"].is_string(),
            "{place} is not described"
        );
        if let Some(properties) = schema.get("properties") {
            assert_eq!(schema["additionalProperties"], false, "{place} is open");
            for (name, property) in properties.as_object().unwrap() {
                walk(property, &format!("{place}/{name}"));
            }
        }
        let says_what_without = schema["description"]
            .as_str()
            .unwrap()
            .contains("without it");
        assert!(
            place.is_empty() || schema.get("default").is_some() || says_what_without,
            "{place} has no default"
        );
    }
    walk(&schema(), "");
}

#[test]
fn what_the_schema_refuses_is_refused() {
    for document in [
        r#"{"unknown-devices":"deny"}"#,
        r#"{"unknown-device":"allow"}"#,
        r#"{"enrollment":{"pending":"abstain"}}"#,
        r#"{"compliance":{"grace":"permit"}}"#,
        r#"{"last-contact":{"max-age":"14"}}"#,
        r#"{"last-contact":{"max-age":"0d"}}"#,
        r#"{"minimum-os":{"versions":{"Windows":"10"}}}"#,
        r#"{"minimum-os":{"versions":{"windows":"10.x"}}}"#,
        r#"{"minimum-os":{"versions":{"windows":"1.2.3.4.5.6.7"}}}"#,
        r#"{"posture":{"deny":["rooted"]}}"#,
        r#"{"obligations":{"permit":{"vlan":12}}}"#,
        r#"{"obligations":{"permit":{"sgt":65536}}}"#,
        r#"{"obligations":{"permit":{"redirect":"javascript:alert(1)"}}}"#,
        r#"{"remediation":{"no-such-code":{"message":"x"}}}"#,
        r#"{"remediation-url":"https://help.example.org/a b"}"#,
        r#"{"always-deny":"stolen"}"#,
    ] {
        assert!(!fits(document), "{document}");
    }
}

/// What the types refuse is refused by the schema already, so that operators
/// get an error with a place.
#[test]
fn what_the_schema_lets_through_can_be_read() {
    for document in [
        r#"{"last-contact":{"max-age":"999999999d"}}"#,
        r#"{"minimum-os":{"versions":{"windows":"999999999.0.0.0.0.0"}}}"#,
        r#"{"obligations":{"permit":{"sgt":65535,"session-timeout":"999999999d"}}}"#,
        r#"{"remediation":{"os-too-old":{}}}"#,
    ] {
        assert!(fits(document), "{document}");
        assert!(parse::<Settings>(document).is_ok(), "{document}");
    }
}
