//! The one place where the process environment is read.

use std::ffi::OsString;

/// Variables by name, so that tests bring their own.
pub(crate) trait Environment {
    /// The value of one variable, `None` when it is not set.
    fn get(&self, name: &str) -> Option<OsString>;

    /// The value as text; a value that is no text counts as not set.
    fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(|value| value.into_string().ok())
    }
}

/// The environment of this process.
#[derive(Debug)]
pub(crate) struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn get(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }
}

#[cfg(test)]
impl Environment for std::collections::BTreeMap<&str, &str> {
    fn get(&self, name: &str) -> Option<OsString> {
        self.get(name).map(OsString::from)
    }
}
