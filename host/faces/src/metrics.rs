//! What the faces count. Every handle is looked up once, at start.

use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::{Answer, Outcome as AnswerOutcome, Verdict};
use portreeve_gateway::striped::{Family, Histogram, Level, Registered};
use prometheus::proto::MetricType;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::clients::{AuthenticationFailure, Face};

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
    const COUNT: usize = Face::ALL.len() + 2;

    /// The faces first, in their order.
    fn all() -> impl Iterator<Item = Self> {
        let faces = Face::ALL.into_iter().map(Self::Face);
        faces.chain([Self::Health, Self::Common])
    }

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
            Self::Face(face) => face as usize,
            Self::Health => Self::COUNT - 2,
            Self::Common => Self::COUNT - 1,
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
            AnswerOutcome::Decided(decision) => Self::of_verdict(decision.verdict),
            AnswerOutcome::CannotTell(_) => Self::CannotTell,
        }
    }

    /// What a verdict comes to.
    pub(crate) const fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Permit => Self::Permit,
            Verdict::Restrict => Self::Restrict,
            Verdict::Deny | Verdict::Abstain => Self::Deny,
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
    durations: Arc<Family<Histogram>>,
    /// By area.
    in_flight: Arc<Family<Level>>,
    authentication_failures: Vec<IntCounter>,
    /// Requests by clients that lack the right.
    pub(crate) not_allowed: IntCounter,
    /// Questions that came in batches.
    pub(crate) batch_questions: IntCounter,
    /// Questions refused because too many were waiting.
    pub(crate) shed: IntCounter,
    /// Requests refused because their client asks too often, by client.
    rate_limited: IntCounterVec,
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
        let members = Area::all().flat_map(|area| {
            let outcomes = Outcome::ALL.iter();
            outcomes.map(move |outcome| {
                let labels = vec![area.as_str(), outcome.as_str()];
                (labels, Histogram::default())
            })
        });
        let durations = Arc::new(Family::new(
            "portreeve_face_request_seconds",
            "Time from the end of a request's header section to the start of its answer.",
            &["face", "outcome"],
            members,
        )?);
        let members = Area::all().map(|area| (vec![area.as_str()], Level::default()));
        let in_flight = Arc::new(Family::new(
            "portreeve_face_requests_in_flight",
            "Requests that are being answered.",
            &["face"],
            members,
        )?);
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
        registry.register(Box::new(Registered(
            Arc::clone(&durations),
            MetricType::HISTOGRAM,
        )))?;
        registry.register(Box::new(Registered(
            Arc::clone(&in_flight),
            MetricType::GAUGE,
        )))?;
        registry.register(Box::new(failures.clone()))?;
        registry.register(Box::new(connections.clone()))?;
        registry.register(Box::new(open.clone()))?;
        let shed = IntCounter::new(
            "portreeve_face_shed_total",
            "Questions refused because too many waited for sources and policies.",
        )?;
        let rate_limited = IntCounterVec::new(
            Opts::new(
                "portreeve_face_rate_limited_total",
                "Requests refused because their client asks more often than it may.",
            ),
            &["client"],
        )?;
        registry.register(Box::new(rate_limited.clone()))?;
        registry.register(Box::new(batch_questions.clone()))?;
        registry.register(Box::new(shed.clone()))?;
        let failure =
            |failure: &AuthenticationFailure| failures.with_label_values(&[failure.as_str()]);
        Ok(Self {
            durations,
            in_flight,
            authentication_failures: AuthenticationFailure::ALL.iter().map(failure).collect(),
            not_allowed: failures.with_label_values(&["not-allowed"]),
            batch_questions,
            shed,
            rate_limited,
            connections: open,
            accepted: connections.with_label_values(&["accepted"]),
            too_many: connections.with_label_values(&["too-many"]),
            handshake_failed: connections.with_label_values(&["handshake-failed"]),
            cut: connections.with_label_values(&["cut"]),
        })
    }

    /// Counts one request.
    pub(crate) fn observe(&self, area: Area, outcome: Outcome, duration: Duration) {
        let place = area.position() * Outcome::ALL.len() + outcome as usize;
        if let Some(histogram) = self.durations.get(place) {
            histogram.observe(duration);
        }
    }

    pub(crate) fn count_failure(&self, failure: AuthenticationFailure) {
        if let Some(counter) = self.authentication_failures.get(failure as usize) {
            counter.inc();
        }
    }

    /// Counts a request of a client that asks too often.
    pub(crate) fn count_rate_limited(&self, client: &str) {
        self.rate_limited.with_label_values(&[client]).inc();
    }

    /// Counts a request as on the way until the result is dropped.
    pub(crate) fn enter(&self, area: Area) -> Option<OnTheWay<'_>> {
        let level = self.in_flight.get(area.position())?;
        level.add(1);
        Some(OnTheWay(level))
    }
}

/// One more on the way, until dropped.
#[derive(Debug)]
pub(crate) struct OnTheWay<'a>(&'a Level);

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        self.0.add(-1);
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
        for area in Area::all() {
            for outcome in Outcome::ALL {
                metrics.observe(area, outcome, Duration::from_millis(1));
            }
            drop(metrics.enter(area).unwrap());
        }
        for failure in AuthenticationFailure::ALL {
            metrics.count_failure(failure);
        }
        let text = prometheus::TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        for area in Area::all() {
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
