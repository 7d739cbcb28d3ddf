//! What running a plugin costs: a policy on a fresh and on a reused instance,
//! a connector's look-up over TLS to the simulated tenant beside the same
//! request without a plugin.

#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use portreeve_domain::{
    Compliance, ComplianceState, Device, Enrollment, Finding, Identifier, Subject, Timestamp,
};
use portreeve_egress::{
    CredentialKind, CredentialSettings, Egress, EgressSettings, Secret, request,
};
use portreeve_harness::guest;
use portreeve_runtime::{
    BreakerSettings, Connector, ConnectorSettings, Limits, MemoryState, PageLimits, Policy,
    PolicySettings, Reuse, Runtime, RuntimeSettings, StateQuota,
};
use portreeve_tenant::Tenant;
use portreeve_tenant::well_known::COMPLIANT;
use serde_json::json;
use tokio::runtime::Runtime as Tokio;

const PATIENCE: Duration = Duration::from_secs(10);

fn subject() -> Arc<Subject> {
    let device = Device {
        enrollment: Enrollment::Enrolled,
        compliance: Compliance {
            state: ComplianceState::Compliant,
            ..Compliance::default()
        },
        ..Device::default()
    };
    Arc::new(Subject {
        now: Timestamp::now(),
        connection: Arc::default(),
        requested: Arc::new([]),
        finding: Finding::Device(Arc::new(device)),
        sources: Vec::new(),
        lists: Arc::default(),
    })
}

async fn policy(runtime: &Runtime, reuse: Reuse) -> Policy {
    let component = std::fs::read(guest("baseline").unwrap()).unwrap();
    let plugin = runtime.load(&component).await.unwrap();
    let limits = Limits {
        reuse,
        ..Limits::policy()
    };
    let settings = PolicySettings {
        settings: json!({}),
        limits,
        breaker: BreakerSettings::default(),
    };
    plugin.policy("baseline", settings).await.unwrap()
}

fn policies(criterion: &mut Criterion) {
    let tokio = Tokio::new().unwrap();
    let runtime = Runtime::new(&RuntimeSettings::default()).unwrap();
    let subject = subject();
    let mut group = criterion.benchmark_group("policy");
    for (name, reuse) in [
        ("fresh", Reuse::Fresh),
        ("reused", Reuse::UpTo { calls: 1_000_000 }),
    ] {
        let policy = tokio.block_on(policy(&runtime, reuse));
        group.bench_function(name, |bencher| {
            bencher
                .to_async(&tokio)
                .iter(|| async { policy.evaluate(Arc::clone(&subject)).await.unwrap() });
        });
    }
    group.finish();
}

fn egress(tenant: &Tenant) -> Egress {
    let origin = tenant.origin();
    let credential = |slot: &str, scope: &str, path: &str| CredentialSettings {
        slot: slot.to_owned(),
        urls: vec![format!("{origin}{path}").parse().unwrap()],
        kind: CredentialKind::Oauth2ClientSecret {
            token_url: tenant.token_url_v2(),
            client_id: tenant.client_id().to_string(),
            secret: Secret::new(tenant.client_secret().to_owned()),
            scope: scope.to_owned(),
        },
    };
    let roots = portreeve_harness::certificates_of(tenant.ca_pem()).unwrap();
    let settings = EgressSettings {
        allow: vec![origin.parse().unwrap()],
        private_networks: vec!["127.0.0.0/8".parse().unwrap()],
        roots,
        credentials: vec![
            credential("graph", "https://graph.microsoft.com/.default", "/v1.0/"),
            credential(
                "intune",
                "https://api.manage.microsoft.com//.default",
                "/TrafficGateway/",
            ),
        ],
        ..EgressSettings::default()
    };
    Egress::new("contoso", settings).unwrap()
}

async fn connector(runtime: &Runtime, tenant: &Tenant, egress: Egress) -> Connector {
    let component = std::fs::read(guest("intune").unwrap()).unwrap();
    let plugin = runtime.load(&component).await.unwrap();
    let settings = ConnectorSettings {
        settings: json!({ "graph-url": tenant.graph_url(), "service-hosts": ["127.0.0.1"] }),
        limits: Limits::connector(),
        pages: PageLimits::default(),
        breaker: BreakerSettings::default(),
        egress,
        state: Arc::new(MemoryState::new(StateQuota::default())),
    };
    plugin.connector("contoso", settings).await.unwrap()
}

fn connectors(criterion: &mut Criterion) {
    let tokio = Tokio::new().unwrap();
    let runtime = Runtime::new(&RuntimeSettings::default()).unwrap();
    let tenant = tokio.block_on(Tenant::builder().start()).unwrap();
    let egress = egress(&tenant);
    let connector = tokio.block_on(connector(&runtime, &tenant, egress.clone()));
    let ids: [Identifier; 1] = [COMPLIANT.guid.to_string().parse().unwrap()];
    let url = format!(
        "{}/cisco/devices/?paging=0&querycriteria=guid&value={}&filter=all",
        tenant.compliance_url(),
        COMPLIANT.guid
    );
    let mut group = criterion.benchmark_group("look-up");
    group.bench_function("connector", |bencher| {
        bencher.to_async(&tokio).iter(|| async {
            connector
                .find(&ids, Instant::now() + PATIENCE)
                .await
                .unwrap()
        });
    });
    group.bench_function("same request without a plugin", |bencher| {
        bencher.to_async(&tokio).iter(|| async {
            let request = request("GET", &url, [], bytes::Bytes::new()).unwrap();
            egress
                .send(request, (Instant::now() + PATIENCE).into())
                .await
                .unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, policies, connectors);
criterion_main!(benches);
