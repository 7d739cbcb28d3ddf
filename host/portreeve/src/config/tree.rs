//! TOML values that remember where they were written.

use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::place::{Place, SourceFile};
use super::problem::Problem;
use super::read::Reader;

/// One value.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    /// The whole key, e.g. `server.listen` or `clients.radius.faces[1]`.
    pub(super) key: String,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
}

impl Value {
    /// The kind in words, with its article.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a floating-point number",
            Self::Boolean(_) => "a boolean",
            Self::Datetime(_) => "a date or time",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
        }
    }
}

/// Entries in the order of the files.
#[derive(Clone, Debug, Default)]
pub(super) struct Table(pub(super) Vec<Entry>);

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Where the key is written.
    pub(super) place: Place,
    pub(super) node: Node,
}

impl Table {
    /// Reads one file. Reports every mistake in its syntax.
    pub(super) fn parse(file: &Arc<SourceFile>) -> Result<Self, Vec<Problem>> {
        let (document, errors) = DeTable::parse_recoverable(&file.text);
        let mut problems: Vec<Problem> = errors
            .iter()
            .map(|error| {
                let offset = error.span().map_or(0, |span| span.start);
                let place = Place::new(Arc::clone(file), offset);
                let hint = match error.message() {
                    "duplicate key" => "a key is set once; remove one of them",
                    _ => "this is not valid TOML, see https://toml.io",
                };
                Problem::new(&place, "", error.message()).hint(hint)
            })
            .collect();
        let table = convert_table(document.into_inner(), "", file, &mut problems);
        if problems.is_empty() {
            Ok(table)
        } else {
            Err(problems)
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.name == name)
    }

    /// Adds the entries of another file; tables of one name become one.
    pub(super) fn merge(&mut self, other: Self, reader: &Reader<'_>) {
        for entry in other.0 {
            match self.0.iter_mut().find(|known| known.name == entry.name) {
                None => self.0.push(entry),
                Some(known) => match (&mut known.node.value, entry.node.value) {
                    (Value::Table(into), Value::Table(from)) => into.merge(from, reader),
                    _ => reader.report(
                        Problem::new(&entry.place, &entry.node.key, "set twice")
                            .hint(format!("it is already set at {}", known.place)),
                    ),
                },
            }
        }
    }
}

fn convert_table(
    table: DeTable<'_>,
    parent: &str,
    file: &Arc<SourceFile>,
    problems: &mut Vec<Problem>,
) -> Table {
    let mut entries: Vec<(usize, Entry)> = table
        .into_iter()
        .map(|(name, value)| {
            let offset = name.span().start;
            let name = name.into_inner().into_owned();
            let key = join(parent, &name);
            let place = Place::new(Arc::clone(file), offset);
            let mut node_offset = value.span().start;
            let value = value.into_inner();
            // A table's own span is where its header stands, which for a table
            // that is only implied is nowhere in particular.
            if matches!(value, DeValue::Table(_)) {
                node_offset = offset;
            }
            let node = convert(value, key, node_offset, file, problems);
            (offset, Entry { name, place, node })
        })
        .collect();
    entries.sort_by_key(|(offset, _)| *offset);
    Table(entries.into_iter().map(|(_, entry)| entry).collect())
}

fn convert(
    value: DeValue<'_>,
    key: String,
    offset: usize,
    file: &Arc<SourceFile>,
    problems: &mut Vec<Problem>,
) -> Node {
    let place = Place::new(Arc::clone(file), offset);
    let value = match value {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(value) => Value::Datetime(value.to_string()),
        DeValue::Integer(integer) => {
            if let Ok(value) = i64::from_str_radix(integer.as_str(), integer.radix()) {
                Value::Integer(value)
            } else {
                problems.push(Problem::new(
                    &place,
                    &key,
                    format!("`{integer}` does not fit into 64 bits"),
                ));
                Value::Integer(0)
            }
        }
        // The parser has checked that it is one.
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Array(items) => Value::Array(
            items
                .into_iter()
                .enumerate()
                .map(|(position, item)| {
                    let offset = item.span().start;
                    let key = format!("{key}[{position}]");
                    convert(item.into_inner(), key, offset, file, problems)
                })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(convert_table(table, &key, file, problems)),
    };
    Node { place, key, value }
}

/// The whole key of `name` in `parent`, quoted the way TOML would.
pub(super) fn join(parent: &str, name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let name = if bare {
        name.to_owned()
    } else {
        format!("{name:?}")
    };
    if parent.is_empty() {
        name
    } else {
        format!("{parent}.{name}")
    }
}
