//! One pass over a source's pages.

use std::pin::pin;

use futures_util::future::{Either, select};
use portreeve_domain::Timestamp;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::headway::Headway;
use super::progress::{Counts, Reporter};
use super::{Change, InventorySettings, InventoryState, Phase, Picture, SyncError};
use crate::{InventoryError, InventoryPage, Source, SourceError, SourceErrorKind};

/// Reads pages and puts them into the picture.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) picture: &'a dyn Picture,
    pub(super) settings: &'a InventorySettings,
    pub(super) reporter: &'a Reporter,
    pub(super) stop: &'a CancellationToken,
    pub(super) clock: fn() -> Timestamp,
}

struct Fetched {
    page: InventoryPage,
    at: Timestamp,
}

impl Reader<'_> {
    /// Reads from `state` on, until the source has no more. Each page is applied
    /// while the next one is fetched, so two are in memory at most.
    ///
    /// INVARIANT: `state` is what was durable last, also after a failure.
    pub(super) async fn read(&self, state: &mut InventoryState) -> Result<(), SyncError> {
        if state.is_to_be_completed() {
            self.complete(state).await?;
            if state.cursor.is_none() {
                return Ok(());
            }
        }
        let before = match state.phase {
            Phase::Full => state.read,
            Phase::Delta => 0,
        };
        let mut headway = Headway::new(before, self.settings.max_devices);
        let mut asked = state.cursor.clone();
        let mut fetched = self.fetch(asked.as_deref()).await?;
        loop {
            headway.check(asked.as_deref(), &fetched.page)?;
            if !fetched.page.more {
                return self.finish(state, fetched).await;
            }
            let after = state.after(&fetched.page);
            asked.clone_from(&after.cursor);
            let counts = Counts::of(&fetched.page);
            let apply = self.picture.apply(change(fetched), after.clone());
            let fetch = pin!(self.fetch(asked.as_deref()));
            let next = match select(apply, fetch).await {
                Either::Left((applied, fetch)) => {
                    applied?;
                    self.advance(state, after, counts);
                    fetch.await
                }
                Either::Right((next, apply)) => {
                    apply.await?;
                    self.advance(state, after, counts);
                    next
                }
            };
            fetched = next?;
        }
    }

    async fn fetch(&self, cursor: Option<&str>) -> Result<Fetched, SyncError> {
        let failed = |kind, message: String| {
            SyncError::Source(SourceError {
                kind,
                message,
                retry_after: None,
            })
        };
        let at = (self.clock)();
        let deadline = Instant::now() + self.settings.page_timeout;
        let limit = self.settings.page_limit;
        let call = self.source.next_page(cursor, limit, deadline.into_std());
        let call = timeout_at(deadline, call);
        let Some(page) = self.stop.run_until_cancelled(call).await else {
            return Err(SyncError::Stopped);
        };
        match page {
            Ok(Ok(page)) => Ok(Fetched { page, at }),
            Ok(Err(InventoryError::CursorExpired)) if cursor.is_none() => Err(failed(
                SourceErrorKind::BadResponse,
                "the source rejects a cursor that it was not given".to_owned(),
            )),
            Ok(Err(InventoryError::CursorExpired)) => Err(SyncError::CursorExpired),
            Ok(Err(InventoryError::Failed(error))) => Err(error.into()),
            Err(_) => Err(failed(
                SourceErrorKind::Timeout,
                format!(
                    "no page within {} ms",
                    self.settings.page_timeout.as_millis()
                ),
            )),
        }
    }

    /// The last page: a full read is complete with it.
    async fn finish(&self, state: &mut InventoryState, fetched: Fetched) -> Result<(), SyncError> {
        let is_full = state.phase == Phase::Full;
        let after = state.after(&fetched.page);
        let counts = Counts::of(&fetched.page);
        let change = change(fetched);
        // When nothing has changed, nothing is written.
        if !change.is_empty() || (!is_full && after != *state) {
            self.picture.apply(change, after.clone()).await?;
        }
        self.advance(state, after, counts);
        if is_full {
            // A step of its own: a crash before it is made good for, and no
            // page has to be read twice, which could then be another one.
            self.complete(state).await?;
        }
        Ok(())
    }

    /// Every page of a full read is there: what it did not see goes.
    async fn complete(&self, state: &mut InventoryState) -> Result<(), SyncError> {
        let completed = state.completed((self.clock)());
        let removed = self.picture.complete(completed.clone()).await?;
        *state = completed;
        let devices = self.picture.devices();
        self.reporter.completed(state, removed, devices);
        Ok(())
    }

    fn advance(&self, state: &mut InventoryState, after: InventoryState, counts: Counts) {
        *state = after;
        let devices = self.picture.devices();
        self.reporter.applied(counts, state, devices);
    }
}

fn change(fetched: Fetched) -> Change {
    Change {
        upserts: fetched.page.upserts,
        removals: fetched.page.removals,
        fetched_at: fetched.at,
    }
}
