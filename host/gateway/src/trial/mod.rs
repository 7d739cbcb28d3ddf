//! Other policies, tried out: over all known endpoints, and over what was
//! decided before. Nothing of it changes an answer.

mod impact;
mod replay;
mod tally;
#[cfg(test)]
mod tests;

pub use self::impact::{Candidate, ChainPair, Headway, Impact};
pub use self::replay::{Replay, Replayed, Unreplayed};
pub use self::tally::{Example, Tally, Transition};
