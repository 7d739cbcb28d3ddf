//! A gateway without plugins and without a network.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_cache::{CacheSettings, FreshnessRules};
use portreeve_domain::{
    Asked, Compliance, ComplianceState, Connection, Decision, Device, Enrollment, Fact, FactsRead,
    Guid, Identifier, Lists, MacAddress, Question, Subject, Verdict,
};
use portreeve_gateway::{
    CheckReport, Evaluation, Evaluator, Form, Gateway, GatewaySettings, Health, Hit, Hole, Lookup,
    Memory, Mode, Moving, OnError, PolicyError, PolicySettings, Source, SourceError,
    SourceSettings, StartError, Text,
};
use prometheus::Registry;

/// Nothing expires while a bench runs.
const FRESHNESS: FreshnessRules = FreshnessRules {
    ttl: Duration::from_hours(24),
    max_stale_compliant: Duration::from_hours(24),
    max_stale_other: Duration::from_hours(24),
    negative_ttl: Duration::from_hours(24),
};

/// Numbers without a visible order (`SplitMix64`), so that questions come in an
/// order that no prefetcher follows.
pub fn scramble(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The address of the device with this number.
pub const fn mac(number: u32) -> MacAddress {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddress::new([0x00, 0x1b, a, b, c, d])
}

/// Knows every device that [`mac`] names, at once.
#[derive(Debug)]
pub struct EveryDevice;

impl Source for EveryDevice {
    fn find<'a>(
        &'a self,
        identifiers: &'a [Identifier],
        _: Instant,
    ) -> BoxFuture<'a, Result<Lookup, SourceError>> {
        let found = identifiers.iter().find_map(|identifier| match identifier {
            Identifier::Mac(mac) => Some(Lookup::Found(Box::new(device(*mac)))),
            _ => None,
        });
        std::future::ready(Ok(found.unwrap_or(Lookup::Unknown))).boxed()
    }

    fn check(&self, _: Instant) -> BoxFuture<'_, CheckReport> {
        std::future::ready(CheckReport::default()).boxed()
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

/// As many facts as a connector for Intune gives.
pub fn device(mac: MacAddress) -> Device {
    let number = mac
        .octets()
        .iter()
        .fold(0_u64, |number, octet| number << 8 | u64::from(*octet));
    let guid = Guid::new(u128::from(scramble(number)) << 64 | u128::from(scramble(!number)));
    Device {
        key: guid.to_string(),
        ids: vec![
            Identifier::Guid(guid),
            Identifier::Serial(format!("C02{number:015}").into()),
            Identifier::Mac(mac),
        ],
        enrollment: Enrollment::Enrolled,
        compliance: Compliance {
            state: ComplianceState::Compliant,
            ..Compliance::default()
        },
        ..Device::default()
    }
}

/// Permits, after reading what the baseline policy reads of a device.
#[derive(Debug)]
pub struct Permits;

impl Evaluator for Permits {
    fn evaluate(&self, _: Arc<Subject>) -> BoxFuture<'_, Result<Evaluation, PolicyError>> {
        let mut facts_read = FactsRead::default();
        for fact in [Fact::Absence, Fact::Compliance, Fact::Posture] {
            facts_read.note(fact);
        }
        std::future::ready(Ok(Evaluation {
            decision: Decision::because(Verdict::Permit, "compliant", "the device is compliant"),
            facts_read,
        }))
        .boxed()
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

/// A gateway with one source that knows every device, and this chain.
///
/// # Errors
///
/// When the gateway's metrics cannot be registered.
pub fn gateway(chain: Vec<Arc<dyn Evaluator>>) -> Result<Arc<Gateway>, StartError> {
    let chain = chain.into_iter().enumerate();
    let settings = GatewaySettings {
        sources: vec![SourceSettings {
            name: "contoso".into(),
            source: Arc::new(EveryDevice),
            freshness: FRESHNESS,
            timeout: Duration::from_secs(10),
            enabled: true,
            requery: None,
            about: Arc::default(),
        }],
        chains: chain
            .map(|(position, evaluator)| PolicySettings {
                name: format!("policy-{position}").into(),
                digest: "0".into(),
                evaluator,
                on_error: OnError::Deny,
                mode: Mode::Enforce,
            })
            .collect::<Vec<_>>()
            .into(),
        lists: Lists::default(),
        memory: Arc::new(Memory::volatile(
            CacheSettings {
                max_devices: usize::MAX,
                max_bytes: usize::MAX,
                max_attached_bytes: usize::MAX,
                ..CacheSettings::default()
            },
            vec!["contoso".into()],
        )),
        sessions: Arc::default(),
        log: None,
        max_verdicts: usize::MAX,
        verdict_ttl: Duration::from_hours(24),
        quarantine: portreeve_gateway::quarantine::QuarantineSettings::default(),
        feed: portreeve_gateway::FeedSettings::default(),
        actions: portreeve_gateway::ActionRules::default(),
        retry_after: Duration::from_secs(30),
        max_flights: 256,
    };
    Gateway::new(settings, &Registry::new())
}

/// What a NAC product asks about the device with this number.
pub fn question(number: u32, connection: &Arc<Connection>) -> Question {
    Question::new(
        vec![Identifier::Mac(mac(number))],
        Arc::clone(connection),
        Duration::from_secs(2),
    )
}

/// The connection that all questions are about.
pub fn connection() -> Arc<Connection> {
    Arc::new(Connection {
        client: "radius-1".into(),
        nas: Some("switch-17.example".to_owned()),
        attachment: Some("GigabitEthernet1/0/17".to_owned()),
        ..Connection::default()
    })
}

/// Asks about the first `count` devices, so that they and the decisions about
/// them are in memory.
pub async fn fill(gateway: &Gateway, count: u32) {
    let connection = connection();
    for number in 0..count {
        let question = question(number, &connection);
        gateway.answer(&question).await;
        // The second time it is one that the next hits can be rendered from.
        if let Some(answered) = gateway.answer_from_memory(&question) {
            gateway.keep(&answered, FORM, text());
        }
    }
}

const FORM: Form = Form::new(0);

/// As large as an answer of the REST face.
fn text() -> Text {
    Text {
        status: 200,
        bytes: vec![b'x'; 800].into(),
        holes: [Moving::FetchedAt(0), Moving::Age(0), Moving::Time]
            .map(|content| Hole {
                place: 700,
                content,
            })
            .into(),
    }
}

/// A hit: the one place that says how a face gets an answer from memory.
#[inline]
pub fn hit(gateway: &Gateway, asked: Asked<'_>) -> Option<Hit> {
    gateway.hit(asked, FORM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_asked_once_is_a_hit() {
        let gateway = gateway(vec![Arc::new(Permits)]).unwrap();
        fill(&gateway, 10).await;
        let connection = connection();
        for number in 0..10 {
            assert!(hit(&gateway, question(number, &connection).asked()).is_some());
        }
        assert!(hit(&gateway, question(10, &connection).asked()).is_none());
        assert_eq!(gateway.status().devices, 10);
    }
}
