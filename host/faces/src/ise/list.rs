//! Lists of devices.

use crate::clients::Client;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};

use super::filter::Filter;
use super::lists::{Content, Page};
use super::query::List;
use super::version::Version;

/// The devices of a list, as they were at one moment.
#[derive(Debug)]
pub(super) struct Listing;

impl Content for Listing {
    fn rows(&self) -> usize {
        0
    }
}

/// The page of a list that `paging` asks for.
#[expect(clippy::unused_async, reason = "surveys are being built")]
pub(super) async fn page(
    faces: &Faces,
    client: &Client,
    list: List,
    paging: u32,
) -> Result<Page<Listing>, Problem> {
    let now = std::time::Instant::now();
    if paging != 0 {
        return faces.ise.lists().resume(client, &list, paging, now);
    }
    if let Some(page) = faces.ise.lists().joined(client, &list, now) {
        return Ok(page);
    }
    let detail = "no source has an inventory, so no list would be complete";
    let problem = Problem::new(ProblemKind::CannotTell, detail);
    if faces.inventory.is_none() || faces.inventory.is_some() {
        return Err(problem.retry_after(std::time::Duration::from_mins(1)));
    }
    faces.ise.lists().begin(client, list, Listing, now)
}

pub(super) fn render(_: &Faces, page: &Page<Listing>, version: Version, _: Filter) -> String {
    let _ = (&page.content, page.start);
    super::devices::document(version, page.next, 0, |_| {})
}
