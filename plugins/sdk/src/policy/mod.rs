//! What a policy implements, and the facts that it reads.

pub mod arena;

use crate::bindings::policy as generated;

pub use generated::exports::portreeve::policy::evaluator::Guest as Evaluator;
/// The subject of a decision and what is known about its connection.
pub use generated::portreeve::facts::facts;
pub use generated::portreeve::facts::facts::Subject;
pub use generated::portreeve::policy::types::{
    Decision, Failure, NamedObligation, Obligation, ObligationKind, RadiusAttribute, Reason,
    Remediation, Verdict,
};

/// Makes a type the policy that this component is. The type implements
/// [`Plugin`](crate::Plugin) and [`Evaluator`]. Sets the allocator as well, see
/// [`arena`].
#[macro_export]
macro_rules! export_policy {
    ($plugin:ident) => {
        #[allow(
            unsafe_code,
            reason = "the entry points of a component have unmangled names"
        )]
        const _: () = {
    $crate::bindings::plugin::export!($plugin with_types_in $crate::bindings::plugin);
    $crate::bindings::policy::export!($plugin with_types_in $crate::bindings::policy);
        };

        #[cfg(target_family = "wasm")]
        #[global_allocator]
        static ALLOCATOR: $crate::policy::arena::Allocator = $crate::policy::arena::allocator();
    };
}
