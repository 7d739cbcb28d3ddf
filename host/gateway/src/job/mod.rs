//! Acting on devices.

mod rules;

pub use self::rules::{ActionRules, ConfirmBy};
