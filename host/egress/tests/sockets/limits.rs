//! Time, bytes and number.

use std::future::pending;

use futures_util::FutureExt;
use portreeve_egress::{EgressError, EgressSettings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
    time::{Duration, Instant},
};

use crate::{
    PATIENCE, egress, get,
    server::{Server, endless, text, with_header},
    settings,
};

async fn get_until(
    egress: &portreeve_egress::Egress,
    url: &str,
    deadline: Instant,
) -> Result<http::Response<bytes::Bytes>, EgressError> {
    let request = portreeve_egress::request("GET", url, [], bytes::Bytes::new())?;
    egress.send(request, deadline).await
}

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_server_that_hangs_is_left() {
    let server = Server::start_slow(|_| pending().boxed()).await;
    let egress = egress(settings(&server));
    let started = Instant::now();
    let outcome = get_until(&egress, &server.url("/"), started + SHORT).await;
    assert_eq!(outcome.unwrap_err(), EgressError::Timeout);
    assert!(started.elapsed() < PATIENCE / 2);
}

#[tokio::test]
async fn a_server_that_drips_is_left() {
    let server = Server::start(|_| endless(b".", Duration::from_millis(10))).await;
    let egress = egress(settings(&server));
    let started = Instant::now();
    let outcome = get_until(&egress, &server.url("/"), started + SHORT).await;
    assert_eq!(outcome.unwrap_err(), EgressError::Timeout);
    assert!(started.elapsed() < PATIENCE / 2);
}

#[tokio::test]
async fn the_operators_time_is_the_longest() {
    let server = Server::start_slow(|_| pending().boxed()).await;
    let egress = egress(EgressSettings {
        request_timeout: SHORT,
        ..settings(&server)
    });
    let started = Instant::now();
    assert_eq!(
        get(&egress, &server.url("/")).await.unwrap_err(),
        EgressError::Timeout
    );
    assert!(started.elapsed() < PATIENCE / 2);
}

#[tokio::test]
async fn answers_are_bounded() {
    let server = Server::start(|request| match request.uri.path() {
        "/exact" => text(200, vec![b'x'; 1000]),
        "/announced" => text(200, vec![b'x'; 1001]),
        _ => endless(&[b'x'; 100], Duration::ZERO),
    })
    .await;
    let egress = egress(EgressSettings {
        max_response_bytes: 1000,
        ..settings(&server)
    });
    assert_eq!(
        get(&egress, &server.url("/exact"))
            .await
            .unwrap()
            .body()
            .len(),
        1000
    );
    let too_large = EgressError::TooLarge { limit: 1000 };
    assert_eq!(
        get(&egress, &server.url("/announced")).await.unwrap_err(),
        too_large
    );
    assert_eq!(
        get(&egress, &server.url("/endless")).await.unwrap_err(),
        too_large
    );
}

#[tokio::test]
async fn requests_are_bounded() {
    let server = Server::start(|_| text(200, "")).await;
    let egress = egress(EgressSettings {
        max_request_bytes: 10,
        ..settings(&server)
    });
    let request =
        portreeve_egress::request("POST", &server.url("/"), [], "eleven byte".into()).unwrap();
    let outcome = egress.send(request, Instant::now() + PATIENCE).await;
    assert!(matches!(outcome, Err(EgressError::InvalidRequest(_))));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn too_many_at_once_are_turned_away() {
    let server = Server::start_slow(|_| pending().boxed()).await;
    let egress = egress(EgressSettings {
        max_concurrent: 1,
        ..settings(&server)
    });
    let (first, url) = (egress.clone(), server.url("/"));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { get(&first, &url).await });
    server.wait_for(1).await;
    let busy = EgressError::Busy { limit: 1 };
    assert_eq!(get(&egress, &server.url("/")).await.unwrap_err(), busy);
    // A caller that gives up makes room.
    tasks.shutdown().await;
    let outcome = get_until(&egress, &server.url("/"), Instant::now() + SHORT).await;
    assert_eq!(outcome.unwrap_err(), EgressError::Timeout);
}

#[tokio::test]
async fn nobody_there() {
    let server = Server::start(|_| text(200, "")).await;
    let url = server.url("/path?secret");
    let egress = egress(settings(&server));
    drop(server);
    let error = get(&egress, &url).await.unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("connection with `localhost` failed: "),
        "{error}"
    );
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn a_name_without_address() {
    let server = Server::start(|_| text(200, "")).await;
    // A label of more than 63 bytes never has an address, and nobody needs to be asked.
    let host = format!("http://{}.example", "a".repeat(64));
    let egress = egress(EgressSettings {
        allow: vec![host.parse().unwrap()],
        ..settings(&server)
    });
    let error = get(&egress, &host).await.unwrap_err();
    assert!(
        matches!(error, EgressError::NameResolution { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_that_is_not_http() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        stream
            .write_all(b"220 mail.example ESMTP\r\n")
            .await
            .unwrap();
    });
    let egress = egress(EgressSettings {
        allow: vec![origin.parse().unwrap()],
        private_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..EgressSettings::default()
    });
    let error = get(&egress, &format!("{origin}/?secret"))
        .await
        .unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn an_encoded_answer_is_refused() {
    let server = Server::start(|_| with_header(text(200, "x"), "content-encoding", "gzip")).await;
    let error = get(&egress(settings(&server)), &server.url("/"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`localhost` answered with a content encoding that was not asked for"
    );
}
