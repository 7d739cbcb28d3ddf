//! What was measured, as text to keep.

use std::fmt::Write as _;

/// One turn of load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Microseconds below which half of the answers came.
    pub(crate) p50: f64,
    /// Microseconds below which 99 of 100 came.
    pub(crate) p99: f64,
    /// Answers with another status than 2xx or 3xx.
    pub(crate) errors: u64,
}

impl Measured {
    /// Reads what wrk prints.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let line = |start: &str| {
            let mut lines = text.lines().map(str::trim);
            lines.find_map(|line| line.strip_prefix(start).map(str::trim))
        };
        Some(Self {
            rate: line("Requests/sec:")?.parse().ok()?,
            p50: microseconds(line("50%")?)?,
            p99: microseconds(line("99%")?)?,
            errors: match line("Non-2xx or 3xx responses:") {
                Some(count) => count.parse().ok()?,
                None => 0,
            },
        })
    }

    /// The turn in the middle by rate; errors of all turns.
    pub(crate) fn median(turns: &[Self]) -> Self {
        let mut sorted = turns.to_vec();
        sorted.sort_by(|one, other| one.rate.total_cmp(&other.rate));
        let nothing = Self {
            rate: 0.0,
            p50: 0.0,
            p99: 0.0,
            errors: 0,
        };
        let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(nothing);
        Self {
            errors: turns.iter().map(|turn| turn.errors).sum(),
            ..middle
        }
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

/// Both sides of the comparison.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) gateway: Vec<Measured>,
    pub(crate) bare: Vec<Measured>,
}

impl Report {
    /// Each turn of the gateway against the turn beside it, so that a machine
    /// that slows down for a while slows down both.
    fn ratios(&self) -> Vec<f64> {
        let turns = self.gateway.iter().zip(&self.bare);
        turns
            .map(|(gateway, bare)| gateway.rate / bare.rate)
            .collect()
    }

    pub(crate) fn render(&self, connections: u32, seconds: u32) -> String {
        let (gateway, bare) = (
            Measured::median(&self.gateway),
            Measured::median(&self.bare),
        );
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "HTTP/1.1 without TLS, keep-alive, wrk with one thread and {connections} connections, \
             {} turns of {seconds} s on each side in alternation, median turn.\n",
            self.gateway.len(),
        );
        let _ = writeln!(text, "| server | answers/s | p50 µs | p99 µs | errors |");
        let _ = writeln!(text, "| --- | --- | --- | --- | --- |");
        for (name, side) in [
            ("gateway, hit in memory", gateway),
            ("bare hyper, constant answer", bare),
        ] {
            let Measured {
                rate,
                p50,
                p99,
                errors,
            } = side;
            let _ = writeln!(
                text,
                "| {name} | {rate:.0} | {p50:.0} | {p99:.0} | {errors} |"
            );
        }
        let mut ratios = self.ratios();
        ratios.sort_by(f64::total_cmp);
        let at = |position: usize| ratios.get(position).copied().unwrap_or(f64::NAN);
        let _ = writeln!(
            text,
            "\nRatio of answers/s, turn by turn: median {:.2}, lowest {:.2}, highest {:.2}",
            at(ratios.len() / 2),
            at(0),
            at(ratios.len().saturating_sub(1)),
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_wrk_prints() {
        let text = "Running 2s test @ http://127.0.0.1:1\n  1 threads and 8 connections\n  \
                    Latency Distribution\n     50%  101.00us\n     75%  120.00us\n     90%    1.10ms\n     \
                    99%    2.50ms\n  1000 requests in 2.00s, 1.00MB read\n  Non-2xx or 3xx responses: 3\n\
                    Requests/sec:  65432.10\nTransfer/sec:      1.00MB\n";
        let expected = Measured {
            rate: 65_432.10,
            p50: 101.0,
            p99: 2_500.0,
            errors: 3,
        };
        assert_eq!(Measured::read(text), Some(expected));
        assert_eq!(Measured::read("wrk: cannot connect"), None);
    }
}
