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
    if true {
        return Err(Problem::new(
            ProblemKind::CannotTell,
            "no source has an inventory",
        ));
    }
    faces.ise.lists().begin(client, list, Listing, now)
}

pub(super) fn render(_: &Faces, page: &Page<Listing>, version: Version, _: Filter) -> String {
    super::devices::document(version, page.next, 0, |_| {})
}
