//! Plugins: loading them, holding them to their limits, lending them what
//! their world allows.
//!
//! A [`Runtime`] owns one engine. It turns the bytes of a component into a
//! [`Plugin`] (checked, described and compiled), and a plugin with an
//! operator's settings into a [`Connector`] or a [`Policy`]. What goes in and
//! out are types of `portreeve-domain` and a few of this crate's own.
//!
//! A guest is never trusted. Every call has a deadline, every instance a bound
//! on memory, and after a trap, a time-out or a limit the instance is thrown
//! away. A connector reaches the network only through `portreeve-egress`; a
//! policy reaches nothing at all and is refused when it asks for anything.
//!
//! ```
//! use portreeve_runtime::{LoadError, Runtime, RuntimeSettings};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let runtime = Runtime::new(&RuntimeSettings::default())?;
//! let refused = runtime.load(b"no component").await;
//! assert!(matches!(refused, Err(LoadError::Malformed(_))));
//! # Ok::<(), portreeve_runtime::RuntimeError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! INVARIANT: types generated from WIT stay in `since_v0_1`, so a later track
//! of the interfaces is one more module beside it.

mod action;
mod breaker;
mod connector;
mod descriptor;
mod engine;
mod error;
mod guarded;
mod inventory;
mod limits;
mod load;
mod plugin_log;
mod policy;
mod precompiled;
mod scep;
mod settings;
mod since_v0_1;
mod state;
mod status;

pub use action::{Action, ActionTicket, TicketState};
pub use breaker::{BreakerSettings, BreakerState};
pub use connector::{Connector, ConnectorSettings, Finding, LookupOutcome, Report, ReportVerdict};
pub use descriptor::{CredentialSlot, Descriptor};
pub use engine::{Runtime, RuntimeSettings};
pub use error::{CallError, InstanceError, LoadError, RuntimeError, SettingsProblem};
pub use inventory::{InventoryError, InventoryPage};
pub use limits::{Limits, LogLimits, PageLimits, Reuse};
pub use load::{Inspection, Plugin, PluginKind};
pub use policy::{Evaluation, Policy, PolicySettings};
pub use scep::ScepError;
pub use state::{MemoryState, StateEntry, StateError, StateKeys, StateQuota, StateStore};
pub use status::InstanceStatus;
