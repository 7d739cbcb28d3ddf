use std::sync::Arc;

use portreeve_cache::SourceId;
use portreeve_domain::{
    ComplianceState, Connection, Device, Identifier, MacAddress, OperatingSystem, ShownFact,
    SourceSet, Timestamp, View,
};

use super::*;
use crate::OnError;
use crate::quarantine::{Action, Policy};
use crate::tests::{ByCompliance, RULES, Scripted, down, settings_of};

/// Two sources; the second has a device of the first, too, by its serial number.
fn gateway() -> Arc<Gateway> {
    let silent = Scripted::saying([down()]);
    let policy = Arc::<ByCompliance>::default();
    let settings = settings_of(&[&silent, &silent], RULES, policy, OnError::Deny);
    let gateway = Gateway::new(settings, &prometheus::Registry::new()).unwrap();
    let now = Timestamp::now();
    let ago = |minutes: u64| Timestamp::from_millis(now.as_millis() - minutes * 60_000);
    for (source, number, state, version, minutes) in [
        (0, 1, ComplianceState::Compliant, "10.0.9", 0),
        (0, 2, ComplianceState::NonCompliant, "10.0.19045", 1),
        (0, 3, ComplianceState::Compliant, "", 30),
        (1, 2, ComplianceState::Compliant, "10.0.10", 2),
        (1, 4, ComplianceState::NonCompliant, "17.1", 3),
    ] {
        let device = device(number, state, version);
        gateway
            .memory()
            .learn(SourceId(source), &device, ago(minutes));
    }
    gateway
}

fn device(number: u8, state: ComplianceState, version: &str) -> Device {
    let ids = [
        format!("serial:S{number}"),
        format!("00:50:56:00:00:0{number}"),
    ];
    let mut device = crate::tests::device(state, &[&ids[0], &ids[1]]);
    device.key = number.to_string();
    device.name = Some(format!("laptop {number}"));
    if !version.is_empty() {
        device.os = Some(OperatingSystem {
            family: "windows".to_owned(),
            version: Some(version.to_owned()),
            ..OperatingSystem::default()
        });
    }
    device
}

fn choice(filter: &str, order: &str) -> Choice {
    let query = (!filter.is_empty()).then(|| Query::parse(filter, Timestamp::now()).unwrap());
    let order = order.split(',').filter(|it| !it.is_empty());
    Choice {
        query,
        order: order.map(|it| it.parse().unwrap()).collect(),
        ..Choice::default()
    }
}

fn asker(view: View) -> Arc<Connection> {
    Arc::new(Connection {
        view,
        ..Connection::default()
    })
}

/// Source and key of each, e.g. `0/1`.
async fn names(gateway: &Arc<Gateway>, choice: Choice, view: View) -> Vec<String> {
    let is_sorted = !choice.order.is_empty();
    let selection = gateway.select(choice, &asker(view)).await.unwrap();
    let selection = Arc::new(selection);
    let rows = gateway.rows(&selection, 0..100, false).await.unwrap();
    assert_eq!(rows.len(), selection.len());
    let name = |row: &Row| {
        format!(
            "{}/{}",
            row.source.trim_start_matches("source-"),
            row.device.key
        )
    };
    let mut names: Vec<String> = rows.iter().map(name).collect();
    if !is_sorted {
        names.sort_unstable();
    }
    names
}

#[tokio::test]
async fn each_source_has_a_row_of_its_own() {
    let gateway = gateway();
    for (filter, order, expected) in [
        ("", "", &["0/1", "0/2", "0/3", "1/2", "1/4"][..]),
        ("compliance eq compliant", "", &["0/1", "0/3", "1/2"]),
        ("source eq source-1", "", &["1/2", "1/4"]),
        ("serial eq s2", "", &["0/2", "1/2"]),
        ("stale eq yes", "", &["0/3"]),
        ("os.version lt 10.0.19045", "", &["0/1", "1/2"]),
        // What would be answered about 2 is what its first source says.
        ("verdict eq deny", "", &["0/2", "1/2", "1/4"]),
        ("verdict eq permit and name contains 3", "", &["0/3"]),
        ("not (reason exists)", "", &[]),
        (
            "",
            "-os.version,source",
            &["1/4", "0/2", "1/2", "0/1", "0/3"],
        ),
        (
            "",
            "verdict,-os.version",
            &["1/4", "0/2", "1/2", "0/1", "0/3"],
        ),
    ] {
        let found = names(&gateway, choice(filter, order), View::default()).await;
        assert_eq!(found, expected, "{filter} {order}");
    }
    let searched = Choice {
        search: Search::new("LAPTOP 0050.5600.0002"),
        ..Choice::default()
    };
    assert_eq!(
        names(&gateway, searched, View::default()).await,
        ["0/2", "1/2"]
    );
    let since = Timestamp::now().as_millis() - 5 * 60_000;
    let told = Choice {
        told_since: Some(Timestamp::from_millis(since)),
        sources: SourceSet::NONE.with(0).unwrap(),
        ..Choice::default()
    };
    assert_eq!(names(&gateway, told, View::default()).await, ["0/1", "0/2"]);
}

#[tokio::test]
async fn what_an_asker_must_not_see_is_not_there() {
    let gateway = gateway();
    let second = SourceSet::NONE.with(1).unwrap();
    let view = View {
        sources: second,
        facts: Some(Arc::new([ShownFact::Name].into_iter().collect())),
    };
    // Alone, the second source decides.
    let found = names(&gateway, choice("verdict eq permit", ""), view.clone()).await;
    assert_eq!(found, ["1/"]);
    let all = Choice {
        search: Search::new("S2"),
        ..Choice::default()
    };
    assert!(names(&gateway, all, view.clone()).await.is_empty());
    for (filter, order, hidden) in [
        ("os.version exists", "", "os.version"),
        ("", "-serial", "serial"),
        ("not key eq 2", "name", "key"),
    ] {
        let refused = gateway
            .select(choice(filter, order), &asker(view.clone()))
            .await;
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains(&format!("is not shown `{hidden}`")),
            "{refused}"
        );
    }
    let selection = gateway
        .select(Choice::default(), &asker(view))
        .await
        .unwrap();
    let sources: Vec<&str> = selection.shares().iter().map(|it| &*it.source).collect();
    assert_eq!(sources, ["source-1"]);
}

#[tokio::test]
async fn incomplete_sources_are_told_and_only_so_many_are_made_at_once() {
    let gateway = gateway();
    let selection = gateway
        .select(Choice::default(), &Arc::default())
        .await
        .unwrap();
    assert!(!selection.is_complete());
    let shares: Vec<usize> = selection.shares().iter().map(|it| it.records).collect();
    assert_eq!(shares, [3, 2]);
    let lack = selection.shares()[0].lack.as_ref().unwrap();
    assert_eq!(lack.detail, "no inventory is read");

    let turns = Arc::clone(&gateway.selections)
        .acquire_many_owned(2)
        .await
        .unwrap();
    let busy = gateway.select(Choice::default(), &Arc::default()).await;
    assert!(matches!(busy, Err(SelectionError::Busy { .. })));
    drop(turns);
    assert!(
        gateway
            .select(Choice::default(), &Arc::default())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_page_has_what_every_source_says() {
    let gateway = gateway();
    let mac: MacAddress = "00:50:56:00:00:02".parse().unwrap();
    let policy = Policy::of_actions("isolate", vec![Action::Quarantine]).unwrap();
    gateway
        .quarantine()
        .create_policy(policy, "test")
        .await
        .unwrap();
    gateway
        .quarantine()
        .apply(mac, "isolate", "test")
        .await
        .unwrap();
    let told = |asked: &str, view: View| {
        let asked: Identifier = asked.parse().unwrap();
        let page = gateway.device_page(&asked, &asker(view));
        let tellings = page.tellings.iter().map(|telling| match telling {
            Telling::Known(row) => row.device.name.clone().unwrap_or_default(),
            Telling::Unknown { .. } => "unknown".to_owned(),
            Telling::Ambiguous { .. } => "ambiguous".to_owned(),
            Telling::Silent { .. } => "silent".to_owned(),
        });
        (tellings.collect::<Vec<_>>(), page.quarantine.len())
    };
    let both = vec!["laptop 2".to_owned(), "laptop 2".to_owned()];
    assert_eq!(told("serial:S2", View::default()), (both.clone(), 1));
    assert_eq!(told("00:50:56:00:00:02", View::default()), (both, 1));
    let first = View {
        sources: SourceSet::NONE.with(0).unwrap(),
        facts: None,
    };
    assert_eq!(told("serial:S2", first), (vec!["laptop 2".to_owned()], 1));
    let one = vec!["silent".to_owned(), "laptop 4".to_owned()];
    assert_eq!(told("serial:S4", View::default()), (one, 0));
    let names = ["00:50:56:00:00:09".parse().unwrap()];
    gateway
        .memory()
        .learn_unknown(SourceId(0), &names, Timestamp::now());
    let none = vec!["unknown".to_owned(), "silent".to_owned()];
    assert_eq!(told("00:50:56:00:00:09", View::default()), (none, 0));
}
