//! Questions about devices that are not in memory.

use std::time::Instant;

use portreeve_harness::Stand;
use portreeve_tenant::Step;

use crate::effort::Effort;
use crate::generator::{Ended, Latencies, Version, all_at_once, one};
use crate::report::{LATENCY_HEAD, Report, Table, latency_cells};
use crate::subject::{Subject, Transport, generated_path};

const ASKERS: u32 = 1_000;
/// As many as keep every asker within the streams that a connection may have.
const CONNECTIONS: u32 = 10;

pub(super) async fn measure(effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    let crowds = u32::try_from(effort.rounds)?;
    let subject = Subject::start(Stand::builder().devices(crowds + effort.cold)).await?;
    let tenant = &subject.stand.tenant;
    report.section("Misses");
    report.paragraph(&format!(
        "{ASKERS} askers of one absent device at once, over TLS with HTTP/2 on {CONNECTIONS} \
         connections, {crowds} times; and {} absent devices one by one over plain HTTP/1.1. A \
         call to the source goes over TLS to the simulated tenant.",
        effort.cold
    ));
    let mut head = vec!["question", "answers", "calls to the source"];
    head.extend(LATENCY_HEAD);
    let mut table = Table::new(&head);
    let mut row = |name: &str, latencies: &Latencies, calls: u64| {
        let (count, calls) = (latencies.len().to_string(), calls.to_string());
        let figures = latency_cells(latencies);
        let mut row = vec![name, &count, &calls];
        row.extend(figures.iter().map(String::as_str));
        table.row(&row);
    };

    let target = subject.target(Transport::Tls, Version::Http2)?;
    for number in 0..crowds {
        let before = tenant.requests(Step::Compliance);
        let paths = one(&generated_path(number));
        let latencies = all_at_once(target.clone(), paths, ASKERS, CONNECTIONS).await?;
        let calls = tenant.requests(Step::Compliance) - before;
        row(&format!("one device, {ASKERS} askers"), &latencies, calls);
    }

    let before = tenant.requests(Step::Compliance);
    let target = subject.target(Transport::Plain, Version::Http1)?;
    let mut connection = target.connect().await?;
    let mut latencies = Latencies::default();
    for number in crowds..crowds + effort.cold {
        let path = generated_path(number);
        let started = Instant::now();
        let received = connection.get(&path).await?;
        latencies.count(started, Instant::now(), Ended::with(received.status));
    }
    let calls = tenant.requests(Step::Compliance) - before;
    row("one device after the other", &latencies, calls);
    report.table(&table);
    subject.stand.gateway.stop().await
}
