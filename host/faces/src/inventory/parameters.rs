//! What is wanted of the inventory, as it stands in the query of a URL.

use std::sync::Arc;

use portreeve_domain::{SourceSet, Timestamp, View};
use portreeve_gateway::query::{Fact, Query, Search};
use portreeve_gateway::selection::Choice;
use portreeve_store::decisions::parse_time;

use crate::problem::{Problem, ProblemKind};

/// Devices on a page, if nothing is said.
const USUAL_LIMIT: usize = 100;
/// Most devices on a page.
const LARGEST_LIMIT: usize = 1000;
/// Facts that a list can be sorted by.
const MOST_ORDERS: usize = 4;
/// Facts that a row can have.
const MOST_FIELDS: usize = 64;

/// What is asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// A new list.
    List(Box<Listing>),
    /// A later page of one.
    Further(Place),
}

/// A list from its beginning.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) choice: Choice,
    /// The facts of each row; `None` for the whole device.
    pub(super) fields: Option<Vec<Fact>>,
    pub(super) format: Format,
    pub(super) limit: usize,
    /// Whether it is of no use unless all devices of its sources are known.
    pub(super) is_whole: bool,
}

/// A place in a list that is kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) list: String,
    pub(super) start: usize,
    pub(super) limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One document for a page.
    Json,
    /// RFC 4180.
    Csv,
    /// One JSON text on each line.
    Lines,
}

impl Format {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Lines => "jsonl",
        }
    }
}

/// The parameters as they were written.
#[derive(Debug, Default)]
struct Written {
    q: Option<String>,
    filter: Option<String>,
    source: Option<String>,
    updated_since: Option<String>,
    sort: Option<String>,
    fields: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
    format: Option<String>,
    incomplete: Option<String>,
}

const KNOWN: &str = "`q`, `filter`, `source`, `updated_since`, `sort`, `fields`, `limit`, \
                     `cursor`, `format` and `incomplete`";

impl Written {
    fn read(query: &str) -> Result<Self, Problem> {
        let mut written = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "q" => &mut written.q,
                "filter" => &mut written.filter,
                "source" => &mut written.source,
                "updated_since" => &mut written.updated_since,
                "sort" => &mut written.sort,
                "fields" => &mut written.fields,
                "limit" => &mut written.limit,
                "cursor" => &mut written.cursor,
                "format" => &mut written.format,
                "incomplete" => &mut written.incomplete,
                _ => {
                    let name = crate::text::one_line(&name, 40);
                    let detail = format!("there is no parameter `{name}`; there are {KNOWN}");
                    return Err(Problem::malformed(detail));
                }
            };
            if place.replace(value.into_owned()).is_some() {
                let detail = format!("`{name}` is there twice; expected it once");
                return Err(Problem::malformed(detail));
            }
        }
        Ok(written)
    }

    /// Whether more is said than where to go on.
    fn is_new(&self) -> bool {
        let Self {
            q,
            filter,
            source,
            updated_since,
            sort,
            fields,
            limit: _,
            cursor: _,
            format,
            incomplete,
        } = self;
        [
            q,
            filter,
            source,
            updated_since,
            sort,
            fields,
            format,
            incomplete,
        ]
        .iter()
        .any(|written| written.is_some())
    }
}

/// Reads the query of a URL. `sources` are the gateway's, `view` is the
/// client's.
pub(super) fn read(
    query: &str,
    accept: Option<&str>,
    sources: &[Arc<str>],
    view: &View,
) -> Result<Asked, Problem> {
    let written = Written::read(query)?;
    let limit = limit(written.limit.as_deref())?;
    if let Some(cursor) = &written.cursor {
        if written.is_new() {
            let detail = "`cursor` goes on with a list as it was begun; expected nothing beside \
                          it but `limit`";
            return Err(Problem::malformed(detail));
        }
        return place(cursor, limit).map(Asked::Further);
    }
    let format = format(written.format.as_deref(), accept)?;
    if format != Format::Json && written.limit.is_some() {
        let detail = "`limit`: a file has all devices; expected no `limit` with this `format`";
        return Err(Problem::malformed(detail));
    }
    let now = Timestamp::now();
    let query = written.filter.as_deref().map(|text| {
        let read = Query::parse(text, now);
        read.map_err(|error| Problem::malformed(format!("`filter`: {error}")))
    });
    let told_since = written.updated_since.as_deref().map(|text| {
        let read = parse_time(text);
        read.map_err(|error| Problem::malformed(format!("`updated_since`: {error}")))
    });
    let choice = Choice {
        search: Search::new(written.q.as_deref().unwrap_or_default()),
        query: query.transpose()?,
        sources: source_set(written.source.as_deref(), sources, view)?,
        told_since: told_since.transpose()?,
        order: listed("sort", written.sort.as_deref(), MOST_ORDERS)?.unwrap_or_default(),
    };
    Ok(Asked::List(Box::new(Listing {
        choice,
        fields: fields(written.fields.as_deref(), view)?,
        format,
        limit,
        is_whole: match written.incomplete.as_deref() {
            None => format != Format::Json,
            Some("allow") => false,
            Some("refuse") => true,
            Some(other) => return Err(unexpected("incomplete", "`allow` or `refuse`", other)),
        },
    })))
}

fn unexpected(name: &str, expected: &str, found: &str) -> Problem {
    let found = crate::text::one_line(found, 60);
    Problem::malformed(format!("`{name}`: expected {expected}, found `{found}`"))
}

fn limit(written: Option<&str>) -> Result<usize, Problem> {
    let Some(written) = written else {
        return Ok(USUAL_LIMIT);
    };
    let limit = written.parse().ok();
    limit
        .filter(|limit| (1..=LARGEST_LIMIT).contains(limit))
        .ok_or_else(|| {
            let expected = format!("a number from 1 to {LARGEST_LIMIT}");
            unexpected("limit", &expected, written)
        })
}

/// `LIST-START`, as a page said it.
fn place(cursor: &str, limit: usize) -> Result<Place, Problem> {
    let parts = cursor.split_once('-').and_then(|(list, start)| {
        let is_list = list.len() == 32 && list.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some((is_list.then_some(list)?, start.parse().ok()?))
    });
    let (list, start) =
        parts.ok_or_else(|| unexpected("cursor", "what `next` of a page said", cursor))?;
    Ok(Place {
        list: list.to_owned(),
        start,
        limit,
    })
}

fn format(written: Option<&str>, accept: Option<&str>) -> Result<Format, Problem> {
    match written {
        Some("json") => Ok(Format::Json),
        Some("csv") => Ok(Format::Csv),
        Some("jsonl") => Ok(Format::Lines),
        Some(other) => Err(unexpected("format", "`json`, `csv` or `jsonl`", other)),
        None => Ok(accepted(accept.unwrap_or_default())),
    }
}

/// The first type that is known. Whoever accepts none of them gets JSON.
fn accepted(accept: &str) -> Format {
    let types = accept.split(',').filter_map(|part| part.split(';').next());
    let known = types.map(str::trim).find_map(|kind| match kind {
        "text/csv" => Some(Format::Csv),
        "application/jsonl" | "application/x-ndjson" | "application/x-jsonlines" => {
            Some(Format::Lines)
        }
        "application/json" | "*/*" => Some(Format::Json),
        _ => None,
    });
    known.unwrap_or(Format::Json)
}

fn source_set(
    written: Option<&str>,
    sources: &[Arc<str>],
    view: &View,
) -> Result<SourceSet, Problem> {
    let Some(written) = written else {
        return Ok(SourceSet::ALL);
    };
    let mut wanted = SourceSet::NONE;
    for name in written.split(',').map(str::trim) {
        // A source that the client must not see does not exist for it.
        let place = sources.iter().position(|source| **source == *name);
        let place = place.filter(|place| view.sources.contains(*place));
        wanted = place.and_then(|place| wanted.with(place)).ok_or_else(|| {
            let seen = sources.iter().enumerate();
            let seen = seen.filter(|(place, _)| view.sources.contains(*place));
            let seen: Vec<String> = seen.map(|(_, name)| format!("`{name}`")).collect();
            let expected = format!("names of sources, of which there are {}", seen.join(", "));
            unexpected("source", &expected, name)
        })?;
    }
    Ok(wanted)
}

fn listed<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &str,
    written: Option<&str>,
    most: usize,
) -> Result<Option<Vec<T>>, Problem> {
    let Some(written) = written else {
        return Ok(None);
    };
    let parts: Vec<&str> = written.split(',').map(str::trim).collect();
    if parts.len() > most {
        let expected = format!("at most {most} facts");
        return Err(unexpected(name, &expected, written));
    }
    let parts = parts.into_iter().map(|part| {
        let read = part.parse();
        read.map_err(|error| Problem::malformed(format!("`{name}`: {error}")))
    });
    parts.collect::<Result<_, _>>().map(Some)
}

fn fields(written: Option<&str>, view: &View) -> Result<Option<Vec<Fact>>, Problem> {
    let fields: Option<Vec<Fact>> = listed("fields", written, MOST_FIELDS)?;
    let hidden = fields.iter().flatten().find(|fact| !fact.is_shown(view));
    match hidden {
        Some(fact) => {
            let detail = format!("`fields`: the client is not shown `{fact}`");
            Err(Problem::new(ProblemKind::NotAllowed, detail))
        }
        None => Ok(fields),
    }
}
