//! What the pipeline is made of.

use std::hash::RandomState;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use portreeve_cache::VerdictCache;
use portreeve_domain::Lists;
use portreeve_store::decisions::DecisionLog;
use prometheus::Registry;
use tokio_util::task::TaskTracker;

use crate::decide::ChainParts;
use crate::feed::Feed;
use crate::fetch::Fetcher;
use crate::journal::Journal;
use crate::kept::{self, LogFigures, StoreFigures};
use crate::lists::NamedLists;
use crate::metrics::{CacheFigures, Metrics};
use crate::monitor::Monitors;
use crate::quarantine::{self, Quarantine};
use crate::rules::Rules;
use crate::select::Chains;
use crate::selection;
use crate::survey::Pictures;
use crate::{ChainsSettings, CheckReport, GatewaySettings, Health, Memory, Sessions};

/// The pipeline of one question.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) fetchers: Vec<Arc<Fetcher>>,
    pub(crate) rules: Arc<ArcSwap<Rules>>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) pictures: OnceLock<Arc<dyn Pictures>>,
    quarantine: Quarantine,
    lists: Arc<NamedLists>,
    pub(crate) memory: Arc<Memory>,
    sessions: Arc<Sessions>,
    pub(crate) metrics: Metrics,
    pub(crate) retry_after: Duration,
    pub(crate) journal: Option<Journal>,
    /// For digests of questions; new in each process.
    pub(crate) hasher: RandomState,
    chain_parts: ChainParts,
    next_chain: AtomicU64,
    pub(crate) tasks: TaskTracker,
    /// Turns of selections that are made.
    pub(crate) selections: Arc<tokio::sync::Semaphore>,
}

/// Whether the parts of the gateway are in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The sources, in the operator's order.
    pub sources: Vec<PartStatus>,
    /// The policies of all chains, in their order, each once.
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
        let chain_parts = ChainParts {
            verdicts,
            verdict_ttl: settings.verdict_ttl,
            monitors: Monitors::new(tasks.clone(), metrics.clone()),
            metrics: metrics.clone(),
        };
        let next_chain = AtomicU64::new(0);
        let rules = Rules {
            chains: Arc::new(Chains::new(settings.chains, &next_chain, &chain_parts)),
            lists: Arc::new(settings.lists.clone()),
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
        let lists = Arc::new(NamedLists::new(
            settings.lists,
            Arc::clone(&rules),
            memory.writer().cloned(),
            Arc::clone(&feed.touched),
        ));
        tasks.spawn(Arc::clone(&lists).watch());
        let gateway = Arc::new(Self {
            fetchers: fetchers.collect(),
            rules,
            feed,
            pictures: OnceLock::new(),
            quarantine,
            lists,
            memory,
            sessions: settings.sessions,
            metrics,
            retry_after: settings.retry_after,
            journal: settings.log.map(Journal::new),
            hasher: RandomState::new(),
            chain_parts,
            next_chain,
            tasks,
            selections: Arc::new(tokio::sync::Semaphore::new(selection::AT_ONCE)),
        });
        gateway.tasks.spawn_blocking({
            let memory = Arc::clone(&gateway.memory);
            move || {
                portreeve_store::give_way();
                memory.settle();
            }
        });
        gateway.note_loaded();
        if gateway.feed.is_enabled() {
            gateway.memory.tell(&gateway.feed.touched);
            gateway.feed.start(&gateway, &gateway.tasks);
        }
        Ok(gateway)
    }

    /// Puts other policies in force. What the ones before decided is forgotten;
    /// questions that are on the way end under those they began with.
    pub fn replace_chains(&self, settings: ChainsSettings) {
        let chains = Chains::new(settings, &self.next_chain, &self.chain_parts);
        let chains = Arc::new(chains);
        let before = self.rules.rcu(|rules| Rules {
            chains: Arc::clone(&chains),
            ..Rules::clone(rules)
        });
        self.forget(&before.chains);
    }

    /// Puts other policies and lists in force, both at once: no question is
    /// answered under some of the old and some of the new ones.
    pub fn replace_rules(&self, settings: ChainsSettings, lists: Lists) {
        let chains = Chains::new(settings, &self.next_chain, &self.chain_parts);
        let before = self.lists.configure(lists, Some(&Arc::new(chains)));
        self.forget(&before.chains);
    }

    /// What chains that are not in force any more decided.
    fn forget(&self, chains: &Chains) {
        self.note_loaded();
        for chain in chains.iter() {
            self.chain_parts.verdicts.invalidate_chain(chain.id());
        }
        self.feed.touched.note_all();
    }

    fn note_loaded(&self) {
        let seconds = self.rules.load().chains.loaded_at().as_millis() / 1000;
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        self.metrics.chains_loaded.set(seconds);
    }

    /// Puts other lists in force, with what was changed at run time. Decisions
    /// that rest on none of them stay.
    pub fn replace_lists(&self, lists: Lists) {
        self.lists.configure(lists, None);
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

    /// The operator's lists.
    pub const fn lists(&self) -> &Arc<NamedLists> {
        &self.lists
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
            policies: self.rules.load().chains.status(),
            kept: kept::status(&self.memory, self.log()),
            devices: self.memory.devices().len(),
        }
    }

    /// Ends the stream of changes and waits for the look-ups that are on the
    /// way. Each ends by its source's time-out.
    pub async fn shutdown(&self) {
        self.feed.end();
        self.lists.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.feed.end();
        self.lists.stop.cancel();
    }
}
