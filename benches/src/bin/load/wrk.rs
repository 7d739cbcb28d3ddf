//! One turn of load, by Debian's `wrk`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

/// What load is put on a server.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) length: Duration,
    pub(crate) connections: u32,
    pub(crate) key: String,
    /// Lua that makes the requests, if they are not all plain ones.
    pub(crate) script: Option<PathBuf>,
}

impl Load {
    /// Runs wrk to its end. All servers get the same requests.
    pub(crate) async fn run(&self, url: &str) -> anyhow::Result<Measured> {
        let mut wrk = Command::new("wrk");
        wrk.args(["--threads", "1", "--latency", "--timeout", "10s"])
            .arg("--connections")
            .arg(self.connections.to_string())
            .arg("--duration")
            .arg(format!("{}s", self.length.as_secs().max(1)))
            .arg("--header")
            .arg(format!("Authorization: Bearer {}", self.key))
            .kill_on_drop(true);
        if let Some(script) = &self.script {
            wrk.arg("--script").arg(script);
        }
        let output = wrk.arg(url).output().await;
        let output = output.context("cannot start `wrk`; hint: `apt-get install wrk`")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "wrk failed: {text}");
        Measured::read(&text).with_context(|| format!("wrk said: {text}"))
    }
}

/// Lua for `depth` requests at once on each connection.
pub(crate) fn pipelining(directory: &Path, depth: u32) -> anyhow::Result<PathBuf> {
    let file = directory.join("pipelining.lua");
    let script = format!(
        "local all\ninit = function()\n  local one = wrk.format()\n  all = one:rep({depth})\nend\n\
         request = function() return all end\n"
    );
    std::fs::write(&file, script)?;
    Ok(file)
}

/// Lua for one request by each of these bearer keys in turn.
pub(crate) fn taking_turns(file: PathBuf, keys: &[String]) -> anyhow::Result<PathBuf> {
    let keys: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
    let script = format!(
        "local keys = {{ {} }}\nlocal requests, next = {{}}, 0\ninit = function()\n  \
         for place, key in ipairs(keys) do\n    wrk.headers[\"Authorization\"] = \"Bearer \" .. key\n    \
         requests[place] = wrk.format()\n  end\nend\nrequest = function()\n  \
         next = next % #requests + 1\n  return requests[next]\nend\n",
        keys.join(", ")
    );
    std::fs::write(&file, script)?;
    Ok(file)
}

/// What wrk found out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Microseconds below which half of the answers came.
    pub(crate) p50: f64,
    /// Microseconds below which 99 of 100 came.
    pub(crate) p99: f64,
    /// Answers with another status than 2xx or 3xx, and broken connections.
    pub(crate) errors: u64,
}

impl Measured {
    /// Reads what wrk prints.
    fn read(text: &str) -> Option<Self> {
        let line = |start: &str| {
            let mut lines = text.lines().map(str::trim);
            lines.find_map(|line| line.strip_prefix(start).map(str::trim))
        };
        let refused = match line("Non-2xx or 3xx responses:") {
            Some(count) => count.parse().ok()?,
            None => 0,
        };
        // `connect 0, read 5, write 0, timeout 0`
        let broken = match line("Socket errors:") {
            Some(counts) => counts
                .split(',')
                .map(|count| count.split_whitespace().last()?.parse::<u64>().ok())
                .sum::<Option<u64>>()?,
            None => 0,
        };
        Some(Self {
            rate: line("Requests/sec:")?.parse().ok()?,
            p50: microseconds(line("50%")?)?,
            p99: microseconds(line("99%")?)?,
            errors: refused + broken,
        })
    }
}

/// `637.00us`, `1.20ms`, `1.00s`
fn microseconds(text: &str) -> Option<f64> {
    let (number, factor) = if let Some(number) = text.strip_suffix("us") {
        (number, 1.0)
    } else if let Some(number) = text.strip_suffix("ms") {
        (number, 1_000.0)
    } else {
        (text.strip_suffix('s')?, 1_000_000.0)
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Running 2s test @ http://127.0.0.1:1
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    96.00us   11.00us   1.20ms   80.00%
  Latency Distribution
     50%  101.00us
     75%  120.00us
     90%    1.10ms
     99%    2.50ms
  1000 requests in 2.00s, 1.00MB read
  Socket errors: connect 0, read 5, write 0, timeout 1
  Non-2xx or 3xx responses: 3
Requests/sec:  65432.10
Transfer/sec:      1.00MB
";

    fn check(text: &str, expected: Option<(f64, u64)>) {
        let found = Measured::read(text);
        assert_eq!(
            found.map(|found| (found.p99, found.errors)),
            expected,
            "{text}"
        );
    }

    #[test]
    fn reads_what_wrk_prints() {
        let expected = Measured {
            rate: 65_432.10,
            p50: 101.0,
            p99: 2_500.0,
            errors: 9,
        };
        assert_eq!(Measured::read(TEXT), Some(expected));
        check(&TEXT.replace("2.50ms", "1.00s"), Some((1_000_000.0, 9)));
        check(
            &TEXT.replace("  Socket errors", "  Nothing"),
            Some((2_500.0, 3)),
        );
        check(&TEXT.replace("  Non-2xx", "  Nothing"), Some((2_500.0, 6)));
        check(&TEXT.replace("timeout 1", "timeout many"), None);
        check(&TEXT.replace("2.50ms", "2.50h"), None);
        check("wrk: cannot connect", None);
    }
}
