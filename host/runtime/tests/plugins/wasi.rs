//! WASI for connectors: there, and closed.

use crate::support::{found, text, wasi};

#[tokio::test]
async fn nothing_of_the_machine_is_to_be_seen() {
    let device = found(&wasi("closed").start().await).await;
    assert_eq!(text(&device, "closed.environment"), "0");
    assert_eq!(text(&device, "closed.stdin"), "0 bytes");
    for name in ["file", "here", "tcp", "udp", "dns"] {
        let seen = text(&device, &format!("closed.{name}"));
        assert!(seen.starts_with("refused"), "{name}: {seen}");
    }
}
