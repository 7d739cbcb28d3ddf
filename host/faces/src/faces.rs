//! What all faces share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use portreeve_domain::Question;
use portreeve_gateway::inventory::Inventory;
use portreeve_gateway::{Answered, Gateway};
use prometheus::Registry;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::clients::Clients;
use crate::configuration::Configuration;
use crate::intune::Replay;
use crate::inventory::Snapshots;
use crate::ise::Ise;
use crate::metrics::Metrics;
use crate::problem::{Problem, ProblemKind};
use crate::pxgrid::{Pxgrid, PxgridSettings};
use crate::token::Tokens;
use crate::trials::Trials;
use crate::{BindError, ClientsError, IseSettings, Limits};

/// Batches that may be answered at the same time; each holds its questions in
/// memory.
const BATCHES: usize = 4;
/// When a client that found no place should ask again.
const SHED: Duration = Duration::from_secs(1);

/// What all faces share.
#[derive(Debug)]
pub(crate) struct Faces {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) clients: Clients,
    pub(crate) tokens: Tokens,
    pub(crate) assertions: Replay,
    pub(crate) metrics: Metrics,
    pub(crate) registry: Registry,
    pub(crate) limits: Limits,
    pub(crate) inventory: Option<Arc<Inventory>>,
    pub(crate) batches: Arc<Semaphore>,
    pub(crate) ise: Ise,
    /// Lists of the inventory that are read page by page.
    pub(crate) snapshots: Snapshots,
    /// Nodes, if pxGrid is on.
    pub(crate) pxgrid: Option<Arc<Pxgrid>>,
    /// Questions that memory cannot answer.
    waiting: Semaphore,
    stopping: AtomicBool,
    /// Set once there is one, which knows the server.
    pub(crate) configuration: OnceLock<Arc<dyn Configuration>>,
    /// The same for policies that are tried out.
    pub(crate) trials: OnceLock<Arc<dyn Trials>>,
}

impl Faces {
    pub(crate) fn new(
        clients: Clients,
        limits: Limits,
        inventory: Option<Arc<Inventory>>,
        ise: IseSettings,
        pxgrid: Option<PxgridSettings>,
        gateway: Arc<Gateway>,
        registry: &Registry,
    ) -> Result<Self, BindError> {
        let store = gateway.memory().store();
        let pxgrid = pxgrid
            .map(|settings| Pxgrid::new(settings, store, registry).map(Arc::new))
            .transpose()?;
        Ok(Self {
            pxgrid,
            gateway,
            clients,
            tokens: Tokens::new().map_err(|_| ClientsError::NoRandomness)?,
            assertions: Replay::default(),
            metrics: Metrics::register(registry)?,
            registry: registry.clone(),
            limits,
            inventory,
            batches: Arc::new(Semaphore::new(BATCHES)),
            ise: Ise::new(ise),
            snapshots: Snapshots::default(),
            waiting: Semaphore::new(limits.max_waiting),
            stopping: AtomicBool::new(false),
            configuration: OnceLock::new(),
            trials: OnceLock::new(),
        })
    }

    /// Answers from memory if that is enough.
    ///
    /// Questions that have to wait for a source or a policy have a bounded
    /// number of places. One that finds none is refused at once: it would wait
    /// longer than its client does.
    pub(crate) async fn answer(&self, question: &Question) -> Result<Answered, Problem> {
        if let Some(answered) = self.gateway.answer_from_memory(question) {
            return Ok(answered);
        }
        let _place = self.place()?;
        // Whoever can be answered from memory goes first.
        tokio::task::yield_now().await;
        // Boxed: this future is large, and most questions never need it.
        Ok(Box::pin(self.gateway.answer(question)).await)
    }

    /// A place for who has to wait for a source. There is a bounded number.
    pub(crate) fn place(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.waiting.try_acquire().map_err(|_| {
            self.metrics.shed.inc();
            let detail = "too many questions wait for sources and policies already";
            Problem::new(ProblemKind::Busy, detail).retry_after(SHED)
        })
    }

    /// From here on the server is not ready any more.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}
