//! `portreeve serve`

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use portreeve_faces::{BindError, Configuration, Server, Trials};
use portreeve_gateway::inventory::Inventory;
use portreeve_gateway::survey::Pictures;
use portreeve_gateway::{Gateway, GatewaySettings};
use portreeve_store::decisions::DecisionWriter;
use prometheus::Registry;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::assemble::KeptMemory;
use crate::config::{Config, CredentialKind, Problem, Problems};
use crate::connectors::Connectors;
use crate::deciders::{self, Deciders};
use crate::reload::{Reloading, Snapshot};
use crate::trials::ImpactTrials;
use crate::{assemble, output};

/// Runs the gateway until a signal ends it.
pub(super) fn run(config: Config) -> anyhow::Result<ExitCode> {
    super::block_on(serve(config))?
}

async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    // From here on it does not end the process.
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen to signals")?;
    let started = tokio::select! {
        started = start(config) => started?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    for (scheme, address) in started.origins() {
        // Nobody has to listen for a gateway to serve.
        if let Err(error) = output::line(format!("ready {scheme}://{address}")) {
            tracing::warn!(%error, "stdout is closed");
        }
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "serving");
    let reloading = Arc::clone(&started.reloading);
    let stopping = CancellationToken::new();
    let ended = serve_until(started, stopping.clone());
    let twice = async {
        signals.next().await;
        tracing::info!("ending; a second signal ends at once");
        stopping.cancel();
        signals.next().await;
    };
    let again = async {
        while hangup.recv().await.is_some() {
            // It logs what came of it.
            let _ = reloading.reload(false).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = again => Ok(ExitCode::SUCCESS),
        () = reloading.watch_expiries() => Ok(ExitCode::SUCCESS),
        () = ended => Ok(ExitCode::SUCCESS),
        // Tasks may be stuck, and dropping them could wait.
        () = twice => std::process::exit(1),
    }
}

/// Serves, and ends in order once it is told to: first who asks, then who
/// learns, then who keeps.
async fn serve_until(started: Started, stopping: CancellationToken) {
    let reading = async {
        stopping.cancelled().await;
        started.inventory.shutdown().await;
    };
    let trying = async {
        stopping.cancelled().await;
        started.trials.shutdown().await;
    };
    tokio::join!(started.server.serve(stopping.cancelled()), reading, trying);
    let ended = tokio::time::timeout(started.shutdown_timeout, started.gateway.shutdown());
    if ended.await.is_err() {
        tracing::warn!("look-ups that did not end in time are cut off");
    }
    if let Some(decisions) = started.decisions
        && let Err(error) = decisions.shutdown().await
    {
        tracing::error!(%error, "the last decisions are not in the log");
    }
    started.kept.close().await;
}

/// The server and what is behind it.
struct Started {
    server: Server,
    reloading: Arc<Reloading>,
    trials: Arc<ImpactTrials>,
    schemes: Vec<&'static str>,
    shutdown_timeout: Duration,
    gateway: Arc<Gateway>,
    inventory: Arc<Inventory>,
    decisions: Option<DecisionWriter>,
    kept: KeptMemory,
}

impl Started {
    fn origins(&self) -> impl Iterator<Item = (&'static str, std::net::SocketAddr)> {
        let addresses = self.server.local_addresses().iter().copied();
        self.schemes.iter().copied().zip(addresses)
    }
}

/// Files that a gateway has open beside its connections.
const OTHER_FILES: u64 = 100;

/// Lets this process have as many connections as it takes. Shells and service
/// managers start with fewer descriptors than they allow.
fn make_room_for(connections: usize) {
    let mut limit = getrlimit(Resource::Nofile);
    let (current, most) = (limit.current, limit.maximum);
    limit.current = most;
    let raised = setrlimit(Resource::Nofile, limit).is_ok();
    let files = if raised { most } else { current };
    let wanted = OTHER_FILES.saturating_add(connections as u64);
    if files.is_some_and(|files| files < wanted) {
        tracing::warn!(
            files,
            wanted,
            "fewer files may be open than `max-connections` needs"
        );
    }
}

async fn start(config: Config) -> anyhow::Result<Started> {
    make_room_for(config.server.max_connections);
    log_keys(&config);
    let runtime = assemble::runtime(&config)?;
    let config = Arc::new(config);
    let store = assemble::store(&config)?;
    // A million devices are read while the plugins are loaded.
    let loading = {
        let (config, store) = (Arc::clone(&config), store.clone());
        tokio::task::spawn_blocking(move || assemble::memory(&config, store))
    };
    let parts = assemble::parts(&config, &runtime, store.as_ref()).await?;
    for warning in &parts.warnings {
        log_warning(warning);
    }
    let kept = loading.await??;
    let registry = Registry::new();
    let connectors = parts.connectors.clone();
    let (log, decisions) = assemble::decisions(&config)?.unzip();
    let settings = GatewaySettings {
        actions: assemble::actions(&config, store.as_ref())?,
        quarantine: assemble::quarantine(&config, store.as_ref())?,
        feed: assemble::feed_settings(&config),
        ..assemble::gateway_settings(&config, parts, &kept, log)
    };
    let print = deciders::print(config.deciding(), &settings.chains);
    let lists = settings.lists.clone();
    let gateway = Gateway::new(settings, &registry)?;
    gateway
        .lists()
        .resume(assemble::changed_lists(store.as_ref())?);
    let inventory = assemble::inventory_sources(&config, &connectors, &gateway, true);
    let inventory = Arc::new(Inventory::start(inventory, &registry)?);
    gateway.rely_on(Arc::clone(&inventory) as Arc<dyn Pictures>);
    let shutdown_timeout = config.server.shutdown_timeout.0;
    let tls = config.server.tls.is_some().then_some("https");
    let plain = config.server.plain.is_some().then_some("http");
    let control = super::control::socket(&config);
    let snapshot = Snapshot::of(&config);
    let connectors = Connectors::new(
        (&config, connectors),
        runtime.clone(),
        store,
        Arc::clone(&gateway),
        Arc::clone(&inventory),
    );
    let config = Arc::into_inner(config).context("the configuration is still in use")?;
    let faces = assemble::face_settings(
        config.server,
        &config.clients.0,
        &config.ise,
        control,
        Arc::clone(&inventory),
        config.pxgrid,
    );
    let server = Server::bind(faces, gateway.clone(), &registry)
        .await
        .map_err(|error| explain(&error))?;
    let deciders = Deciders::new(runtime, Arc::clone(&gateway), print, lists);
    let deciders = Arc::new(deciders);
    let trials = Arc::new(ImpactTrials::new(snapshot.path(), Arc::clone(&deciders)));
    server.set_trials(Arc::clone(&trials) as Arc<dyn Trials>);
    let reloading = Arc::new(Reloading::new(
        snapshot,
        server.reloader(),
        (connectors, deciders),
        &registry,
    )?);
    server.set_configuration(Arc::clone(&reloading) as Arc<dyn Configuration>);
    Ok(Started {
        server,
        reloading,
        trials,
        schemes: tls.into_iter().chain(plain).collect(),
        shutdown_timeout,
        gateway,
        inventory,
        decisions,
        kept,
    })
}

fn explain(error: &BindError) -> Problems {
    let hint = match error {
        BindError::NoListener | BindError::PlainOutsideLoopback(_) => {
            "see `[server]` and `[server.plain]`"
        }
        BindError::Tls { .. } => "see `certificate`, `key` and `client-ca` under `[server]`",
        BindError::Listen { .. } => {
            "another program may listen there already, or the address is not this machine's"
        }
        BindError::Local { .. } => {
            "another gateway may run with this `directory` of `[store]`, or its path is too long for a socket"
        }
        BindError::Clients(_) => "see `[clients.NAME]`",
        BindError::Pxgrid(_) => "see `[pxgrid]`, and check the store with `portreeve store verify`",
        BindError::Metrics(_) => "this is a mistake in Portreeve, please report it",
    };
    Problem::nowhere(error.to_string()).hint(hint).into()
}

/// Which keys are in use, by name and never by content.
fn log_keys(config: &Config) {
    for connector in &config.connectors.0 {
        let name = &connector.name.value;
        for credential in &connector.credentials.0 {
            let slot = &credential.name.value;
            match &credential.kind {
                CredentialKind::ClientCertificate { certificate, .. } => {
                    let certificate = &certificate.certificate;
                    tracing::info!(
                        connector = name,
                        credential = slot,
                        certificate = certificate.subject(),
                        thumbprint = certificate.sha1_thumbprint(),
                        "private key read"
                    );
                }
                CredentialKind::ClientSecret { secret, .. }
                | CredentialKind::Bearer { secret }
                | CredentialKind::Header { secret, .. }
                | CredentialKind::Hmac { secret }
                | CredentialKind::Basic {
                    password: secret, ..
                } => {
                    let origin = secret.origin();
                    tracing::info!(connector = name, credential = slot, origin, "secret read");
                }
            }
        }
    }
}

fn log_warning(problem: &Problem) {
    let hint = problem.advice();
    tracing::warn!(%problem, hint, "the configuration may not do what is meant");
}

/// The signals that end the program.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
