//! Both ways out lead through the same guard.

use std::time::Duration;

use crate::server::Server;
use crate::support::{Setup, found, narrow, text, wasi};

const TOKEN: &str = "t0ken-of-the-host";

fn both() -> [Setup; 2] {
    [narrow("http"), wasi("http")]
}

#[tokio::test]
async fn a_granted_host_is_reached() {
    for setup in both() {
        let server = Server::start().await;
        let device = found(&setup.asking(&server, "/ok").start().await).await;
        assert_eq!(text(&device, "http.body"), "hello");
        assert!(text(&device, "http.headers").contains("x-own: yes"));
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_host_that_is_not_granted_is_not_reached() {
    for setup in both() {
        let (server, other) = (Server::start().await, Server::start().await);
        let setup = setup.asking(&server, "/ok").set("url", other.url("/ok"));
        let device = found(&setup.start().await).await;
        assert!(text(&device, "http.error").contains("enied"), "{device:?}");
        assert_eq!((server.connections(), other.connections()), (0, 0));
    }
}

#[tokio::test]
async fn a_private_address_is_not_reached_though_its_host_is_granted() {
    for setup in both() {
        let server = Server::start().await;
        let mut setup = setup.asking(&server, "/ok");
        setup.egress.private_networks.clear();
        let device = found(&setup.start().await).await;
        let error = text(&device, "http.error");
        assert!(
            error.contains("Denied") || error.contains("IpProhibited"),
            "{error}"
        );
        assert_eq!(server.connections(), 0);
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_takes_no_credential_along() {
    for setup in both() {
        let thief = Server::start().await;
        let server = Server::redirecting_to(thief.url("/ok")).await;
        let setup = setup.asking(&server, "/redirect").asking(&thief, "/ok");
        let setup = setup
            .credential(&server, TOKEN)
            .set("url", server.url("/redirect"));
        let device = found(&setup.start().await).await;
        assert!(text(&device, "http.headers").contains(&thief.url("/ok")));
        assert_eq!(thief.connections(), 0);
        assert!(server.requests()[0].contains(TOKEN));
    }
}

#[tokio::test]
async fn a_forged_header_is_replaced_by_the_hosts() {
    for setup in both() {
        let server = Server::start().await;
        let setup = setup.asking(&server, "/ok").credential(&server, TOKEN);
        let setup = setup.set("headers", vec!["Authorization: Bearer forged", "x-own: 1"]);
        let device = found(&setup.start().await).await;
        assert_eq!(text(&device, "http.body"), "hello");
        let request = &server.requests()[0];
        assert!(
            request.contains(&format!("authorization: Bearer {TOKEN}\r\n")),
            "{request}"
        );
        assert!(!request.contains("forged"), "{request}");
        assert!(request.contains("x-own: 1\r\n"), "{request}");
    }
}

#[tokio::test]
async fn a_header_cannot_smuggle_another() {
    for setup in both() {
        let server = Server::start().await;
        let setup = setup.asking(&server, "/ok");
        let setup = setup.set("headers", vec!["x-own: 1\r\nx-smuggled: 2"]);
        let device = found(&setup.start().await).await;
        assert!(!text(&device, "http.error").is_empty());
        assert_eq!(server.connections(), 0);
    }
}

#[tokio::test]
async fn a_secret_that_the_server_echoes_does_not_reach_the_guest() {
    for setup in both() {
        let server = Server::start().await;
        let setup = setup.asking(&server, "/echo").credential(&server, TOKEN);
        let device = found(&setup.start().await).await;
        assert!(server.requests()[0].contains(TOKEN));
        assert!(text(&device, "http.body").contains("authorization: Bearer [redacted]"));
        assert!(!format!("{device:?}").contains(TOKEN));
    }
}

/// The request ends a little before the call does, so that the guest can say
/// what went wrong, and the connection is closed.
async fn is_given_up(setup: Setup, path: &str) {
    let server = Server::start().await;
    let setup = setup.asking(&server, path);
    let setup = setup.limits(|limits| limits.wall_clock = Duration::from_secs(3));
    let device = found(&setup.start().await).await;
    let error = text(&device, "http.error");
    assert!(error.contains("imeout"), "{path}: {error}");
    server.given_up().await;
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let [narrow, wasi] = both();
    tokio::join!(is_given_up(narrow, "/hang"), is_given_up(wasi, "/hang"));
}

#[tokio::test]
async fn a_server_that_drips_is_given_up() {
    let [narrow, wasi] = both();
    tokio::join!(is_given_up(narrow, "/drip"), is_given_up(wasi, "/drip"));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused() {
    for setup in both() {
        let server = Server::start().await;
        let mut setup = setup.asking(&server, "/large");
        setup.egress.max_response_bytes = 1000;
        let device = found(&setup.start().await).await;
        let error = text(&device, "http.error");
        assert!(error.contains("1000"), "{error}");
    }
}

#[tokio::test]
async fn requests_at_the_same_time_are_bounded() {
    for setup in both() {
        let server = Server::start().await;
        let mut setup = setup.asking(&server, "/ok");
        setup.egress.max_concurrent = 0;
        let device = found(&setup.start().await).await;
        let error = text(&device, "http.error");
        assert!(
            error.contains("Busy") || error.contains("LimitReached"),
            "{error}"
        );
    }
}
