//! The failure matrix: every operation of the Intune connector × each of its network steps × every
//! way to fail, then a good run. The real component asks the simulated tenant.
//!
//! Nothing hangs, no failure becomes an answer, nothing is remembered wrongly, a check names what is
//! wrong, and the next good run works. An operation is one row in [`Operation::steps`].

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "functions of a test fail loudly"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use portreeve_domain::{Guid, Identifier};
use portreeve_egress::{CredentialKind, CredentialSettings, Egress, EgressSettings, Secret};
use portreeve_harness::{certificates_of, guest};
use portreeve_runtime::{
    BreakerSettings, Connector, ConnectorSettings, Limits, LookupOutcome, MemoryState, PageLimits,
    Plugin, ReportVerdict, Runtime, RuntimeSettings, StateQuota,
};
use portreeve_tenant::well_known::COMPLIANT;
use portreeve_tenant::{Fault, Resource, RetryAfter, Step, Tenant};
use serde_json::json;

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(3);
/// Long enough for every call that ends by itself, on a slow machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// What the connector can be asked to do.
#[derive(Clone, Copy, Debug)]
enum Operation {
    LookUp,
    FirstPage,
    NextPage,
    Revocations,
    Check,
}

impl Operation {
    /// The requests that it makes with nothing to go by, in order.
    const fn steps(self) -> &'static [Step] {
        match self {
            Self::LookUp => &[
                Step::GraphToken,
                Step::Discovery,
                Step::IntuneToken,
                Step::Compliance,
                Step::Device,
            ],
            Self::FirstPage => &[Step::GraphToken, Step::DeviceList, Step::NonCompliantList],
            // The token is at hand from the first page.
            Self::NextPage => &[Step::DeviceList],
            Self::Revocations => &[
                Step::GraphToken,
                Step::Discovery,
                Step::IntuneToken,
                Step::RevocationDownload,
            ],
            Self::Check => &[
                Step::GraphToken,
                Step::IntuneToken,
                Step::Discovery,
                Step::DeviceList,
                Step::ServerInfo,
                Step::Compliance,
            ],
        }
    }

    /// Does it, and says what came of it. What differs from run to run is left out.
    async fn run(self, stand: &Stand, connector: &Connector) -> Result<String, String> {
        let deadline = Instant::now() + PATIENCE;
        match self {
            Self::LookUp => {
                let guid = Guid::parse(COMPLIANT.guid.to_string().as_bytes()).expect("a GUID");
                let found = connector.find(&[Identifier::Guid(guid)], deadline).await;
                match found.map_err(|error| error.to_string())? {
                    LookupOutcome::Found(device) => {
                        Ok(format!("{} {:?}", device.key, device.compliance.state))
                    }
                    other => Ok(format!("{other:?}")),
                }
            }
            Self::FirstPage | Self::NextPage => {
                let cursor = matches!(self, Self::NextPage).then_some(stand.cursor.as_str());
                let page = connector.next_page(cursor, 5, deadline).await;
                let page = page.map_err(|error| error.to_string())?;
                let keys: Vec<&str> = page
                    .upserts
                    .iter()
                    .map(|device| device.key.as_str())
                    .collect();
                Ok(format!("{keys:?} more: {}", page.more))
            }
            Self::Revocations => {
                let listed = connector.revocations(10, None, deadline).await;
                let listed = listed.map_err(|error| error.to_string())?;
                Ok(format!("{} to revoke", listed.len()))
            }
            Self::Check => {
                let report = connector.check(deadline).await;
                let report = report.map_err(|error| error.to_string())?;
                if report.verdict == ReportVerdict::Failed {
                    return Err(format!("{:?}", codes(&report)));
                }
                Ok(format!("{:?} {:?}", report.verdict, codes(&report)))
            }
        }
    }
}

fn codes(report: &portreeve_runtime::Report) -> Vec<&str> {
    report
        .findings
        .iter()
        .filter_map(|finding| finding.code.as_deref())
        .collect()
}

/// The ways to fail. The first has no fault: nobody is there at all.
fn faults() -> Vec<Option<Fault>> {
    vec![
        None,
        Some(Fault::Timeout),
        Some(Fault::Dropped),
        Some(Fault::InternalError),
        Some(Fault::Unavailable {
            retry_after: RetryAfter::Absent,
        }),
        Some(Fault::TooManyRequests {
            retry_after: RetryAfter::Seconds(1.5),
        }),
        Some(Fault::Unauthorized),
        Some(Fault::Malformed),
        Some(Fault::WrongContentType),
        Some(Fault::Truncated),
    ]
}

/// A tenant and the plugin.
struct Stand {
    tenant: Tenant,
    plugin: Plugin,
    /// Where the second page begins.
    cursor: String,
}

impl Stand {
    async fn start() -> anyhow::Result<Self> {
        let tenant = Tenant::builder().devices(20).start().await?;
        // What SCEP needs beside the rest.
        tenant.grant(Resource::Intune, "scep_challenge_provider");
        let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/compiled");
        std::fs::create_dir_all(&cache)?;
        let runtime = Runtime::new(&RuntimeSettings {
            compiled_cache: Some(cache),
            threads: 2,
            instances: 16,
            ..RuntimeSettings::default()
        })?;
        let plugin = runtime.load(&std::fs::read(guest("intune")?)?).await?;
        let mut stand = Self {
            tenant,
            plugin,
            cursor: String::new(),
        };
        let connector = stand.connector().await?;
        let page = connector
            .next_page(None, 5, Instant::now() + PATIENCE)
            .await?;
        stand.cursor = page.cursor;
        Ok(stand)
    }

    /// A connector with no token, no discovered service and no open connection.
    async fn connector(&self) -> anyhow::Result<Connector> {
        let origin = self.tenant.origin();
        let host = origin.trim_start_matches("https://");
        let credential = |slot: &str, path: &str, scope: &str| -> anyhow::Result<_> {
            Ok(CredentialSettings {
                slot: slot.to_owned(),
                urls: vec![format!("{origin}{path}").parse()?],
                kind: CredentialKind::Oauth2ClientSecret {
                    token_url: self.tenant.token_url_v2(),
                    client_id: self.tenant.client_id().to_string(),
                    secret: Secret::new(self.tenant.client_secret()),
                    scope: scope.to_owned(),
                },
            })
        };
        let egress = Egress::new(
            "contoso",
            EgressSettings {
                allow: vec![host.parse()?],
                private_networks: vec!["127.0.0.0/8".parse()?],
                request_timeout: REQUEST,
                roots: certificates_of(self.tenant.ca_pem())?,
                credentials: vec![
                    credential("graph", "/v1.0/", "https://graph.microsoft.com/.default")?,
                    credential(
                        "intune",
                        "/TrafficGateway/",
                        "https://api.manage.microsoft.com//.default",
                    )?,
                ],
                ..EgressSettings::default()
            },
        )?;
        let settings = ConnectorSettings {
            settings: json!({
                "graph-url": origin,
                "service-hosts": ["127.0.0.1"],
                "inventory": "graph",
                "non-compliant-list": true,
            }),
            limits: Limits {
                wall_clock: PATIENCE,
                ..Limits::connector()
            },
            pages: PageLimits {
                wall_clock: PATIENCE,
                ..PageLimits::default()
            },
            breaker: BreakerSettings::default(),
            egress,
            state: Arc::new(MemoryState::new(StateQuota::default())),
        };
        self.plugin
            .connector("contoso", settings)
            .await
            .context("the connector")
    }

    /// One cell of the matrix.
    async fn cell(
        &self,
        operation: Operation,
        step: Step,
        fault: Option<Fault>,
        right: &str,
    ) -> anyhow::Result<()> {
        let name = format!("{operation:?}, {step:?}, {fault:?}");
        let connector = self.connector().await?;
        if matches!(operation, Operation::NextPage) {
            // Its token is there before the trouble begins.
            Operation::FirstPage.run(self, &connector).await.ok();
        }
        match &fault {
            Some(fault) => self.tenant.set_fault(step, fault.clone()),
            None => self.tenant.stop().await?,
        }
        let told = ended(&name, operation.run(self, &connector)).await;
        if let Ok(told) = &told {
            // Some faults do not matter to who reads well, none makes another answer.
            assert_eq!(told, right, "{name}");
        }
        let found = ended(&name, Operation::Check.run(self, &connector)).await;
        // A device's own record, the list of the service and SCEP are no steps of a check.
        let looked_at = Operation::Check.steps().contains(&step);
        if told.is_err() && looked_at {
            assert!(found.is_err(), "{name}: {told:?}, but the check {found:?}");
        }
        match &fault {
            Some(_) => self.tenant.clear_faults(),
            None => self.tenant.resume().await?,
        }
        // A check is what an administrator does; it also ends the pause after a refused token.
        let found = ended(&name, Operation::Check.run(self, &connector)).await;
        assert_eq!(found.as_deref(), Ok("Passed []"), "{name}, afterwards");
        let told = ended(&name, operation.run(self, &connector)).await;
        assert_eq!(told.as_deref(), Ok(right), "{name}, afterwards");
        Ok(())
    }
}

/// What a call came to; it must come to something.
async fn ended<T>(name: &str, call: impl Future<Output = T>) -> T {
    tokio::time::timeout(2 * PATIENCE, call)
        .await
        .unwrap_or_else(|_| panic!("{name} hangs"))
}

async fn check(operation: Operation) -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let fresh = stand.connector().await?;
    let right = operation.run(&stand, &fresh).await;
    let right = right.map_err(anyhow::Error::msg)?;
    for step in operation.steps() {
        for fault in faults() {
            stand.cell(operation, *step, fault, &right).await?;
        }
    }
    stand.tenant.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn look_up() -> anyhow::Result<()> {
    check(Operation::LookUp).await
}

#[tokio::test(flavor = "multi_thread")]
async fn first_page() -> anyhow::Result<()> {
    check(Operation::FirstPage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn next_page() -> anyhow::Result<()> {
    check(Operation::NextPage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn revocations() -> anyhow::Result<()> {
    check(Operation::Revocations).await
}

#[tokio::test(flavor = "multi_thread")]
async fn check_itself() -> anyhow::Result<()> {
    check(Operation::Check).await
}
