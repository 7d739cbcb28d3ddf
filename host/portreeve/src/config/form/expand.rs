//! What a short form stands for.

use std::collections::BTreeMap;

use super::file::{Condition, Form, Key, Pattern, Rule};
use super::{entry, node};
use crate::config::place::Place;
use crate::config::problem::Problem;
use crate::config::read::{Reader, listed, nearest, wrong_kind};
use crate::config::tree::{Entry, Node, Table, Value, join};

/// The tables of a connector that one form stands for; `connector` is its key.
/// `None` after it reported what is wrong.
pub(super) fn expand(
    form: &Form,
    written: &Entry,
    connector: &str,
    reader: &Reader<'_>,
) -> Option<Table> {
    let Value::Table(table) = &written.node.value else {
        return None;
    };
    let filling = Filling::read(form, table, written, reader)?;
    let mut is_right = true;
    for rule in form
        .mistakes
        .iter()
        .filter(|it| filling.meets(&it.condition))
    {
        is_right = false;
        reader.report(filling.problem(rule));
    }
    if !is_right {
        return None;
    }
    for rule in form
        .warnings
        .iter()
        .filter(|it| filling.meets(&it.condition))
    {
        reader.warn(filling.problem(rule));
    }
    let mut filled = Table::default();
    for gives in form.gives.iter().filter(|it| filling.meets(&it.condition)) {
        filled.fill(filling.table(&gives.table, connector));
    }
    Some(filled)
}

/// A form with what the operator has written.
struct Filling<'a> {
    written: &'a Entry,
    table: &'a Table,
    /// Texts by name, `key`, `key.group` or `table.column`.
    texts: BTreeMap<String, String>,
}

impl<'a> Filling<'a> {
    fn read(
        form: &Form,
        table: &'a Table,
        written: &'a Entry,
        reader: &Reader<'_>,
    ) -> Option<Self> {
        let mut filling = Self {
            written,
            table,
            texts: BTreeMap::new(),
        };
        let known: Vec<&str> = form.keys.keys().map(String::as_str).collect();
        let mut is_right = true;
        for entry in &table.0 {
            if !form.keys.contains_key(&entry.name) {
                is_right = false;
                let hint = match nearest(&entry.name, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known keys here are {}", listed(&known)),
                };
                let problem = Problem::new(&entry.place, &entry.node.key, "unknown key");
                reader.report(problem.hint(hint));
            }
        }
        for (name, key) in &form.keys {
            is_right &= filling.read_key(name, key, reader);
        }
        for (name, lookup) in &form.tables {
            let row = filling.texts.get(&lookup.by);
            let row = row.and_then(|text| lookup.rows.get(text));
            for (column, text) in row.into_iter().flatten() {
                let text = text.clone();
                filling.texts.insert(format!("{name}.{column}"), text);
            }
        }
        is_right.then_some(filling)
    }

    /// Whether nothing is wrong with it.
    fn read_key(&mut self, name: &str, key: &Key, reader: &Reader<'_>) -> bool {
        let Some(found) = self.table.get(name).map(|entry| &entry.node) else {
            if key.required {
                let whole = join(&self.written.node.key, name);
                let hint = format!("add `{name}`: {}", key.expected);
                let problem = Problem::new(&self.written.place, &whole, "missing");
                reader.report(problem.hint(hint));
                return false;
            }
            if let Some(default) = &key.default {
                self.note(name, key.pattern.as_ref(), default.clone());
            }
            return true;
        };
        let Some(pattern) = &key.pattern else {
            return true;
        };
        let text = match &found.value {
            Value::String(text) => text.clone(),
            Value::Boolean(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            _ => {
                reader.report(wrong_kind(found, &key.expected).hint("write it in quotes"));
                return false;
            }
        };
        if !pattern.0.is_match(&text) {
            let message = format!("`{text}` is not what is expected");
            let hint = format!("write {}", key.expected);
            reader.report(Problem::new(&found.place, &found.key, message).hint(hint));
            return false;
        }
        self.note(name, Some(pattern), text);
        true
    }

    fn note(&mut self, name: &str, pattern: Option<&Pattern>, text: String) {
        if let Some(Pattern(regex)) = pattern
            && let Some(captures) = regex.captures(&text)
        {
            for group in regex.capture_names().flatten() {
                if let Some(found) = captures.name(group) {
                    let name = format!("{name}.{group}");
                    self.texts.insert(name, found.as_str().to_owned());
                }
            }
        }
        self.texts.insert(name.to_owned(), text);
    }

    fn meets(&self, condition: &Condition) -> bool {
        let is_written = |name: &String| self.table.get(name).is_some();
        let looks_so = |(name, pattern): (&String, &Pattern)| {
            let text = self.texts.get(name);
            text.is_some_and(|text| pattern.0.is_match(text))
        };
        condition.with.iter().all(is_written)
            && !condition.without.iter().any(is_written)
            && condition.when.iter().all(looks_so)
            && !condition.unless.iter().any(looks_so)
    }

    /// It is with the first key that the rule looks at and that is written.
    fn problem(&self, rule: &Rule) -> Problem {
        let condition = &rule.condition;
        let mut names = condition.when.keys().chain(&condition.with);
        let found = names.find_map(|name| self.table.get(name));
        let found = found.map_or(&self.written.node, |entry| &entry.node);
        let problem = Problem::new(&found.place, &found.key, &*rule.message);
        problem.hint(&*rule.hint)
    }

    fn place(&self) -> &Place {
        &self.written.place
    }

    fn table(&self, template: &toml::Table, parent: &str) -> Table {
        let entries = template.iter().filter_map(|(name, value)| {
            let filled = self.value(value, join(parent, name))?;
            Some(entry(name, filled))
        });
        Table(entries.collect())
    }

    /// `None` if something in it is not known.
    fn value(&self, template: &toml::Value, key: String) -> Option<Node> {
        let value = match template {
            toml::Value::String(text) => {
                // A value that is handed on keeps its kind and its place.
                let name = text.strip_prefix("${").and_then(|it| it.strip_suffix('}'));
                if let Some(written) = name.and_then(|name| self.table.get(name)) {
                    let written = written.node.clone();
                    return Some(Node { key, ..written });
                }
                Value::String(self.text(text)?)
            }
            toml::Value::Integer(value) => Value::Integer(*value),
            toml::Value::Float(value) => Value::Float(*value),
            toml::Value::Boolean(value) => Value::Boolean(*value),
            toml::Value::Datetime(value) => Value::Datetime(value.to_string()),
            toml::Value::Array(items) => {
                let mut filled = Vec::new();
                for item in items {
                    let key = format!("{key}[{}]", filled.len());
                    filled.extend(self.value(item, key));
                }
                if filled.is_empty() && !items.is_empty() {
                    return None;
                }
                Value::Array(filled)
            }
            toml::Value::Table(table) => Value::Table(self.table(table, &key)),
        };
        Some(node(self.place(), key, value))
    }

    /// The text with `${name}` filled in.
    fn text(&self, template: &str) -> Option<String> {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}')?;
            filled.push_str(before);
            filled.push_str(self.texts.get(name)?);
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }
}
