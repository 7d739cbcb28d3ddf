//! What Portreeve talks about: identifiers, devices, subjects, verdicts.
//!
//! A *question* comes from a network access control product (a *client*) and
//! names an endpoint by identifiers. What the *sources* know about it becomes a
//! *subject*, from which a policy makes a *decision*; all of it goes back as an
//! *answer*.
//!
//! This crate is pure: no I/O, no asynchrony, no WebAssembly, no HTTP. It does
//! not know where facts come from or in which protocol the answer leaves.

mod action;
mod answer;
mod decision;
mod device;
mod fact;
mod guid;
mod identifier;
mod lists;
mod mac;
pub mod scep;
mod subject;
mod timestamp;
mod view;
mod words;

pub use action::{ActionKind, ActionName, NoSuchAction};
pub use answer::{Answer, Asked, CannotTell, Origin, Outcome, Question};
pub use decision::{Decision, Obligation, ObligationKind, Reason, Remediation, Verdict};
pub use device::{
    Attribute, Compliance, ComplianceState, Device, Enrollment, FailingCheck, OperatingSystem,
    Ownership, Posture, Tristate, User, Value,
};
pub use fact::{Fact, FactsRead};
pub use guid::{Guid, GuidError};
pub use identifier::{Identifier, IdentifierError};
pub use lists::Lists;
pub use mac::{MacAddress, MacError};
pub use subject::{
    Absence, Authentication, Connection, Finding, Medium, SourceOutcome, SourceReport, Subject,
};
pub use timestamp::Timestamp;
pub use view::{NoSuchFact, ShownFact, ShownFacts, SourceSet, View};
pub use words::DeviceType;
