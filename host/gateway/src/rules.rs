//! What decides: the chain and the operator's lists, replaced as a whole.

use std::sync::Arc;

use portreeve_domain::Lists;

use crate::decide::Chain;

/// The rules in force. A question is answered under those it began with.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) chain: Arc<Chain>,
    pub(crate) lists: Arc<Lists>,
    /// Another number for other lists, never 0.
    pub(crate) lists_number: u64,
}
