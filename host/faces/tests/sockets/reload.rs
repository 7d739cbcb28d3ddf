//! Other clients and certificates while requests run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use portreeve_faces::{Argon2Hash, ClientAuthentication, Face, PasswordHash, RateLimit};
use reqwest::tls::TlsInfo;
use tokio::task::JoinSet;

use crate::stand::{COMPLIANT, SCRIPT, Stand, client, clients};

fn path() -> String {
    format!("/v1/devices/{COMPLIANT}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_reloads_fail_no_request() {
    let stand = Stand::new().await;
    let url = format!("https://localhost:{}{}", stand.tls.port(), path());
    let done = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicUsize::new(0));
    let mut askers = JoinSet::new();
    for http1 in [true, true, false] {
        let builder = stand.authority.builder(None);
        let builder = if http1 { builder.http1_only() } else { builder };
        let (client, url) = (builder.build().unwrap(), url.clone());
        let (done, served) = (Arc::clone(&done), Arc::clone(&served));
        askers.spawn(async move {
            while !done.load(Ordering::SeqCst) {
                let request = client.get(&url).header("authorization", SCRIPT);
                assert_eq!(request.send().await.unwrap().status(), 200);
                served.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    let mut last = Vec::new();
    for round in 1..=100 {
        let (certificate, key) = stand.authority.issue(&["localhost"]);
        last = certificate.der().to_vec();
        stand.reload_with(clients(), &certificate, &key);
        while served.load(Ordering::SeqCst) < round * 3 && !askers.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    done.store(true, Ordering::SeqCst);
    while let Some(asker) = askers.join_next().await {
        asker.unwrap();
    }
    // Whoever connects now is shown the last certificate.
    let client = stand
        .authority
        .builder(None)
        .tls_info(true)
        .build()
        .unwrap();
    let request = client.get(&url).header("authorization", SCRIPT);
    let answer = request.send().await.unwrap();
    let shown = answer.extensions().get::<TlsInfo>().unwrap();
    assert_eq!(shown.peer_certificate(), Some(&*last));
}

#[tokio::test]
async fn who_is_taken_out_is_refused_on_his_open_connection() {
    let stand = Stand::new().await;
    let url = format!("https://localhost:{}{}", stand.tls.port(), path());
    let known = stand.authority.issue(&["ise.example"]);
    let certified = stand.authority.client(Some(&known));
    let status = async || {
        let by_certificate = certified.get(&url).send().await.unwrap().status();
        let by_key = stand.get(&path(), SCRIPT).send().await.unwrap().status();
        (by_certificate.as_u16(), by_key.as_u16())
    };
    assert_eq!(status().await, (200, 200));
    let without = |name: &str| {
        let others = clients().into_iter().filter(|client| &*client.name != name);
        others.collect::<Vec<_>>()
    };
    stand.reload(without("ise")).unwrap();
    assert_eq!(status().await, (401, 200));
    stand.reload(without("script")).unwrap();
    assert_eq!(status().await, (200, 401));
    stand.reload(clients()).unwrap();
    assert_eq!(status().await, (200, 200));
    // What cannot be used changes nothing.
    let mut twice = clients();
    twice.extend(clients());
    assert!(stand.reload(twice).is_err());
    assert_eq!(status().await, (200, 200));
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let stand = Stand::new().await;
    let key = "0123456789abcdef0123456789abcdef";
    let hash = ClientAuthentication::BearerHash {
        sha256: {
            let PasswordHash::Sha256(sha256) = PasswordHash::of_key(key) else {
                panic!("it is one");
            };
            sha256
        },
        until: None,
    };
    let mut limited = client("limited", hash, &[Face::Rest]);
    limited.patience = Duration::from_secs(5);
    limited.rate_limit = Some(RateLimit {
        requests: 1,
        per: Duration::from_hours(1),
        burst: 3,
    });
    let mut all = clients();
    all.push(limited);
    stand.reload(all).unwrap();
    let bearer = format!("Bearer {key}");
    for expected in [200, 200, 200, 429, 429] {
        let answer = stand.get(&path(), &bearer).send().await.unwrap();
        assert_eq!(answer.status(), expected);
        if expected == 429 {
            let after: u64 = answer.headers()["retry-after"]
                .to_str()
                .unwrap()
                .parse()
                .unwrap();
            assert!((3_000..=3_600).contains(&after), "{after}");
        }
    }
    assert_eq!(
        stand.get(&path(), SCRIPT).send().await.unwrap().status(),
        200
    );
    let line = "portreeve_face_rate_limited_total{client=\"limited\"} 2\n";
    let metrics = stand.metrics().await;
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn a_hashed_password_opens_and_another_does_not() {
    let stand = Stand::new().await;
    let hashed = ClientAuthentication::BasicHash {
        username: "ada".to_owned(),
        hash: PasswordHash::Argon2(Argon2Hash::of("hunter2").unwrap()),
        until: None,
    };
    let mut ada = client("ada", hashed, &[Face::Rest]);
    ada.patience = Duration::from_secs(5);
    let mut all = clients();
    all.push(ada);
    stand.reload(all).unwrap();
    // ada:hunter2, ada:hunter3
    for (credential, expected) in [
        ("Basic YWRhOmh1bnRlcjI=", 200),
        ("Basic YWRhOmh1bnRlcjM=", 401),
        ("Basic YWRhOmh1bnRlcjI=", 200),
    ] {
        let answer = stand.get(&path(), credential).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{credential}");
    }
}
