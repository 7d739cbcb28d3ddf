//! What the pipeline is made of.

use std::hash::RandomState;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use portreeve_cache::{ChainId, VerdictCache};
use portreeve_domain::Lists;
use portreeve_store::decisions::DecisionLog;
use prometheus::Registry;
use tokio_util::task::TaskTracker;

use crate::decide::{Chain, Decided};
use crate::feed::Feed;
use crate::fetch::Fetcher;
use crate::job::ActionRules;
use crate::journal::Journal;
use crate::kept::{self, LogFigures, StoreFigures};
use crate::metrics::{CacheFigures, Metrics};
use crate::quarantine::{self, Quarantine};
use crate::rules::Rules;
use crate::survey::Pictures;
use crate::{CheckReport, GatewaySettings, Health, Memory, PolicySettings, Sessions};

/// The pipeline of one question.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) fetchers: Vec<Arc<Fetcher>>,
    pub(crate) rules: Arc<ArcSwap<Rules>>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) pictures: OnceLock<Arc<dyn Pictures>>,
    quarantine: Quarantine,
    pub(crate) memory: Arc<Memory>,
    sessions: Arc<Sessions>,
    pub(crate) metrics: Metrics,
    pub(crate) retry_after: Duration,
    pub(crate) journal: Option<Journal>,
    pub(crate) action_rules: ActionRules,
    /// For digests of questions; new in each process.
    pub(crate) hasher: RandomState,
    verdicts: Arc<VerdictCache<Decided>>,
    verdict_ttl: Duration,
    next_chain: AtomicU64,
    tasks: TaskTracker,
}

/// Whether the parts of the gateway are in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The sources, in the operator's order.
    pub sources: Vec<PartStatus>,
    /// The policies, in the chain's order.
    pub policies: Vec<PartStatus>,
    /// The store and the decision log, if there are any.
    pub kept: Vec<PartStatus>,
    /// Devices in memory.
    pub devices: usize,
}

/// One source, one policy, or one of the things that are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartStatus {
    /// Its configured name.
    pub name: Arc<str>,
    /// Whether it is in order.
    pub health: Health,
}

impl Gateway {
    /// Puts the pipeline together. Its tasks run on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// When `registry` has metrics of the same names already.
    pub fn new(
        settings: GatewaySettings,
        registry: &Registry,
    ) -> Result<Arc<Self>, prometheus::Error> {
        let metrics = Metrics::register(registry)?;
        let tasks = TaskTracker::new();
        let memory = settings.memory;
        let verdicts = VerdictCache::new(settings.max_verdicts, settings.verdict_ttl);
        let verdicts = Arc::new(verdicts);
        let caches = CacheFigures::new(Arc::clone(&memory), Arc::clone(&verdicts))?;
        registry.register(Box::new(caches))?;
        if let Some(writer) = memory.writer() {
            let figures = StoreFigures::new(writer.clone())?;
            registry.register(Box::new(figures))?;
        }
        if let Some(log) = &settings.log {
            registry.register(Box::new(LogFigures::new(log.clone())?))?;
        }
        settings.sessions.register(registry)?;
        let permits = Arc::new(tokio::sync::Semaphore::new(settings.max_flights));
        let fetchers = settings
            .sources
            .into_iter()
            .enumerate()
            .map(|(index, source)| {
                let fetcher = Fetcher::new(
                    index,
                    source,
                    Arc::clone(&memory),
                    tasks.clone(),
                    Arc::clone(&permits),
                    settings.max_flights,
                    metrics.clone(),
                );
                Arc::new(fetcher)
            });
        let (policies, confined) = quarantine::begin(&settings.quarantine);
        let chain = Chain::new(
            ChainId(0),
            settings.chain,
            Arc::clone(&verdicts),
            settings.verdict_ttl,
            metrics.clone(),
        );
        let rules = Rules {
            chain: Arc::new(chain),
            lists: Arc::new(settings.lists),
            lists_number: 0,
            confined: Arc::new(confined),
        };
        let rules = Arc::new(ArcSwap::from_pointee(rules));
        let feed = Arc::new(Feed::new(&settings.feed, registry)?);
        let quarantine = Quarantine::new(
            Arc::clone(&rules),
            policies,
            settings.quarantine.most,
            memory.writer().cloned(),
            feed.is_enabled().then(|| Arc::clone(&feed.touched)),
        );
        let gateway = Arc::new(Self {
            fetchers: fetchers.collect(),
            rules,
            feed,
            pictures: OnceLock::new(),
            quarantine,
            memory,
            sessions: settings.sessions,
            metrics,
            retry_after: settings.retry_after,
            action_rules: settings.actions,
            journal: settings.log.map(Journal::new),
            hasher: RandomState::new(),
            verdicts,
            verdict_ttl: settings.verdict_ttl,
            next_chain: AtomicU64::new(1),
            tasks,
        });
        gateway.tasks.spawn_blocking({
            let memory = Arc::clone(&gateway.memory);
            move || {
                portreeve_store::give_way();
                memory.settle();
            }
        });
        if gateway.feed.is_enabled() {
            gateway.memory.tell(&gateway.feed.touched);
            gateway.feed.start(&gateway, &gateway.tasks);
        }
        Ok(gateway)
    }

    /// Puts other policies in force. What the ones before decided is forgotten;
    /// questions that are on the way end under those they began with.
    pub fn replace_chain(&self, policies: Vec<PolicySettings>) {
        let chain = Arc::new(Chain::new(
            ChainId(self.next_chain.fetch_add(1, Ordering::Relaxed)),
            policies,
            Arc::clone(&self.verdicts),
            self.verdict_ttl,
            self.metrics.clone(),
        ));
        let before = self.rules.rcu(|rules| Rules {
            chain: Arc::clone(&chain),
            ..Rules::clone(rules)
        });
        self.verdicts.invalidate_chain(before.chain.id());
        self.feed.touched.note_all();
    }

    /// Puts other lists in force. Decisions that rest on none of them stay.
    pub fn replace_lists(&self, lists: Lists) {
        let lists = Arc::new(lists);
        self.rules.rcu(|rules| Rules {
            lists: Arc::clone(&lists),
            lists_number: rules.lists_number + 1,
            ..Rules::clone(rules)
        });
        self.feed.touched.note_all();
    }

    /// Checks one source, past every cache. `None` when there is none of that
    /// name.
    pub async fn check(&self, name: &str, deadline: Instant) -> Option<CheckReport> {
        let fetcher = self
            .fetchers
            .iter()
            .find(|fetcher| **fetcher.name() == *name)?;
        Some(fetcher.check(deadline).await)
    }

    /// The sources by name, in the operator's order.
    pub fn source_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.fetchers.iter().map(|fetcher| fetcher.name())
    }

    /// Who is quarantined.
    pub const fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    /// Has surveys ask whether the pictures of the sources are complete. Before
    /// this is called they are not; only the first call counts.
    pub fn rely_on(&self, pictures: Arc<dyn Pictures>) {
        let _ = self.pictures.set(pictures);
    }

    /// Where decisions are kept, if they are.
    pub fn log(&self) -> Option<&DecisionLog> {
        self.journal.as_ref().map(Journal::log)
    }

    /// What is known about devices.
    pub const fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// The sessions that network access servers have reported.
    pub const fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// Whether the parts are in order.
    pub fn status(&self) -> Status {
        let sources = self.fetchers.iter().map(|fetcher| PartStatus {
            name: Arc::clone(fetcher.name()),
            health: fetcher.health(),
        });
        Status {
            sources: sources.collect(),
            policies: self.rules.load().chain.status(),
            kept: kept::status(&self.memory, self.log()),
            devices: self.memory.devices().len(),
        }
    }

    /// Ends the stream of changes and waits for the look-ups that are on the
    /// way. Each ends by its source's time-out.
    pub async fn shutdown(&self) {
        self.feed.end();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.feed.end();
    }
}
