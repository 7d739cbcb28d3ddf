//! What all faces share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portreeve_domain::{Answer, Question};
use portreeve_gateway::Gateway;
use prometheus::Registry;
use tokio::sync::Semaphore;

use crate::clients::Clients;
use crate::metrics::Metrics;
use crate::{BindError, ClientSettings, Limits};

/// Batches that may be answered at the same time; each holds its questions in
/// memory.
const BATCHES: usize = 4;

/// What all faces share.
#[derive(Debug)]
pub(crate) struct Faces {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) clients: Clients,
    pub(crate) metrics: Metrics,
    pub(crate) registry: Registry,
    pub(crate) limits: Limits,
    pub(crate) batches: Arc<Semaphore>,
    stopping: AtomicBool,
}

impl Faces {
    pub(crate) fn new(
        clients: Vec<ClientSettings>,
        limits: Limits,
        gateway: Arc<Gateway>,
        registry: &Registry,
    ) -> Result<Self, BindError> {
        Ok(Self {
            gateway,
            clients: Clients::new(clients)?,
            metrics: Metrics::register(registry)?,
            registry: registry.clone(),
            limits,
            batches: Arc::new(Semaphore::new(BATCHES)),
            stopping: AtomicBool::new(false),
        })
    }

    /// Answers from memory if that is enough.
    pub(crate) async fn answer(&self, question: &Question) -> Answer {
        match self.gateway.answer_from_memory(question) {
            Some(answer) => answer,
            // Boxed: this future is large, and most questions never need it.
            None => Box::pin(self.gateway.answer(question)).await,
        }
    }

    /// From here on the server is not ready any more.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}
