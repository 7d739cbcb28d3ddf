//! One module for each thing that is measured.

mod batch;
mod clients;
mod http;
mod latency;
mod memory;
mod miss;
mod overload;
mod start;
mod sync;

use clap::ValueEnum;
pub(crate) use http::hold;

use crate::effort::Effort;
use crate::report::Report;

/// What can be measured, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measurement {
    /// Throughput of hits against the same stack and nginx with a constant
    /// answer, over HTTP/1.1.
    Http,
    /// The same over HTTP/2.
    Http2,
    /// Latency of hits at fixed rates, also while an inventory sync runs.
    Latency,
    /// Latency of hits while something else puts load on the gateway.
    Overload,
    /// Misses: many askers of one device, and many devices one by one.
    Miss,
    /// Answers of batches.
    Batch,
    /// Throughput of hits by the number of configured clients.
    Clients,
    /// How fast an inventory comes in.
    Sync,
    /// Memory for each device.
    Memory,
    /// From the start to the first answer.
    Start,
}

impl Measurement {
    /// Measures it.
    pub(crate) async fn run(self, effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
        match self {
            Self::Http => http::measure(effort, report, &http::HTTP1).await,
            Self::Http2 => http::measure(effort, report, &http::HTTP2).await,
            Self::Latency => latency::measure(effort, report).await,
            Self::Overload => overload::measure(effort, report).await,
            Self::Miss => miss::measure(effort, report).await,
            Self::Batch => batch::measure(effort, report).await,
            Self::Clients => clients::measure(effort, report).await,
            Self::Sync => sync::measure(effort, report).await,
            Self::Memory => memory::measure(effort, report).await,
            Self::Start => start::measure(effort, report).await,
        }
    }
}
