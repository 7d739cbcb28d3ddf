//! Structured logging through the host.
//!
//! The host adds the plugin, the instance and the request, limits rate and
//! size and redacts known secrets. Messages are constants; what varies goes
//! into fields:
//!
//! ```no_run
//! portreeve_plugin::warn!("service moved", host = "fef.example.org", attempt = 2);
//! ```

use crate::bindings::plugin::portreeve::host::logging;

pub use logging::{Field, Level};

/// Emits one event. The macros [`crate::info!`] and the like are shorter.
pub fn log(level: Level, message: &str, fields: &[Field]) {
    logging::log(level, message, fields);
}

/// Whether an event of this level would be kept. Never outside of a component,
/// so that logic which logs runs in plain tests.
pub fn enabled(level: Level) -> bool {
    cfg!(target_family = "wasm") && logging::enabled(level)
}

/// Emits one event of the given level with named fields.
#[macro_export]
macro_rules! log_event {
    ($level:expr, $message:expr $(, $key:ident = $value:expr)* $(,)?) => {
        if $crate::log::enabled($level) {
            $crate::log::log($level, $message, &[$($crate::log::Field {
                key: ::std::string::String::from(stringify!($key)),
                value: ::std::string::ToString::to_string(&$value),
            }),*]);
        }
    };
}

/// Emits an event of level `debug`.
#[macro_export]
macro_rules! debug {
    ($($event:tt)*) => { $crate::log_event!($crate::log::Level::Debug, $($event)*) };
}

/// Emits an event of level `info`.
#[macro_export]
macro_rules! info {
    ($($event:tt)*) => { $crate::log_event!($crate::log::Level::Info, $($event)*) };
}

/// Emits an event of level `warn`.
#[macro_export]
macro_rules! warn {
    ($($event:tt)*) => { $crate::log_event!($crate::log::Level::Warn, $($event)*) };
}

/// Emits an event of level `error`.
#[macro_export]
macro_rules! error {
    ($($event:tt)*) => { $crate::log_event!($crate::log::Level::Error, $($event)*) };
}
