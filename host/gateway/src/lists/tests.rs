use portreeve_cache::CacheSettings;
use portreeve_domain::{Lists, Timestamp};
use portreeve_store::{Store, StoreSettings};
use prometheus::Registry;

use super::*;
use crate::tests::{Scripted, settings_of};
use crate::{Gateway, GatewaySettings, Memory, OnError};

fn gateway() -> Arc<Gateway> {
    let names = vec!["source-0".into()];
    gateway_over(Memory::volatile(CacheSettings::default(), names))
}

fn gateway_over(memory: Memory) -> Arc<Gateway> {
    let mut lists = Lists::default();
    lists.insert("vip", ["ada", "bob"]);
    lists.insert("other", []);
    let source = Scripted::saying([]);
    let settings = settings_of(
        &[&source],
        crate::tests::RULES,
        Arc::default(),
        OnError::Deny,
    );
    let settings = GatewaySettings {
        lists,
        memory: Arc::new(memory),
        ..settings
    };
    Gateway::new(settings, &Registry::new()).unwrap()
}

fn request<'a>(list: &'a str, member: &'a str) -> EditRequest<'a> {
    EditRequest {
        list,
        member,
        by: "test",
        why: Some("because"),
        until: None,
    }
}

fn members(gateway: &Gateway, list: &str) -> Vec<String> {
    let state = gateway.lists().get(list).unwrap();
    state.members.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn members_come_and_go() {
    let gateway = gateway();
    let lists = gateway.lists();
    let number = gateway.rules.load().lists_number;
    let edit = lists.add(request("vip", "0050.56A4.895A")).await.unwrap();
    assert_eq!(&*edit.member, "00:50:56:a4:89:5a");
    assert!(
        gateway.rules.load().lists_number > number,
        "prepared answers are void"
    );
    lists.remove(request("vip", "ADA")).await.unwrap();
    assert_eq!(members(&gateway, "vip"), ["00:50:56:a4:89:5a", "bob"]);
    let state = lists.get("vip").unwrap();
    assert_eq!(state.edits.len(), 2);
    // Who was added is forgotten, who is configured is not.
    lists
        .remove(request("vip", "00:50:56:a4:89:5a"))
        .await
        .unwrap();
    assert_eq!(lists.get("vip").unwrap().edits.len(), 1);
    lists.add(request("vip", "ada")).await.unwrap();
    assert_eq!(members(&gateway, "vip"), ["ada", "bob"]);
    assert_eq!(lists.all().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused() {
    let gateway = gateway();
    let lists = gateway.lists();
    let long = "x".repeat(257);
    let past = EditRequest {
        until: Some(Timestamp::from_millis(1)),
        ..request("vip", "eve")
    };
    for (request, expected) in [
        (request("vpi", "eve"), ListError::NoList("vpi".into())),
        (request("vip", " "), ListError::InvalidText("member")),
        (request("vip", &long), ListError::InvalidText("member")),
        (request("vip", "a\nb"), ListError::InvalidText("member")),
        (past, ListError::Past),
    ] {
        assert_eq!(lists.add(request).await.unwrap_err(), expected);
    }
    let error = lists.remove(request("vip", "eve")).await.unwrap_err();
    assert_eq!(error.to_string(), "`eve` is not in the list `vip`");
}

#[tokio::test]
async fn a_change_ends_when_its_time_is_over() {
    let gateway = gateway();
    let lists = gateway.lists();
    let until = Timestamp::now().plus(Duration::from_hours(1));
    for member in ["eve", "ada"] {
        let request = EditRequest {
            until: Some(until),
            ..request("vip", member)
        };
        if member == "eve" {
            lists.add(request).await.unwrap();
        } else {
            lists.remove(request).await.unwrap();
        }
    }
    assert_eq!(members(&gateway, "vip"), ["bob", "eve"]);
    lists.expire(Timestamp::now());
    assert_eq!(members(&gateway, "vip"), ["bob", "eve"]);
    lists.expire(until);
    assert_eq!(members(&gateway, "vip"), ["ada", "bob"]);
}

#[tokio::test]
async fn another_configuration_keeps_what_was_changed() {
    let gateway = gateway();
    gateway.lists().add(request("vip", "eve")).await.unwrap();
    gateway.lists().remove(request("vip", "ada")).await.unwrap();
    let mut lists = Lists::default();
    lists.insert("vip", ["ada", "carl"]);
    gateway.replace_lists(lists);
    assert_eq!(members(&gateway, "vip"), ["carl", "eve"]);
    assert!(gateway.lists().get("other").is_err());
}

#[tokio::test]
async fn changes_are_there_after_a_restart() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("store");
    let until = Timestamp::now().plus(Duration::from_hours(1));
    let mut kept = Vec::new();
    for is_first in [true, false] {
        let store = Arc::new(Store::open(&path, &StoreSettings::default()).unwrap());
        let names = vec!["source-0".into()];
        let (memory, writer, _) =
            Memory::durable(CacheSettings::default(), names, Arc::clone(&store)).unwrap();
        let gateway = gateway_over(memory);
        gateway.lists().resume(restore(&store).unwrap());
        if is_first {
            let timed = EditRequest {
                until: Some(until),
                ..request("vip", "eve")
            };
            gateway.lists().add(timed).await.unwrap();
            gateway.lists().add(request("vip", "gone")).await.unwrap();
            gateway
                .lists()
                .remove(request("vip", "gone"))
                .await
                .unwrap();
            gateway.lists().remove(request("vip", "ada")).await.unwrap();
        }
        assert_eq!(members(&gateway, "vip"), ["bob", "eve"]);
        kept.push(gateway.lists().get("vip").unwrap());
        gateway.shutdown().await;
        drop(gateway);
        writer.shutdown().await.unwrap();
        assert!(Arc::into_inner(store).is_some(), "it is still open");
    }
    assert_eq!(kept[0], kept[1], "who, when, why and until are kept");
}
