//! Actions that wait for somebody to confirm them.

use std::collections::HashMap;
use std::sync::Arc;

use portreeve_domain::Timestamp;

use super::model::Job;

/// The most that wait at once.
const MOST: usize = 100;

/// What waits to be confirmed, by token. It names exactly the devices that it
/// will be done to.
#[derive(Debug, Default)]
pub(super) struct Confirmations {
    waiting: HashMap<Arc<str>, Waiting>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) job: Job,
    pub(super) expires_at: Timestamp,
}

impl Confirmations {
    /// Has a job wait, unless too many do.
    pub(super) fn add(&mut self, token: Arc<str>, waiting: Waiting, now: Timestamp) -> bool {
        self.waiting.retain(|_, other| other.expires_at > now);
        if self.waiting.len() >= MOST {
            return false;
        }
        self.waiting.insert(token, waiting);
        true
    }

    /// What this token confirms, if its time is not over.
    pub(super) fn find(&self, token: &str, now: Timestamp) -> Option<&Waiting> {
        let waiting = self.waiting.get(token);
        waiting.filter(|waiting| waiting.expires_at > now)
    }

    /// What waits under a client's own key.
    pub(super) fn under(
        &self,
        client: &str,
        once: &str,
        now: Timestamp,
    ) -> Option<(&Arc<str>, &Waiting)> {
        self.waiting.iter().find(|(_, waiting)| {
            *waiting.job.client == *client
                && waiting.job.once.as_deref() == Some(once)
                && waiting.expires_at > now
        })
    }

    /// Takes it away.
    pub(super) fn take(&mut self, token: &str) -> Option<Waiting> {
        self.waiting.remove(token)
    }

    /// Puts back what was taken, for another try.
    pub(super) fn put_back(&mut self, token: Arc<str>, waiting: Waiting) {
        self.waiting.insert(token, waiting);
    }
}
