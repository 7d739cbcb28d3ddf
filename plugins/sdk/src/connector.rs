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

/// Adds the optional ability [`inventory`]: reading the whole fleet, page by page.
///
/// The package enables the feature `inventory`, the type implements
/// [`inventory::Guest`] beside the three traits of [`export_connector!`], and both
/// macros stand at the end.
///
/// ```no_run
/// # use portreeve_plugin::connector::{Check, Error, Lookup, Outcome, Report};
/// # use portreeve_plugin::device::{Device, DeviceId};
/// # use portreeve_plugin::{ConfigProblem, Descriptor, Plugin};
/// use portreeve_plugin::connector::inventory::{Guest as Inventory, Page, SyncError};
///
/// struct Acme;
///
/// impl Inventory for Acme {
///     fn next_page(cursor: Option<String>, limit: u32) -> Result<Page, SyncError> {
///         // The host gives back what the last page left in `cursor`, perhaps after
///         // a restart; `None` begins a full read. Begin with a version, and say so
///         // when it is not yours (any more).
///         let first: u64 = match &cursor {
///             None => 0,
///             Some(text) => text
///                 .strip_prefix("1 ")
///                 .and_then(|first| first.parse().ok())
///                 .ok_or(SyncError::CursorExpired)?,
///         };
///         let (upserts, more) = read_devices(first, limit).map_err(SyncError::Failed)?;
///         Ok(Page {
///             cursor: format!("1 {}", first + upserts.len() as u64),
///             upserts,
///             // Only changes can tell what is gone; after a full read the host
///             // drops what was not in it.
///             removals: Vec::new(),
///             more,
///             total: None,
///         })
///     }
/// }
/// # fn read_devices(_: u64, _: u32) -> Result<(Vec<Device>, bool), Error> { todo!() }
/// # impl Plugin for Acme {
/// #     fn describe() -> Descriptor { todo!() }
/// #     fn validate_config(_: String) -> Result<(), Vec<ConfigProblem>> { todo!() }
/// # }
/// # impl Check for Acme { fn run() -> Report { todo!() } }
/// # impl Lookup for Acme {
/// #     fn find(_: Vec<DeviceId>) -> Result<Outcome, Error> { todo!() }
/// #     fn read(_: String) -> Result<Option<Device>, Error> { todo!() }
/// # }
///
/// portreeve_plugin::export_connector!(Acme);
/// portreeve_plugin::export_inventory!(Acme);
/// # fn main() {}
/// ```
///
/// A connector never waits: where the source says "too many requests" it returns
/// [`Error::RateLimited`] and the host asks again with the same cursor. The key of a
/// device must be the one that a look-up gives it, so that both are one record.
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
