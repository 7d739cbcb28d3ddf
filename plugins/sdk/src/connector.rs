//! What a connector implements, and what the host lends it.

use crate::bindings::connector as generated;

pub use generated::exports::portreeve::connector::check::{
    Finding, Guest as Check, Report, Verdict,
};
pub use generated::exports::portreeve::connector::lookup::{Guest as Lookup, Outcome};
/// Why a source could not be asked.
pub use generated::portreeve::connector::types::Error;
pub use generated::portreeve::host::{credentials, signing, state};

/// Acting on a device.
#[cfg(feature = "actions")]
pub use crate::bindings::actions::exports::portreeve::connector::actions;
/// Reading the whole fleet.
#[cfg(feature = "inventory")]
pub use crate::bindings::inventory::exports::portreeve::connector::inventory;
/// Reacting to what a source pushes.
#[cfg(feature = "notifications")]
pub use crate::bindings::notifications::exports::portreeve::connector::notifications;

/// Makes a type the connector that this component is. The type implements
/// [`Plugin`](crate::Plugin), [`Check`] and [`Lookup`].
#[macro_export]
macro_rules! export_connector {
    ($plugin:ident) => {
        #[allow(
            unsafe_code,
            reason = "the entry points of a component have unmangled names"
        )]
        const _: () = {
    $crate::bindings::plugin::export!($plugin with_types_in $crate::bindings::plugin);
    $crate::bindings::connector::export!($plugin with_types_in $crate::bindings::connector);
        };
    };
}

/// Adds the optional ability [`inventory`].
#[cfg(feature = "inventory")]
#[macro_export]
macro_rules! export_inventory {
    ($plugin:ident) => {
        #[allow(
            unsafe_code,
            reason = "the entry points of a component have unmangled names"
        )]
        const _: () = {
    $crate::bindings::inventory::export!($plugin with_types_in $crate::bindings::inventory);
        };
    };
}

/// Adds the optional ability [`notifications`].
#[cfg(feature = "notifications")]
#[macro_export]
macro_rules! export_notifications {
    ($plugin:ident) => {
        #[allow(unsafe_code, reason = "the entry points of a component have unmangled names")]
        const _: () = {
            $crate::bindings::notifications::export!($plugin with_types_in $crate::bindings::notifications);
        };
    };
}

/// Adds the optional ability [`actions`].
#[cfg(feature = "actions")]
#[macro_export]
macro_rules! export_actions {
    ($plugin:ident) => {
        #[allow(
            unsafe_code,
            reason = "the entry points of a component have unmangled names"
        )]
        const _: () = {
    $crate::bindings::actions::export!($plugin with_types_in $crate::bindings::actions);
        };
    };
}
