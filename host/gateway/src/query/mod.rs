//! Questions about many devices: which of them are like that?
//!
//! A [`Query`] is a condition on facts, as a person writes it:
//!
//! ```text
//! compliance eq non-compliant and (os.version lt 10.0.19045 or last-seen lt -30d)
//! ```
//!
//! * A comparison is a fact, an operator and a value; `and`, `or`, `not` and
//!   parentheses join them. Values with white space, commas or parentheses are
//!   quoted: `'…'`, a quote within doubled.
//! * Operators: `eq`, `ne`, `lt`, `le`, `gt`, `ge`, `contains`, `starts-with`,
//!   `in (one, other)`, and `exists`, which takes no value.
//! * Texts are compared without regard to case, and numbers in them as numbers,
//!   so that versions are in order. Times are RFC 3339, a date, or how long ago,
//!   e.g. `-30d`.
//! * A fact that the source does not tell compares with nothing, not even by
//!   `ne`: `exists` finds out.
//! * A fact that has several values, e.g. addresses, is like that if one of them
//!   is; by `ne`, if none of them is equal.
//!
//! It is a value and does nothing: whoever lists devices applies it, and so can
//! applies it, and so can whoever wants to act on what it finds.

mod fact;
mod read;
mod search;
#[cfg(test)]
mod tests;
mod value;

use portreeve_domain::{Device, Outcome, Timestamp, View};

pub use self::fact::{Fact, UnknownFact};
pub use self::read::QueryError;
pub use self::search::Search;
pub use self::value::FactValue;

use self::value::Literal;

/// What a query looks at: what one source says about one device.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The device, as far as the asker may see it.
    pub device: &'a Device,
    /// The source, by its configured name.
    pub source: &'a str,
    /// When the source said so last.
    pub fetched_at: Timestamp,
    /// Whether that is longer ago than the operator likes.
    pub is_stale: bool,
    /// What would be answered about it.
    pub prospect: Prospect<'a>,
}

/// What would be answered about a device.
#[derive(Clone, Copy, Debug)]
pub enum Prospect<'a> {
    /// Nobody has looked yet.
    Open,
    /// No question leads to the device.
    Unasked,
    /// This.
    Outcome(&'a Outcome),
}

/// A condition on the facts about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    text: Box<str>,
    condition: Condition,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Exists(Fact),
    Compare(Comparison),
}

/// `values` has one value, and more only for [`Operator::Equal`]: any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison {
    fact: Fact,
    operator: Operator,
    values: Vec<Literal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    StartsWith,
}

impl Query {
    /// Reads a condition. How long ago something was is counted from `now`.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, QueryError> {
        Ok(Self {
            text: text.trim().into(),
            condition: read::condition(text, now)?,
        })
    }

    /// The condition as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a device is like that; `None` if that depends on what would be
    /// answered about it, and nobody has looked yet.
    pub fn decide(&self, candidate: &Candidate<'_>) -> Option<bool> {
        self.condition.decide(candidate)
    }

    /// The facts that it rests on.
    pub fn facts(&self) -> Vec<&Fact> {
        let mut facts = Vec::new();
        self.condition.collect(&mut facts);
        facts
    }

    /// A fact that it rests on and an asker is not shown: to select by it would
    /// tell him.
    pub fn hidden_from(&self, view: &View) -> Option<&Fact> {
        self.facts().into_iter().find(|fact| !fact.is_shown(view))
    }
}

impl Condition {
    fn decide(&self, candidate: &Candidate<'_>) -> Option<bool> {
        match self {
            Self::All(parts) => join(parts, candidate, false),
            Self::Any(parts) => join(parts, candidate, true),
            Self::Not(part) => part.decide(candidate).map(|is| !is),
            Self::Exists(fact) => Some(!matches!(fact.of(candidate)?, FactValue::Absent)),
            Self::Compare(comparison) => {
                let value = comparison.fact.of(candidate)?;
                Some(comparison.holds(&value))
            }
        }
    }

    fn collect<'a>(&'a self, facts: &mut Vec<&'a Fact>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.collect(facts);
                }
            }
            Self::Not(part) => part.collect(facts),
            Self::Exists(fact) | Self::Compare(Comparison { fact, .. }) => facts.push(fact),
        }
    }
}

/// One part that is `settling` settles the whole, whatever is open in others.
fn join(parts: &[Condition], candidate: &Candidate<'_>, settling: bool) -> Option<bool> {
    let mut is_open = false;
    for part in parts {
        match part.decide(candidate) {
            Some(is) if is == settling => return Some(settling),
            Some(_) => {}
            None => is_open = true,
        }
    }
    (!is_open).then_some(!settling)
}

impl Comparison {
    fn holds(&self, value: &FactValue<'_>) -> bool {
        let any = |operator| self.values.iter().any(|it| it.compare(value, operator));
        match (self.operator, value) {
            (_, FactValue::Absent) => false,
            (Operator::NotEqual, _) => !any(Operator::Equal),
            (operator, _) => any(operator),
        }
    }
}
