//! Whether pages lead anywhere.

use super::SyncError;
use crate::{InventoryPage, SourceError, SourceErrorKind};

/// Pages in a row that bring nothing. A source that filters behind its paging
/// has some, but not without end.
const MOST_EMPTY: u32 = 1000;

/// Watches the pages of one pass, so that a source that repeats itself does
/// not keep it going for ever.
///
/// Cursors that come back are found as in Brent's cycle detection: one cursor
/// is kept to compare with, and replaced after 1, 2, 4, … pages.
#[derive(Debug)]
pub(super) struct Headway {
    entries: u64,
    max_entries: u64,
    empty: u32,
    landmark: Option<String>,
    steps: u64,
    until_next: u64,
}

impl Headway {
    /// `read` devices were read before, in the same full read.
    pub(super) const fn new(read: u64, max_devices: u64) -> Self {
        Self {
            entries: read,
            max_entries: max_devices,
            empty: 0,
            landmark: None,
            steps: 0,
            until_next: 1,
        }
    }

    /// Looks at the page that came after `asked`.
    pub(super) fn check(
        &mut self,
        asked: Option<&str>,
        page: &InventoryPage,
    ) -> Result<(), SyncError> {
        let stalled = |what: String| Err(SyncError::Stalled(what));
        let entries = page.upserts.len() + page.removals.len();
        self.entries = self.entries.saturating_add(entries as u64);
        if self.entries > self.max_entries {
            let most = self.max_entries;
            return stalled(format!("more than {most} devices are listed"));
        }
        if !page.more {
            return Ok(());
        }
        if page.cursor.is_empty() {
            return Err(SyncError::Source(SourceError {
                kind: SourceErrorKind::BadResponse,
                message: "the source says that more is waiting, but not where".to_owned(),
                retry_after: None,
            }));
        }
        if asked == Some(&*page.cursor) {
            return stalled("the cursor does not move".to_owned());
        }
        if self.landmark.as_ref() == Some(&page.cursor) {
            return stalled("a cursor has come back".to_owned());
        }
        self.empty = if entries == 0 { self.empty + 1 } else { 0 };
        if self.empty >= MOST_EMPTY {
            return stalled(format!("{MOST_EMPTY} pages in a row are empty"));
        }
        self.steps += 1;
        if self.steps == self.until_next {
            self.landmark = Some(page.cursor.clone());
            self.until_next = self.until_next.saturating_mul(2);
            self.steps = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use portreeve_domain::Device;
    use proptest::prelude::*;

    use super::*;

    /// Pages until it is stopped, and why.
    fn follow(
        entries: usize,
        max_devices: u64,
        cursor: impl Fn(usize) -> String,
    ) -> Result<(), (usize, String)> {
        let mut headway = Headway::new(0, max_devices);
        let mut asked: Option<String> = None;
        for number in 0..10_000 {
            let page = InventoryPage {
                upserts: vec![Device::default(); entries],
                cursor: cursor(number),
                more: true,
                ..InventoryPage::default()
            };
            headway
                .check(asked.as_deref(), &page)
                .map_err(|error| (number + 1, error.to_string()))?;
            asked = Some(page.cursor);
        }
        Ok(())
    }

    #[track_caller]
    fn stops(followed: Result<(), (usize, String)>, pages: usize, why: &str) {
        let (stopped, error) = followed.unwrap_err();
        assert!(error.contains(why), "{error}");
        assert_eq!(stopped, pages, "{error}");
    }

    #[test]
    fn pages_that_lead_nowhere_are_stopped() {
        let stuck = follow(1, 1000, |_| "c".to_owned());
        stops(stuck, 2, "the cursor does not move");
        let back = follow(1, 1000, |number| (number % 2).to_string());
        stops(back, 3, "a cursor has come back");
        let many = follow(10, 1000, |number| number.to_string());
        stops(many, 101, "more than 1000 devices are listed");
        let empty = follow(0, 1000, |number| number.to_string());
        stops(empty, 1000, "1000 pages in a row are empty");
        let nowhere = follow(1, 1000, |_| String::new());
        stops(nowhere, 1, "more is waiting, but not where");
        assert_eq!(follow(1, 10_000, |number| number.to_string()), Ok(()));
    }

    #[test]
    fn a_quiet_source_keeps_its_cursor() {
        let quiet = InventoryPage {
            cursor: "c".to_owned(),
            ..InventoryPage::default()
        };
        assert_eq!(Headway::new(5, 10).check(Some("c"), &quiet), Ok(()));
        let over = Headway::new(10, 10).check(
            None,
            &InventoryPage {
                removals: vec!["gone".to_owned()],
                ..quiet
            },
        );
        assert!(matches!(over, Err(SyncError::Stalled(_))), "{over:?}");
    }

    proptest! {
        #[test]
        fn every_circle_is_found(tail in 0_usize..200, circle in 1_usize..200) {
            let place = |number: usize| if number < tail {
                number
            } else {
                tail + (number - tail) % circle
            };
            let followed = follow(1, u64::MAX, |number| place(number).to_string());
            let (pages, _) = followed.unwrap_err();
            prop_assert!(pages <= 4 * (tail + circle) + 4, "{pages}");
        }
    }
}
