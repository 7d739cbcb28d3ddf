//! One turn of load, by Debian's `wrk`.

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::report::Measured;

/// What load is put on a server.
pub(crate) struct Load {
    pub(crate) seconds: u32,
    pub(crate) connections: u32,
    pub(crate) key: &'static str,
}

impl Load {
    /// Runs wrk to its end. Both servers get the same request.
    pub(crate) async fn run(&self, url: &str) -> anyhow::Result<Measured> {
        let output = Command::new("wrk")
            .args(["--threads", "1", "--latency"])
            .arg("--connections")
            .arg(self.connections.to_string())
            .arg("--duration")
            .arg(format!("{}s", self.seconds))
            .arg("--header")
            .arg(format!("Authorization: Bearer {}", self.key))
            .arg(url)
            .output()
            .await
            .context("cannot start `wrk`; hint: `apt-get install wrk`")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "wrk failed: {text}");
        Measured::read(&text).with_context(|| format!("wrk said: {text}"))
    }
}
