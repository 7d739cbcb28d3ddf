//! Answering for certificate requests, and naming certificates to be revoked.
//!
//! Both are optional abilities of a connector: it enables the feature `scep` (and
//! `revocations`), implements [`requests::Guest`] (and [`revocations::Guest`]) and
//! ends with [`export_scep!`](crate::export_scep) (and
//! [`export_revocations!`](crate::export_revocations)).
//!
//! The interface has no case of its own for everything that can be said, so three
//! errors have a meaning of their own here: [`refused`], [`argument`] and
//! [`Error::Unsupported`], which says that the request is for somebody else.

use crate::connector::Error;

pub use crate::bindings::scep::exports::portreeve::scep::requests;

/// Certificates that the management system wants revoked.
#[cfg(feature = "revocations")]
pub use crate::bindings::revocations::exports::portreeve::scep::revocations;

/// The management system refused a notification. For a validation there is
/// [`requests::Verdict::Refused`].
pub fn refused(code: &str, message: &str) -> Error {
    Error::Other(if message.is_empty() {
        format!("refused {code}")
    } else {
        format!("refused {code}: {message}")
    })
}

/// An argument cannot be right, so the management system was not asked.
pub fn argument(problem: &str) -> Error {
    Error::Other(format!("argument {problem}"))
}

/// Adds the optional ability [`requests`].
#[macro_export]
macro_rules! export_scep {
    ($plugin:ident) => {
        #[allow(
            unsafe_code,
            reason = "the entry points of a component have unmangled names"
        )]
        const _: () = {
    $crate::bindings::scep::export!($plugin with_types_in $crate::bindings::scep);
        };
    };
}

/// Adds the optional ability [`revocations`].
#[cfg(feature = "revocations")]
#[macro_export]
macro_rules! export_revocations {
    ($plugin:ident) => {
        #[allow(
            unsafe_code,
            reason = "the entry points of a component have unmangled names"
        )]
        const _: () = {
    $crate::bindings::revocations::export!($plugin with_types_in $crate::bindings::revocations);
        };
    };
}
