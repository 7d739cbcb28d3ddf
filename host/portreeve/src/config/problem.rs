//! What is wrong with a configuration, told so that it can be put right.

use std::fmt;
use std::path::Path;

use super::place::{Located, Place};

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    place: Option<Place>,
    key: String,
    message: String,
    hint: Option<String>,
}

impl Problem {
    /// A problem with what stands at `place` under the whole key `key`, empty
    /// for the file as a whole.
    pub(crate) fn new(place: &Place, key: &str, message: impl Into<String>) -> Self {
        Self {
            place: Some(place.clone()),
            key: key.to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    /// A problem without a place, e.g. a file that cannot be read at all.
    pub(crate) fn nowhere(message: impl Into<String>) -> Self {
        Self {
            place: None,
            key: String::new(),
            message: message.into(),
            hint: None,
        }
    }

    /// A problem with a value that was read before.
    pub(crate) fn with<T>(located: &Located<T>, message: impl Into<String>) -> Self {
        Self::new(&located.place, &located.key, message)
    }

    /// Adds what the operator can do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether it is with something in this file.
    pub(crate) fn is_in(&self, path: &Path) -> bool {
        self.place
            .as_ref()
            .is_some_and(|place| place.file() == path)
    }

    pub(super) fn order(&self) -> Option<(&Path, usize)> {
        self.place.as_ref().map(Place::order)
    }

    /// What the operator can do.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// `file:line:column: key: what is wrong`, without the hint.
impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(formatter, "{place}: ")?;
        }
        if !self.key.is_empty() {
            write!(formatter, "{}: ", self.key)?;
        }
        formatter.write_str(&self.message)
    }
}

/// Everything that is wrong, in the order of the files.
#[derive(Clone, Debug)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "\n" };
            write!(formatter, "{separator}error: {problem}")?;
            if let Some(hint) = problem.advice() {
                write!(formatter, "\nhint: {hint}")?;
            }
        }
        Ok(())
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}
