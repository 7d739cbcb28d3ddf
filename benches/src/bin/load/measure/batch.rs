//! Many questions in one request.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use portreeve_harness::Stand;
use portreeve_tenant::device::generated_mac;

use crate::effort::Effort;
use crate::generator::Version;
use crate::report::{Report, Spread, Table};
use crate::subject::{Subject, Transport};

/// As many as one batch may have.
const QUESTIONS: u32 = 100_000;
/// Devices that they are about.
const DEVICES: u32 = 1_000;
const PATH: &str = "/v1/decisions/batch";
/// The longest that one batch may take.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) async fn measure(effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    let subject = Subject::start(Stand::builder().devices(DEVICES)).await?;
    let id = subject
        .stand
        .gateway
        .id()
        .context("the gateway has ended")?;
    let target = subject.target(Transport::Plain, Version::Http1)?;
    let mut connection = target.connect().await?;
    let mut ask = async |count| {
        let asked = connection.post_for_lines(PATH, questions(count));
        let asked = tokio::time::timeout(PATIENCE, asked).await;
        let (status, lines) = asked.context("a batch took too long")??;
        ensure!(
            status == 200 && lines == usize::try_from(count)?,
            "{lines} of {count} answers, status {status}"
        );
        Ok(())
    };
    // From here on, all of them are in memory.
    ask(DEVICES).await?;
    let (mut walls, mut processors) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        let (before, started) = (processor_time(id)?, Instant::now());
        ask(QUESTIONS).await?;
        let wall = started.elapsed().as_secs_f64();
        let processor = processor_time(id)?.saturating_sub(before).as_secs_f64();
        walls.push(f64::from(QUESTIONS) / wall);
        processors.push(f64::from(QUESTIONS) / processor.max(f64::EPSILON));
    }
    report.section("Batch");
    report.paragraph(&format!(
        "{QUESTIONS} questions about {DEVICES} devices in memory, one request over plain HTTP/1.1, \
         answers as lines; {} times. Of the gateway's processor time, the system's part for the \
         socket included; it is counted in hundredths of a second.",
        effort.rounds
    ));
    let mut table = Table::new(&["answers", "median", "lowest", "highest"]);
    for (name, figures) in [
        ("a second", walls),
        ("a second of processor time", processors),
    ] {
        let spread = Spread::of(figures).context("at least one round")?;
        let figures = [spread.median, spread.lowest, spread.highest].map(|it| format!("{it:.0}"));
        let mut row = vec![name];
        row.extend(figures.iter().map(String::as_str));
        table.row(&row);
    }
    report.table(&table);
    subject.stand.gateway.stop().await
}

fn questions(count: u32) -> Bytes {
    let questions: Vec<String> = (0..count)
        .map(|number| {
            let mac = generated_mac(number % DEVICES).separated(':');
            format!(r#"{{"identifiers":["{mac}"]}}"#)
        })
        .collect();
    format!(r#"{{"questions":[{}]}}"#, questions.join(",")).into()
}

/// What a process has used of all processors.
fn processor_time(id: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let ticks = ticks(&stat).context("`/proc/PID/stat` is not as `proc_pid_stat(5)` says")?;
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis(ticks * 1_000 / ticks_per_second))
}

/// `utime` and `stime`, the 14th and 15th of `/proc/PID/stat`. The second one
/// is a name and may have spaces.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_a_process() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 31 11 12 13 20 0 1\n";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (a) S 1 2"), None);
        assert!(processor_time(std::process::id()).is_ok());
    }
}
