//! What the compliance service is asked.

use portreeve_domain::Identifier;
use url::form_urlencoded;

use crate::problem::Problem;
use crate::text::one_line;

/// A question about devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// About one device.
    One(Identifier),
    /// For all that are not compliant, named by one of their identifiers.
    NotCompliant(ListedBy),
}

/// By what a list names its devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListedBy {
    Guid,
    Mac,
}

/// Reads a query. Parameters that choose attributes or versions are ignored:
/// everything is answered with all there is.
pub(crate) fn read(query: &[u8]) -> Result<Asked, Problem> {
    let (mut criterion, mut value, mut listed_by) = (None, None, None);
    for (name, text) in form_urlencoded::parse(query) {
        let place = match &*name.to_ascii_lowercase() {
            "querycriteria" => &mut criterion,
            "value" => &mut value,
            "deviceidentifier" => &mut listed_by,
            "paging" => {
                if text.parse() != Ok(0_u64) {
                    let detail = "`paging`: expected `0`; every answer here is the whole one";
                    return Err(Problem::malformed(detail));
                }
                continue;
            }
            _ => continue,
        };
        if place.replace(text.into_owned()).is_some() {
            let name = one_line(&name, 64);
            return Err(Problem::malformed(format!(
                "`{name}` is there more than once"
            )));
        }
    }
    let criterion = criterion.ok_or_else(|| missing("querycriteria"))?;
    let value = value.ok_or_else(|| missing("value"))?;
    let kind = match &*criterion.to_ascii_lowercase() {
        "macaddress" => "mac",
        "guid" => "guid",
        "serialnumber" => "serial",
        "imei" => "imei",
        "meid" => "meid",
        "udid" => "udid",
        "compliance" => return not_compliant(&value, listed_by.as_deref()),
        other => {
            let other = one_line(other, 64);
            let detail = format!(
                "`querycriteria`: expected `macaddress`, `guid`, `serialnumber`, `imei`, `meid`, `udid` or `compliance`, found `{other}`"
            );
            return Err(Problem::malformed(detail));
        }
    };
    Identifier::of_kind(kind, &value)
        .map(Asked::One)
        .map_err(|error| Problem::malformed(format!("`value`: {error}")))
}

fn not_compliant(value: &str, listed_by: Option<&str>) -> Result<Asked, Problem> {
    if !value.eq_ignore_ascii_case("false") {
        let detail = "`value`: expected `false`; all that are compliant are not listed here";
        return Err(Problem::malformed(detail));
    }
    match listed_by.map(str::to_ascii_lowercase).as_deref() {
        None | Some("macaddress") => Ok(Asked::NotCompliant(ListedBy::Mac)),
        Some("guid") => Ok(Asked::NotCompliant(ListedBy::Guid)),
        Some(other) => {
            let other = one_line(other, 64);
            let detail =
                format!("`deviceidentifier`: expected `guid` or `macaddress`, found `{other}`");
            Err(Problem::malformed(detail))
        }
    }
}

fn missing(name: &str) -> Problem {
    Problem::malformed(format!("`{name}` is missing in the query"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn one(query: &str, expected: &str) {
        let asked = read(query.as_bytes()).unwrap();
        assert_eq!(asked, Asked::One(expected.parse().unwrap()), "{query}");
    }

    #[test]
    fn queries_about_one_device() {
        // As Cisco ISE and Forescout write them.
        one(
            "paging=0&querycriteria=macaddress&value=005056A4895A&filter=all",
            "00:50:56:a4:89:5a",
        );
        one(
            "paging=0&querycriteria=guid&value=ee9d3792-6859-4b71-93aa-56aba42581c5&filter=all",
            "ee9d3792-6859-4b71-93aa-56aba42581c5",
        );
        one(
            "querycriteria=macaddress&value=005056A4895A&api-version=1.1",
            "00:50:56:a4:89:5a",
        );
        one("queryCriteria=serialNumber&value=C02", "serial:C02");
    }

    #[test]
    fn the_list() {
        for (query, expected) in [
            ("", ListedBy::Mac),
            ("&deviceidentifier=guid", ListedBy::Guid),
            ("&deviceidentifier=macaddress", ListedBy::Mac),
        ] {
            let query = format!("paging=0&querycriteria=compliance&value=false&filter=all{query}");
            assert_eq!(
                read(query.as_bytes()).unwrap(),
                Asked::NotCompliant(expected)
            );
        }
    }

    #[test]
    fn refused_queries() {
        for (query, expected) in [
            ("", "`querycriteria` is missing"),
            ("querycriteria=guid", "`value` is missing"),
            ("querycriteria=guid&value=42", "`value`: `42` is no GUID"),
            (
                "querycriteria=username&value=x",
                "`querycriteria`: expected",
            ),
            (
                "querycriteria=compliance&value=true",
                "`value`: expected `false`",
            ),
            (
                "querycriteria=compliance&value=false&deviceidentifier=udid",
                "`deviceidentifier`: expected",
            ),
            (
                "paging=1&querycriteria=macaddress&value=005056A4895A",
                "`paging`: expected `0`",
            ),
            ("value=a&value=b", "`value` is there more than once"),
        ] {
            let problem = read(query.as_bytes()).unwrap_err();
            assert!(
                problem.detail().starts_with(expected),
                "{query}: {problem:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Err(problem) = read(&query) {
                prop_assert!(problem.detail().len() < 600);
            }
        }
    }
}
