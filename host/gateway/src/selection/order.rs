//! Putting records in order.

use std::cmp::Ordering;
use std::str::FromStr;
use std::sync::Arc;

use portreeve_domain::{Connection, Timestamp};
use tokio::sync::OwnedSemaphorePermit;

use super::{Choice, Row, SLICE, SelectionError};
use crate::query::{Fact, FactValue, UnknownFact};
use crate::{Gateway, Record};

/// Records that are sorted at once: what they are sorted by is in memory.
pub(super) const MOST: usize = 250_000;

/// One fact that records are sorted by, as text `fact` or `-fact`. Records
/// without the fact are last either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub fact: Fact,
    /// The greatest first.
    pub descending: bool,
}

impl FromStr for Order {
    type Err = UnknownFact;

    fn from_str(text: &str) -> Result<Self, UnknownFact> {
        let (fact, descending) = match text.strip_prefix('-') {
            Some(fact) => (fact, true),
            None => (text, false),
        };
        Ok(Self {
            fact: fact.parse()?,
            descending,
        })
    }
}

/// A record and what it is sorted by.
type Keyed = (Vec<FactValue<'static>>, Record);

impl Gateway {
    /// The records as the choice wants them sorted. Equal ones stay as they are.
    pub(super) async fn in_order(
        self: &Arc<Self>,
        records: Vec<Record>,
        choice: &Arc<Choice>,
        asker: &Arc<Connection>,
        turn: Arc<OwnedSemaphorePermit>,
    ) -> Result<Vec<Record>, SelectionError> {
        if choice.order.is_empty() {
            return Ok(records);
        }
        if records.len() > MOST {
            return Err(SelectionError::TooMany);
        }
        let (choice, asker) = (Arc::clone(choice), Arc::clone(asker));
        let now = Timestamp::now();
        if !choice.order.iter().any(|order| order.fact.is_prospect()) {
            let sort = move |gateway: &Self| {
                let keyed = records.into_iter().map(|record| {
                    let row = gateway.row(&record, &asker, now);
                    (keys(&choice.order, &row), record)
                });
                let sorted = sorted(keyed.collect(), &choice.order);
                drop(turn);
                sorted
            };
            return self.aside(sort).await;
        }
        let mut keyed: Vec<Keyed> = Vec::with_capacity(records.len());
        for (place, record) in records.into_iter().enumerate() {
            if place % SLICE == 0 {
                tokio::task::yield_now().await;
            }
            let row = self.judged_row(&record, &asker, now).await;
            keyed.push((keys(&choice.order, &row), record));
        }
        let sort = move |_: &Self| {
            let sorted = sorted(keyed, &choice.order);
            drop(turn);
            sorted
        };
        self.aside(sort).await
    }
}

fn keys(order: &[Order], row: &Row) -> Vec<FactValue<'static>> {
    let candidate = row.candidate();
    let values = order.iter().map(|order| order.fact.of(&candidate));
    let values = values.map(|value| value.map_or(FactValue::Absent, FactValue::into_owned));
    values.collect()
}

fn sorted(mut keyed: Vec<Keyed>, order: &[Order]) -> Vec<Record> {
    keyed.sort_by(|(one, _), (other, _)| {
        let pairs = one.iter().zip(other).zip(order);
        let mut orders = pairs.map(|((one, other), order)| compare(one, other, order.descending));
        orders
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    keyed.into_iter().map(|(_, record)| record).collect()
}

fn compare(one: &FactValue<'_>, other: &FactValue<'_>, descending: bool) -> Ordering {
    let order = one.compare(other);
    let is_absent = |value: &FactValue<'_>| matches!(value, FactValue::Absent);
    if descending && !is_absent(one) && !is_absent(other) {
        order.reverse()
    } else {
        order
    }
}
