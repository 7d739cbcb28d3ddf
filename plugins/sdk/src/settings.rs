//! Settings that the operator wrote for this instance.

use serde::de::DeserializeOwned;

use crate::ConfigProblem;
use crate::bindings::plugin::portreeve::host::config;

/// The settings of this instance as a JSON object.
pub fn document() -> String {
    config::document()
}

/// Reads the settings of this instance.
///
/// The host has checked them against the schema in the descriptor and filled
/// in the defaults, so an error here means that schema and type disagree.
pub fn load<T: DeserializeOwned>() -> Result<T, String> {
    parse(&document()).map_err(|problem| problem.message)
}

/// Reads settings from a document, for [`Plugin::validate_config`].
///
/// [`Plugin::validate_config`]: crate::Plugin::validate_config
pub fn parse<T: DeserializeOwned>(document: &str) -> Result<T, ConfigProblem> {
    serde_json::from_str(document).map_err(|error| ConfigProblem {
        pointer: String::new(),
        message: format!("the settings do not fit: {error}"),
    })
}
