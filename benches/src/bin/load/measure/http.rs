//! Throughput of hits.

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::ensure;
use portreeve_harness::{REST_KEY, Stand};
use rustls::{HandshakeKind, ProtocolVersion};

use crate::effort::Effort;
use crate::generator::{Flood, Version, one};
use crate::report::{Report, Spread, Table};
use crate::servers::{Bare, Nginx, Origins};
use crate::subject::{Subject, Transport};
use crate::wrk::{Load, pipelining};

/// Connections of the load, and requests at once where there are several.
const CONNECTIONS: u32 = 8;
const DEPTH: u32 = 16;

const GATEWAY: &str = "gateway, hit in memory";
const BARE: &str = "same stack, constant answer";
const NGINX: &str = "nginx `return 200`";

/// How requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    KeepAlive,
    Pipelined,
    Http2,
}

pub(super) const HTTP1: [(Transport, Way); 4] = [
    (Transport::Plain, Way::KeepAlive),
    (Transport::Plain, Way::Pipelined),
    (Transport::Tls, Way::KeepAlive),
    (Transport::Tls, Way::Pipelined),
];
pub(super) const HTTP2: [(Transport, Way); 1] = [(Transport::Tls, Way::Http2)];

/// One turn of one server.
#[derive(Clone, Copy, Default)]
struct Turn {
    rate: f64,
    p50: Option<f64>,
    p99: Option<f64>,
    errors: u64,
}

pub(super) async fn measure(
    effort: &Effort,
    report: &mut Report,
    rows: &[(Transport, Way)],
) -> anyhow::Result<()> {
    let subject = Subject::start(Stand::builder()).await?;
    let directory = subject.stand.directory();
    let bare = Bare::start(directory, &subject.constant).await?;
    let nginx = Nginx::start(directory, &subject.constant).await?;
    let servers = [
        (GATEWAY, subject.origins.clone()),
        (BARE, bare.origins.clone()),
        (NGINX, nginx.origins.clone()),
    ];
    for (name, origins) in &servers {
        expect_comparable(&subject, name, origins).await?;
    }

    report.section("HTTP: throughput of hits");
    report.paragraph(&format!(
        "{CONNECTIONS} connections, {} turns of {} s on each server in alternation. Same body and \
         headers, same certificate, TLS 1.3. HTTP/1.1 by wrk with one thread, pipelined with \
         {DEPTH} requests at once; HTTP/2 by our own client with {DEPTH} streams at once, which \
         is slower than the servers and so makes them look alike. Ratios are taken turn by turn: \
         median (lowest to highest).",
        effort.rounds,
        effort.turn.as_secs()
    ));
    let mut table = Table::new(&[
        "transport",
        "requests",
        "server",
        "answers/s",
        "p50 µs",
        "p99 µs",
        "errors",
        "gateway against it",
    ]);
    let mut gateway_errors = 0;
    for (transport, way) in rows.iter().copied() {
        let turns = in_turns(effort, &subject, &servers, transport, way).await?;
        let rates = |name: &str| -> Vec<f64> {
            let turns = turns.get(name).into_iter().flatten();
            turns.map(|turn| turn.rate).collect()
        };
        let ours = rates(GATEWAY);
        for (name, _) in &servers {
            let turns = turns.get(name).map(Vec::as_slice).unwrap_or_default();
            let median = median(turns);
            if *name == GATEWAY {
                gateway_errors += median.errors;
            }
            let ratio = match *name {
                GATEWAY => String::new(),
                _ => Spread::of_ratios(&ours, &rates(name))
                    .map(Spread::readable)
                    .unwrap_or_default(),
            };
            let micros =
                |value: Option<f64>| value.map_or_else(String::new, |it| format!("{it:.0}"));
            table.row(&[
                transport.as_str(),
                match way {
                    Way::KeepAlive => "HTTP/1.1",
                    Way::Pipelined => "HTTP/1.1 pipelined",
                    Way::Http2 => "HTTP/2",
                },
                name,
                &format!("{:.0}", median.rate),
                &micros(median.p50),
                &micros(median.p99),
                &median.errors.to_string(),
                &ratio,
            ]);
        }
    }
    report.table(&table);
    drop(nginx);
    subject.stand.gateway.stop().await?;
    ensure!(
        gateway_errors == 0,
        "the gateway gave {gateway_errors} answers that were none"
    );
    Ok(())
}

/// Starts the servers and waits for the end of standard input.
pub(crate) async fn hold() -> anyhow::Result<()> {
    let subject = Subject::start(Stand::builder()).await?;
    let directory = subject.stand.directory();
    let bare = Bare::start(directory, &subject.constant).await?;
    let nginx = Nginx::start(directory, &subject.constant).await?;
    let mut out = std::io::stdout();
    for (name, origins) in [
        (GATEWAY, &subject.origins),
        (BARE, &bare.origins),
        (NGINX, &nginx.origins),
    ] {
        let path = &subject.path;
        let Origins { plain, tls } = origins;
        writeln!(out, "{name}\t{plain}{path}\t{tls}{path}")?;
    }
    writeln!(out, "key\t{REST_KEY}")?;
    let waiting = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    tokio::task::spawn_blocking(waiting).await??;
    drop(nginx);
    subject.stand.gateway.stop().await
}

async fn in_turns<'a>(
    effort: &Effort,
    subject: &Subject,
    servers: &'a [(&'static str, Origins); 3],
    transport: Transport,
    way: Way,
) -> anyhow::Result<BTreeMap<&'static str, Vec<Turn>>> {
    let mut turns: BTreeMap<_, Vec<Turn>> = BTreeMap::new();
    for round in 0..effort.rounds {
        // There and back, so that none of them is always the first.
        let mut order: Vec<&'a (&str, Origins)> = servers.iter().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (name, origins) in order {
            let turn = turn(effort, subject, origins, transport, way).await?;
            turns.entry(*name).or_default().push(turn);
        }
    }
    Ok(turns)
}

async fn turn(
    effort: &Effort,
    subject: &Subject,
    origins: &Origins,
    transport: Transport,
    way: Way,
) -> anyhow::Result<Turn> {
    if way == Way::Http2 {
        let flood = Flood {
            target: subject.target_of(origins, transport, Version::Http2)?,
            paths: one(&subject.path),
            connections: CONNECTIONS,
            streams: DEPTH,
            length: effort.turn,
        };
        let flooded = flood.run().await?;
        return Ok(Turn {
            rate: flooded.rate,
            errors: flooded.errors,
            ..Turn::default()
        });
    }
    let script = match way {
        Way::Pipelined => Some(pipelining(subject.stand.directory(), DEPTH)?),
        _ => None,
    };
    let load = Load {
        length: effort.turn,
        connections: CONNECTIONS,
        key: REST_KEY.to_owned(),
        script,
    };
    let origin = match transport {
        Transport::Plain => &origins.plain,
        Transport::Tls => &origins.tls,
    };
    let measured = load.run(&format!("{origin}{}", subject.path)).await?;
    // Of pipelined requests, wrk tells no latency of each.
    let is_single = way == Way::KeepAlive;
    Ok(Turn {
        rate: measured.rate,
        p50: is_single.then_some(measured.p50),
        p99: is_single.then_some(measured.p99),
        errors: measured.errors,
    })
}

/// The turn in the middle by rate; errors of all turns.
fn median(turns: &[Turn]) -> Turn {
    let mut sorted = turns.to_vec();
    sorted.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    Turn {
        errors: turns.iter().map(|turn| turn.errors).sum(),
        ..sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }
}

/// The same answer in every way, TLS 1.3, and sessions that are resumed.
async fn expect_comparable(subject: &Subject, name: &str, origins: &Origins) -> anyhow::Result<()> {
    let is_gateway = name == GATEWAY;
    for (transport, version) in [
        (Transport::Plain, Version::Http1),
        (Transport::Tls, Version::Http1),
        (Transport::Tls, Version::Http2),
    ] {
        let target = subject.target_of(origins, transport, version)?;
        let received = target.connect().await?.get(&subject.path).await?;
        if !is_gateway {
            subject.constant.expect_same(name, &received)?;
        }
        ensure!(received.status == 200, "`{name}` answers {received:?}");
    }
    let target = subject.target_of(origins, Transport::Tls, Version::Http1)?;
    // The requests above brought tickets.
    let stream = target.shake_hands(target.tcp().await?).await?;
    let (_, session) = stream.get_ref();
    ensure!(
        session.protocol_version() == Some(ProtocolVersion::TLSv1_3),
        "`{name}` does not speak TLS 1.3"
    );
    ensure!(
        session.handshake_kind() == Some(HandshakeKind::Resumed),
        "`{name}` does not resume sessions"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_turn_in_the_middle_counts_and_all_errors() {
        let turn = |rate, errors| Turn {
            rate,
            errors,
            ..Turn::default()
        };
        let median = median(&[turn(3.0, 1), turn(1.0, 0), turn(2.0, 4)]);
        assert!((median.rate - 2.0).abs() < f64::EPSILON);
        assert_eq!(median.errors, 5);
    }
}
