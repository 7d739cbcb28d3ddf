//! The pipeline of one question: look-up, sources, policy chain, answer.
//!
//! A face hands over a [`Question`](portreeve_domain::Question). The gateway
//! looks the endpoint up in the native cache, asks the sources for what is
//! absent (one flight per endpoint, within the client's patience), lets the
//! policy chain decide and remembers the decision by the facts it rests on.
//!
//! It knows no protocol: faces translate. It knows no WebAssembly either, but
//! for [`plugin`], which makes loaded plugins usable as a [`Source`] or an
//! [`Evaluator`].

mod action;
mod answer;
mod chain;
mod conflict;
mod decide;
mod deciding;
mod explain;
pub mod feed;
mod fetch;
mod gateway;
pub mod inventory;
pub mod job;
mod journal;
mod kept;
pub mod lists;
mod memory;
mod metrics;
mod monitor;
pub mod plugin;
mod prepared;
pub mod quarantine;
pub mod query;
mod recall;
mod record;
mod requery;
mod rules;
mod scep;
mod select;
pub mod selection;
mod session;
mod settings;
mod source;
mod sources;
pub mod striped;
pub mod survey;
#[cfg(test)]
mod tests;
pub mod trial;

/// A device record with what is prepared beside it.
pub(crate) type Record = portreeve_cache::Record<Prepared>;
/// The device cache with what is prepared beside its records.
pub(crate) type DeviceCache = portreeve_cache::DeviceCache<Prepared>;

pub use action::{
    Action, ActionError, ActionFailure, ActionRight, ActionState, ActionTicket, ArgumentsError,
    PossibleAction,
};
pub use chain::{Combine, Evaluation, Evaluator, Mode, OnError, PolicyError};
pub use deciding::{ChainState, Deciding, PolicyState};
pub use explain::{Explanation, FactRead, Improvement, PolicyWord};
pub use feed::FeedSettings;
pub use gateway::{Gateway, PartStatus, StartError, Status};
pub use job::{ActionRules, ConfirmBy};
pub use journal::Logged;
pub use memory::{Memory, Restored, SourcePicture};
pub use prepared::{Answered, Form, Hit, Hole, Moving, Prepared, Text};
pub use record::{About, Checked, ConnectionRecord, SwitchError, Word};
pub use scep::{NoVouching, ScepAsker, ScepError, ScepSource, Vouching};
pub use select::{InvalidPattern, Pattern, Selector};
pub use session::{Nas, Session, SessionSettings, Sessions};
pub use settings::{
    ChainSettings, ChainsSettings, DEFAULT_CHAIN, GatewaySettings, PolicySettings, SourceSettings,
};
pub use source::{
    CheckFinding, CheckReport, CheckVerdict, Health, InventoryError, InventoryPage, Lookup, Source,
    SourceError, SourceErrorKind,
};
pub use sources::SourcesError;
