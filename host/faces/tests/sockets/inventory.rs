//! `/v1/devices`: what is known about devices, in lists, files and pages.

use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::ComplianceState;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::schema::assert_is;
use crate::stand::*;

fn mac(number: u8) -> String {
    format!("00:50:56:00:01:{number:02x}")
}

/// One with so many devices, every third of them not compliant.
async fn stand(folder: &std::path::Path, devices: u8) -> Stand {
    let stand = Stand::kept_in(folder).await;
    for number in 0..devices {
        let state = match number % 3 {
            0 => ComplianceState::NonCompliant,
            _ => ComplianceState::Compliant,
        };
        stand.learnt(&mac(number), state, Duration::ZERO).await;
    }
    stand
}

/// With the inventory read, so that it is complete.
async fn read(stand: &Stand) {
    let path = "/v1/admin/connectors/contoso/sync?full=true";
    let read = stand
        .request(Method::POST, path, ADMIN)
        .send()
        .await
        .unwrap();
    assert_eq!(read.status(), StatusCode::OK);
}

async fn listed(stand: &Stand, query: &str) -> Value {
    let response = stand.get(&format!("/v1/devices?{query}"), AUDITOR);
    let response = response.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{query}");
    let list = response.json().await.unwrap();
    assert_is("DeviceList", &list);
    list
}

fn keys(list: &Value) -> Vec<String> {
    let devices = list["devices"].as_array().unwrap().iter();
    let keys = devices.map(|entry| entry.get("device").map_or(&entry["key"], |it| &it["key"]));
    keys.map(|key| key.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn devices_are_searched_filtered_and_sorted() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(folder.path(), 9).await;
    let all = listed(&stand, "").await;
    assert_eq!(
        (&all["total"], &all["complete"], &all["next"]),
        (&9.into(), &false.into(), &Value::Null)
    );
    assert_eq!(all["sources"][0]["name"], "contoso");
    let detail = all["sources"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("first full read"), "{detail}");

    let some = listed(
        &stand,
        "filter=compliance%20eq%20non-compliant&sort=-key&fields=key,verdict,serial",
    )
    .await;
    assert_eq!(keys(&some), [mac(6), mac(3), mac(0)]);
    assert_eq!(some["devices"][0]["verdict"], "deny");
    assert_eq!(some["devices"][0]["serial"], Value::Null);
    let permitted = listed(&stand, "filter=verdict%20eq%20permit").await;
    assert_eq!(permitted["total"], 6);
    assert_eq!(keys(&listed(&stand, "q=0050.5600.0104").await), [mac(4)]);
    let later = listed(&stand, "updated_since=2999-01-01T00:00:00Z&source=contoso").await;
    assert_eq!(later["total"], 0);

    read(&stand).await;
    let complete = listed(&stand, "incomplete=refuse").await;
    assert_eq!(complete["complete"], true);
    assert!(keys(&complete).contains(&"listed".to_owned()));
}

#[tokio::test]
async fn pages_are_of_one_moment_and_for_who_began() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(folder.path(), 7).await;
    let first = listed(&stand, "limit=3&sort=key").await;
    let mut found = keys(&first);
    let mut next = first["next"].clone();
    // One is gone and one has come, of which this list knows nothing.
    stand.removed(&mac(5)).await;
    stand
        .learnt(&mac(99), ComplianceState::Compliant, Duration::ZERO)
        .await;
    let cursor = next.as_str().unwrap().to_owned();
    while let Some(cursor) = next.as_str() {
        let page = listed(&stand, &format!("cursor={cursor}&limit=3")).await;
        assert_eq!(page["taken_at"], first["taken_at"]);
        found.extend(keys(&page));
        next = page["next"].clone();
    }
    assert_eq!(found, (0..7).map(mac).collect::<Vec<_>>());
    assert_eq!(keys(&listed(&stand, "").await).len(), 7);

    let path = format!("/v1/devices?cursor={cursor}");
    let other = stand.get(&path, NARROW).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::GONE);
    assert_is("Problem", &other.json().await.unwrap());
    // Whoever may see less now than when he began begins again.
    let mut narrower = clients();
    for client in &mut narrower {
        client.facts = Some(Arc::default());
    }
    stand.reload(narrower).unwrap();
    let gone = stand.get(&path, AUDITOR).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::GONE);
    stand.reload(clients()).unwrap();
    let kept = stand.get(&path, AUDITOR).send().await.unwrap();
    assert_eq!(kept.status(), StatusCode::OK);
    // Whoever begins too many gives up his first.
    for _ in 0..4 {
        listed(&stand, "limit=1").await;
    }
    let gone = stand.get(&path, AUDITOR).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::GONE);
}

#[tokio::test]
async fn files_have_everything_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(folder.path(), 9).await;
    let get = async |path: &str, accept: &str| {
        let request = stand.get(path, AUDITOR).header("accept", accept);
        let response = request.send().await.unwrap();
        let kind = response.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        let status = response.status().as_u16();
        (status, kind, response.text().await.unwrap())
    };
    let (status, kind, said) = get("/v1/devices", "text/csv").await;
    assert_eq!((status, &*kind), (503, "application/problem+json"));
    assert!(
        said.contains("first full read") && said.contains("incomplete=allow"),
        "{said}"
    );
    let (status, kind, table) = get(
        "/v1/devices?format=csv&incomplete=allow&sort=key&fields=key,compliance,stale",
        "*/*",
    )
    .await;
    assert_eq!(
        (status, &*kind),
        (200, "text/csv; charset=utf-8; header=present")
    );
    let mut lines = table.split("\r\n");
    assert_eq!(lines.next(), Some("key,compliance,stale"));
    assert_eq!(lines.next(), Some("00:50:56:00:01:00,non-compliant,no"));
    assert_eq!(table.lines().count(), 10);

    read(&stand).await;
    let (status, kind, lines) = get("/v1/devices?format=jsonl", "*/*").await;
    assert_eq!((status, &*kind), (200, "application/jsonl"));
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // Whom the full read did not see is gone.
    assert_eq!(lines.len(), 1);
    for line in &lines {
        assert_is("DeviceRecord", line);
    }
    let (_, _, none) = get("/v1/devices?filter=name%20exists", "text/csv").await;
    assert!(
        none.starts_with("source,name,type,") && none.lines().count() == 1,
        "{none}"
    );
}

#[tokio::test]
async fn a_page_has_everything_about_a_device() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(folder.path(), 1).await;
    let page = |identifier: &str, credential: &str| {
        stand.get(&format!("/v1/devices/{identifier}?detail=all"), credential)
    };
    let known = page(&mac(0), AUDITOR).send().await.unwrap();
    assert_eq!(known.status(), StatusCode::OK);
    let known: Value = known.json().await.unwrap();
    assert_is("DevicePage", &known);
    assert_eq!(known["answer"]["verdict"], "deny");
    assert_eq!(known["records"][0]["outcome"], "found");
    assert_eq!(known["facts"]["compliance"][0]["value"], "non-compliant");
    assert_eq!(known["facts"]["mac"][0]["value"][0], mac(0));
    // A source is asked if memory does not know.
    let asked = page(COMPLIANT, AUDITOR).send().await.unwrap();
    assert_eq!(
        asked.json::<Value>().await.unwrap()["answer"]["verdict"],
        "permit"
    );
    let down = page(UNREACHABLE, AUDITOR).send().await.unwrap();
    let down: Value = down.json().await.unwrap();
    assert_is("DevicePage", &down);
    assert_eq!(down["records"][0]["outcome"], "not-asked");
    for (identifier, credential, status) in [
        (UNKNOWN, AUDITOR, 404),
        ("x", AUDITOR, 400),
        (COMPLIANT, SCRIPT, 403),
        (COMPLIANT, "", 401),
    ] {
        let refused = page(identifier, credential).send().await.unwrap();
        assert_eq!(refused.status().as_u16(), status, "{identifier}");
        assert_is("Problem", &refused.json().await.unwrap());
    }
    let odd = stand.get(&format!("/v1/devices/{COMPLIANT}?detail=some"), AUDITOR);
    assert_eq!(odd.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_clients_view_holds_for_lists_too() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(folder.path(), 2).await;
    let get = async |path: &str| {
        let response = stand.get(path, NARROW).send().await.unwrap();
        (
            response.status().as_u16(),
            response.json::<Value>().await.unwrap(),
        )
    };
    let (_, list) = get("/v1/devices").await;
    assert_eq!(list["devices"][0]["device"]["key"], "");
    assert_eq!(
        list["devices"][0]["device"]["identifiers"],
        serde_json::json!([])
    );
    assert_eq!(get("/v1/devices?q=0050").await.1["total"], 0);
    for (query, word) in [
        ("filter=mac%20exists", "`mac`"),
        ("sort=key", "`key`"),
        ("fields=name", "`name`"),
    ] {
        let (status, problem) = get(&format!("/v1/devices?{query}")).await;
        assert_eq!(status, 403, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(word),
            "{problem}"
        );
    }
    let (status, page) = get(&format!("/v1/devices/{}?detail=all", mac(0))).await;
    assert_eq!(status, 200);
    assert_is("DevicePage", &page);
    assert!(page["facts"].get("key").is_none(), "{page}");
    assert_eq!(page["facts"]["mac"][0]["value"][0], mac(0));
}

#[tokio::test]
async fn only_who_has_the_right_lists_devices() {
    let stand = Stand::new().await;
    for (credential, status) in [(SCRIPT, 403), (ADMIN, 403), ("", 401), (AUDITOR, 200)] {
        let response = stand.get("/v1/devices", credential).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{credential}");
    }
    // And nothing else.
    for path in ["/v1/devices/x", "/v1/admin/connectors", "/metrics"] {
        let response = stand.get(path, AUDITOR).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn mistakes_are_answered_with_their_place() {
    let stand = Stand::new().await;
    for (query, expected) in [
        (
            "filter=compliance%20eq%20bad",
            "`filter`: at character 15: expected one of",
        ),
        ("filter=", "`filter`: at character 1: expected a fact"),
        ("colour=red", "there is no parameter `colour`"),
        (
            "cursor=00-1",
            "`cursor`: expected what `next` of a page said",
        ),
    ] {
        let response = stand.get(&format!("/v1/devices?{query}"), AUDITOR);
        let response = response.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
        let problem: Value = response.json().await.unwrap();
        assert_is("Problem", &problem);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(expected), "{detail}");
    }
}
