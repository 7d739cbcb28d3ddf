//! Reading typed values out of tables, collecting everything that is wrong.

use std::cell::RefCell;

use portreeve_egress::Secret;
use sha2::{Digest as _, Sha256};

use super::environment::Environment;
use super::place::{Located, Place};
use super::problem::{Problem, Problems};
use super::tree::{Node, Table, Value, join};

/// How alike a word must be to be suggested: swapped or missing letters are,
/// another word is not.
const LIKENESS: f64 = 0.8;

/// What reading needs and what it found wrong.
pub(super) struct Reader<'a> {
    pub(super) environment: &'a dyn Environment,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    files: RefCell<Sha256>,
    secrets: RefCell<Vec<Secret>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(environment: &'a dyn Environment) -> Self {
        Self {
            environment,
            problems: RefCell::default(),
            warnings: RefCell::default(),
            files: RefCell::default(),
            secrets: RefCell::default(),
        }
    }

    /// Counts a file of the configuration in.
    pub(super) fn note_file(&self, text: &str) {
        let mut files = self.files.borrow_mut();
        files.update(text.len().to_le_bytes());
        files.update(text);
    }

    /// Remembers a secret, so that it can be kept out of what leaves the house.
    pub(super) fn note_secret(&self, secret: &Secret) {
        self.secrets.borrow_mut().push(secret.clone());
    }

    /// All secrets so far.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.secrets.borrow().clone()
    }

    /// SHA-256 of the files so far, in hexadecimal.
    pub(super) fn digest(&self) -> String {
        hex::encode(self.files.borrow().clone().finalize())
    }

    pub(super) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Notes what is allowed, but may not be what is meant.
    pub(super) fn warn(&self, warning: Problem) {
        self.warnings.borrow_mut().push(warning);
    }

    /// What was noted so far.
    pub(super) fn warnings(&self) -> Vec<Problem> {
        self.warnings.borrow().clone()
    }

    /// Whether nothing was wrong so far.
    pub(super) fn is_content(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// The value, unless something was wrong.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Problems> {
        let mut problems = self.problems.into_inner();
        problems.sort_by(|one, other| one.order().cmp(&other.order()));
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => Err(Problems(problems)),
        }
    }
}

/// A value that can be read from one TOML value. `None` after it reported
/// what is wrong.
pub(super) trait FromNode: Sized {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self>;
}

impl<T: FromNode> FromNode for Located<T> {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        T::from_node(node, reader).map(|value| Self {
            value,
            place: node.place.clone(),
            key: node.key.clone(),
        })
    }
}

/// All elements are read, so that all mistakes are reported.
impl<T: FromNode> FromNode for Vec<T> {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let Value::Array(items) = &node.value else {
            reader.report(wrong_kind(node, "an array").hint("write it in brackets: `[…]`"));
            return None;
        };
        let read: Vec<Option<T>> = items
            .iter()
            .map(|item| T::from_node(item, reader))
            .collect();
        read.into_iter().collect()
    }
}

pub(super) fn wrong_kind(node: &Node, expected: &str) -> Problem {
    let message = format!("expected {expected}, found {}", node.value.kind());
    Problem::new(&node.place, &node.key, message)
}

/// One table and which of its keys were asked for.
pub(super) struct Section<'a> {
    pub(super) reader: &'a Reader<'a>,
    /// Where the table, or what it is missing from, is written.
    pub(super) place: Place,
    /// The whole key of the table, empty for the root.
    pub(super) key: String,
    table: Option<&'a Table>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        reader: &'a Reader<'a>,
        place: Place,
        key: &str,
        table: Option<&'a Table>,
    ) -> Self {
        Self {
            reader,
            place,
            key: key.to_owned(),
            table,
            asked: RefCell::default(),
        }
    }

    /// The table in `node`, or nothing when it is something else.
    pub(super) fn of_node(node: &'a Node, reader: &'a Reader<'a>) -> Option<Self> {
        if let Value::Table(table) = &node.value {
            let place = node.place.clone();
            Some(Self::new(reader, place, &node.key, Some(table)))
        } else {
            reader.report(wrong_kind(node, "a table").hint(format!("write `[{}]`", node.key)));
            None
        }
    }

    pub(super) fn node(&self, key: &'static str) -> Option<&'a Node> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.table?.get(key).map(|entry| &entry.node)
    }

    pub(super) fn optional<T: FromNode>(&self, key: &'static str) -> Option<T> {
        T::from_node(self.node(key)?, self.reader)
    }

    pub(super) fn or<T: FromNode>(&self, key: &'static str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// A key that has no default; `example` shows what to write.
    pub(super) fn required<T: FromNode>(&self, key: &'static str, example: &str) -> Option<T> {
        if let Some(node) = self.node(key) {
            return T::from_node(node, self.reader);
        }
        self.report_missing(key, example);
        None
    }

    pub(super) fn report_missing(&self, key: &str, example: &str) {
        let whole = join(&self.key, key);
        self.reader.report(
            Problem::new(&self.place, &whole, "missing")
                .hint(format!("add `{key} = {example}` under `[{}]`", self.key)),
        );
    }

    /// The table under `key`; an absent one reads as empty.
    pub(super) fn section(&self, key: &'static str) -> Section<'a> {
        self.optional_section(key).unwrap_or_else(|| {
            Self::new(self.reader, self.place.clone(), &join(&self.key, key), None)
        })
    }

    pub(super) fn optional_section(&self, key: &'static str) -> Option<Section<'a>> {
        Self::of_node(self.node(key)?, self.reader)
    }

    /// The tables below `key` by the name the operator gave them, in order.
    pub(super) fn named_sections(&self, key: &'static str) -> Vec<(Located<String>, Section<'a>)> {
        let Some(node) = self.node(key) else {
            return Vec::new();
        };
        let Value::Table(table) = &node.value else {
            let problem = wrong_kind(node, "a table");
            self.reader
                .report(problem.hint(format!("write `[{key}.NAME]`")));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for entry in &table.0 {
            let name = Located {
                value: entry.name.clone(),
                place: entry.place.clone(),
                key: entry.node.key.clone(),
            };
            if !is_name(&entry.name) {
                self.reader.report(
                    Problem::with(&name, format!("`{}` is no usable name", entry.name)).hint(
                        "a name has 1 to 64 letters, digits, `-`, `_` or `.` \
                         and begins with a letter or digit",
                    ),
                );
            }
            if let Some(section) = Section::of_node(&entry.node, self.reader) {
                sections.push((name, section));
            }
        }
        sections
    }

    /// Reports a problem with the table as a whole.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(&self.place, &self.key, message)
    }

    /// Every other key is a mistake.
    pub(super) fn finish(self) {
        let asked = self.asked.into_inner();
        for entry in self.table.into_iter().flat_map(|table| &table.0) {
            if !asked.contains(&entry.name.as_str()) {
                let hint = match nearest(&entry.name, &asked) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => format!("known keys here are {}", listed(&asked)),
                };
                let problem = Problem::new(&entry.place, &entry.node.key, "unknown key");
                self.reader.report(problem.hint(hint));
            }
        }
    }
}

/// Names end up in logs, metric labels and URLs.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// The known word that was probably meant.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|known| (strsim::jaro_winkler(word, known), *known))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

/// The words in backticks, with commas.
pub(crate) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
