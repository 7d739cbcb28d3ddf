//! The connectors of a gateway that runs, replaced while it does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use portreeve_faces::{CycleError, Cycled};
use portreeve_gateway::inventory::{Inventory, InventorySource};
use portreeve_gateway::{CheckVerdict, Gateway, SourceSettings};
use portreeve_runtime::Runtime;
use portreeve_store::Store;

use crate::assemble::{self, LoadedConnector};
use crate::config::{Config, Problem, Problems};

/// How long the check in a cycle may take.
const LONGEST_CHECK: Duration = Duration::from_mins(1);

/// The connectors in force, and what it takes to load others.
#[derive(Debug)]
pub(crate) struct Connectors {
    in_force: Mutex<Prepared>,
    runtime: Runtime,
    store: Option<Arc<Store>>,
    gateway: Arc<Gateway>,
    inventory: Arc<Inventory>,
}

/// Connectors that are loaded and checked, in the operator's order.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    loaded: Vec<LoadedConnector>,
    sources: Vec<SourceSettings>,
    inventories: Vec<InventorySource>,
}

impl Connectors {
    /// The connectors with which a gateway has started.
    pub(crate) fn new(
        (config, loaded): (&Config, Vec<LoadedConnector>),
        runtime: Runtime,
        store: Option<Arc<Store>>,
        gateway: Arc<Gateway>,
        inventory: Arc<Inventory>,
    ) -> Self {
        let in_force = Prepared {
            sources: assemble::sources(config, &loaded),
            inventories: assemble::inventory_sources(config, &loaded, &gateway, true),
            loaded,
        };
        Self {
            in_force: Mutex::new(in_force),
            runtime,
            store,
            gateway,
            inventory,
        }
    }

    /// Loads what is new or has changed. Nothing is put in force yet, and the
    /// network is not used.
    pub(crate) async fn prepare(&self, config: &Config) -> Result<Prepared, Problems> {
        self.load(config, None).await
    }

    /// `anew` names a connector that is loaded though nothing has changed.
    async fn load(&self, config: &Config, anew: Option<&str>) -> Result<Prepared, Problems> {
        let before = self.in_force.lock().loaded.clone();
        let store = self.store.as_ref();
        let loaded = assemble::connectors(config, &self.runtime, store, &before, anew).await?;
        let warnings = loaded.iter().flat_map(|loaded| &loaded.warnings);
        for warning in config.warnings.iter().chain(warnings) {
            let hint = warning.advice();
            tracing::warn!(%warning, hint, "the configuration may not do what is meant");
        }
        let sources = assemble::sources(config, &loaded);
        for source in &sources {
            // Clients' views name sources by number.
            if self.gateway.memory().number(&source.name).is_none() {
                let message = format!("there is no number left for source `{}`", source.name);
                return Err(Problem::nowhere(message).hint("restart the gateway").into());
            }
        }
        let inventories = assemble::inventory_sources(config, &loaded, &self.gateway, false);
        Ok(Prepared {
            loaded,
            sources,
            inventories,
        })
    }

    /// Questions that are on the way end under the connectors they began with.
    pub(crate) fn put_in_force(&self, prepared: Prepared) -> Result<(), Problems> {
        self.gateway
            .replace_sources(prepared.sources.clone())
            .map_err(|error| Problem::nowhere(error.to_string()))?;
        let mut inventories = prepared.inventories.clone();
        // Whether a source is asked, only the gateway knows.
        for source in self.gateway.sources() {
            let mut same = inventories.iter_mut().filter(|it| it.name == source.name);
            if let Some(inventory) = same.next() {
                inventory.switched_on = source.enabled;
            }
        }
        self.inventory.replace(inventories);
        *self.in_force.lock() = prepared;
        Ok(())
    }

    /// Makes one connector anew, as the configuration has it now: other
    /// connections, tokens and discovery. It takes the place of the one in force,
    /// and is switched on, once it has passed its check; until then nothing
    /// changes. The others stay as they are.
    pub(crate) async fn cycle(
        &self,
        config: &Config,
        name: &str,
        by: &str,
        forced: bool,
    ) -> Result<Cycled, CycleError> {
        let missing = || CycleError::NoSource(name.to_owned());
        let failed = |problems: Problems| CycleError::Failed(problems.to_string());
        let wanted = self.load(config, Some(name)).await.map_err(failed)?;
        let mut cycled = self.in_force.lock().clone();
        let is_wanted = |it: &&SourceSettings| &*it.name == name;
        let fresh = wanted.sources.iter().find(is_wanted);
        let fresh = fresh.cloned().ok_or_else(missing)?;
        let replaced = take_over(&mut cycled.sources, &wanted.sources, |it| &*it.name == name)
            && take_over(&mut cycled.inventories, &wanted.inventories, |it| {
                &*it.name == name
            })
            && take_over(&mut cycled.loaded, &wanted.loaded, |it| {
                it.connector.name() == name
            });
        if !replaced {
            // It is in the file only: a reload puts it in force.
            return Err(missing());
        }
        let report = fresh.source.check(Instant::now() + LONGEST_CHECK).await;
        self.gateway.note_check(&fresh, &report).await;
        if report.verdict() == CheckVerdict::Failed && !forced {
            let done = false;
            return Ok(Cycled { report, done });
        }
        self.put_in_force(cycled).map_err(failed)?;
        let enabled = self.gateway.enable(name, by, forced).await;
        enabled.map_err(|error| CycleError::Failed(error.to_string()))?;
        let done = true;
        Ok(Cycled { report, done })
    }
}

/// Puts the one that is wanted of `from` into its place. Whether both have it.
fn take_over<T: Clone>(into: &mut [T], from: &[T], is_wanted: impl Fn(&T) -> bool) -> bool {
    let fresh = from.iter().find(|it| is_wanted(it)).cloned();
    let place = into.iter_mut().find(|it| is_wanted(it));
    match (place, fresh) {
        (Some(place), Some(fresh)) => {
            *place = fresh;
            true
        }
        _ => false,
    }
}
