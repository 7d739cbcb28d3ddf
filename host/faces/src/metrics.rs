//! What the faces count. Every handle is looked up once, at start.

use portreeve_domain::{Answer, Outcome as AnswerOutcome, Verdict};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use crate::clients::{AuthenticationFailure, Face};

/// Seconds: from an answer out of memory to a client at the end of its patience.
const BUCKETS: [f64; 17] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025,
    0.1, 0.25, 0.5, 1.0, 3.0, 10.0,
];

/// Where a request belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Area {
    /// One of the faces.
    Face(Face),
    /// `/healthz` and `/readyz`, open to everyone.
    Health,
    /// Anything else; open to every client, whatever its rights.
    Common,
}

impl Area {
    const ALL: [Self; 6] = [
        Self::Face(Face::Rest),
        Self::Face(Face::Radius),
        Self::Face(Face::Metrics),
        Self::Face(Face::Admin),
        Self::Health,
        Self::Common,
    ];

    /// The word for it in logs and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Face(face) => face.as_str(),
            Self::Health => "health",
            Self::Common => "common",
        }
    }

    const fn position(self) -> usize {
        match self {
            Self::Face(Face::Rest) => 0,
            Self::Face(Face::Radius) => 1,
            Self::Face(Face::Metrics) => 2,
            Self::Face(Face::Admin) => 3,
            Self::Health => 4,
            Self::Common => 5,
        }
    }
}

/// What a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A decision: full access.
    Permit,
    /// A decision: limited access.
    Restrict,
    /// A decision: no access.
    Deny,
    /// No decision: the facts are missing.
    CannotTell,
    /// Done, but no decision was asked for.
    Served,
    /// The client did something wrong.
    Refused,
    /// We did something wrong, or are not ready.
    Failed,
}

impl Outcome {
    const ALL: [Self; 7] = [
        Self::Permit,
        Self::Restrict,
        Self::Deny,
        Self::CannotTell,
        Self::Served,
        Self::Refused,
        Self::Failed,
    ];

    /// What an answer comes to.
    pub(crate) fn of(answer: &Answer) -> Self {
        match &answer.outcome {
            AnswerOutcome::Decided(decision) => match decision.verdict {
                Verdict::Permit => Self::Permit,
                Verdict::Restrict => Self::Restrict,
                Verdict::Deny | Verdict::Abstain => Self::Deny,
            },
            AnswerOutcome::CannotTell(_) => Self::CannotTell,
        }
    }

    /// The word for it in logs and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Restrict => "restrict",
            Self::Deny => "deny",
            Self::CannotTell => "cannot-tell",
            Self::Served => "served",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// The faces' metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// By area, then by outcome, in the order of `ALL`.
    durations: Vec<Vec<Histogram>>,
    /// By area.
    in_flight: Vec<IntGauge>,
    authentication_failures: Vec<IntCounter>,
    /// Requests by clients that lack the right.
    pub(crate) not_allowed: IntCounter,
    /// Questions that came in batches.
    pub(crate) batch_questions: IntCounter,
    /// Connections that are open now.
    pub(crate) connections: IntGauge,
    /// Connections that were accepted.
    pub(crate) accepted: IntCounter,
    /// Connections closed at once because there were too many.
    pub(crate) too_many: IntCounter,
    /// Connections that did not get through the TLS handshake.
    pub(crate) handshake_failed: IntCounter,
    /// Connections cut because they stood still.
    pub(crate) cut: IntCounter,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let durations = HistogramVec::new(
            HistogramOpts::new(
                "portreeve_face_request_seconds",
                "Time from the end of a request's header section to the start of its answer.",
            )
            .buckets(BUCKETS.to_vec()),
            &["face", "outcome"],
        )?;
        let in_flight = IntGaugeVec::new(
            Opts::new(
                "portreeve_face_requests_in_flight",
                "Requests that are being answered.",
            ),
            &["face"],
        )?;
        let failures = IntCounterVec::new(
            Opts::new(
                "portreeve_face_authentication_failures_total",
                "Requests whose client was not authenticated or lacked the right.",
            ),
            &["reason"],
        )?;
        let connections = IntCounterVec::new(
            Opts::new(
                "portreeve_face_connections_total",
                "Connections by what became of them.",
            ),
            &["outcome"],
        )?;
        let open = IntGauge::new("portreeve_face_connections", "Connections that are open.")?;
        let batch_questions = IntCounter::new(
            "portreeve_face_batch_questions_total",
            "Questions that came in batches.",
        )?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        registry.register(Box::new(failures.clone()))?;
        registry.register(Box::new(connections.clone()))?;
        registry.register(Box::new(open.clone()))?;
        registry.register(Box::new(batch_questions.clone()))?;
        let duration = |area: Area| {
            let outcomes = Outcome::ALL.iter();
            outcomes
                .map(|outcome| durations.with_label_values(&[area.as_str(), outcome.as_str()]))
                .collect()
        };
        let gauge = |area: Area| in_flight.with_label_values(&[area.as_str()]);
        let failure =
            |failure: &AuthenticationFailure| failures.with_label_values(&[failure.as_str()]);
        Ok(Self {
            durations: Area::ALL.into_iter().map(duration).collect(),
            in_flight: Area::ALL.into_iter().map(gauge).collect(),
            authentication_failures: AuthenticationFailure::ALL.iter().map(failure).collect(),
            not_allowed: failures.with_label_values(&["not-allowed"]),
            batch_questions,
            connections: open,
            accepted: connections.with_label_values(&["accepted"]),
            too_many: connections.with_label_values(&["too-many"]),
            handshake_failed: connections.with_label_values(&["handshake-failed"]),
            cut: connections.with_label_values(&["cut"]),
        })
    }

    /// Counts one request.
    pub(crate) fn observe(&self, area: Area, outcome: Outcome, seconds: f64) {
        let histogram = self.durations.get(area.position());
        if let Some(histogram) = histogram.and_then(|outcomes| outcomes.get(outcome as usize)) {
            histogram.observe(seconds);
        }
    }

    pub(crate) fn count_failure(&self, failure: AuthenticationFailure) {
        if let Some(counter) = self.authentication_failures.get(failure as usize) {
            counter.inc();
        }
    }

    /// Counts a request as on the way until the result is dropped.
    pub(crate) fn enter(&self, area: Area) -> Option<Counted<'_>> {
        self.in_flight.get(area.position()).map(Counted::new)
    }
}

/// One more in a gauge, until dropped.
#[derive(Debug)]
pub(crate) struct Counted<'a>(&'a IntGauge);

impl<'a> Counted<'a> {
    pub(crate) fn new(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_handle_is_where_it_is_looked_for() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        for area in Area::ALL {
            for outcome in Outcome::ALL {
                metrics.observe(area, outcome, 0.001);
            }
            drop(metrics.enter(area).unwrap());
        }
        for failure in AuthenticationFailure::ALL {
            metrics.count_failure(failure);
        }
        let text = prometheus::TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        for area in Area::ALL {
            for outcome in Outcome::ALL {
                let line = format!(
                    "portreeve_face_request_seconds_count{{face=\"{}\",outcome=\"{}\"}} 1\n",
                    area.as_str(),
                    outcome.as_str()
                );
                assert!(text.contains(&line), "{line}");
            }
            let line = format!(
                "portreeve_face_requests_in_flight{{face=\"{}\"}} 0\n",
                area.as_str()
            );
            assert!(text.contains(&line), "{line}");
        }
        for failure in AuthenticationFailure::ALL {
            let line = format!(
                "portreeve_face_authentication_failures_total{{reason=\"{}\"}} 1\n",
                failure.as_str()
            );
            assert!(text.contains(&line), "{line}");
        }
    }
}
