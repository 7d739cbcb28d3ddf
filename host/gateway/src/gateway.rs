//! What the pipeline is made of.

use std::hash::RandomState;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use portreeve_cache::VerdictCache;
use portreeve_domain::Lists;
use portreeve_store::StoreError;
use portreeve_store::decisions::DecisionLog;
use prometheus::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::decide::ChainParts;
use crate::feed::Feed;
use crate::fetch::Fetcher;
use crate::job::Jobs;
use crate::journal::Journal;
use crate::kept::{self, LogFigures, StoreFigures};
use crate::lists::NamedLists;
use crate::metrics::{CacheFigures, Metrics};
use crate::monitor::Monitors;
use crate::quarantine::{self, Quarantine};
use crate::record::Records;
use crate::requery;
use crate::rules::Rules;
use crate::select::Chains;
use crate::selection;
use crate::sources::{Common, Sources, SourcesError};
use crate::survey::Pictures;
use crate::{ChainsSettings, GatewaySettings, Health, Memory, Sessions, SourceSettings};

/// The pipeline of one question.
#[derive(Debug)]
pub struct Gateway {
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
    pub(crate) jobs: Arc<Jobs>,
    /// For digests of questions; new in each process.
    pub(crate) hasher: RandomState,
    /// Sources are replaced one after the other.
    replacing: Mutex<Replacing>,
    pub(crate) chain_parts: ChainParts,
    pub(crate) next_chain: AtomicU64,
    pub(crate) tasks: TaskTracker,
    /// Turns of selections that are made.
    pub(crate) selections: Arc<tokio::sync::Semaphore>,
    stop: CancellationToken,
}

/// What the sources in force are made of.
#[derive(Debug)]
struct Replacing {
    common: Common,
    /// As the configuration says.
    configured: Vec<SourceSettings>,
    records: Records,
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

/// A gateway that cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its metrics cannot be registered.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// Its sources cannot be told apart.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// What was kept of its sources cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    /// When `registry` has metrics of the same names already, or two sources have
    /// one name.
    pub fn new(settings: GatewaySettings, registry: &Registry) -> Result<Arc<Self>, StartError> {
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
        let common = Common {
            memory: Arc::clone(&memory),
            tasks: tasks.clone(),
            permits: Arc::new(tokio::sync::Semaphore::new(settings.max_flights)),
            max_flights: settings.max_flights,
            metrics: metrics.clone(),
        };
        let mut records = Records::restore(memory.store())?;
        let configured = settings.sources;
        let sources = Sources::new(records.in_force(&configured), &common, None)?;
        let (policies, confined) = quarantine::begin(&settings.quarantine);
        let chain_parts = ChainParts {
            verdicts,
            verdict_ttl: settings.verdict_ttl,
            monitors: Monitors::new(tasks.clone(), metrics.clone()),
            metrics: metrics.clone(),
        };
        let next_chain = AtomicU64::new(0);
        let rules = Rules {
            sources: Arc::new(sources),
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
        let in_force = Arc::clone(&rules);
        let jobs = Jobs::new(settings.actions, in_force, memory.writer().cloned());
        let jobs = Arc::new(jobs);
        tasks.spawn(Arc::clone(&jobs).work());
        let gateway = Arc::new(Self {
            replacing: Mutex::new(Replacing {
                common,
                configured,
                records,
            }),
            rules,
            feed,
            pictures: OnceLock::new(),
            quarantine,
            lists,
            memory,
            sessions: settings.sessions,
            metrics,
            retry_after: settings.retry_after,
            jobs,
            journal: settings.log.map(Journal::new),
            hasher: RandomState::new(),
            chain_parts,
            next_chain,
            tasks,
            stop: CancellationToken::new(),
            selections: Arc::new(tokio::sync::Semaphore::new(selection::AT_ONCE)),
        });
        gateway.tasks.spawn_blocking({
            let memory = Arc::clone(&gateway.memory);
            move || {
                portreeve_store::give_way();
                memory.settle();
            }
        });
        let asking_again = requery::run(Arc::downgrade(&gateway), gateway.stop.clone());
        gateway.tasks.spawn(asking_again);
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

    /// Puts other sources in force, in the operator's order. Those that are the
    /// same go on as they are; questions that are on the way end under those they
    /// began with. Records of sources that are gone stay in memory, but answer
    /// nothing.
    pub fn replace_sources(&self, settings: Vec<SourceSettings>) -> Result<(), SourcesError> {
        self.put_in_force(&mut self.replacing.lock(), settings)
    }

    fn put_in_force(
        &self,
        replacing: &mut Replacing,
        configured: Vec<SourceSettings>,
    ) -> Result<(), SourcesError> {
        let before = Arc::clone(&self.rules.load().sources);
        let in_force = replacing.records.in_force(&configured);
        let sources = Arc::new(Sources::new(in_force, &replacing.common, Some(&before))?);
        replacing.configured = configured;
        let is_other = sources.number() != before.number();
        self.rules.rcu(|rules| Rules {
            sources: Arc::clone(&sources),
            ..Rules::clone(rules)
        });
        if is_other {
            self.feed.touched.note_all();
        }
        if let Some(pictures) = self.pictures.get() {
            for fetcher in sources.all() {
                pictures.switch(fetcher.name(), fetcher.settings().enabled);
            }
        }
        Ok(())
    }

    /// The sources in force, in the operator's order.
    pub fn sources(&self) -> Vec<SourceSettings> {
        let sources = &self.rules.load().sources;
        let all = sources.all().iter();
        all.map(|fetcher| fetcher.settings().clone()).collect()
    }

    /// What the configuration says about whether a source is asked.
    pub(crate) fn configured(&self, name: &str) -> Option<bool> {
        let replacing = self.replacing.lock();
        let mut configured = replacing.configured.iter();
        let found = configured.find(|source| *source.name == *name)?;
        Some(found.enabled)
    }

    pub(crate) fn with_records<T>(&self, use_them: impl FnOnce(&mut Records) -> T) -> T {
        use_them(&mut self.replacing.lock().records)
    }

    /// Puts the operator's last words in force.
    pub(crate) fn apply_records(&self) -> Result<(), SourcesError> {
        let mut replacing = self.replacing.lock();
        let configured = replacing.configured.clone();
        self.put_in_force(&mut replacing, configured)
    }

    pub(crate) fn fetcher(&self, name: &str) -> Option<Arc<Fetcher>> {
        self.rules.load().sources.get(name).cloned()
    }

    /// The names of all sources that views of clients can be about, each at its
    /// place in a [`SourceSet`](portreeve_domain::SourceSet). Names keep their
    /// places for as long as the process lives.
    pub fn source_names(&self) -> Vec<Arc<str>> {
        self.memory.sources()
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
        let rules = self.rules.load();
        let sources = rules.sources.all().iter().map(|fetcher| PartStatus {
            name: Arc::clone(fetcher.name()),
            health: fetcher.health(),
        });
        Status {
            sources: sources.collect(),
            policies: rules.chains.status(),
            kept: kept::status(&self.memory, self.log()),
            devices: self.memory.devices().len(),
        }
    }

    /// Ends the stream of changes and waits for the look-ups that are on the
    /// way. Each ends by its source's time-out.
    pub async fn shutdown(&self) {
        self.feed.end();
        self.stop.cancel();
        self.lists.stop.cancel();
        self.jobs.end();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.feed.end();
        self.stop.cancel();
        self.lists.stop.cancel();
        self.jobs.end();
    }
}
