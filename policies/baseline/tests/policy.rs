//! The policy as a native function: its cases, its schema, and what holds for
//! any facts and settings.

#[cfg(test)]
mod support;

#[cfg(test)]
#[path = "policy/cases.rs"]
mod cases;
#[cfg(test)]
#[path = "policy/properties.rs"]
mod properties;
#[cfg(test)]
#[path = "policy/schema.rs"]
mod schema;
