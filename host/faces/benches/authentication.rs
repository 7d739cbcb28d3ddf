//! Client authentication as a hit does it: the roster of the moment, the header,
//! the networks, the right, the rate limit.
#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::expect_used, reason = "what is made here is right")]

use std::hint::black_box;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::HeaderValue;
use portreeve_faces::bench::{Authentication, Connection};
use portreeve_faces::{
    ClientAuthentication, ClientSettings, Face, PasswordHash, RateLimit, Secret,
};

/// Clients beside the one that asks.
const OTHERS: u32 = 10_000;
const KEY: &str = "0123456789abcdef0123456789abcdef";

fn client(name: &str, way: ClientAuthentication) -> ClientSettings {
    ClientSettings {
        name: name.into(),
        authentication: vec![way],
        faces: vec![Face::Rest],
        networks: vec!["127.0.0.0/8".parse().expect("it is a network")],
        rate_limit: Some(RateLimit {
            requests: u32::MAX,
            per: Duration::from_secs(1),
            burst: u32::MAX,
        }),
        ..ClientSettings::default()
    }
}

fn bearer(key: &str) -> ClientAuthentication {
    let key = Secret::new(key.to_owned());
    ClientAuthentication::Bearer { key }
}

fn requests(way: ClientAuthentication, header: &str) -> Authentication {
    let mut clients = vec![client("asks", way)];
    clients.extend((0..OTHERS).map(|number| {
        let name = format!("client-{number}");
        client(&name, bearer(&format!("{name}-{KEY}")))
    }));
    let header = HeaderValue::from_str(header).expect("it is a header");
    Authentication::new(clients, header).expect("they can be told apart")
}

fn authentication(criterion: &mut Criterion) {
    let basic = format!("Basic {}", STANDARD.encode(format!("radius:{KEY}")));
    let hash = PasswordHash::of_key(KEY);
    let PasswordHash::Sha256(sha256) = hash else {
        unreachable!("keys are hashed quickly");
    };
    let ways = [
        ("bearer", bearer(KEY), format!("Bearer {KEY}")),
        (
            "basic",
            ClientAuthentication::Basic {
                username: "radius".to_owned(),
                password: Secret::new(KEY.to_owned()),
            },
            basic.clone(),
        ),
        (
            "bearer-hash",
            ClientAuthentication::BearerHash {
                sha256,
                until: None,
            },
            format!("Bearer {KEY}"),
        ),
        (
            "basic-sha256",
            ClientAuthentication::BasicHash {
                username: "radius".to_owned(),
                hash: PasswordHash::of_key(KEY),
                until: None,
            },
            basic,
        ),
    ];
    let mut group = criterion.benchmark_group("authentication");
    for (name, way, header) in ways {
        let requests = requests(way, &header);
        let connection = Connection::default();
        // What is remembered is there from the first request on.
        assert!(requests.is_admitted(&connection), "{name}");
        group.bench_function(format!("{name}/same-connection"), |bencher| {
            bencher.iter(|| black_box(&requests).is_admitted(black_box(&connection)));
        });
        group.bench_function(format!("{name}/new-connection"), |bencher| {
            bencher.iter_batched_ref(
                Connection::default,
                |connection| black_box(&requests).is_admitted(connection),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, authentication);
criterion_main!(benches);
