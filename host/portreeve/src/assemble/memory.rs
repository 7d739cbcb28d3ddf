//! What is kept over restarts, opened.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use portreeve_gateway::inventory::InventorySettings;
use portreeve_gateway::job;
use portreeve_gateway::lists;
use portreeve_gateway::quarantine::{self, QuarantineSettings};
use portreeve_gateway::{ActionRules, Memory, Sessions};
use portreeve_store::decisions::{DIRECTORY_NAME, DecisionLog, DecisionWriter, Keep, LogSettings};
use portreeve_store::{Store, StoreError, StoreSettings, Writer};

use crate::commands::store::explain;
use crate::config::{
    self, Config, ConnectorConfig, Problem, Problems, QuarantineConfig, StoreConfig,
};

/// The memory, and who makes it durable.
#[derive(Debug)]
pub(crate) struct KeptMemory {
    pub(crate) memory: Arc<Memory>,
    pub(crate) sessions: Arc<Sessions>,
    writer: Option<Writer>,
}

impl KeptMemory {
    /// Writes what is still waiting. Afterwards nothing is kept any more.
    pub(crate) async fn close(self) {
        let Some(writer) = self.writer else { return };
        if let Err(error) = writer.shutdown().await {
            tracing::error!(%error, "devices that were learnt last are not in the store");
        }
    }
}

/// Opens the store, if there is one.
pub(crate) fn store(config: &Config) -> Result<Option<Arc<Store>>, Problems> {
    let Some(StoreConfig { directory, cache }) = &config.store else {
        return Ok(None);
    };
    private_folder(&directory.0)?;
    let path = directory.0.join(portreeve_store::FILE_NAME);
    let settings = StoreSettings {
        cache_bytes: cache.bytes(),
    };
    let store = Store::open(&path, &settings).map_err(|error| explain(&error))?;
    Ok(Some(Arc::new(store)))
}

/// Makes the folder of the store if it is not there, for nobody else to read.
pub(crate) fn private_folder(path: &Path) -> Result<(), Problems> {
    if path.is_dir() {
        return Ok(());
    }
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.map_err(|error| {
        let message = format!("cannot make the folder `{}`: {error}", path.display());
        Problem::nowhere(message)
            .hint("see `directory` in `[store]`")
            .into()
    })
}

/// The memory with everything the store holds. Blocks for as long as that takes
/// to read.
pub(crate) fn memory(config: &Config, store: Option<Arc<Store>>) -> Result<KeptMemory, Problems> {
    let names = config.connectors.0.iter();
    let sources = names
        .map(|config| config.name.value.as_str().into())
        .collect();
    let settings = config.cache.to_settings();
    let Some(store) = store else {
        let memory = Memory::volatile(settings, sources);
        let sessions = Sessions::new(config.sessions.to_settings(), &memory);
        return Ok(KeptMemory {
            sessions: Arc::new(sessions.map_err(|error| Problem::nowhere(error.to_string()))?),
            memory: Arc::new(memory),
            writer: None,
        });
    };
    let path = store.path().to_owned();
    let damaged = |error: StoreError| {
        let message = format!("the store `{}`: {error}", path.display());
        Problems::from(
            Problem::nowhere(message)
                .hint("put a backup in its place with `portreeve store restore FILE`"),
        )
    };
    let (memory, writer, restored) = Memory::durable(settings, sources, store).map_err(damaged)?;
    let sessions = Sessions::new(config.sessions.to_settings(), &memory).map_err(damaged)?;
    tracing::info!(
        devices = restored.devices,
        of_other_connectors = restored.of_others,
        sessions = sessions.len(),
        "what was known before is known again"
    );
    Ok(KeptMemory {
        memory: Arc::new(memory),
        sessions: Arc::new(sessions),
        writer: Some(writer),
    })
}

/// What was changed about the operator's lists before the restart.
pub(crate) fn changed_lists(store: Option<&Arc<Store>>) -> Result<lists::Restored, Problems> {
    let Some(store) = store else {
        return Ok(lists::Restored::default());
    };
    lists::restore(store).map_err(|error| unreadable(store, &error))
}

fn unreadable(store: &Store, error: &StoreError) -> Problems {
    let message = format!("the store `{}`: {error}", store.path().display());
    Problem::nowhere(message)
        .hint("put a backup in its place with `portreeve store restore FILE`")
        .into()
}

/// The operator's quarantine, with who was in it before the restart.
pub(crate) fn quarantine(
    config: &Config,
    store: Option<&Arc<Store>>,
) -> Result<QuarantineSettings, Problems> {
    let restored = match store {
        None => quarantine::Restored::default(),
        Some(store) => quarantine::restore(store).map_err(|error| unreadable(store, &error))?,
    };
    let policies = config.quarantine.0.iter();
    Ok(QuarantineSettings {
        policies: policies.map(QuarantineConfig::to_policy).collect(),
        restored,
        ..QuarantineSettings::default()
    })
}

/// What may be done to devices, with the jobs of before the restart.
pub(crate) fn actions(
    config: &Config,
    store: Option<&Arc<Store>>,
) -> Result<ActionRules, Problems> {
    let restored = match store {
        None => job::Restored::default(),
        Some(store) => job::restore(store).map_err(|error| unreadable(store, &error))?,
    };
    Ok(ActionRules {
        restored,
        ..config.actions.to_rules()
    })
}

/// Opens the decision log, if decisions are kept.
pub(crate) fn decisions(
    config: &Config,
) -> Result<Option<(DecisionLog, DecisionWriter)>, Problems> {
    let keep = match config.decisions.keep {
        config::Keep::All => Keep::All,
        config::Keep::Changes => Keep::Changes,
        config::Keep::Denials => Keep::Denials,
        config::Keep::None => return Ok(None),
    };
    let Some(store) = &config.store else {
        return Ok(None);
    };
    let settings = LogSettings {
        keep,
        whole: config.decisions.facts == config::FactsKept::All,
        queue: config.decisions.queue,
        // Denials have the last quarter for themselves.
        reserve: config.decisions.queue / 4,
        max_file_bytes: config.decisions.max_file.0,
        max_total_bytes: config.decisions.max_total.0,
        max_age: config.decisions.retention.0,
        ..LogSettings::new(&store.directory.0.join(DIRECTORY_NAME))
    };
    let started = DecisionWriter::start(&settings);
    started.map(Some).map_err(|error| {
        Problem::nowhere(error.to_string())
            .hint("see `directory` in `[store]`")
            .into()
    })
}

/// When and how a connector's inventory is read. `is_asked_for` reads it even if
/// the configuration does not.
pub(crate) fn inventory_settings(
    config: &ConnectorConfig,
    is_asked_for: bool,
) -> InventorySettings {
    let defaults = InventorySettings::default();
    match &config.inventory {
        Some(inventory) => InventorySettings {
            enabled: inventory.enabled || is_asked_for,
            interval: inventory.interval.0,
            full_interval: inventory.full_interval.0,
            jitter: inventory.jitter.0,
            page_limit: inventory.page_size,
            page_timeout: inventory.page_timeout.0,
            ..defaults
        },
        None => InventorySettings {
            enabled: is_asked_for,
            ..defaults
        },
    }
}
