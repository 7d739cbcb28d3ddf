//! The main file and the files it includes, as one table.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{cannot_read, writable_by_all};
use super::place::{Place, SourceFile};
use super::problem::Problem;
use super::read::{FromNode, Reader};
use super::tree::{Node, Table, Value};

const INCLUDE: &str = "include";

/// Reads `path` and everything it includes, or reports why not. The place is
/// the start of the file.
pub(super) fn load(path: &Path, reader: &Reader<'_>) -> Option<(Table, Place)> {
    let file = match read(path) {
        Ok(file) => file,
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", path.display());
            let problem = Problem::nowhere(message);
            reader.report(problem.hint("name the configuration file with `--config PATH`"));
            return None;
        }
    };
    check_writers(path, reader);
    reader.note_file(&file.text);
    let start = Place::new(Arc::clone(&file), 0);
    let mut root = parse(&file, reader)?;
    let position = root.0.iter().position(|entry| entry.name == INCLUDE);
    if let Some(position) = position {
        let include = root.0.remove(position).node;
        for path in included(&include, reader) {
            add(&path, &include, &mut root, reader);
        }
    }
    // What a broken file would have said is not missing.
    reader.is_content().then_some((root, start))
}

/// Whoever may write the configuration decides who gets in.
fn check_writers(path: &Path, reader: &Reader<'_>) {
    if let Some((message, hint)) = writable_by_all(path) {
        reader.report(Problem::nowhere(message).hint(hint));
    }
}

fn read(path: &Path) -> std::io::Result<Arc<SourceFile>> {
    let text = fs::read_to_string(path)?;
    let path = path.to_owned();
    Ok(Arc::new(SourceFile { path, text }))
}

fn parse(file: &Arc<SourceFile>, reader: &Reader<'_>) -> Option<Table> {
    Table::parse(file)
        .map_err(|problems| problems.into_iter().for_each(|found| reader.report(found)))
        .ok()
}

fn add(path: &Path, include: &Node, root: &mut Table, reader: &Reader<'_>) {
    let file = match read(path) {
        Ok(file) => file,
        Err(error) => {
            reader.report(cannot_read(include, path, &error.to_string()));
            return;
        }
    };
    check_writers(path, reader);
    reader.note_file(&file.text);
    let Some(table) = parse(&file, reader) else {
        return;
    };
    if let Some(entry) = table.get(INCLUDE) {
        let problem = Problem::new(&entry.place, INCLUDE, "an included file includes no others");
        reader.report(problem.hint("add the pattern to `include` in the main file"));
    }
    root.merge(table, reader);
}

/// The files that the patterns match, in alphabetical order for each pattern.
fn included(include: &Node, reader: &Reader<'_>) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = Vec::new();
    if !matches!(include.value, Value::Array(_)) {
        Vec::<String>::from_node(include, reader);
        return paths;
    }
    let Value::Array(items) = &include.value else {
        return paths;
    };
    for item in items {
        let Some(pattern) = String::from_node(item, reader) else {
            continue;
        };
        let folder = item.place.directory().to_string_lossy();
        let whole = Path::new(&glob::Pattern::escape(&folder)).join(&pattern);
        let report = |message: String, hint: &str| {
            reader.report(Problem::new(&item.place, &item.key, message).hint(hint));
        };
        let found = match glob::glob(&whole.to_string_lossy()) {
            Ok(found) => found,
            Err(error) => {
                let hint = "write e.g. `\"conf.d/*.toml\"`";
                report(format!("`{pattern}` is no pattern: {}", error.msg), hint);
                continue;
            }
        };
        let mut matched = 0;
        for path in found {
            matched += 1;
            match path {
                Ok(path) if paths.contains(&path) => {}
                Ok(path) => paths.push(path),
                Err(error) => {
                    let message = format!(
                        "cannot read `{}`: {}",
                        error.path().display(),
                        error.error()
                    );
                    report(message, "the folder must be readable");
                }
            }
        }
        // An empty `conf.d` is fine, a file that was named is not.
        let named = !pattern.contains(['*', '?', '[']);
        if matched == 0 && named {
            let hint = "a relative path is relative to the file that names it";
            report(format!("there is no file `{pattern}`"), hint);
        }
    }
    paths
}
