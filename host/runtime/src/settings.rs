//! An operator's settings against the schema of a plugin.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use crate::error::SettingsProblem;

/// Problems that are told at once. More help nobody.
const MOST_PROBLEMS: usize = 32;

/// The settings of one configured instance, as its guest reads them.
#[derive(Debug)]
pub(crate) struct Settings {
    document: String,
    table: Map<String, Value>,
}

impl Settings {
    /// The whole table as JSON.
    pub(crate) fn document(&self) -> &str {
        &self.document
    }

    /// One top-level setting: strings without quotes, the rest as JSON.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.table.get(key).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

/// What a plugin demands of its settings.
#[derive(Debug)]
pub(crate) struct Schema {
    validator: Validator,
    defaults: Map<String, Value>,
}

impl Schema {
    /// Reads a JSON Schema (2020-12). References to elsewhere are refused: the
    /// plugin is not asked to be online for that.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        if !schema.is_object() {
            return Err("the schema is no JSON object".to_owned());
        }
        let validator = jsonschema::draft202012::new(schema).map_err(|error| error.to_string())?;
        let properties = schema.get("properties").and_then(Value::as_object);
        let defaults = properties
            .into_iter()
            .flatten()
            .filter_map(|(key, property)| Some((key.clone(), property.get("default")?.clone())))
            .collect();
        Ok(Self {
            validator,
            defaults,
        })
    }

    /// Fills in the defaults of the top level and checks the rest.
    pub(crate) fn apply(&self, settings: Value) -> Result<Settings, Vec<SettingsProblem>> {
        let Value::Object(mut table) = settings else {
            return Err(vec![SettingsProblem {
                pointer: String::new(),
                message: "settings are a table".to_owned(),
            }]);
        };
        for (key, value) in &self.defaults {
            table.entry(key.as_str()).or_insert_with(|| value.clone());
        }
        let document = Value::Object(table);
        let problems: Vec<SettingsProblem> = self
            .validator
            .iter_errors(&document)
            .flat_map(|error| explain(&error))
            .take(MOST_PROBLEMS)
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let text = document.to_string();
        let Value::Object(table) = document else {
            return Err(Vec::new());
        };
        Ok(Settings {
            document: text,
            table,
        })
    }
}

/// One problem for each setting that is wrong, at its own place also when it
/// should not be there, or is not there.
fn explain(error: &ValidationError<'_>) -> Vec<SettingsProblem> {
    let around = error.instance_path().to_string();
    let at = |name: &str, message: &str| SettingsProblem {
        // RFC 6901, section 3.
        pointer: format!("{around}/{}", name.replace('~', "~0").replace('/', "~1")),
        message: message.to_owned(),
    };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => unexpected
            .iter()
            .map(|name| at(name, "unknown setting"))
            .collect(),
        ValidationErrorKind::Required {
            property: Value::String(name),
        } => vec![at(name, "missing")],
        _ => vec![SettingsProblem {
            pointer: around,
            message: error.to_string(),
        }],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Schema {
        Schema::new(&json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "tenant": { "type": "string", "minLength": 1 },
                "retries": { "type": "integer", "maximum": 5, "default": 2 },
                "nested": { "type": "object", "properties": { "a": { "type": "boolean" } } },
            },
            "required": ["tenant"],
            "additionalProperties": false,
        }))
        .unwrap()
    }

    #[test]
    fn defaults_are_filled_in_and_never_win() {
        let settings = schema().apply(json!({ "tenant": "t" })).unwrap();
        assert_eq!(settings.get("retries").as_deref(), Some("2"));
        assert_eq!(settings.get("tenant").as_deref(), Some("t"));
        assert_eq!(settings.get("nested"), None);
        let settings = schema()
            .apply(json!({ "tenant": "t", "retries": 4 }))
            .unwrap();
        let document: Value = serde_json::from_str(settings.document()).unwrap();
        assert_eq!(document, json!({ "tenant": "t", "retries": 4 }));
    }

    #[test]
    fn problems_name_the_place() {
        let wrong = json!({ "tenant": "", "retries": 9, "nested": { "a": 1 }, "typo": 1 });
        let problems = schema().apply(wrong).unwrap_err();
        let mut pointers: Vec<&str> = problems.iter().map(|p| p.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/nested/a", "/retries", "/tenant", "/typo"]);
        let missing = schema().apply(json!({ "a/b~": 1 })).unwrap_err();
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        assert!(
            missing.contains(&"at `/tenant`: missing".to_owned()),
            "{missing:?}"
        );
        assert!(
            missing.contains(&"at `/a~1b~0`: unknown setting".to_owned()),
            "{missing:?}"
        );
        assert!(schema().apply(json!([])).is_err());
        assert!(schema().apply(json!({})).is_err());
    }

    #[test]
    fn an_unusable_schema_is_refused() {
        for schema in [
            json!(true),
            json!({ "type": 7 }),
            json!({ "$ref": "https://example.com/schema.json" }),
        ] {
            assert!(Schema::new(&schema).is_err(), "{schema}");
        }
        assert!(Schema::new(&json!({})).is_ok());
    }
}
