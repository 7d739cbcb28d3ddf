//! Policies that a running gateway tries out over all endpoints it knows.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use portreeve_faces::{ConfigurationRefused, TrialError, TrialRequest, TrialState, Trials};
use portreeve_gateway::trial::{Headway, Impact};
use tokio_util::task::TaskTracker;

use crate::config::{CandidateConfig, Problem, Problems, ProcessEnvironment};
use crate::deciders::{Candidate, Deciders};

/// One trial at a time, and what came of the last one.
pub(crate) struct ImpactTrials {
    /// The configuration of the process.
    path: PathBuf,
    deciders: Arc<Deciders>,
    tasks: TaskTracker,
    trial: Arc<Mutex<Trial>>,
}

#[derive(Debug, Default)]
enum Trial {
    #[default]
    None,
    Running(Arc<Headway>),
    Stopped,
    Done(Impact),
}

impl fmt::Debug for ImpactTrials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ImpactTrials")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl ImpactTrials {
    pub(crate) fn new(path: &Path, deciders: Arc<Deciders>) -> Self {
        Self {
            path: path.to_owned(),
            deciders,
            tasks: TaskTracker::new(),
            trial: Arc::default(),
        }
    }

    /// Ends what is under way and waits for it.
    pub(crate) async fn shutdown(&self) {
        self.stop();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn load(&self, request: TrialRequest) -> Result<Candidate, Problems> {
        let own = self.path.clone();
        let read = move || match request {
            TrialRequest::Configuration(path) => CandidateConfig::load(&path, &ProcessEnvironment),
            TrialRequest::Component { file, policy } => {
                let mut config = CandidateConfig::load(&own, &ProcessEnvironment)?;
                config.replace_component(policy.as_deref(), &file)?;
                Ok(config)
            }
        };
        let read = tokio::task::spawn_blocking(read).await;
        let config = read.map_err(|error| Problem::nowhere(error.to_string()))??;
        let lists = config.lists.as_deref();
        self.deciders.load(config.deciding(), lists).await
    }
}

impl Trials for ImpactTrials {
    fn begin(&self, request: TrialRequest) -> BoxFuture<'_, Result<(), TrialError>> {
        async {
            let headway = Arc::new(Headway::default());
            {
                let mut trial = self.trial.lock();
                if matches!(*trial, Trial::Running(_)) {
                    return Err(TrialError::Busy);
                }
                *trial = Trial::Running(Arc::clone(&headway));
            }
            let candidate = match self.load(request).await {
                Ok(candidate) => candidate,
                Err(Problems(problems)) => {
                    *self.trial.lock() = Trial::None;
                    let problems = problems.iter().map(crate::reload::text).collect();
                    return Err(ConfigurationRefused { problems }.into());
                }
            };
            let deciders = Arc::clone(&self.deciders);
            let trial = Arc::clone(&self.trial);
            self.tasks.spawn(async move {
                let impact = deciders.impact(candidate, &headway).await;
                *trial.lock() = match impact {
                    Some(impact) => Trial::Done(impact),
                    None => Trial::Stopped,
                };
            });
            Ok(())
        }
        .boxed()
    }

    fn state(&self) -> TrialState {
        match &*self.trial.lock() {
            Trial::None => TrialState::None,
            Trial::Running(headway) => {
                let (done, total) = headway.get();
                TrialState::Running { done, total }
            }
            Trial::Stopped => TrialState::Stopped,
            Trial::Done(impact) => TrialState::Done(impact.clone()),
        }
    }

    fn stop(&self) {
        if let Trial::Running(headway) = &*self.trial.lock() {
            headway.stop();
        }
    }
}
