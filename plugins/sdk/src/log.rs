//! Structured logging through the host.
//!
//! The host adds the plugin, the instance and the request, limits rate and
//! size and redacts known secrets. Messages are constants; what varies goes
//! into fields:
//!
//! ```no_run
//! portreeve_plugin::warn!("service moved", host = "fef.example.org", attempt = 2);
//! ```

use std::sync::Once;

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

/// Makes panics of this component appear in the log, with their place, before
/// they become traps. To be called first in an entry point; never in
/// `describe`, which must not call the host.
pub fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            let message = panic.payload_as_str().unwrap_or("no text");
            log(
                Level::Error,
                "the plugin panicked",
                &[
                    Field {
                        key: "message".to_owned(),
                        value: message.to_owned(),
                    },
                    Field {
                        key: "place".to_owned(),
                        value: place.unwrap_or_default(),
                    },
                ],
            );
        }));
    });
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
