//! Lists of several pages, each kept as it was at its first page.
//!
//! Pages of one list are of one moment: else a device that changes while ISE
//! reads would be in no page or in two. What ISE gives back in `paging` is the
//! list's number and the page's.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::IseSettings;
use super::query::List;
use crate::clients::Client;
use crate::problem::{Problem, ProblemKind};

/// Pages that can be numbered in one list. With as many lists a `paging_info`
/// fits into the 31 bits that every reader of integers has.
const PAGES: u32 = 1 << 15;
/// Numbers of lists; zero is none, for `paging_info` of zero is the end.
const NUMBERS: u32 = 1 << 16;

/// Every policy node of an ISE deployment reads the same list at about the same
/// time. Those that begin within this are given the same one.
const SHARED: Duration = Duration::from_secs(5);

/// The lists of all clients.
#[derive(Debug)]
pub(super) struct Lists<T> {
    most: usize,
    lifetime: Duration,
    page: usize,
    kept: Mutex<KeptLists<T>>,
}

#[derive(Debug)]
struct KeptLists<T> {
    /// The number given last.
    number: u32,
    lists: Vec<Kept<T>>,
}

#[derive(Debug)]
struct Kept<T> {
    number: u32,
    client: Arc<str>,
    list: List,
    content: Arc<T>,
    began: Instant,
    asked: Instant,
}

/// One page, and what is said about the next.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) content: Arc<T>,
    /// Where in the content it begins.
    pub(super) start: usize,
    /// `paging_info`: zero when this is the last.
    pub(super) next: u32,
}

/// What has an end.
pub(super) trait Content {
    fn rows(&self) -> usize;
}

impl<T: Content> Lists<T> {
    pub(super) fn new(settings: &IseSettings) -> Self {
        // A number of a process before this one most likely is none of ours.
        let start = RandomState::new().hash_one(0_u8) % u64::from(NUMBERS);
        Self {
            most: settings.max_lists,
            lifetime: settings.list_lifetime,
            page: settings.query_max_size,
            kept: Mutex::new(KeptLists {
                number: u32::try_from(start).unwrap_or(0),
                lists: Vec::new(),
            }),
        }
    }

    /// The first page of a list that another has begun just now.
    pub(super) fn joined(&self, client: &Client, list: &List, now: Instant) -> Option<Page<T>> {
        let mut all = self.kept.lock();
        all.forget(now, self.lifetime);
        let kept = all.lists.iter_mut().find(|kept| {
            kept.is_of(client, list) && now.saturating_duration_since(kept.began) < SHARED
        })?;
        kept.asked = now;
        Some(self.page(&kept.content, kept.number, 0))
    }

    /// The first page of a new list, which is kept if there are more.
    pub(super) fn begin(
        &self,
        client: &Client,
        list: List,
        content: T,
        now: Instant,
    ) -> Result<Page<T>, Problem> {
        let content = Arc::new(content);
        if content.rows() <= self.page {
            return Ok(self.page(&content, 0, 0));
        }
        if content.rows().div_ceil(self.page) > PAGES as usize {
            let detail = "the list has more pages than can be numbered; raise `query-max-size`";
            return Err(Problem::new(ProblemKind::Internal, detail));
        }
        let mut all = self.kept.lock();
        all.forget(now, self.lifetime);
        if all.lists.len() >= self.most {
            let detail = "too many lists are being read already";
            let problem = Problem::new(ProblemKind::Busy, detail);
            return Err(problem.retry_after(self.lifetime));
        }
        let number = all.next_number();
        all.lists.push(Kept {
            number,
            client: Arc::clone(&client.name),
            list,
            content: Arc::clone(&content),
            began: now,
            asked: now,
        });
        Ok(self.page(&content, number, 0))
    }

    /// A later page. `paging` is what an earlier one said, to the same client
    /// about the same list.
    pub(super) fn resume(
        &self,
        client: &Client,
        list: &List,
        paging: u32,
        now: Instant,
    ) -> Result<Page<T>, Problem> {
        let (number, page) = (paging / PAGES, paging % PAGES);
        let mut all = self.kept.lock();
        all.forget(now, self.lifetime);
        let kept = all
            .lists
            .iter_mut()
            .find(|kept| kept.number == number && kept.is_of(client, list))
            .filter(|kept| (page as usize).saturating_mul(self.page) < kept.content.rows());
        let Some(kept) = kept else {
            let detail = format!(
                "`paging`: there is no list with this `paging_info` any more; lists are kept \
                 for {} s, begin again with `paging=0`",
                self.lifetime.as_secs()
            );
            return Err(Problem::new(ProblemKind::Gone, detail));
        };
        kept.asked = now;
        Ok(self.page(&kept.content, number, page))
    }

    fn page(&self, content: &Arc<T>, number: u32, page: u32) -> Page<T> {
        let start = (page as usize).saturating_mul(self.page);
        let is_last = start.saturating_add(self.page) >= content.rows();
        Page {
            content: Arc::clone(content),
            start,
            next: if is_last {
                0
            } else {
                number * PAGES + page + 1
            },
        }
    }
}

impl<T> KeptLists<T> {
    fn forget(&mut self, now: Instant, lifetime: Duration) {
        self.lists
            .retain(|kept| now.saturating_duration_since(kept.asked) < lifetime);
    }

    fn next_number(&mut self) -> u32 {
        loop {
            self.number = (self.number + 1) % NUMBERS;
            let taken = self.lists.iter().any(|kept| kept.number == self.number);
            if self.number > 0 && !taken {
                return self.number;
            }
        }
    }
}

impl<T> Kept<T> {
    fn is_of(&self, client: &Client, list: &List) -> bool {
        self.client == client.name && self.list == *list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::test_client;
    use crate::ise::query::{Kind, NamedBy};

    #[derive(Debug)]
    struct Rows(usize);

    impl Content for Rows {
        fn rows(&self) -> usize {
            self.0
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn lists(most: usize) -> Lists<Rows> {
        Lists::new(&IseSettings {
            query_max_size: 100,
            max_lists: most,
            list_lifetime: 60 * SECOND,
            ..IseSettings::default()
        })
    }

    fn list(kind: Kind) -> List {
        List {
            kind,
            named_by: NamedBy::MacAddress,
        }
    }

    /// Where the pages begin that follow from the first.
    fn follow(
        lists: &Lists<Rows>,
        first: &Page<Rows>,
        client: &Client,
        now: Instant,
    ) -> Vec<usize> {
        let mut starts = vec![first.start];
        let mut next = first.next;
        while next != 0 {
            assert!(i32::try_from(next).is_ok());
            let page = lists.resume(client, &list(Kind::All), next, now).unwrap();
            starts.push(page.start);
            next = page.next;
        }
        starts
    }

    #[test]
    fn pages_follow_each_other() {
        let (lists, client, now) = (lists(10), test_client("ise"), Instant::now());
        for (rows, expected) in [
            (0, vec![0]),
            (100, vec![0]),
            (101, vec![0, 100]),
            (300, vec![0, 100, 200]),
            (301, vec![0, 100, 200, 300]),
        ] {
            let first = lists
                .begin(&client, list(Kind::All), Rows(rows), now)
                .unwrap();
            assert_eq!(follow(&lists, &first, &client, now), expected, "{rows}");
        }
        // What fits into one page is not kept.
        assert_eq!(lists.kept.lock().lists.len(), 3);
    }

    #[test]
    fn the_last_of_all_pages_has_a_number() {
        let (lists, client, now) = (lists(10), test_client("ise"), Instant::now());
        lists.kept.lock().number = NUMBERS - 2;
        let rows = PAGES as usize * 100;
        let first = lists
            .begin(&client, list(Kind::All), Rows(rows), now)
            .unwrap();
        assert_eq!(follow(&lists, &first, &client, now).len(), PAGES as usize);
        let problem = lists.begin(&client, list(Kind::All), Rows(rows + 1), now);
        assert_eq!(problem.unwrap_err().kind(), ProblemKind::Internal);
    }

    #[test]
    fn a_list_is_for_who_began_it() {
        let (lists, client, now) = (lists(10), test_client("ise"), Instant::now());
        let next = lists
            .begin(&client, list(Kind::All), Rows(500), now)
            .unwrap()
            .next;
        for (client, kind, paging, later, expected) in [
            ("ise", Kind::All, next, 59, None),
            ("ise", Kind::All, next, 118, None),
            ("other", Kind::All, next, 118, Some(ProblemKind::Gone)),
            (
                "ise",
                Kind::NotCompliant,
                next,
                118,
                Some(ProblemKind::Gone),
            ),
            ("ise", Kind::All, next + 4, 118, Some(ProblemKind::Gone)),
            ("ise", Kind::All, 1, 118, Some(ProblemKind::Gone)),
            ("ise", Kind::All, u32::MAX, 118, Some(ProblemKind::Gone)),
            ("ise", Kind::All, next, 178, Some(ProblemKind::Gone)),
        ] {
            let now = now + later * SECOND;
            let page = lists.resume(&test_client(client), &list(kind), paging, now);
            assert_eq!(
                page.err().map(|problem| problem.kind()),
                expected,
                "{client} {later}"
            );
        }
    }

    #[test]
    fn there_is_room_for_so_many() {
        let (lists, client, now) = (lists(2), test_client("ise"), Instant::now());
        let begin = |now| lists.begin(&client, list(Kind::All), Rows(500), now);
        begin(now).unwrap();
        begin(now).unwrap();
        assert_eq!(begin(now).unwrap_err().kind(), ProblemKind::Busy);
        // Nobody is thrown out, but who does not come again makes room.
        begin(now + 60 * SECOND).unwrap();
    }

    #[test]
    fn who_begins_at_the_same_time_gets_the_same() {
        let (lists, client, now) = (lists(2), test_client("ise"), Instant::now());
        assert!(lists.joined(&client, &list(Kind::All), now).is_none());
        let first = lists
            .begin(&client, list(Kind::All), Rows(500), now)
            .unwrap();
        let again = lists
            .joined(&client, &list(Kind::All), now + 4 * SECOND)
            .unwrap();
        assert_eq!((again.next, again.start), (first.next, 0));
        let other = test_client("other");
        assert!(lists.joined(&other, &list(Kind::All), now).is_none());
        let kind = Kind::Compliant;
        assert!(lists.joined(&client, &list(kind), now).is_none());
        assert!(
            lists
                .joined(&client, &list(Kind::All), now + 5 * SECOND)
                .is_none()
        );
    }
}
