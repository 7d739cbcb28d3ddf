//! A server on free ports, with a management system and a policy that are told
//! what to say by the last octet of the address that is asked about.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_cache::{CacheSettings, FreshnessRules};
use portreeve_domain::{
    Absence, ActionKind, Compliance, ComplianceState, Decision, Device, Fact, FactsRead, Finding,
    Identifier, Lists, Obligation, ObligationKind, Subject, Timestamp, Verdict,
};
use portreeve_faces::{
    ClientAuthentication, ClientSettings, Face, FaceSettings, IseSettings, Limits,
    ListenerSettings, PxgridSettings, ReloadError, Reloader, Secret, Server, TlsSettings,
};
use portreeve_gateway::inventory::{
    Change, Inventory, InventorySettings, InventorySource, InventoryState, Phase, Picture,
};
use portreeve_gateway::survey::Pictures;
use portreeve_gateway::{
    ActionRules, CheckReport, Evaluation, Evaluator, FeedSettings, Gateway, GatewaySettings,
    Health, InventoryError, InventoryPage, Lookup, Memory, Mode, OnError, PolicyError,
    PolicySettings, Source, SourceError, SourceErrorKind, SourcePicture, SourceSettings, Vouching,
};
use portreeve_store::{Store, StoreSettings, Writer};
use prometheus::Registry;
use rcgen::{Certificate, KeyPair};
use reqwest::{Method, RequestBuilder};
use rustls_pki_types::PrivateKeyDer;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

use crate::authority::Authority;

pub(crate) const COMPLIANT: &str = "00:50:56:00:00:01";
pub(crate) const NOT_COMPLIANT: &str = "00:50:56:00:00:02";
pub(crate) const UNKNOWN: &str = "00:50:56:00:00:03";
pub(crate) const UNREACHABLE: &str = "00:50:56:00:00:04";
pub(crate) const AMBIGUOUS: &str = "00:50:56:00:00:05";
/// The management system never answers.
pub(crate) const HANGING: &str = "00:50:56:00:00:06";
/// In the inventory.
pub(crate) const LISTED: &str = "00:50:56:00:00:07";

pub(crate) const SCRIPT: &str = "Bearer script-key";
/// Waits for three seconds, the others for 0.3.
pub(crate) const PATIENT: &str = "Bearer patient-key";
/// `radius:radius-password`
pub(crate) const RADIUS: &str = "Basic cmFkaXVzOnJhZGl1cy1wYXNzd29yZA==";
/// `cisco:cisco-password`
pub(crate) const CISCO: &str = "Basic Y2lzY286Y2lzY28tcGFzc3dvcmQ=";
/// As that, and may lock screens.
pub(crate) const ACTING: &str = "Bearer acting-key";
pub(crate) const MONITOR: &str = "Bearer monitor-key";
pub(crate) const ADMIN: &str = "Bearer admin-key";
pub(crate) const AUDITOR: &str = "Bearer auditor-key";
/// As that, but sees no fact that can be hidden.
pub(crate) const NARROW: &str = "Bearer narrow-key";

/// Its inventory has one page with one device, or none while it is broken.
#[derive(Debug, Default)]
pub(crate) struct Mdm {
    broken: AtomicBool,
    /// A question that is never answered has come.
    hangs: Notify,
}

fn device(key: &str, ids: Vec<Identifier>, state: ComplianceState) -> Device {
    Device {
        key: key.to_owned(),
        ids,
        compliance: Compliance {
            state,
            ..Compliance::default()
        },
        ..Device::default()
    }
}

impl Source for Mdm {
    fn find<'a>(
        &'a self,
        identifiers: &'a [Identifier],
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Lookup, SourceError>> {
        let mac = identifiers.iter().find_map(Identifier::as_mac);
        let state = match mac.map(|mac| mac.octets()[5]) {
            Some(1) => ComplianceState::Compliant,
            Some(2) => ComplianceState::NonCompliant,
            Some(4) => {
                let error = SourceError {
                    kind: SourceErrorKind::Unavailable,
                    message: "connection refused".to_owned(),
                    retry_after: None,
                };
                return async { Err(error) }.boxed();
            }
            Some(5) => return async { Ok(Lookup::Ambiguous) }.boxed(),
            Some(6) => {
                self.hangs.notify_one();
                return async move {
                    tokio::time::sleep_until(deadline.into()).await;
                    Ok(Lookup::Unknown)
                }
                .boxed();
            }
            _ => return async { Ok(Lookup::Unknown) }.boxed(),
        };
        let device = device("42", identifiers.to_vec(), state);
        async { Ok(Lookup::Found(Box::new(device))) }.boxed()
    }

    fn has_inventory(&self) -> bool {
        true
    }

    fn next_page<'a>(
        &'a self,
        _: Option<&'a str>,
        _: u32,
        _: Instant,
    ) -> BoxFuture<'a, Result<InventoryPage, InventoryError>> {
        let page = if self.broken.load(Ordering::SeqCst) {
            Err(InventoryError::Failed(SourceError {
                kind: SourceErrorKind::Misconfigured,
                message: "the permission is missing".to_owned(),
                retry_after: None,
            }))
        } else {
            let ids = vec![LISTED.parse().unwrap()];
            Ok(InventoryPage {
                upserts: vec![device("listed", ids, ComplianceState::Compliant)],
                cursor: "later".to_owned(),
                ..InventoryPage::default()
            })
        };
        std::future::ready(page).boxed()
    }

    fn vouching(&self) -> Option<&dyn Vouching> {
        Some(self)
    }

    fn check(&self, _: Instant) -> BoxFuture<'_, CheckReport> {
        async { CheckReport::default() }.boxed()
    }

    fn health(&self) -> Health {
        Health::Failing("token: `contoso.example` answered AADSTS7000215".to_owned())
    }
}

#[derive(Debug, Default)]
struct Policy {
    failing: AtomicBool,
}

impl Evaluator for Policy {
    fn evaluate(&self, subject: Arc<Subject>) -> BoxFuture<'_, Result<Evaluation, PolicyError>> {
        let (verdict, code) = match &subject.finding {
            Finding::Device(device) if device.compliance.state == ComplianceState::Compliant => {
                (Verdict::Permit, "compliant")
            }
            Finding::Device(_) => (Verdict::Deny, "not-compliant"),
            Finding::Absent(Absence::UnknownDevice) => (Verdict::Deny, "not-registered"),
            Finding::Absent(_) => (Verdict::Abstain, "no-facts"),
        };
        let mut decision = Decision::because(verdict, code, "as the management system says");
        if verdict == Verdict::Permit {
            decision.obligations.push(Obligation {
                kind: ObligationKind::Vlan("10".to_owned()),
                advisory: false,
            });
        }
        let mut facts_read = FactsRead::default();
        facts_read.note(Fact::Compliance);
        facts_read.note(Fact::Absence);
        async {
            Ok(Evaluation {
                decision,
                facts_read,
            })
        }
        .boxed()
    }

    fn health(&self) -> Health {
        if self.failing.load(Ordering::SeqCst) {
            Health::Failing("trapped at 0x1234".to_owned())
        } else {
            Health::Ok
        }
    }
}

fn gateway(
    mdm: &Arc<Mdm>,
    policy: &Arc<Policy>,
    memory: Arc<Memory>,
    registry: &Registry,
) -> Arc<Gateway> {
    let source = SourceSettings {
        name: "contoso".into(),
        source: Arc::clone(mdm) as Arc<dyn Source>,
        freshness: FreshnessRules {
            ttl: Duration::from_mins(5),
            max_stale_compliant: Duration::from_hours(24),
            max_stale_other: Duration::from_hours(1),
            negative_ttl: Duration::from_mins(1),
        },
        timeout: Duration::from_secs(5),
        enabled: true,
        requery: None,
        about: Arc::default(),
    };
    let policy = PolicySettings {
        name: "baseline".into(),
        digest: "0".into(),
        evaluator: Arc::clone(policy) as Arc<dyn Evaluator>,
        on_error: OnError::Deny,
        mode: Mode::Enforce,
    };
    let settings = GatewaySettings {
        sources: vec![source],
        chains: vec![policy].into(),
        lists: Lists::default(),
        // Where pxGrid is on.
        feed: FeedSettings {
            enabled: memory.store().is_some(),
            ..FeedSettings::default()
        },
        memory,
        sessions: Arc::default(),
        log: None,
        max_verdicts: 1_000,
        verdict_ttl: Duration::from_mins(1),
        quarantine: portreeve_gateway::quarantine::QuarantineSettings::default(),
        actions: ActionRules {
            allow: vec![ActionKind::Lock, ActionKind::Wipe],
            ..ActionRules::default()
        },
        retry_after: Duration::from_secs(7),
        max_flights: 100,
    };
    Gateway::new(settings, registry).unwrap()
}

fn memory(kept: Option<&Path>) -> (Arc<Memory>, Option<Writer>) {
    let settings = CacheSettings {
        max_devices: 1_000,
        max_bytes: 1 << 20,
        max_unknown: 1_000,
        ..CacheSettings::default()
    };
    let names = vec!["contoso".into()];
    let Some(path) = kept else {
        return (Arc::new(Memory::volatile(settings, names)), None);
    };
    let store = Store::open(path, &StoreSettings::default()).unwrap();
    let (memory, writer, _) = Memory::durable(settings, names, Arc::new(store)).unwrap();
    (Arc::new(memory), Some(writer))
}

/// Read when somebody asks for it.
fn inventory(mdm: &Arc<Mdm>, memory: &Arc<Memory>) -> Inventory {
    let source = InventorySource {
        switched_on: true,
        name: "contoso".into(),
        source: Arc::clone(mdm) as Arc<dyn Source>,
        picture: Arc::new(SourcePicture::new(memory, "contoso").unwrap()),
        settings: InventorySettings {
            jitter: Duration::from_hours(24 * 30),
            ..InventorySettings::default()
        },
    };
    Inventory::start(vec![source], &Registry::new()).unwrap()
}

/// Anybody may make an account; certificates of clients are approved at once.
fn pxgrid() -> PxgridSettings {
    PxgridSettings {
        node_name: "portreeve".to_owned(),
        url: None,
        accounts: true,
        approve_certificates: true,
        max_subscribers: 1_000,
        patience: Duration::from_millis(300),
    }
}

pub(crate) fn client(
    name: &str,
    authentication: ClientAuthentication,
    faces: &[Face],
) -> ClientSettings {
    ClientSettings {
        name: name.into(),
        authentication: vec![authentication],
        faces: faces.to_vec(),
        patience: Duration::from_millis(300),
        ..ClientSettings::default()
    }
}

fn bearer(key: &str) -> ClientAuthentication {
    let key = Secret::new(key.to_owned());
    ClientAuthentication::Bearer { key }
}

/// User name and password are the same word.
fn basic_of(word: &str) -> ClientAuthentication {
    ClientAuthentication::Basic {
        username: word.to_owned(),
        password: Secret::new(word.to_owned()),
    }
}

pub(crate) fn clients() -> Vec<ClientSettings> {
    let basic = ClientAuthentication::Basic {
        username: "radius".to_owned(),
        password: Secret::new("radius-password".to_owned()),
    };
    let certificate = ClientAuthentication::CertificateName("ise.example".to_owned());
    let mut elsewhere = client("elsewhere", bearer("elsewhere-key"), &[Face::Rest]);
    elsewhere.networks.push("192.0.2.0/24".parse().unwrap());
    let mut patient = client("patient", bearer("patient-key"), &[Face::Rest]);
    patient.patience = Duration::from_secs(3);
    let cisco = ClientAuthentication::Basic {
        username: "cisco".to_owned(),
        password: Secret::new("cisco-password".to_owned()),
    };
    let mut acting = client("acting", bearer("acting-key"), &[Face::Ise]);
    acting.actions = vec![ActionKind::Lock, ActionKind::Sync, ActionKind::Wipe];
    let name = ClientAuthentication::CertificateName("partial.example".to_owned());
    let mut partial = client("partial", name, &[Face::Pxgrid]);
    partial.facts = Some(Arc::default());
    let mut narrow = client("narrow", bearer("narrow-key"), &[Face::Inventory]);
    narrow.facts = Some(Arc::default());
    vec![
        client("cisco", cisco, &[Face::Ise]),
        acting,
        partial,
        narrow,
        client("auditor", bearer("auditor-key"), &[Face::Inventory]),
        client("script", bearer("script-key"), &[Face::Rest]),
        client("scep", bearer("scep-key"), &[Face::Scep]),
        patient,
        client("radius", basic, &[Face::Radius]),
        client("monitor", bearer("monitor-key"), &[Face::Metrics]),
        client("admin", bearer("admin-key"), &[Face::Admin]),
        client("ise", certificate, &[Face::Rest, Face::Pxgrid]),
        client("kandji", bearer("kandji-key"), &[Face::Kandji]),
        client("clearpass", bearer("clearpass-key"), &[Face::Clearpass]),
        client("jamf", basic_of("jamf"), &[Face::Jamf]),
        client("intune", basic_of("intune"), &[Face::Intune]),
        elsewhere,
    ]
}

/// A running server: TLS first, plain HTTP second.
pub(crate) struct Stand {
    pub(crate) tls: SocketAddr,
    pub(crate) plain: SocketAddr,
    pub(crate) authority: Authority,
    pub(crate) client: reqwest::Client,
    reloader: Reloader,
    certified: (Certificate, KeyPair),
    gateway: Arc<Gateway>,
    mdm: Arc<Mdm>,
    policy: Arc<Policy>,
    _writer: Option<Writer>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinSet<()>,
}

impl Stand {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::start(limits, None).await
    }

    /// One that has an inventory, and in this folder a store, `store`, and a
    /// socket, `control.sock`.
    pub(crate) async fn kept_in(folder: &Path) -> Self {
        Self::start(Limits::default(), Some(folder)).await
    }

    /// The same with other limits.
    pub(crate) async fn kept_with(folder: &Path, limits: Limits) -> Self {
        Self::start(limits, Some(folder)).await
    }

    async fn start(limits: Limits, folder: Option<&Path>) -> Self {
        let authority = Authority::new("authority");
        let (certificate, key) = authority.issue(&["localhost"]);
        let registry = Registry::new();
        let (policy, mdm) = (Arc::<Policy>::default(), Arc::<Mdm>::default());
        let store = folder.map(|folder| folder.join("store"));
        let (memory, writer) = memory(store.as_deref());
        let inventory = folder.map(|_| Arc::new(inventory(&mdm, &memory)));
        let gateway = gateway(&mdm, &policy, memory, &registry);
        if let Some(inventory) = &inventory {
            gateway.rely_on(Arc::clone(inventory) as Arc<dyn Pictures>);
        }
        let mut settings = FaceSettings {
            listeners: vec![
                ListenerSettings::Tls {
                    address: SocketAddr::from(([127, 0, 0, 1], 0)),
                    tls: TlsSettings {
                        certificates: vec![certificate.der().clone()],
                        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
                        client_issuers: vec![authority.certificate.der().clone()],
                    },
                },
                ListenerSettings::Plain {
                    address: SocketAddr::from(([127, 0, 0, 1], 0)),
                },
            ],
            clients: clients(),
            limits,
            inventory,
            ise: IseSettings::default(),
            pxgrid: folder.map(|_| pxgrid()),
        };
        settings
            .listeners
            .extend(folder.map(|folder| ListenerSettings::Local {
                path: folder.join("control.sock"),
            }));
        let server = Server::bind(settings, Arc::clone(&gateway), &registry)
            .await
            .unwrap();
        let &[tls, plain] = server.local_addresses() else {
            panic!("two listeners have two addresses");
        };
        let reloader = server.reloader();
        let (stop, stopped) = oneshot::channel();
        let mut serving = JoinSet::new();
        serving.spawn(server.serve(async move {
            let _ = stopped.await;
        }));
        Self {
            tls,
            plain,
            client: authority.client(None),
            authority,
            reloader,
            certified: (certificate, key),
            gateway,
            mdm,
            policy,
            _writer: writer,
            stop: Some(stop),
            serving,
        }
    }

    /// The gateway behind it.
    pub(crate) const fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Puts other clients in force.
    pub(crate) fn reload(&self, clients: Vec<ClientSettings>) -> Result<(), ReloadError> {
        let (certificate, key) = &self.certified;
        self.try_reload(clients, certificate, key)
    }

    /// And another certificate.
    pub(crate) fn reload_with(
        &self,
        clients: Vec<ClientSettings>,
        certificate: &Certificate,
        key: &KeyPair,
    ) {
        self.try_reload(clients, certificate, key).unwrap();
    }

    fn try_reload(
        &self,
        clients: Vec<ClientSettings>,
        certificate: &Certificate,
        key: &KeyPair,
    ) -> Result<(), ReloadError> {
        let tls = TlsSettings {
            certificates: vec![certificate.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            client_issuers: vec![self.authority.certificate.der().clone()],
        };
        self.reloader.replace(clients, vec![tls])
    }

    /// A request over TLS.
    pub(crate) fn request(&self, method: Method, path: &str, credential: &str) -> RequestBuilder {
        let url = format!("https://localhost:{}{path}", self.tls.port());
        let request = self.client.request(method, url);
        if credential.is_empty() {
            request
        } else {
            request.header("authorization", credential)
        }
    }

    pub(crate) fn get(&self, path: &str, credential: &str) -> RequestBuilder {
        self.request(Method::GET, path, credential)
    }

    pub(crate) fn post(&self, path: &str, credential: &str, json: &str) -> RequestBuilder {
        self.request(Method::POST, path, credential)
            .header("content-type", "application/json")
            .body(json.to_owned())
    }

    /// The management system said so a while ago.
    pub(crate) async fn learnt(&self, mac: &str, state: ComplianceState, ago: Duration) {
        let device = device(mac, vec![mac.parse().unwrap()], state);
        self.inventoried(vec![device], Vec::new(), ago).await;
    }

    /// The management system does not have it any more.
    pub(crate) async fn removed(&self, mac: &str) {
        let removals = vec![mac.to_owned()];
        self.inventoried(Vec::new(), removals, Duration::ZERO).await;
    }

    async fn inventoried(&self, upserts: Vec<Device>, removals: Vec<String>, ago: Duration) {
        let picture = SourcePicture::new(self.gateway.memory(), "contoso").unwrap();
        let ago = u64::try_from(ago.as_millis()).unwrap();
        let fetched_at = Timestamp::from_millis(Timestamp::now().as_millis() - ago);
        let change = Change {
            upserts,
            removals,
            fetched_at,
        };
        let state = InventoryState {
            phase: Phase::Full,
            epoch: 1,
            cursor: None,
            started_at: fetched_at,
            completed_at: None,
            read: 1,
            total: None,
        };
        picture.apply(change, state).await.unwrap();
    }

    /// Returns when the management system has a question that it never answers.
    pub(crate) async fn hangs(&self) {
        self.mdm.hangs.notified().await;
    }

    pub(crate) fn break_inventory(&self) {
        self.mdm.broken.store(true, Ordering::SeqCst);
    }

    pub(crate) fn break_policy(&self) {
        self.policy.failing.store(true, Ordering::SeqCst);
    }

    /// The metrics' text.
    pub(crate) async fn metrics(&self) -> String {
        self.get("/metrics", MONITOR)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    pub(crate) fn begin_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Returns when `serve` has.
    pub(crate) async fn stopped(mut self) {
        self.begin_to_stop();
        self.serving.join_next().await.unwrap().unwrap();
    }
}

/// Tries to listen.
pub(crate) async fn bind(settings: FaceSettings) -> Result<Server, portreeve_faces::BindError> {
    let registry = Registry::new();
    let gateway = gateway(&Arc::default(), &Arc::default(), memory(None).0, &registry);
    Server::bind(settings, gateway, &registry).await
}
