//! The words that packed devices refer to by number.

use std::fmt;

use redb::{ReadableTable as _, ReadableTableMetadata as _, WriteTransaction};

use crate::error::StoreError;
use crate::schema::WORDS;

/// Who gives words their numbers: append-only, without a gap.
///
/// The writer asks for the words that are not stored yet in each transaction. A
/// device that was given to the writer refers only to words that had a number
/// by then, so that no row is ever stored before its words.
pub trait Dictionary: Send + Sync + fmt::Debug {
    /// The words from number `first` on, in order.
    fn words_from(&self, first: u32) -> Vec<String>;
}

/// How many words are stored.
pub(crate) fn count(transaction: &WriteTransaction) -> Result<u32, StoreError> {
    let length = transaction.open_table(WORDS)?.len()?;
    u32::try_from(length).map_err(|_| StoreError::Damaged(format!("{length} words")))
}

/// Stores `words` from number `first` on. Those that are stored must be equal.
pub(crate) fn append(
    transaction: &WriteTransaction,
    first: u32,
    words: &[String],
) -> Result<(), StoreError> {
    let mut table = transaction.open_table(WORDS)?;
    let stored = table.len()?;
    if u64::from(first) > stored {
        let detail = format!("number {first} was given, {stored} comes next");
        return Err(StoreError::Words(detail));
    }
    // Compared as a whole before anything is written: a wrong batch must leave
    // nothing behind in a transaction that it shares with others.
    for (number, word) in (first..).zip(words) {
        let known = table.get(number)?;
        if let Some(known) = known
            && known.value() != word
        {
            let known = known.value();
            let detail = format!("number {number} is `{known}`, not `{word}`");
            return Err(StoreError::Words(detail));
        }
    }
    for (number, word) in (first..).zip(words) {
        if u64::from(number) >= stored {
            table.insert(number, word.as_str())?;
        }
    }
    Ok(())
}
