//! Which devices ISE asks for, from a path or a query.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use portreeve_domain::Identifier;

use super::criterion::{Criterion, EXPECTED};
use super::filter::Filter;
use super::version::Version;
use crate::problem::Problem;
use crate::text::one_line;

/// One device query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Zero at first, later what `paging_info` said.
    pub(super) paging: u32,
    pub(super) wanted: Wanted,
    pub(super) filter: Filter,
}

/// The devices that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The one that this names.
    One(Identifier),
    /// All of a kind.
    Many(List),
}

/// A list of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) kind: Kind,
    pub(super) named_by: NamedBy,
}

/// What the devices of a list have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    All,
    Compliant,
    NotCompliant,
    /// The devices of this user.
    Of(Identifier),
}

/// Which identifier the devices of a list carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedBy {
    MacAddress,
    Guid,
    /// Addresses, and the GUID of a device that has none.
    Either,
}

/// What `batchdevices` says beside the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchQuery {
    pub(super) criterion: Criterion,
    pub(super) filter: Filter,
}

impl Query {
    /// `…/devices/{paging}/{criterion}/{value}/{filter}` or
    /// `…/devices/{paging}/{filter}`; `rest` is what follows `devices/`.
    pub(super) fn of_path(rest: &str, version: Version) -> Result<Self, Problem> {
        let segments: Vec<&str> = rest.split('/').collect();
        let (paging, named, filter) = match *segments.as_slice() {
            [paging, filter] => (paging, None, filter),
            [paging, criterion, value, filter] => (paging, Some((criterion, value)), filter),
            _ => {
                return Err(Problem::malformed(
                    "expected `{paging}/{filter}` or `{paging}/{criterion}/{value}/{filter}` \
                     after `devices/`",
                ));
            }
        };
        let named = match named {
            Some((criterion, value)) => Some((decode(criterion)?, decode(value)?)),
            None => None,
        };
        let named = named
            .as_ref()
            .map(|(criterion, value)| (&**criterion, &**value));
        Self::new(&decode(paging)?, named, &decode(filter)?, None, version)
    }

    /// `paging=0&querycriteria=…&value=…&filter=…`
    pub(super) fn of_parameters(query: &str, version: Version) -> Result<Self, Problem> {
        let parameters = Parameters::read(query)?;
        let named = match (&parameters.criterion, &parameters.value) {
            (Some(criterion), Some(value)) => Some((&**criterion, &**value)),
            (None, None) => None,
            (Some(_), None) => return Err(Problem::malformed("`querycriteria` without `value`")),
            (None, Some(_)) => return Err(Problem::malformed("`value` without `querycriteria`")),
        };
        Self::new(
            parameters.paging.as_deref().unwrap_or("0"),
            named,
            parameters.filter.as_deref().unwrap_or("all"),
            parameters.device_identifier.as_deref(),
            version,
        )
    }

    fn new(
        paging: &str,
        named: Option<(&str, &str)>,
        filter: &str,
        device_identifier: Option<&str>,
        version: Version,
    ) -> Result<Self, Problem> {
        let list = |kind| {
            let named_by = named_by(device_identifier, version)?;
            Ok(Wanted::Many(List { kind, named_by }))
        };
        let wanted = match named {
            None => list(Kind::All)?,
            Some((word, value)) if word.eq_ignore_ascii_case("compliance") => {
                list(compliance(value)?)?
            }
            Some((word, value)) if word.eq_ignore_ascii_case("username") => {
                let user = Identifier::of_kind("user", value);
                list(Kind::Of(user.map_err(|error| {
                    Problem::malformed(format!("`value`: {error}"))
                })?))?
            }
            Some((word, value)) => Wanted::One(criterion(word)?.identifier(value, "`value`")?),
        };
        Ok(Self {
            paging: read_paging(paging)?,
            wanted,
            filter: Filter::read(filter),
        })
    }
}

impl BatchQuery {
    /// `paging=0&querycriteria=…&filter=…`
    pub(super) fn of_parameters(query: &str) -> Result<Self, Problem> {
        let parameters = Parameters::read(query)?;
        let paging = read_paging(parameters.paging.as_deref().unwrap_or("0"))?;
        if paging != 0 {
            return Err(Problem::malformed(
                "`paging`: expected `0`, a batch has one page",
            ));
        }
        let word = parameters.criterion.as_deref().unwrap_or_default();
        Ok(Self {
            criterion: criterion(word)?,
            filter: Filter::read(parameters.filter.as_deref().unwrap_or("all")),
        })
    }
}

fn criterion(word: &str) -> Result<Criterion, Problem> {
    Criterion::of_word(word).ok_or_else(|| {
        let found = one_line(word, 64);
        Problem::malformed(format!(
            "`querycriteria`: expected {EXPECTED}, found `{found}`"
        ))
    })
}

fn compliance(value: &str) -> Result<Kind, Problem> {
    match value.trim() {
        value if value.eq_ignore_ascii_case("true") => Ok(Kind::Compliant),
        value if value.eq_ignore_ascii_case("false") => Ok(Kind::NotCompliant),
        other => Err(Problem::malformed(format!(
            "`value`: expected `true` or `false` for `compliance`, found `{}`",
            one_line(other, 64)
        ))),
    }
}

fn named_by(device_identifier: Option<&str>, version: Version) -> Result<NamedBy, Problem> {
    match device_identifier {
        // A GUID is nothing that the older versions know.
        _ if version < Version::V3 => Ok(NamedBy::MacAddress),
        None => Ok(NamedBy::Either),
        Some(word) if word.eq_ignore_ascii_case("macaddress") => Ok(NamedBy::MacAddress),
        Some(word) if word.eq_ignore_ascii_case("guid") => Ok(NamedBy::Guid),
        Some(other) => Err(Problem::malformed(format!(
            "`deviceidentifier`: expected `guid` or `macaddress`, found `{}`",
            one_line(other, 64)
        ))),
    }
}

fn read_paging(text: &str) -> Result<u32, Problem> {
    text.trim().parse().map_err(|_| {
        Problem::malformed(format!(
            "`paging`: expected `0` or the `paging_info` of an answer, found `{}`",
            one_line(text, 64)
        ))
    })
}

/// The parameters of a query that mean something here. Others are left alone:
/// later versions of ISE may send more.
#[derive(Debug, Default)]
struct Parameters<'a> {
    paging: Option<Cow<'a, str>>,
    criterion: Option<Cow<'a, str>>,
    value: Option<Cow<'a, str>>,
    filter: Option<Cow<'a, str>>,
    device_identifier: Option<Cow<'a, str>>,
}

impl<'a> Parameters<'a> {
    fn read(query: &'a str) -> Result<Self, Problem> {
        let mut parameters = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match name {
                "paging" => &mut parameters.paging,
                "querycriteria" => &mut parameters.criterion,
                "value" => &mut parameters.value,
                "filter" => &mut parameters.filter,
                "deviceidentifier" => &mut parameters.device_identifier,
                _ => continue,
            };
            if place.is_some() {
                return Err(Problem::malformed(format!("`{name}` stands there twice")));
            }
            *place = Some(decode_form(value, name)?);
        }
        Ok(parameters)
    }
}

/// The value of one parameter, `None` when it is not there.
pub(super) fn parameter<'a>(query: &'a str, name: &str) -> Result<Option<Cow<'a, str>>, Problem> {
    let mut pairs = query.split('&');
    let found = pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    found.map(|value| decode_form(value, name)).transpose()
}

/// Decodes `application/x-www-form-urlencoded`, in which a plus is a space.
fn decode_form<'a>(text: &'a str, name: &str) -> Result<Cow<'a, str>, Problem> {
    let not_text = || Problem::malformed(format!("`{name}` is no UTF-8 after percent-decoding"));
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8();
        return decoded
            .map(|decoded| Cow::Owned(decoded.into_owned()))
            .map_err(|_| not_text());
    }
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| not_text())
}

fn decode(segment: &str) -> Result<Cow<'_, str>, Problem> {
    crate::path::decode(segment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GUID: &str = "3eeb9e62-cec9-4dd8-9dd6-74903695a62b";

    /// What a query asks for, in short.
    fn shown(query: &Query) -> String {
        let Query { paging, wanted, .. } = query;
        match wanted {
            Wanted::One(identifier) => format!("{paging} {identifier}"),
            Wanted::Many(List { kind, named_by }) => match kind {
                Kind::Of(user) => format!("{paging} {user} by {named_by:?}"),
                kind => format!("{paging} {kind:?} by {named_by:?}"),
            },
        }
    }

    #[track_caller]
    fn check(read: Result<Query, Problem>, expected: Result<&str, &str>) {
        match (read, expected) {
            (Ok(query), Ok(expected)) => assert_eq!(shown(&query), expected),
            (Err(problem), Err(expected)) => assert_eq!(problem.detail(), expected),
            (read, expected) => panic!("{read:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn paths() {
        for (rest, expected) in [
            ("0/macaddress/000000000001/all", Ok("0 00:00:00:00:00:01")),
            (
                "0/macaddress/18:20:32:97:3f:6e/all",
                Ok("0 18:20:32:97:3f:6e"),
            ),
            (
                "0/macaddress/18%3A20%3A32%3A97%3A3F%3A6E/imei+model",
                Ok("0 18:20:32:97:3f:6e"),
            ),
            ("0/all", Ok("0 All by MacAddress")),
            (
                "77/compliance/false/all",
                Ok("77 NotCompliant by MacAddress"),
            ),
            ("0/compliance/TRUE/all", Ok("0 Compliant by MacAddress")),
            (
                "0/username/Ada%40example.com/all",
                Ok("0 user:ada@example.com by MacAddress"),
            ),
            (
                "0/username/a+b@example.com/all",
                Ok("0 user:a+b@example.com by MacAddress"),
            ),
            (
                "0",
                Err(
                    "expected `{paging}/{filter}` or `{paging}/{criterion}/{value}/{filter}` after `devices/`",
                ),
            ),
            (
                "0/macaddress/000000000001",
                Err(
                    "expected `{paging}/{filter}` or `{paging}/{criterion}/{value}/{filter}` after `devices/`",
                ),
            ),
            (
                "x/all",
                Err("`paging`: expected `0` or the `paging_info` of an answer, found `x`"),
            ),
            (
                "0/compliance/maybe/all",
                Err("`value`: expected `true` or `false` for `compliance`, found `maybe`"),
            ),
            (
                "0/colour/red/all",
                Err(
                    "`querycriteria`: expected `macaddress`, `guid`, `guidhn`, `udid`, `imei`, `meid`, \
                     `serial_number`, `username` or `compliance`, found `colour`",
                ),
            ),
            (
                "0/username/%ff/all",
                Err("the path is no UTF-8 after percent-decoding"),
            ),
        ] {
            check(Query::of_path(rest, Version::V1), expected);
        }
    }

    #[test]
    fn parameters() {
        for (query, version, expected) in [
            (
                "paging=0&querycriteria=macaddress&value=0026B424FEB4&filter=all",
                Version::V2,
                Ok("0 00:26:b4:24:fe:b4"),
            ),
            (
                &format!("paging=0&querycriteria=guid&value={GUID}&filter=all"),
                Version::V3,
                Ok("0 3eeb9e62-cec9-4dd8-9dd6-74903695a62b"),
            ),
            (
                "filter=all&value=laptop+7&querycriteria=guidhn",
                Version::V3,
                Ok("0 hostname:laptop 7"),
            ),
            (
                "paging=0&filter=all",
                Version::V2,
                Ok("0 All by MacAddress"),
            ),
            ("", Version::V3, Ok("0 All by Either")),
            (
                "paging=0&querycriteria=compliance&value=false&deviceidentifier=guid&filter=all",
                Version::V3,
                Ok("0 NotCompliant by Guid"),
            ),
            (
                "paging=5&querycriteria=compliance&value=false&deviceidentifier=macaddress",
                Version::V3,
                Ok("5 NotCompliant by MacAddress"),
            ),
            (
                "querycriteria=compliance&value=false&deviceidentifier=guid",
                Version::V2,
                Ok("0 NotCompliant by MacAddress"),
            ),
            (
                "querycriteria=compliance&value=false&deviceidentifier=serial",
                Version::V3,
                Err("`deviceidentifier`: expected `guid` or `macaddress`, found `serial`"),
            ),
            (
                "querycriteria=username&value=ada%2Bx%40example.com&unknown=1",
                Version::V3,
                Ok("0 user:ada+x@example.com by Either"),
            ),
            (
                "querycriteria=macaddress",
                Version::V2,
                Err("`querycriteria` without `value`"),
            ),
            (
                "value=1",
                Version::V2,
                Err("`value` without `querycriteria`"),
            ),
            (
                "paging=0&paging=1",
                Version::V2,
                Err("`paging` stands there twice"),
            ),
            (
                "paging=99999999999",
                Version::V2,
                Err(
                    "`paging`: expected `0` or the `paging_info` of an answer, found `99999999999`",
                ),
            ),
            (
                "querycriteria=username&value=%ff",
                Version::V2,
                Err("`value` is no UTF-8 after percent-decoding"),
            ),
        ] {
            check(Query::of_parameters(query, version), expected);
        }
    }

    #[test]
    fn batches() {
        let read = |query| BatchQuery::of_parameters(query).map(|batch| batch.criterion);
        assert_eq!(
            read("paging=0&querycriteria=macaddress&filter=all"),
            Ok(Criterion::MacAddress)
        );
        for query in [
            "",
            "querycriteria=compliance",
            "querycriteria=username",
            "querycriteria=macaddress&paging=3",
        ] {
            assert!(read(query).is_err(), "{query}");
        }
    }

    #[test]
    fn single_parameters() {
        assert_eq!(parameter("a=1&b=2", "b").unwrap().as_deref(), Some("2"));
        assert_eq!(parameter("ab=1", "a").unwrap(), None);
        assert_eq!(parameter("", "a").unwrap(), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<String>(), rest in "[0-9]{0,12}(/[a-z%0-9+]{0,20}){0,5}") {
            for text in [text, rest] {
                for version in [Version::V1, Version::V3] {
                    let _ = Query::of_path(&text, version);
                    let _ = Query::of_parameters(&text, version);
                    let _ = BatchQuery::of_parameters(&text);
                }
            }
        }
    }
}
