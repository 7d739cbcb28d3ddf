//! Clients of our own: at a fixed rate, or as many requests as go.
//!
//! They run on a thread of their own, so that neither the simulated tenant nor
//! anything else in this process makes them late.

mod connection;
mod latencies;
mod pacer;
mod schedule;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;

use crate::idle::at_once;
pub(crate) use connection::{Connection, Received, Target, Version, client_config};
pub(crate) use latencies::{Ended, Latencies};
use pacer::Pacer;
use schedule::Schedule;

/// From the last intended start until what is missing is given up.
const GRACE: Duration = Duration::from_secs(3);
/// From the moment that all connections are open to the first request.
const RUN_UP: Duration = Duration::from_millis(20);

/// What the request with a number asks for.
pub(crate) type Paths = Arc<dyn Fn(u64) -> String + Send + Sync>;

/// All requests ask for the same.
pub(crate) fn one(path: &str) -> Paths {
    let path = path.to_owned();
    Arc::new(move |_| path.clone())
}

/// Load that does not care how fast it is answered.
#[derive(Clone)]
pub(crate) struct Paced {
    pub(crate) target: Target,
    pub(crate) paths: Paths,
    pub(crate) connections: u32,
    /// Requests a second, over all connections.
    pub(crate) rate: u32,
    pub(crate) length: Duration,
}

impl Paced {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> anyhow::Result<Latencies> {
        on_own_thread(Urgency::AtOnce, move || self.drive()).await
    }

    async fn drive(self) -> anyhow::Result<Latencies> {
        let mut open = Vec::new();
        for _ in 0..self.connections {
            open.push((self.target.connect().await?, Pacer::new()?));
        }
        let start = Instant::now() + RUN_UP;
        let schedule = Schedule::new(start, self.rate, self.length, GRACE);
        let mut asking = JoinSet::new();
        for (number, (connection, pacer)) in (0_u32..).zip(open) {
            let share: Vec<u64> = schedule.share(number, self.connections).collect();
            let paths = Arc::clone(&self.paths);
            asking.spawn(ask(connection, pacer, schedule, share, paths));
        }
        let mut all = Latencies::default();
        while let Some(ended) = asking.join_next().await {
            all.add(&ended??);
        }
        Ok(all)
    }
}

/// One connection's share of a paced run.
async fn ask(
    mut connection: Connection,
    pacer: Pacer,
    schedule: Schedule,
    share: Vec<u64>,
    paths: Paths,
) -> anyhow::Result<Latencies> {
    let mut latencies = Latencies::default();
    for number in share {
        let intended = schedule.intended(number);
        let is_free = Instant::now() < intended;
        pacer.until(intended).await?;
        if is_free {
            latencies.woke(intended.elapsed());
        }
        if Instant::now() >= schedule.cutoff {
            latencies.count(intended, schedule.cutoff, Ended::Missing);
            continue;
        }
        let path = paths(number);
        let asking = answered(&mut connection, &path);
        let ended = tokio::time::timeout_at(schedule.cutoff.into(), asking).await;
        let ended = ended.unwrap_or(Ended::Missing);
        latencies.count(intended, Instant::now(), ended);
        if ended == Ended::Failed {
            // Whatever happened, the next one gets a connection that works.
            if let Ok(new) = connection.reopen().await {
                connection = new;
            }
        }
    }
    Ok(latencies)
}

async fn answered(connection: &mut Connection, path: &str) -> Ended {
    match connection.get(path).await {
        Ok(received) => Ended::with(received.status),
        Err(_) => Ended::Failed,
    }
}

/// As many requests as go, each after the answer to the one before. This says
/// how much a server can do, and nothing about latency.
#[derive(Clone)]
pub(crate) struct Flood {
    pub(crate) target: Target,
    pub(crate) paths: Paths,
    pub(crate) connections: u32,
    /// Requests at once on each connection; more than one with HTTP/2 only.
    pub(crate) streams: u32,
    pub(crate) length: Duration,
}

/// What came of a [`Flood`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flooded {
    /// Answers with status 200 a second.
    pub(crate) rate: f64,
    /// Other answers, and broken connections.
    pub(crate) errors: u64,
}

impl Flood {
    /// Runs it to its end.
    pub(crate) async fn run(self) -> anyhow::Result<Flooded> {
        on_own_thread(Urgency::Usual, move || self.drive()).await
    }

    async fn drive(self) -> anyhow::Result<Flooded> {
        let mut askers = Vec::new();
        for _ in 0..self.connections {
            let first = self.target.connect().await?;
            for _ in 1..self.streams {
                askers.push(first.stream().context("HTTP/1.1 has one stream")?);
            }
            askers.push(first);
        }
        let started = Instant::now();
        let end = started + self.length;
        let mut asking = JoinSet::new();
        for (first, connection) in (0_u64..).zip(askers) {
            asking.spawn(flood(connection, first << 40, Arc::clone(&self.paths), end));
        }
        let (mut answers, mut errors) = (0_u32, 0);
        while let Some(ended) = asking.join_next().await {
            let (answered, failed) = ended?;
            answers += answered;
            errors += failed;
        }
        Ok(Flooded {
            rate: f64::from(answers) / started.elapsed().as_secs_f64(),
            errors,
        })
    }
}

async fn flood(mut connection: Connection, first: u64, paths: Paths, end: Instant) -> (u32, u64) {
    let (mut answers, mut errors) = (0, 0);
    for number in first.. {
        if Instant::now() >= end {
            break;
        }
        let path = paths(number);
        let asking = answered(&mut connection, &path);
        match tokio::time::timeout_at((end + GRACE).into(), asking).await {
            Ok(Ended::Answered) => answers += 1,
            Ok(Ended::Failed) => {
                errors += 1;
                match connection.reopen().await {
                    Ok(new) => connection = new,
                    // The server takes no more connections.
                    Err(_) => break,
                }
            }
            Ok(_) | Err(_) => errors += 1,
        }
    }
    (answers, errors)
}

/// How soon a client gets a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    /// As the server does: both do as much as they can.
    Usual,
    /// Before everybody else, where the system allows it: it does little, and
    /// what is measured is how long the server takes.
    AtOnce,
}

/// Runs work on a thread of its own.
async fn on_own_thread<W, F, T>(urgency: Urgency, work: W) -> anyhow::Result<T>
where
    W: FnOnce() -> F + Send + 'static,
    F: Future<Output = anyhow::Result<T>>,
    T: Send + 'static,
{
    let running = std::thread::spawn(move || {
        // Where it is refused, `sent late` tells what that costs.
        if urgency == Urgency::Usual || !at_once() {
            portreeve_store::come_first();
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(work())
    });
    let joined = tokio::task::spawn_blocking(move || running.join());
    let ended = joined.await.context("the generator's thread")?;
    ended.map_err(|_| anyhow::anyhow!("the generator's thread panicked"))?
}

/// Asks everything at once, each on a stream of its own, and waits for all.
pub(crate) async fn all_at_once(
    target: Target,
    paths: Paths,
    askers: u32,
    connections: u32,
) -> anyhow::Result<Latencies> {
    ensure!(target.version == Version::Http2, "this needs HTTP/2");
    on_own_thread(Urgency::Usual, move || async move {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(target.connect().await?);
        }
        let mut streams = Vec::new();
        for (_, connection) in (0..askers).zip(open.iter().cycle()) {
            streams.push(connection.stream().context("HTTP/2 has streams")?);
        }
        let start = Instant::now();
        let mut asking = JoinSet::new();
        for (number, mut stream) in (0_u64..).zip(streams) {
            let path = paths(number);
            asking.spawn(async move {
                let asking = answered(&mut stream, &path);
                let ended = tokio::time::timeout(Duration::from_secs(30), asking).await;
                (Instant::now(), ended.unwrap_or(Ended::Missing))
            });
        }
        let mut latencies = Latencies::default();
        while let Some(ended) = asking.join_next().await {
            let (now, ended) = ended?;
            latencies.count(start, now, ended);
        }
        Ok(latencies)
    })
    .await
}

#[cfg(test)]
mod tests;
