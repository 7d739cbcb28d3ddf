//! Lists of devices, by what would be answered about each.
//!
//! A list is complete or refused: ISE quarantines whom it finds in the list of
//! those that are not compliant, and takes everybody else for well.

use std::time::{Duration, Instant};

use portreeve_domain::{Device, Identifier, Outcome};
use portreeve_gateway::survey::{Endpoint, Survey, SurveyError, Wanted};
use tokio::sync::Semaphore;

use super::cannot_tell;
use super::device::{Entry, Name, guid, macs};
use super::devices::document;
use super::filter::Filter;
use super::lists::{Content, Page};
use super::query::{Kind, List, NamedBy};
use super::version::Version;
use crate::clients::Client;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};

/// How long a list may wait for those before it. One is made at a time: the
/// processors are for those who log on.
const QUEUE: Duration = Duration::from_secs(30);
/// Devices that are looked at before others have their turn.
const TURN: usize = 256;

/// The devices of a list, as they were at one moment.
#[derive(Debug)]
pub(super) struct Listing {
    survey: Survey,
    rows: Vec<Row>,
}

/// A device under one of its names.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// Where it is in the survey.
    place: u32,
    name: Name,
}

impl Content for Listing {
    fn rows(&self) -> usize {
        self.rows.len()
    }
}

/// The page of a list that `paging` asks for.
pub(super) async fn page(
    faces: &Faces,
    client: &Client,
    list: List,
    paging: u32,
) -> Result<Page<Listing>, Problem> {
    let lists = faces.ise.lists();
    if paging != 0 {
        return lists.resume(client, &list, paging, Instant::now());
    }
    let _turn = turn(faces.ise.turns()).await?;
    if let Some(page) = lists.joined(client, &list, Instant::now()) {
        return Ok(page);
    }
    let listing = listing(faces, client, &list).await?;
    lists.begin(client, list, listing, Instant::now())
}

async fn turn(turns: &Semaphore) -> Result<tokio::sync::SemaphorePermit<'_>, Problem> {
    let turn = tokio::time::timeout(QUEUE, turns.acquire()).await;
    if let Ok(Ok(turn)) = turn {
        return Ok(turn);
    }
    let problem = Problem::new(ProblemKind::Busy, "other lists are being made");
    Err(problem.retry_after(QUEUE))
}

async fn listing(faces: &Faces, client: &Client, list: &List) -> Result<Listing, Problem> {
    let view = &client.connection.view;
    let by_hidden = matches!(list.kind, Kind::Of(_)) || list.named_by == NamedBy::Guid;
    if by_hidden && !view.shows_identifiers() {
        let detail = format!(
            "client `{}` is not shown the identifiers of devices, so it cannot list them by these",
            client.name
        );
        return Err(Problem::new(ProblemKind::NotAllowed, detail));
    }
    let wanted = match list.kind {
        Kind::All | Kind::Of(_) => Wanted::All,
        Kind::Compliant => Wanted::Compliant,
        Kind::NotCompliant => Wanted::NotCompliant,
    };
    let survey = faces.gateway.survey(wanted, &client.connection).await;
    let survey = survey.map_err(|error| incomplete(&error))?;
    let mut rows = Vec::new();
    for (place, endpoint) in survey.iter().enumerate() {
        if place % TURN == TURN - 1 {
            tokio::task::yield_now().await;
        }
        let is_wanted = match &list.kind {
            Kind::Of(user) => is_of(&endpoint.device, user),
            _ => true,
        };
        if !is_wanted {
            continue;
        }
        if let Outcome::CannotTell(missing) = &endpoint.outcome {
            return Err(cannot_tell(missing, faces));
        }
        let number = u32::try_from(place).unwrap_or(u32::MAX);
        names(&survey, place, &endpoint, list.named_by, |name| {
            rows.push(Row {
                place: number,
                name,
            });
        });
    }
    Ok(Listing { survey, rows })
}

fn incomplete(error: &SurveyError) -> Problem {
    let detail = format!("the list would not be complete: {error}");
    Problem::new(ProblemKind::CannotTell, detail).retry_after(error.retry_after())
}

/// Whether it is a device of this user.
fn is_of(device: &Device, user: &Identifier) -> bool {
    let principal = || {
        let name = device.user.as_ref()?.principal_name.as_deref()?;
        Identifier::of_kind("user", name).ok()
    };
    device.ids.contains(user) || principal().as_ref() == Some(user)
}

/// The names that the list has a device under. ISE knows endpoints by their
/// addresses, so there is a row for each; an address that two devices share is
/// a name of that one which a question by it is about.
fn names(
    survey: &Survey,
    place: usize,
    endpoint: &Endpoint,
    named_by: NamedBy,
    mut take: impl FnMut(Name),
) {
    let device = &endpoint.device;
    let mut has_address = false;
    if named_by != NamedBy::Guid {
        for mac in macs(device) {
            has_address = true;
            if survey.is_found_by(place, mac) {
                take(Name::MacAddress(mac));
            }
        }
    }
    let by_guid = match named_by {
        NamedBy::MacAddress => false,
        NamedBy::Guid => true,
        NamedBy::Either => !has_address,
    };
    if by_guid && let Some(guid) = guid(device) {
        take(Name::Guid(guid));
    }
}

/// Writes a page.
pub(super) async fn render(
    faces: &Faces,
    page: &Page<Listing>,
    version: Version,
    filter: Filter,
) -> String {
    let Listing { survey, rows } = &*page.content;
    let size = faces.ise.settings().query_max_size;
    let rows = rows.iter().skip(page.start).take(size);
    let mut devices = super::xml::Xml::fragment();
    let mut decoded: Option<(u32, Endpoint)> = None;
    for (number, row) in rows.enumerate() {
        if number % TURN == TURN - 1 {
            tokio::task::yield_now().await;
        }
        // The addresses of one device follow each other.
        let endpoint = match decoded.take() {
            Some((place, endpoint)) if place == row.place => Some(endpoint),
            _ => {
                let place = row.place as usize;
                survey.range(place..place + 1).next()
            }
        };
        let Some(endpoint) = endpoint else { continue };
        if let Outcome::Decided(decision) = &endpoint.outcome {
            let entry = Entry {
                name: Some(row.name),
                device: Some(&endpoint.device),
                decision,
            };
            entry.write(&mut devices, version, filter);
        }
        decoded = Some((row.place, endpoint));
    }
    document(version, page.next, 0, |xml| {
        xml.raw(devices.as_str());
    })
}
