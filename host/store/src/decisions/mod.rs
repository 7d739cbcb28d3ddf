//! The log of what was decided.
//!
//! Append-only files of one JSON object a line, under `decisions/` beside it.
//! Not in the database, because what matters for a log is another thing: any
//! log shipper reads the files while the gateway runs, nothing is ever changed,
//! old ones are deleted as a whole, and a line that a crash tore costs one
//! entry. Names sort by time.
//!
//! [`DecisionLog::record`] is made for the path of a hit: it moves an [`Entry`]
//! into a queue that was allocated at the start, and what a remembered verdict
//! rests on is rendered once and shared ([`Judged`]). A thread of its own
//! writes. When the queue is full, permits go first; a denial that finds no
//! room either is counted, and a line in the log says how many are missing and
//! from when to when.

mod decision;
mod entry;
mod fact;
mod files;
mod keep;
mod line;
mod queue;
mod reader;
mod record;
mod recorded;
#[cfg(test)]
mod tests;
mod time;
mod writer;

pub use decision::decision_digest;
pub use entry::{Entry, Grounds, Judged, PolicyDigest, Ruling, SourceKey};
pub use fact::fact_value;
pub use keep::{Keep, UnknownKeep};
pub use line::{Line, parse_line};
pub use queue::{DecisionLog, LogFigures};
pub use reader::{Filter, Follower, Found, Reader};
pub use record::{Gap, LoggedReason, Record};
pub use recorded::{NotRecorded, Recorded};
pub use time::{InvalidTime, format_time, parse_time};
pub use writer::{DecisionWriter, LogError, LogSettings};

/// The name of the log's directory under its directory.
pub const DIRECTORY_NAME: &str = "decisions";
