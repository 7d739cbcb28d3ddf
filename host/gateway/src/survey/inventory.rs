//! Inventories as those who know how complete the pictures are.

use std::time::Duration;

use portreeve_domain::Timestamp;

use super::{Lack, Pictures};
use crate::inventory::{Activity, Inventory, InventorySettings, Progress};

/// When it is worth asking again whether an inventory has gone on.
const SOON: Duration = Duration::from_secs(10);

impl Pictures for Inventory {
    fn lack(&self, source: &str, now: Timestamp) -> Option<Lack> {
        match self.standing(source) {
            Ok((progress, settings)) => lack(&progress, &settings, now),
            Err(error) => Some(Lack {
                detail: error.to_string(),
                retry_after: Duration::from_mins(10),
            }),
        }
    }

    fn switch(&self, source: &str, enabled: bool) {
        Self::switch(self, source, enabled);
    }
}

/// A picture is complete once a full read was, and a run since the start. It
/// stays so until the next run is overdue by as long as the operator lets pass
/// between two runs; by as long as between two full reads if it is under way
/// and nothing has failed.
fn lack(progress: &Progress, settings: &InventorySettings, now: Timestamp) -> Option<Lack> {
    let failed = progress.last_error.as_ref();
    let explain = |what: &str| match failed {
        Some(failure) => format!("{what}: {}", failure.error),
        None => what.to_owned(),
    };
    let resumes = progress.resumes_at.map(|at| at.since(now));
    let retry_after = resumes.map_or(SOON, |pause| pause.max(SOON));
    if progress.completed_at.is_none() {
        let detail = match progress.total {
            Some(total) if failed.is_none() => format!(
                "its first full read is not complete: {} of about {total} devices",
                progress.read
            ),
            _ => explain("its first full read is not complete"),
        };
        return Some(Lack {
            detail,
            retry_after,
        });
    }
    let (Some(_), Some(due)) = (progress.succeeded_at, progress.due_at) else {
        return Some(Lack {
            detail: explain("it was not read since the start"),
            retry_after,
        });
    };
    let is_going_on = failed.is_none() && progress.activity == Activity::Reading;
    let grace = if is_going_on {
        settings.full_interval.max(settings.interval)
    } else {
        settings.interval
    };
    (now >= due.plus(grace)).then(|| Lack {
        detail: explain("its inventory is overdue"),
        retry_after,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Failure, SyncError};

    const fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    fn complete() -> Progress {
        Progress {
            completed_at: Some(at(50)),
            succeeded_at: Some(at(100)),
            due_at: Some(at(115)),
            ..Progress::default()
        }
    }

    fn failing(progress: &Progress) -> Progress {
        Progress {
            last_error: Some(Failure {
                at: at(115),
                error: SyncError::CursorExpired,
            }),
            ..progress.clone()
        }
    }

    #[track_caller]
    fn check(progress: &Progress, now: u64, expected: Option<&str>) {
        let settings = InventorySettings::default();
        let lack = lack(progress, &settings, at(now));
        assert_eq!(lack.as_ref().map(|lack| &*lack.detail), expected);
    }

    #[test]
    fn a_picture_is_complete_until_the_next_run_is_overdue() {
        check(&complete(), 100, None);
        check(&complete(), 129, None);
        check(&complete(), 130, Some("its inventory is overdue"));
        check(&failing(&complete()), 129, None);
        check(
            &failing(&complete()),
            130,
            Some(
                "its inventory is overdue: the source forgets its cursors before everything is read",
            ),
        );
        let reading = Progress {
            activity: Activity::Reading,
            ..complete()
        };
        check(&reading, 130, None);
        check(&reading, 115 + 24 * 60, Some("its inventory is overdue"));
    }

    #[test]
    fn a_picture_that_was_never_read_is_not_complete() {
        let first = Progress {
            read: 1_000,
            total: Some(5_000),
            ..Progress::default()
        };
        check(
            &first,
            100,
            Some("its first full read is not complete: 1000 of about 5000 devices"),
        );
        let restarted = Progress {
            succeeded_at: None,
            due_at: None,
            ..complete()
        };
        check(&restarted, 100, Some("it was not read since the start"));
    }
}
