//! From what the compiler wrote to a component that keeps to its world.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, ensure};
use wit_component::{ComponentEncoder, DecodedWasm};
use wit_parser::{Resolve, World};

use super::Guest;

/// Makes the component and checks what it imports.
pub(super) fn make(root: &Path, guest: &Guest, module: &[u8]) -> anyhow::Result<Vec<u8>> {
    // For a WASI target the compiler makes the component by itself.
    let component = if guest.recipe.target.contains("wasip2") {
        module.to_vec()
    } else {
        ComponentEncoder::default()
            .validate(true)
            .module(module)
            .and_then(ComponentEncoder::encode)
            .context("it cannot be made into a component")?
    };
    if !guest.recipe.any_import {
        check_imports(root, guest, &component)?;
    }
    Ok(component)
}

fn check_imports(root: &Path, guest: &Guest, component: &[u8]) -> anyhow::Result<()> {
    let world = guest.recipe.kind.world();
    let allowed = imports_of_world(&root.join("wit"), world)?;
    let decoded = wit_component::decode(component).context("the component cannot be read back")?;
    let DecodedWasm::Component(resolve, id) = decoded else {
        anyhow::bail!("the compiler wrote a WIT package, not a component");
    };
    let world_made = resolve
        .worlds
        .get(id)
        .context("the component has no world")?;
    let beyond: Vec<String> = import_names(&resolve, world_made)
        .difference(&allowed)
        .cloned()
        .collect();
    ensure!(
        beyond.is_empty(),
        "it imports what the world `{world}` does not have: {}",
        beyond.join(", ")
    );
    Ok(())
}

pub(super) fn imports_of_world(wit: &Path, world: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_dir(wit)
        .with_context(|| format!("cannot read the WIT in `{}`", wit.display()))?;
    let id = resolve.select_world(&[package], Some(world))?;
    let world = resolve.worlds.get(id).context("the world is missing")?;
    Ok(import_names(&resolve, world))
}

fn import_names(resolve: &Resolve, world: &World) -> BTreeSet<String> {
    world
        .imports
        .keys()
        .map(|key| resolve.name_world_key(key))
        .collect()
}
