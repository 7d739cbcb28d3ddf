//! The three answers in each face.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::schema::assert_is;
use crate::stand::*;

#[tokio::test]
async fn rest_devices() {
    let stand = Stand::new().await;
    for (mac, status, schema, verdict, absence) in [
        (COMPLIANT, 200, "Decision", "permit", Value::Null),
        (NOT_COMPLIANT, 200, "Decision", "deny", Value::Null),
        (
            UNKNOWN,
            404,
            "UnknownDeviceProblem",
            "deny",
            json!("unknown-device"),
        ),
        (
            UNREACHABLE,
            503,
            "CannotTellProblem",
            "cannot-tell",
            json!("sources-unavailable"),
        ),
        (
            AMBIGUOUS,
            503,
            "CannotTellProblem",
            "cannot-tell",
            json!("ambiguous"),
        ),
        (
            HANGING,
            503,
            "CannotTellProblem",
            "cannot-tell",
            json!("sources-unavailable"),
        ),
    ] {
        let response = stand
            .get(&format!("/v1/devices/{mac}"), SCRIPT)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{mac}");
        let retry = response
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(retry.as_deref(), (status == 503).then_some("7"), "{mac}");
        let body: Value = response.json().await.unwrap();
        assert_is(schema, &body);
        assert_eq!(body["verdict"], verdict, "{mac}");
        assert_eq!(body["absence"], absence, "{mac}");
        assert_eq!(body["device"].is_null(), !absence.is_null(), "{mac}");
    }
}

#[tokio::test]
async fn every_spelling_of_a_path_is_one_device() {
    let stand = Stand::new().await;
    for spelling in [
        "00:50:56:00:00:01",
        "00%3A50%3A56%3a00%3A00%3A01",
        "00-50-56-00-00-01",
        "0050.5600.0001",
        "005056000001",
        "mac:005056000001",
    ] {
        let response = stand
            .get(&format!("/v1/devices/{spelling}"), SCRIPT)
            .send()
            .await
            .unwrap();
        let body: Value = response.json().await.unwrap();
        assert_eq!(
            body["device"]["identifiers"][0]["value"], COMPLIANT,
            "{spelling}"
        );
    }
    let head = stand.request(Method::HEAD, &format!("/v1/devices/{COMPLIANT}"), SCRIPT);
    let head = head.send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert!(head.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn rest_decisions() {
    let stand = Stand::new().await;
    for (mac, status, schema, verdict) in [
        (COMPLIANT, 200, "Decision", "permit"),
        (NOT_COMPLIANT, 200, "Decision", "deny"),
        (UNKNOWN, 200, "Decision", "deny"),
        (UNREACHABLE, 503, "CannotTellProblem", "cannot-tell"),
    ] {
        let question = json!({
            "identifiers": [mac, {"kind": "serial", "value": format!("S-{mac}")}],
            "connection": {"medium": "wired", "nas": "sw1"},
        });
        assert_is("Question", &question);
        let response = stand
            .post("/v1/decisions", SCRIPT, &question.to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{mac}");
        let body: Value = response.json().await.unwrap();
        assert_is(schema, &body);
        assert_eq!(body["verdict"], verdict, "{mac}");
    }
}

#[tokio::test]
async fn the_second_answer_comes_from_memory() {
    let stand = Stand::new().await;
    let mut origins = Vec::new();
    for _ in 0..2 {
        let response = stand
            .get(&format!("/v1/devices/{COMPLIANT}"), SCRIPT)
            .send()
            .await
            .unwrap();
        let body: Value = response.json().await.unwrap();
        origins.push(body["origin"].clone());
    }
    assert_eq!(origins, ["fetched", "cached"]);
}

#[tokio::test]
async fn batches_keep_order_and_survive_bad_questions() {
    let stand = Stand::new().await;
    let mut questions = vec![
        json!({"identifiers": [COMPLIANT]}),
        json!({"identifiers": ["x"]}),
        json!({"identifiers": [UNKNOWN]}),
        json!(17),
        json!({"identifiers": [UNREACHABLE]}),
        json!({"identifiers": [NOT_COMPLIANT], "colour": "red"}),
    ];
    for _ in 0..500 {
        questions.push(json!({"identifiers": [NOT_COMPLIANT]}));
    }
    let batch = json!({"questions": questions}).to_string();
    let response = stand
        .post("/v1/decisions/batch", SCRIPT, &batch)
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    let body: Value = response.json().await.unwrap();
    assert_is("BatchAnswers", &body);
    let answers = body["answers"].as_array().unwrap();
    assert_eq!(answers.len(), questions.len());
    assert_eq!(answers[0]["verdict"], "permit");
    assert_eq!(answers[1]["problem"]["question"], 1);
    let detail = answers[1]["problem"]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("`identifiers[0]`: `x` is neither"),
        "{detail}"
    );
    assert_eq!(answers[2]["absence"], "unknown-device");
    assert_eq!(answers[3]["problem"]["question"], 3);
    assert_eq!(answers[4]["verdict"], "cannot-tell");
    let detail = answers[5]["problem"]["detail"].as_str().unwrap();
    assert!(detail.contains("unknown field `colour`"), "{detail}");
    assert!(
        answers[6..]
            .iter()
            .all(|answer| answer["verdict"] == "deny")
    );
    let counted = stand.metrics().await;
    assert!(
        counted.contains("portreeve_face_batch_questions_total 506\n"),
        "{counted}"
    );

    let lines = stand
        .post("/v1/decisions/batch", SCRIPT, &batch)
        .header("accept", "text/plain, application/x-ndjson;q=0.9");
    let lines = lines.send().await.unwrap();
    assert_eq!(lines.headers()["content-type"], "application/x-ndjson");
    let lines = lines.text().await.unwrap();
    assert!(lines.ends_with('\n'));
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), questions.len());
    for (line, answer) in lines.iter().zip(answers) {
        assert_is("BatchAnswer", line);
        assert_eq!(line["verdict"], answer["verdict"]);
    }

    let empty = stand
        .post("/v1/decisions/batch", SCRIPT, r#"{"questions":[]}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(empty.json::<Value>().await.unwrap(), json!({"answers": []}));
}

#[tokio::test]
async fn radius() {
    let stand = Stand::new().await;
    for path in ["/radius/authorize", "/radius/post-auth"] {
        for (mac, status, decision) in [
            (COMPLIANT, 200, "permit"),
            (NOT_COMPLIANT, 401, "deny"),
            (UNKNOWN, 404, "unknown"),
            (UNREACHABLE, 503, "unavailable"),
            (HANGING, 503, "unavailable"),
        ] {
            let body = json!({
                "User-Password": {"type": "string", "value": ["hunter2"]},
                "Calling-Station-Id": {"type": "string", "value": [mac]},
            });
            let response = stand
                .post(path, RADIUS, &body.to_string())
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), status, "{path} {mac}");
            assert_eq!(
                response.headers().contains_key("retry-after"),
                status == 503
            );
            assert_eq!(response.headers()["content-type"], "application/json");
            let body: Value = response.json().await.unwrap();
            assert_eq!(
                body["control:NAC-Decision"]["value"], decision,
                "{path} {mac}"
            );
            assert_eq!(
                body["control:NAC-Decision"]["do_xlat"], false,
                "{path} {mac}"
            );
            let vlan = &body["reply:Tunnel-Private-Group-Id"]["value"];
            assert_eq!(
                vlan,
                &if mac == COMPLIANT {
                    json!("10")
                } else {
                    Value::Null
                }
            );
        }
    }
}

#[tokio::test]
async fn a_hanging_source_keeps_nobody_waiting_for_others() {
    let stand = Stand::new().await;
    let (hanging, known) = (
        format!("/v1/devices/{HANGING}"),
        format!("/v1/devices/{COMPLIANT}"),
    );
    let hanging = stand.get(&hanging, PATIENT).send();
    let quick = join_all((0..20).map(|_| stand.get(&known, SCRIPT).send()));
    let mut hanging = std::pin::pin!(hanging);
    tokio::select! {
        _ = &mut hanging => panic!("the hanging question was answered first"),
        quick = quick => assert!(quick.into_iter().all(|response| response.unwrap().status() == 200)),
    }
    assert_eq!(hanging.await.unwrap().status(), 503);
}
