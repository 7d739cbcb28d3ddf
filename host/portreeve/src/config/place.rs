//! Where in which file something was written.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One configuration file as it was read.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// The path as the operator would write it.
    pub(crate) path: PathBuf,
    /// Its content.
    pub(crate) text: String,
}

/// A position in a configuration file, shown as `file:line:column`.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    file: Arc<SourceFile>,
    offset: usize,
}

impl Place {
    pub(crate) fn new(file: Arc<SourceFile>, offset: usize) -> Self {
        Self { file, offset }
    }

    /// What a relative path written here is relative to.
    pub(crate) fn directory(&self) -> &Path {
        self.file.path.parent().unwrap_or(Path::new(""))
    }

    /// The file.
    pub(super) fn file(&self) -> &Path {
        &self.file.path
    }

    /// What puts problems into the order in which they are written.
    pub(super) fn order(&self) -> (&Path, usize) {
        (&self.file.path, self.offset)
    }

    /// Line and column in characters, both from one.
    fn line_and_column(&self) -> (usize, usize) {
        let before = self.file.text.get(..self.offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_and_column();
        write!(formatter, "{}:{line}:{column}", self.file.path.display())
    }
}

/// A value and where it was written, for errors that are found later.
#[derive(Clone, Debug)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
    /// The whole key, e.g. `connectors.contoso.plugin`.
    pub(crate) key: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters_from_one() {
        let text = "a = 1\nü = 2\n".to_owned();
        let file = Arc::new(SourceFile {
            path: "x.toml".into(),
            text,
        });
        for (offset, expected) in [(0, "1:1"), (4, "1:5"), (6, "2:1"), (9, "2:3"), (99, "1:1")] {
            let place = Place::new(Arc::clone(&file), offset);
            assert_eq!(place.to_string(), format!("x.toml:{expected}"), "{offset}");
        }
    }
}
