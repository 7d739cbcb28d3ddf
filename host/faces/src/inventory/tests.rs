use std::sync::Arc;

use portreeve_domain::{ShownFact, SourceSet, View};

use super::parameters::{Asked, Format, Listing, read};

fn sources() -> Vec<Arc<str>> {
    vec!["contoso".into(), "fabrikam".into()]
}

fn listing(query: &str, accept: Option<&str>) -> Listing {
    match read(query, accept, &sources(), &View::default()) {
        Ok(Asked::List(listing)) => *listing,
        other => panic!("{query}: {other:?}"),
    }
}

#[test]
fn what_is_wanted_is_read() {
    let all = listing(
        "q=ada&filter=name%20exists&source=fabrikam&updated_since=2026-11-28T00:00:00Z\
         &sort=-last-seen,name&fields=name,attribute:intune.a&limit=7",
        None,
    );
    assert_eq!(all.choice.query.as_ref().unwrap().as_str(), "name exists");
    assert_eq!(all.choice.sources, SourceSet::NONE.with(1).unwrap());
    assert_eq!(all.choice.order.len(), 2);
    assert!(all.choice.order[0].descending && all.choice.told_since.is_some());
    assert_eq!(all.fields.unwrap().len(), 2);
    assert_eq!(
        (all.limit, all.format, all.is_whole),
        (7, Format::Json, false)
    );
    let none = listing("", None);
    assert_eq!((none.limit, none.choice.sources), (100, SourceSet::ALL));
}

#[test]
fn forms() {
    for (query, accept, format, is_whole) in [
        ("format=csv", None, Format::Csv, true),
        ("format=csv&incomplete=allow", None, Format::Csv, false),
        (
            "format=json&incomplete=refuse",
            Some("text/csv"),
            Format::Json,
            true,
        ),
        ("", Some("text/csv; q=0.9, */*"), Format::Csv, true),
        ("", Some("application/x-ndjson"), Format::Lines, true),
        ("", Some("text/html, image/png"), Format::Json, false),
        ("format=jsonl", Some("*/*"), Format::Lines, true),
    ] {
        let listing = listing(query, accept);
        assert_eq!(
            (listing.format, listing.is_whole),
            (format, is_whole),
            "{query} {accept:?}"
        );
    }
}

#[test]
fn mistakes_are_named() {
    for (query, expected) in [
        (
            "qq=1",
            "there is no parameter `qq`; there are `q`, `filter`",
        ),
        ("q=1&q=2", "`q` is there twice"),
        (
            "filter=name%20is%20x",
            "`filter`: at character 6: expected `eq`",
        ),
        ("sort=nome", "`sort`: `nome` is no fact; expected"),
        ("sort=a,b,c,d,e", "`sort`: expected at most 4 facts"),
        ("fields=", "`fields`: `` is no fact"),
        (
            "limit=0",
            "`limit`: expected a number from 1 to 1000, found `0`",
        ),
        ("limit=-1", "found `-1`"),
        (
            "source=contoso,x",
            "`source`: expected names of sources, of which there are `contoso`, `fabrikam`, found `x`",
        ),
        (
            "updated_since=yesterday",
            "`updated_since`: `yesterday` is no time",
        ),
        (
            "format=xml",
            "`format`: expected `json`, `csv` or `jsonl`, found `xml`",
        ),
        ("format=csv&limit=5", "`limit`: a file has all devices"),
        ("incomplete=maybe", "expected `allow` or `refuse`"),
        ("cursor=1", "`cursor`: expected what `next` of a page said"),
        (
            "cursor=x&filter=name%20exists",
            "expected nothing beside it but `limit`",
        ),
    ] {
        let problem = read(query, None, &sources(), &View::default()).unwrap_err();
        assert!(
            problem.detail().contains(expected),
            "{query}: {}",
            problem.detail()
        );
    }
}

#[test]
fn a_clients_view_bounds_what_can_be_named() {
    let view = View {
        sources: SourceSet::NONE.with(0).unwrap(),
        facts: Some(Arc::new([ShownFact::Name].into_iter().collect())),
    };
    for (query, expected) in [
        ("source=fabrikam", "there are `contoso`, found `fabrikam`"),
        ("fields=name,serial", "is not shown `serial`"),
    ] {
        let problem = read(query, None, &sources(), &view).unwrap_err();
        assert!(problem.detail().contains(expected), "{}", problem.detail());
    }
}

proptest::proptest! {
    #[test]
    fn reading_never_panics(query: String, accept: Option<String>) {
        let _ = read(&query, accept.as_deref(), &sources(), &View::default());
    }
}
