//! What a plugin says about itself, and its own check of its settings.

use std::time::Instant;

use tokio::time::timeout_at;
use wasmtime::Store;
use wasmtime::component::{Component, InstancePre, Linker};

use super::bindings::plugin::exports::portreeve::plugin::plugin::{self, GuestIndices};
use crate::descriptor::{CredentialSlot, Descriptor};
use crate::error::{LoadError, SettingsProblem};
use crate::guarded::{StoreData, limited_store};
use crate::limits::{Limits, Meter};

/// Problems that are told at once.
const MOST_PROBLEMS: usize = 32;

struct Describing {
    meter: Meter,
}

impl StoreData for Describing {
    fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }
}

/// Asks a component for its description. Whatever it imports is a trap.
pub(crate) async fn describe(
    component: &Component,
    limits: &Limits,
) -> Result<Descriptor, LoadError> {
    let deadline = Instant::now() + limits.wall_clock;
    let asked = timeout_at(deadline.into(), ask(component, limits)).await;
    let said = match asked {
        Ok(Ok(said)) => said,
        Ok(Err(error)) => return Err(LoadError::Describe(error.root_cause().to_string())),
        Err(_) => return Err(LoadError::Describe("no answer in time".to_owned())),
    };
    let schema = said.config_schema;
    let descriptor = Descriptor {
        id: said.id,
        version: said.version,
        display_name: said.display_name,
        vendor: said.vendor,
        license: said.license,
        homepage: said.homepage,
        config_schema: serde_json::Value::Null,
        egress: said.egress,
        credentials: said.credentials.into_iter().map(slot).collect(),
    };
    descriptor.checked(&schema)
}

async fn ask(component: &Component, limits: &Limits) -> wasmtime::Result<plugin::Descriptor> {
    let engine = component.engine();
    let mut linker = Linker::new(engine);
    linker.define_unknown_imports_as_traps(component)?;
    let instance_pre = linker.instantiate_pre(component)?;
    let indices = GuestIndices::new(&instance_pre)?;
    let data = Describing {
        meter: Meter::new(limits),
    };
    let mut store = limited_store(engine, data, limits);
    let instance = instance_pre.instantiate_async(&mut store).await?;
    let guest = indices.load(&mut store, &instance)?;
    guest.call_describe(&mut store).await
}

/// Lets a plugin check settings beyond what its schema can say.
pub(crate) async fn validate_settings<D: Send>(
    store: &mut Store<D>,
    instance_pre: &InstancePre<D>,
    document: &str,
) -> wasmtime::Result<Vec<SettingsProblem>> {
    let indices = GuestIndices::new(instance_pre)?;
    let instance = instance_pre.instantiate_async(&mut *store).await?;
    let guest = indices.load(&mut *store, &instance)?;
    let Err(problems) = guest.call_validate_config(store, document).await? else {
        return Ok(Vec::new());
    };
    let mut problems: Vec<SettingsProblem> = problems
        .into_iter()
        .take(MOST_PROBLEMS)
        .map(|problem| SettingsProblem {
            pointer: problem.pointer,
            message: problem.message,
        })
        .collect();
    if problems.is_empty() {
        // Refused is refused, even without a word.
        problems.push(SettingsProblem {
            pointer: String::new(),
            message: "the plugin refuses the settings and does not say why".to_owned(),
        });
    }
    Ok(problems)
}

fn slot(slot: plugin::CredentialSlot) -> CredentialSlot {
    CredentialSlot {
        name: slot.name,
        description: slot.description,
        kinds: slot.kinds,
        permissions: slot.permissions,
        optional: slot.optional,
    }
}
