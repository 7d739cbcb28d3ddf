//! The file of short forms beside a plugin.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use regex::Regex;
use serde::{Deserialize, Deserializer};

use crate::config::read::Reader;

/// Bytes of a file of forms.
const LARGEST: u64 = 256 << 10;

/// All short forms of a plugin, by name.
#[derive(Debug, Deserialize)]
pub(super) struct Forms(pub(super) BTreeMap<String, Form>);

/// One short form.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Form {
    /// For people.
    #[expect(dead_code, reason = "the file explains itself")]
    description: String,
    /// What the operator may write.
    pub(super) keys: BTreeMap<String, Key>,
    /// What follows from a value, by name.
    #[serde(default)]
    pub(super) tables: BTreeMap<String, Lookup>,
    /// What is refused.
    #[serde(default)]
    pub(super) mistakes: Vec<Rule>,
    /// What is allowed, but hardly meant.
    #[serde(default)]
    pub(super) warnings: Vec<Rule>,
    /// What it stands for.
    pub(super) gives: Vec<Gives>,
}

/// One key of a form.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Key {
    /// What is expected, in words.
    pub(super) expected: String,
    /// What its text has to look like; its named groups can be used as
    /// `${key.group}`. Without one any value is handed on as it is.
    pub(super) pattern: Option<Pattern>,
    pub(super) required: bool,
    pub(super) default: Option<String>,
}

/// Rows by the text of a key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Lookup {
    pub(super) by: String,
    pub(super) rows: BTreeMap<String, BTreeMap<String, String>>,
}

/// A condition on what the operator has written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Condition {
    /// All of these are written.
    pub(super) with: Vec<String>,
    /// None of these is written.
    pub(super) without: Vec<String>,
    /// The values, or defaults, of all of these look so.
    pub(super) when: BTreeMap<String, Pattern>,
    /// None of these looks so.
    pub(super) unless: BTreeMap<String, Pattern>,
}

/// What is said about something that the operator has written.
#[derive(Debug, Deserialize)]
pub(super) struct Rule {
    #[serde(flatten)]
    pub(super) condition: Condition,
    pub(super) message: String,
    pub(super) hint: String,
}

/// Keys of the connector that are filled in.
#[derive(Debug, Deserialize)]
pub(super) struct Gives {
    #[serde(flatten)]
    pub(super) condition: Condition,
    #[serde(flatten)]
    pub(super) table: toml::Table,
}

/// A regular expression.
#[derive(Debug)]
pub(super) struct Pattern(pub(super) Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let regex = Regex::new(&text).map_err(serde::de::Error::custom)?;
        Ok(Self(regex))
    }
}

impl Forms {
    /// `None` when there is no such file.
    pub(super) fn read(path: &Path, reader: &Reader<'_>) -> Result<Option<Self>, String> {
        let shown = path.display();
        let unreadable = |error: std::io::Error| format!("cannot read `{shown}`: {error}");
        match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
            Ok(metadata) if metadata.len() > LARGEST => {
                return Err(format!("`{shown}` is larger than {LARGEST} bytes"));
            }
            Ok(_) => {}
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        reader.note_file(&text);
        let forms = toml::from_str(&text);
        let error = match forms {
            Ok(forms) => return Ok(Some(forms)),
            Err(error) => error,
        };
        Err(format!("`{shown}`: {}", error.message()))
    }
}
