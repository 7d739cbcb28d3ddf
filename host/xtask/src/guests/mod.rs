//! Building the guests: plugins and policies as WebAssembly components.
//!
//! A guest is a package of the workspace `plugins/` that has a table
//! `[package.metadata.portreeve]`:
//!
//! | key | meaning | default |
//! | --- | --- | --- |
//! | `kind` | `connector` or `policy` | must be given |
//! | `target` | what it is compiled for | `wasm32-unknown-unknown` |
//! | `any-import` | skip the check of its imports (fixtures) | `false` |
//!
//! Its library is a plain one: `cdylib` is asked for only here, as an object file
//! of this machine cannot have the names that a component exports. Tests of a
//! guest run natively.
//!
//! Each guest is built by itself, as the features of the SDK decide which
//! worlds it belongs to. The result is `target/guests/<package>.wasm`.

mod component;
mod digest;
mod toolchain;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use cargo_metadata::{CrateType, MetadataCommand, Package};
use serde::Deserialize;

use toolchain::Toolchain;

/// What a guest is for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Talks to a device-management system.
    Connector,
    /// Decides.
    Policy,
}

impl Kind {
    /// The world whose imports such a guest may use.
    fn world(self) -> &'static str {
        match self {
            Self::Connector => "portreeve:connector/mdm-connector",
            Self::Policy => "portreeve:policy/policy",
        }
    }

    /// Bytes of stack. It is part of the memory of every instance; a policy's
    /// whole memory has to stay below what the host keeps resident.
    fn stack_bytes(self) -> u32 {
        match self {
            Self::Connector => 256 * 1024,
            Self::Policy => 64 * 1024,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Policy => "policy",
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    kind: Kind,
    #[serde(default = "default_target")]
    target: String,
    #[serde(default)]
    any_import: bool,
}

fn default_target() -> String {
    "wasm32-unknown-unknown".to_owned()
}

/// A package that becomes a component.
#[derive(Clone, Debug)]
struct Guest {
    name: String,
    /// File name of the library without `lib` and extension.
    library: String,
    recipe: Recipe,
    /// Folders whose content it is made from: its own and those of the
    /// packages it depends on by path.
    folders: Vec<PathBuf>,
}

/// A component that stands in `target/guests/`.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    /// Package name.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) kind: Kind,
    /// Where the component is.
    pub(crate) path: PathBuf,
    /// Its size.
    pub(crate) bytes: u64,
    /// Whether it had to be built.
    pub(crate) rebuilt: bool,
}

/// Builds the named guests, or all of them, below `root`.
pub(crate) fn build(root: &Path, names: &[String]) -> anyhow::Result<Vec<Built>> {
    let guests = chosen(find(root)?, names)?;
    let toolchain = Toolchain::probe()?;
    let folder = root.join("target").join("guests");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    guests
        .iter()
        .map(|guest| {
            build_one(root, &folder, guest, &toolchain)
                .with_context(|| format!("guest `{}` cannot be built", guest.name))
        })
        .collect()
}

/// Writes what was built, one line each.
pub(crate) fn print_summary(built: &[Built]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for guest in built {
        writeln!(
            out,
            "{:<28} {:<10} {:>6} KiB  {:<9}  {}",
            guest.name,
            guest.kind.name(),
            guest.bytes.div_ceil(1024),
            if guest.rebuilt { "built" } else { "unchanged" },
            guest.path.display(),
        )?;
    }
    Ok(())
}

fn build_one(
    root: &Path,
    folder: &Path,
    guest: &Guest,
    toolchain: &Toolchain,
) -> anyhow::Result<Built> {
    let component = folder.join(format!("{}.wasm", guest.name));
    let note = folder.join(format!("{}.digest", guest.name));
    let digest = digest::of(root, guest, toolchain)?;
    let unchanged =
        component.is_file() && fs::read_to_string(&note).is_ok_and(|known| known == digest);
    if !unchanged {
        writeln!(
            std::io::stderr(),
            "building `{}` ({}, {})",
            guest.name,
            guest.recipe.kind.name(),
            guest.recipe.target,
        )?;
        toolchain.ensure_target(&guest.recipe.target)?;
        let module = toolchain::compile(root, guest)?;
        let bytes = component::make(root, guest, &module)?;
        // The note goes last: a build that was cut off is done again.
        let _ = fs::remove_file(&note);
        replace(&component, &bytes)?;
        replace(&note, digest.as_bytes())?;
    }
    // The short forms of its configuration go with it.
    for forms in guest.folders.iter().map(|folder| folder.join("forms.toml")) {
        if let Ok(content) = fs::read(&forms) {
            replace(&component.with_extension("forms.toml"), &content)?;
        }
    }
    let bytes = fs::metadata(&component)
        .with_context(|| format!("cannot read `{}`", component.display()))?
        .len();
    Ok(Built {
        name: guest.name.clone(),
        kind: guest.recipe.kind,
        path: component,
        bytes,
        rebuilt: !unchanged,
    })
}

/// Writes a file in one step, as others may be reading it.
fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let beside = path.with_extension(format!("{}.part", std::process::id()));
    fs::write(&beside, content)
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// All guests of the workspace `plugins/`.
fn find(root: &Path) -> anyhow::Result<Vec<Guest>> {
    let manifest = root.join("plugins").join("Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(&manifest)
        .no_deps()
        .exec()
        .with_context(|| format!("cannot read the guest workspace `{}`", manifest.display()))?;
    let mut guests = Vec::new();
    for package in &metadata.packages {
        let Some(table) = package.metadata.get("portreeve") else {
            continue;
        };
        let recipe: Recipe = serde_json::from_value(table.clone()).with_context(|| {
            format!(
                "`[package.metadata.portreeve]` of `{}` is wrong",
                package.manifest_path
            )
        })?;
        guests.push(Guest {
            name: package.name.to_string(),
            library: library(package)?,
            recipe,
            folders: folders(package, &metadata.packages),
        });
    }
    guests.sort_by(|left, right| left.name.cmp(&right.name));
    ensure!(!guests.is_empty(), "`{}` has no guests", manifest.display());
    Ok(guests)
}

fn chosen(guests: Vec<Guest>, names: &[String]) -> anyhow::Result<Vec<Guest>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| guests.iter().all(|guest| guest.name != **name))
    {
        let known: Vec<_> = guests.iter().map(|guest| guest.name.as_str()).collect();
        bail!(
            "there is no guest `{unknown}`; there are: {}",
            known.join(", ")
        );
    }
    Ok(guests
        .into_iter()
        .filter(|guest| names.is_empty() || names.contains(&guest.name))
        .collect())
}

fn library(package: &Package) -> anyhow::Result<String> {
    package
        .targets
        .iter()
        .find(|target| {
            target
                .crate_types
                .iter()
                .any(|kind| matches!(kind, CrateType::Lib | CrateType::RLib | CrateType::CDyLib))
        })
        .map(|target| target.name.replace('-', "_"))
        .with_context(|| format!("`{}` has no library", package.manifest_path))
}

/// Folders of a package and of all packages it depends on by path.
fn folders(package: &Package, all: &[Package]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut waiting = vec![package];
    while let Some(next) = waiting.pop() {
        let Some(folder) = next.manifest_path.parent() else {
            continue;
        };
        if found.iter().any(|known| known == folder.as_std_path()) {
            continue;
        }
        found.push(folder.as_std_path().to_path_buf());
        for path in next.dependencies.iter().filter_map(|one| one.path.as_ref()) {
            waiting.extend(
                all.iter()
                    .filter(|other| other.manifest_path.parent() == Some(path)),
            );
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests;
