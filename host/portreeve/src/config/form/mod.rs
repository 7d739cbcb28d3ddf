//! Short forms and templates: tables that stand for the longer ones of a
//! connector.
//!
//! What a vendor's clouds are called and how their tokens are asked for is the
//! plugin's knowledge, not the host's. It is written in a file beside the
//! component, `intune.forms.toml` beside `intune.wasm`, and `[connectors.NAME.FORM]`
//! is filled in as that file says before anything else is read. Not in the plugin's
//! description: a configuration is read and checked without running any plugin.
//!
//! What the operator has written himself stays as it is.

mod expand;
mod file;
#[cfg(test)]
mod tests;

use std::path::Path;

use super::place::Place;
use super::problem::Problem;
use super::read::{Reader, listed, nearest};
use super::tree::{Entry, Node, Table, Value};

/// Fills in all templates and short forms.
pub(super) fn fill_in(root: &mut Table, reader: &Reader<'_>) {
    let templates = match root.get("templates").map(|entry| &entry.node.value) {
        Some(Value::Table(templates)) => templates.clone(),
        _ => Table::default(),
    };
    let Some(connectors) = table_mut(root, "connectors") else {
        return;
    };
    for entry in &mut connectors.0 {
        let key = entry.node.key.clone();
        if let Value::Table(connector) = &mut entry.node.value {
            from_template(connector, &templates, reader);
            from_forms(connector, &key, reader);
        }
    }
}

fn table_mut<'a>(root: &'a mut Table, name: &str) -> Option<&'a mut Table> {
    let mut entries = root.0.iter_mut();
    match &mut entries.find(|entry| entry.name == name)?.node.value {
        Value::Table(table) => Some(table),
        _ => None,
    }
}

/// `template = "NAME"`: what the connector does not say is as in
/// `[templates.NAME]`.
fn from_template(connector: &mut Table, templates: &Table, reader: &Reader<'_>) {
    let Some(entry) = connector.get("template") else {
        return;
    };
    // Another kind of value is reported when it is read.
    let Value::String(name) = &entry.node.value else {
        return;
    };
    let found = templates.get(name).map(|template| &template.node.value);
    if let Some(Value::Table(template)) = found {
        let template = template.clone();
        connector.fill(template);
        return;
    }
    let known: Vec<&str> = templates.0.iter().map(|it| it.name.as_str()).collect();
    let hint = match nearest(name, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("add `[templates.{name}]`"),
        None => format!("there are {}", listed(&known)),
    };
    let message = format!("there is no template `{name}`");
    let node = &entry.node;
    reader.report(Problem::new(&node.place, &node.key, message).hint(hint));
}

/// `[connectors.NAME.FORM]`, for every form that the plugin has.
fn from_forms(connector: &mut Table, key: &str, reader: &Reader<'_>) {
    let Some(plugin) = connector.get("plugin") else {
        return;
    };
    let Value::String(component) = &plugin.node.value else {
        return;
    };
    let plugin = plugin.node.clone();
    let component = plugin.place.directory().join(component);
    let path = component.with_extension("forms.toml");
    let forms = match file::Forms::read(&path, reader) {
        Ok(Some(forms)) => forms,
        Ok(None) => return missing(connector, &component, &path, reader),
        Err(message) => {
            let hint = "it belongs to the plugin: copy both files again";
            reader.report(Problem::new(&plugin.place, &plugin.key, message).hint(hint));
            return;
        }
    };
    for (name, form) in &forms.0 {
        let is_form =
            |entry: &Entry| entry.name == *name && matches!(entry.node.value, Value::Table(_));
        let Some(place) = connector.0.iter().position(is_form) else {
            continue;
        };
        let entry = connector.0.remove(place);
        if let Some(filled) = expand::expand(form, &entry, key, reader) {
            connector.fill(filled);
        }
    }
}

/// A table of the plugin's own name can only be a form.
fn missing(connector: &Table, component: &Path, path: &Path, reader: &Reader<'_>) {
    let name = component.file_stem().unwrap_or_default().to_string_lossy();
    let Some(entry) = connector.get(&name) else {
        return;
    };
    let message = format!("there is no file `{}`", path.display());
    let hint = "short forms are in a file beside the plugin: copy it there, too";
    reader.report(Problem::new(&entry.place, &entry.node.key, message).hint(hint));
}

impl Table {
    /// Adds what is not there yet; what is there stays.
    pub(super) fn fill(&mut self, from: Self) {
        for entry in from.0 {
            match self.0.iter_mut().find(|known| known.name == entry.name) {
                None => self.0.push(entry),
                Some(known) => {
                    if let (Value::Table(into), Value::Table(from)) =
                        (&mut known.node.value, entry.node.value)
                    {
                        into.fill(from);
                    }
                }
            }
        }
    }
}

/// A value that stands nowhere itself, but for something that does.
fn node(place: &Place, key: String, value: Value) -> Node {
    let place = place.clone();
    Node { place, key, value }
}

fn entry(name: &str, node: Node) -> Entry {
    Entry {
        name: name.to_owned(),
        place: node.place.clone(),
        node,
    }
}
