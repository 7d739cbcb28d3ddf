//! Each question three times: a policy decides it, memory answers it, and then
//! a rendering that was kept. The last two are the same text.

use std::time::Duration;

use portreeve_domain::{ComplianceState, Timestamp};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::stand::*;

const MINUTE: Duration = Duration::from_mins(1);

/// Status, headers that a face decides about, and body.
#[derive(Debug, PartialEq)]
struct Told {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

async fn told(request: RequestBuilder) -> Told {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let mut headers: Vec<_> = response
        .headers()
        .iter()
        .filter(|(name, _)| !["date", "server-timing", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    Told {
        status,
        headers,
        body: response.text().await.unwrap(),
    }
}

/// The text with everything that moves made equal, byte for byte.
pub(crate) fn still(text: &str) -> String {
    let mut text = text.to_owned();
    for (key, is_moving) in [
        ("\"time\":\"", (|it| it != '"') as fn(char) -> bool),
        ("\"fetched_at\":\"", |it| it != '"'),
        ("\"age_seconds\":", |it: char| it.is_ascii_digit()),
        ("\"instance\":\"", |it| it != '"'),
    ] {
        let mut parts = text.split(key);
        let mut still = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            still.push_str(key);
            let moved = part.trim_start_matches(is_moving);
            still.push_str(&"_".repeat(usize::from(moved.len() < part.len())));
            still.push_str(moved);
        }
        text = still;
    }
    text
}

fn moment(value: &Value) -> u64 {
    let text = value.as_str().unwrap();
    let format = &time::format_description::well_known::Rfc3339;
    let moment = time::OffsetDateTime::parse(text, format).unwrap();
    u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap()
}

/// What moves is right.
fn expect_times(body: &Value, asked_after: Timestamp) {
    let now = Timestamp::now().as_millis();
    let at = moment(&body["time"]);
    assert!((asked_after.as_millis()..=now).contains(&at), "{body}");
    for source in body["sources"].as_array().unwrap() {
        if !source["fetched_at"].is_null() {
            let age = (at - moment(&source["fetched_at"])) / 1_000;
            assert_eq!(source["age_seconds"], age, "{body}");
        }
    }
}

/// Decisions that were found, without a rendering, among those remembered.
async fn recalled(stand: &Stand) -> u64 {
    let metrics = stand.metrics().await;
    let name = r#"portreeve_cache_events{cache="verdicts",event="hit"} "#;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn rest_answers_are_the_same_text_again() {
    let known = Duration::from_secs(90);
    for (mac, state, ago, stale) in [
        (COMPLIANT, ComplianceState::Compliant, known, false),
        (NOT_COMPLIANT, ComplianceState::NonCompliant, known, false),
        // What cannot be refreshed stays stale.
        (UNREACHABLE, ComplianceState::Compliant, 10 * MINUTE, true),
        (
            UNREACHABLE,
            ComplianceState::InGracePeriod,
            10 * MINUTE,
            true,
        ),
    ] {
        for path in ["device", "decision", "decision about a connection"] {
            let stand = Stand::new().await;
            stand.learnt(mac, state, ago).await;
            let ask = || {
                let plain = json!({ "identifiers": [mac] });
                let more = json!({
                    "identifiers": [{ "kind": "mac", "value": mac }],
                    "connection": { "nas": "switch-7" },
                });
                match path {
                    "device" => stand.get(&format!("/v1/devices/{mac}"), SCRIPT),
                    "decision" => stand.post("/v1/decisions", SCRIPT, &plain.to_string()),
                    _ => stand.post("/v1/decisions", SCRIPT, &more.to_string()),
                }
            };
            let asked = Timestamp::now();
            let evaluated = told(ask()).await;
            let before = recalled(&stand).await;
            let cached = told(ask()).await;
            let between = recalled(&stand).await;
            let prepared = told(ask()).await;
            let again = told(ask()).await;
            assert_eq!(between - before, 1, "{path}: memory found the decision");
            assert_eq!(
                recalled(&stand).await,
                between,
                "{path}: nothing was looked up"
            );

            for told in [&evaluated, &cached, &prepared, &again] {
                assert_eq!(told.status, 200);
                let body: Value = serde_json::from_str(&told.body).unwrap();
                expect_times(&body, asked);
                assert_eq!(body["stale"], stale, "{body}");
                assert!(
                    body["sources"][0]["age_seconds"].as_u64().unwrap() >= ago.as_secs(),
                    "{body}"
                );
            }
            let evaluated = evaluated.body.replace("\"evaluated\"", "\"cached\"");
            assert_eq!(still(&cached.body), still(&evaluated), "{path} {mac}");
            for later in [prepared, again] {
                assert_eq!(still(&later.body), still(&cached.body), "{path} {mac}");
                let length = later.body.len().to_string();
                for told in [&cached.headers, &later.headers] {
                    assert!(told.contains(&("content-length".to_owned(), length.clone())));
                }
                assert_eq!(later.headers, cached.headers, "{path} {mac}");
            }
        }
    }
}

#[tokio::test]
async fn a_batch_says_what_a_single_question_does() {
    for (kind, accept) in [
        ("application/json", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
    ] {
        let stand = Stand::new().await;
        let macs = [COMPLIANT, NOT_COMPLIANT, UNREACHABLE];
        for mac in macs {
            let ago = if mac == UNREACHABLE {
                10 * MINUTE
            } else {
                MINUTE
            };
            stand.learnt(mac, ComplianceState::Compliant, ago).await;
        }
        let questions = macs.map(|mac| json!({ "identifiers": [mac] }));
        let batch = json!({ "questions": questions }).to_string();
        let ask = || {
            let request = stand.post("/v1/decisions/batch", SCRIPT, &batch);
            told(request.header("accept", accept))
        };
        let evaluated = ask().await;
        let cached = ask().await;
        let between = recalled(&stand).await;
        let prepared = ask().await;
        let single = async |mac| {
            let question = json!({ "identifiers": [mac] }).to_string();
            told(stand.post("/v1/decisions", SCRIPT, &question)).await
        };
        let mut answers = Vec::new();
        for mac in macs {
            answers.push(single(mac).await.body);
        }
        assert_eq!(recalled(&stand).await, between, "all of them were prepared");
        let whole = match kind {
            "application/json" => format!("{{\"answers\":[{}]}}", answers.join(",")),
            _ => answers.join("\n") + "\n",
        };
        assert!(
            prepared
                .headers
                .contains(&("content-type".to_owned(), kind.to_owned()))
        );
        assert_eq!(still(&prepared.body), still(&whole));
        assert_eq!(still(&cached.body), still(&whole));
        let evaluated = evaluated.body.replace("\"evaluated\"", "\"cached\"");
        assert_eq!(still(&evaluated), still(&whole));
    }
}

#[tokio::test]
async fn radius_answers_are_the_same_text_again() {
    for (mac, state, status) in [
        (COMPLIANT, ComplianceState::Compliant, 200),
        (NOT_COMPLIANT, ComplianceState::NonCompliant, 401),
    ] {
        let stand = Stand::new().await;
        stand.learnt(mac, state, MINUTE).await;
        let ask = || {
            let body = json!({ "Calling-Station-Id": mac }).to_string();
            told(stand.post("/radius/authorize", RADIUS, &body))
        };
        let evaluated = ask().await;
        let cached = ask().await;
        let between = recalled(&stand).await;
        let prepared = ask().await;
        assert_eq!(recalled(&stand).await, between);
        assert_eq!(evaluated.status, status);
        assert_eq!(cached, evaluated);
        assert_eq!(prepared, cached);
        // The other face says it in its own words, from the same decision.
        let path = format!("/v1/devices/{mac}");
        let rest = told(stand.get(&path, SCRIPT)).await;
        assert!(rest.body.starts_with("{\"verdict\":"), "{}", rest.body);
        let radius = ask().await;
        assert_eq!(radius, cached);
    }
}

#[tokio::test]
async fn what_is_unknown_is_the_same_text_again() {
    let stand = Stand::new().await;
    let path = format!("/v1/devices/{UNKNOWN}");
    let fetched = told(stand.get(&path, SCRIPT)).await;
    for _ in 0..3 {
        let again = told(stand.get(&path, SCRIPT)).await;
        assert_eq!(again.status, 404);
        let expected = fetched.body.replace("\"fetched\"", "\"cached\"");
        assert_eq!(still(&again.body), still(&expected));
    }
}

/// A change at the source shows in the very next answer.
#[tokio::test]
async fn a_kept_text_is_gone_with_its_facts() {
    let stand = Stand::new().await;
    let path = format!("/v1/devices/{COMPLIANT}");
    for (state, verdict) in [
        (ComplianceState::Compliant, "permit"),
        (ComplianceState::NonCompliant, "deny"),
        (ComplianceState::Compliant, "permit"),
        (ComplianceState::InGracePeriod, "deny"),
        (ComplianceState::NonCompliant, "deny"),
    ] {
        stand.learnt(COMPLIANT, state, Duration::ZERO).await;
        let mut states = Vec::new();
        for _ in 0..4 {
            let told = told(stand.get(&path, SCRIPT)).await;
            let body: Value = serde_json::from_str(&told.body).unwrap();
            assert_eq!(body["verdict"], verdict, "{body}");
            states.push(body["device"]["compliance"]["state"].clone());
        }
        states.dedup();
        assert_eq!(states.len(), 1);
    }
}
