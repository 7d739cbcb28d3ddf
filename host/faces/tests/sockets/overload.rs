//! More questions than may wait.

use portreeve_faces::Limits;
use serde_json::{Value, json};

use crate::schema::assert_is;
use crate::stand::*;

#[tokio::test]
async fn misses_are_refused_while_hits_go_on() {
    let limits = Limits {
        max_waiting: 1,
        ..Limits::default()
    };
    let stand = Stand::with(limits).await;
    let known = format!("/v1/devices/{COMPLIANT}");
    assert_eq!(
        stand.get(&known, SCRIPT).send().await.unwrap().status(),
        200
    );

    let hanging = stand.get(&format!("/v1/devices/{HANGING}"), PATIENT).send();
    let meanwhile = async {
        // Until the other one is there, these are answered.
        let mut number = 0;
        let refused = loop {
            number += 1;
            let path = format!("/v1/devices/02:00:00:00:{number:02x}:03");
            let response = stand.get(&path, SCRIPT).send().await.unwrap();
            match response.status().as_u16() {
                404 => {}
                _ => break response,
            }
        };
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["retry-after"], "1");
        assert_eq!(
            refused.headers()["content-type"],
            "application/problem+json"
        );
        let problem: Value = refused.json().await.unwrap();
        assert_is("Problem", &problem);
        assert_eq!(problem["type"], "urn:portreeve:problem:busy");
        assert!(problem.get("verdict").is_none(), "{problem}");

        let body = json!({ "Calling-Station-Id": "02-00-00-00-ff-03" }).to_string();
        let refused = stand.post("/radius/authorize", RADIUS, &body).send().await;
        let refused = refused.unwrap();
        assert_eq!(
            refused.status(),
            503,
            "`fail`, and no word about the device"
        );
        assert_eq!(refused.headers()["retry-after"], "1");

        for _ in 0..50 {
            let response = stand.get(&known, SCRIPT).send().await.unwrap();
            let answer: Value = response.json().await.unwrap();
            assert_ne!(answer["origin"], "fetched", "{answer}");
            assert_eq!(answer["verdict"], "permit", "{answer}");
        }
        let metrics = stand.metrics().await;
        assert!(
            metrics.contains("portreeve_face_shed_total 2\n"),
            "{metrics}"
        );
    };
    tokio::pin!(hanging);
    tokio::select! {
        _ = &mut hanging => panic!("the hanging question was answered first"),
        () = meanwhile => {}
    }
    assert_eq!(hanging.await.unwrap().status(), 503);
    // Its place is free again.
    let path = "/v1/devices/02:00:00:00:fe:03";
    assert_eq!(stand.get(path, SCRIPT).send().await.unwrap().status(), 404);
}
