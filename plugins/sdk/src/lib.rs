//! What a Portreeve plugin in Rust is written with.
//!
//! A plugin is a WebAssembly component made for one of the worlds in `wit/`.
//! This crate holds the Rust bindings of these worlds and the few conveniences
//! that nearly every plugin wants: [`log`], [`settings`], [`http`] and
//! [`clock`] for connectors, an allocator for policies.
//!
//! A connector enables the feature `connector`, implements [`Plugin`],
//! [`connector::Check`] and [`connector::Lookup`] for a type and ends with
//! `portreeve_plugin::export_connector!(Type);`. The optional abilities have a
//! feature and a macro each, e.g. `inventory` and `export_inventory!`. A policy
//! enables `policy`, implements [`Plugin`] and [`policy::Evaluator`] and ends
//! with `portreeve_plugin::export_policy!(Type);`.
//!
//! It does not build the component: `cargo xtask guests` does. Features decide
//! which worlds the component belongs to, so each plugin is built by itself.
//! WASI is not wrapped here; a plugin that wants `wasi:http` brings its own
//! bindings.

// The export macros that are generated from WIT name this crate by its name.
extern crate self as portreeve_plugin;

#[doc(hidden)]
pub mod bindings;
#[cfg(feature = "connector")]
pub mod clock;
#[cfg(feature = "connector")]
pub mod connector;
#[cfg(feature = "connector")]
pub mod http;
pub mod log;
#[cfg(feature = "policy")]
pub mod policy;
#[cfg(feature = "scep")]
pub mod scep;
pub mod settings;

#[doc(hidden)]
pub use wit_bindgen as __wit_bindgen;

pub use bindings::plugin::exports::portreeve::plugin::plugin::{
    ConfigProblem, CredentialSlot, Descriptor, Guest as Plugin,
};
/// Devices as the source describes them, see `wit/deps/device`.
pub use bindings::plugin::portreeve::device::types as device;
