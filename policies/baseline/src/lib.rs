//! The baseline policy: what most organisations want, by settings alone.
//!
//! A device is permitted when it is enrolled and compliant, was seen recently,
//! runs a recent operating system and shows no bad posture; each demand and
//! what follows from missing it is a setting, described in `schema.json`. The
//! operator's lists of exceptions come before all of it.
//!
//! [`evaluate::evaluate`] is the policy as a plain function of [`Settings`] and
//! [`Facts`], so that it runs natively in tests; this file makes it a
//! component. Only the facts that the settings ask for are read: the host
//! keeps a verdict for as long as these are the same, and no longer than the
//! decision says.
//!
//! It does not look at the connection, the user or attributes, and it has no
//! opinion about stale records: how old a record may be is the operator's
//! setting in the gateway.

pub mod evaluate;
pub mod facts;
mod outcome;
pub mod settings;
mod version;

use std::sync::OnceLock;

use portreeve_plugin::policy::{Decision, Evaluator, Failure, Subject};
use portreeve_plugin::{ConfigProblem, Descriptor, Plugin};

pub use facts::Facts;
pub use settings::Settings;

/// JSON Schema (2020-12) of the settings.
pub const SCHEMA: &str = include_str!("../schema.json");

/// The component.
#[derive(Debug)]
pub struct Baseline;

impl Plugin for Baseline {
    fn describe() -> Descriptor {
        Descriptor {
            id: "dev.portreeve.baseline".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            display_name: "Baseline policy".to_owned(),
            vendor: Some("Portreeve".to_owned()),
            license: Some(env!("CARGO_PKG_LICENSE").to_owned()),
            homepage: None,
            config_schema: SCHEMA.to_owned(),
            egress: Vec::new(),
            credentials: Vec::new(),
        }
    }

    fn validate_config(document: String) -> Result<(), Vec<ConfigProblem>> {
        settings::validate(&document)
    }
}

impl Evaluator for Baseline {
    fn evaluate(subject: &Subject) -> Result<Decision, Failure> {
        // Settings are those of the instance and cannot change under it.
        static SETTINGS: OnceLock<Result<Settings, String>> = OnceLock::new();
        match SETTINGS.get_or_init(portreeve_plugin::settings::load) {
            Ok(settings) => evaluate::evaluate(settings, subject),
            Err(problem) => Err(Failure::Misconfigured(problem.clone())),
        }
    }
}

// Natively there is nobody to export to, and linkers do not take the names.
#[cfg(target_family = "wasm")]
portreeve_plugin::export_policy!(Baseline);
