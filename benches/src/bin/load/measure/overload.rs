//! Hits while something else puts load on the gateway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use portreeve_harness::{REST_KEY, Stand};
use portreeve_tenant::{Fault, Step};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

use super::clients::Clients;
use super::latency;
use crate::effort::Effort;
use crate::generator::{Paced, Version};
use crate::report::{LATENCY_HEAD, Report, Table, latency_cells};
use crate::subject::{Subject, Transport, unknown_path};

/// Hits a second.
const RATE: u32 = 5_000;
/// Questions about random addresses a second.
const STORM: u32 = 5_000;
const STORM_CONNECTIONS: u32 = 64;
/// The same when every one of them waits for as long as its client has patience.
const WAITING: u32 = 200;
const WAITING_CONNECTIONS: u32 = 300;
const SLOW_READERS: u32 = 100;
/// How long they have to stand still, and how often that is looked at.
const WAIT: Duration = Duration::from_millis(500);
const MOST_WAITS: u32 = 60;

pub(super) async fn measure(effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    // Somebody else than who asks for hits.
    let others = Clients::new("other", 1)?;
    let subject = Subject::start(Stand::builder().extra(&others.toml)).await?;
    report.section("Overload: latency of hits beside other load");
    report.paragraph(&format!(
        "Hits at {RATE}/s over TLS, {} s each, as above. The storm asks for random addresses that \
         nobody knows, {STORM}/s on {STORM_CONNECTIONS} connections, as another client. The slow \
         MDM answers nothing, and {WAITING}/s such questions wait for it. {SLOW_READERS} slow \
         readers send requests without end and read one byte a second. The simulated tenant and \
         the load run on the same cores.",
        effort.paced.as_secs()
    ));
    let mut head = vec!["beside"];
    head.extend(LATENCY_HEAD);
    let mut table = Table::new(&head);
    let mut row = |beside: &str, latencies: &_| {
        let cells = latency_cells(latencies);
        let mut row = vec![beside];
        row.extend(cells.iter().map(String::as_str));
        table.row(&row);
    };
    let hits = || latency::at(effort, &subject, Transport::Tls, RATE);
    let storm = |first: u64, rate, connections| -> anyhow::Result<Paced> {
        let key = others.keys.first().map_or(REST_KEY, String::as_str);
        Ok(Paced {
            target: subject.target_as(key, Transport::Plain, Version::Http1)?,
            paths: Arc::new(move |number| unknown_path(first + number)),
            connections,
            rate,
            length: effort.paced,
        })
    };

    row("nothing", &hits().await?);
    let beside = storm(0, STORM, STORM_CONNECTIONS)?.run();
    let (latencies, stormed) = tokio::try_join!(hits(), beside)?;
    row("storm of unknown addresses", &latencies);
    row("nothing", &hits().await?);
    let readers = SlowReaders::start(&subject).await?;
    row("slow readers", &hits().await?);
    drop(readers);
    row("nothing", &hits().await?);
    subject
        .stand
        .tenant
        .set_fault(Step::Compliance, Fault::Timeout);
    let beside = storm(1 << 32, WAITING, WAITING_CONNECTIONS)?.run();
    let (latencies, waited) = tokio::try_join!(hits(), beside)?;
    row("slow MDM", &latencies);
    subject.stand.tenant.clear_faults();
    report.table(&table);

    let mut head = vec!["what was beside", "questions"];
    head.extend(LATENCY_HEAD);
    let mut table = Table::new(&head);
    for (name, latencies) in [("storm", &stormed), ("questions to the slow MDM", &waited)] {
        let (count, cells) = (latencies.len().to_string(), latency_cells(latencies));
        let mut row = vec![name, &count];
        row.extend(cells.iter().map(String::as_str));
        table.row(&row);
    }
    report.table(&table);
    subject.stand.gateway.stop().await
}

/// Connections that send without end and hardly read. Dropping it closes them.
struct SlowReaders {
    _reading: JoinSet<std::io::Result<()>>,
}

impl SlowReaders {
    async fn start(subject: &Subject) -> anyhow::Result<Self> {
        let target = subject.target(Transport::Plain, Version::Http1)?;
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n",
            subject.path, target.address, target.key
        );
        let requests: Arc<[u8]> = request.repeat(100).into_bytes().into();
        let sent = Arc::new(AtomicU64::new(0));
        let mut reading = JoinSet::new();
        for _ in 0..SLOW_READERS {
            let (requests, sent) = (Arc::clone(&requests), Arc::clone(&sent));
            reading.spawn(slow_reader(target.address, requests, sent));
        }
        // Until the buffers of the system are full, they are only a flood.
        let mut before = u64::MAX;
        for _ in 0..MOST_WAITS {
            tokio::time::sleep(WAIT).await;
            let now = sent.load(Ordering::Relaxed);
            if now == before {
                return Ok(Self { _reading: reading });
            }
            before = now;
        }
        bail!("the buffers of slow readers did not fill up");
    }
}

async fn slow_reader(
    address: SocketAddr,
    requests: Arc<[u8]>,
    total: Arc<AtomicU64>,
) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4 << 10)?;
    let stream = socket.connect(address).await?;
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut sent = 0;
    loop {
        tokio::select! {
            _ = second.tick() => {
                // Whether there is a byte or not does not matter.
                let _ = stream.try_read(&mut [0]);
            }
            writable = stream.writable() => {
                writable?;
                let rest = requests.get(sent..).unwrap_or_default();
                if let Ok(written) = stream.try_write(rest) {
                    sent = (sent + written) % requests.len();
                    total.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}
