//! The policy as a native function: its cases, its schema, and what holds for
//! any facts and settings.

mod support;

#[path = "policy/cases.rs"]
mod cases;
#[path = "policy/properties.rs"]
mod properties;
#[path = "policy/schema.rs"]
mod schema;
