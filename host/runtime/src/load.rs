//! From the bytes of a component to a plugin.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::descriptor::Descriptor;
use crate::engine::{Runtime, Shared};
use crate::error::{CallError, InstanceError, LoadError};
use crate::limits::Limits;
use crate::settings::Schema;
use crate::since_v0_1::{ConnectorPre, PolicyPre, describe, forbidden_imports, kinds};

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PluginKind {
    /// Talks to a device-management system.
    Connector,
    /// Decides.
    Policy,
}

impl PluginKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Policy => "policy",
        }
    }
}

/// A plugin that was checked, compiled and described. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Loaded>,
}

struct Loaded {
    shared: Arc<Shared>,
    digest: String,
    imports: Vec<String>,
    exports: Vec<String>,
    descriptor: Descriptor,
    schema: Schema,
    pre: Pre,
}

/// A component whose imports are resolved, by kind.
pub(crate) enum Pre {
    Connector(Box<ConnectorPre>),
    Policy(PolicyPre),
}

/// What can be said about a component, usable or not.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// SHA-256 of the component, in lower-case hexadecimal.
    pub digest: String,
    /// Its bytes.
    pub size: usize,
    /// What it is for, if that can be told.
    pub kind: Option<PluginKind>,
    /// Interfaces it asks for.
    pub imports: Vec<String>,
    /// Those of them that its kind may not have.
    pub forbidden_imports: Vec<String>,
    /// Interfaces it offers.
    pub exports: Vec<String>,
    /// Bytes of memory an instance has from the start.
    pub initial_memory: Option<u64>,
    /// What it says about itself.
    pub descriptor: Result<Descriptor, LoadError>,
    /// Why it cannot be loaded, `None` when it can.
    pub refused: Option<LoadError>,
}

impl Runtime {
    /// Checks, compiles and describes a component.
    ///
    /// Compiling takes seconds for large ones; that is done on a thread of its
    /// own, and not again while the compiled-code cache has it.
    pub async fn load(&self, component: &[u8]) -> Result<Plugin, LoadError> {
        let compiled = self.compile(component).await?;
        self.plugin(&compiled).await
    }

    /// Says what a component is, needs and offers, even if it cannot be used.
    pub async fn inspect(&self, component: &[u8]) -> Result<Inspection, LoadError> {
        let compiled = self.compile(component).await?;
        let kind = match compiled.kinds.as_slice() {
            [kind] => Some(*kind),
            _ => None,
        };
        let forbidden = kind.map(|kind| forbidden_imports(kind, &compiled.imports));
        let resources = compiled.component.resources_required();
        Ok(Inspection {
            size: component.len(),
            kind,
            forbidden_imports: forbidden.unwrap_or_default(),
            initial_memory: resources.map(|resources| initial_memory(&resources)),
            descriptor: self.describe(&compiled.component).await,
            refused: self.plugin(&compiled).await.err(),
            digest: compiled.digest,
            imports: compiled.imports,
            exports: compiled.exports,
        })
    }

    async fn compile(&self, component: &[u8]) -> Result<Compiled, LoadError> {
        let limit = self.shared.largest_component;
        if component.len() > limit {
            return Err(LoadError::TooLarge {
                size: component.len(),
                limit,
            });
        }
        let (shared, bytes) = (Arc::clone(&self.shared), component.to_vec());
        let compiled = self
            .shared
            .workers
            .run_blocking(move || compile(&shared, &bytes));
        compiled
            .await
            .unwrap_or_else(|error| Err(LoadError::Malformed(error.to_string())))
    }

    async fn describe(&self, component: &Component) -> Result<Descriptor, LoadError> {
        let component = component.clone();
        let limits = Limits {
            // An interpreter has to get going first.
            wall_clock: Duration::from_secs(5),
            ..Limits::connector()
        };
        let described = async move { Ok(describe(&component, &limits).await) };
        let described = self.shared.workers.run(described).await;
        described.unwrap_or_else(|error: CallError| Err(LoadError::Describe(error.to_string())))
    }

    async fn plugin(&self, compiled: &Compiled) -> Result<Plugin, LoadError> {
        let kind = match compiled.kinds.as_slice() {
            [kind] => *kind,
            [] => {
                return Err(LoadError::NoPlugin {
                    exports: compiled.exports.clone(),
                });
            }
            _ => return Err(LoadError::BothKinds),
        };
        let forbidden = forbidden_imports(kind, &compiled.imports);
        if !forbidden.is_empty() {
            return Err(LoadError::ForbiddenImports {
                kind: kind.as_str(),
                imports: forbidden,
            });
        }
        let worlds = &self.shared.worlds;
        let pre = match kind {
            PluginKind::Connector => worlds
                .connector(&compiled.component)
                .map(Box::new)
                .map(Pre::Connector),
            PluginKind::Policy => worlds.policy(&compiled.component).map(Pre::Policy),
        };
        let pre = pre.map_err(|error| LoadError::Incompatible(format!("{error:#}")))?;
        let descriptor = self.describe(&compiled.component).await?;
        let schema = Schema::new(&descriptor.config_schema).map_err(LoadError::Description)?;
        let loaded = Loaded {
            shared: Arc::clone(&self.shared),
            digest: compiled.digest.clone(),
            imports: compiled.imports.clone(),
            exports: compiled.exports.clone(),
            descriptor,
            schema,
            pre,
        };
        Ok(Plugin {
            inner: Arc::new(loaded),
        })
    }
}

struct Compiled {
    component: Component,
    digest: String,
    imports: Vec<String>,
    exports: Vec<String>,
    kinds: Vec<PluginKind>,
}

fn compile(shared: &Shared, bytes: &[u8]) -> Result<Compiled, LoadError> {
    let engine = &shared.engine;
    let digest = hex::encode(Sha256::digest(bytes));
    let cached = shared.cache.as_ref();
    let component = match cached.and_then(|cache| cache.load(engine, &digest)) {
        Some(component) => component,
        None => compile_anew(engine, bytes).inspect(|component| {
            if let Some(cache) = cached {
                cache.store(&digest, component);
            }
        })?,
    };
    let described = component.component_type();
    let names = |(name, _): (&str, _)| name.to_owned();
    let exports: Vec<String> = described.exports(engine).map(names).collect();
    Ok(Compiled {
        imports: described.imports(engine).map(names).collect(),
        kinds: kinds(&exports),
        exports,
        digest,
        component,
    })
}

fn compile_anew(engine: &Engine, bytes: &[u8]) -> Result<Component, LoadError> {
    Component::from_binary(engine, bytes)
        .map_err(|error| LoadError::Malformed(format!("{error:#}")))
}

fn initial_memory(resources: &wasmtime::ResourcesRequired) -> u64 {
    const PAGE: u64 = 64 << 10;
    let largest = resources.max_initial_memory_size.unwrap_or(0);
    // wasmtime tells the number and the largest, so this is an upper bound.
    largest
        .saturating_mul(PAGE)
        .saturating_mul(resources.num_memories.into())
}

impl Plugin {
    /// What it says about itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.inner.descriptor
    }

    /// What it is for.
    pub fn kind(&self) -> PluginKind {
        match self.inner.pre {
            Pre::Connector(_) => PluginKind::Connector,
            Pre::Policy(_) => PluginKind::Policy,
        }
    }

    /// SHA-256 of the component, in lower-case hexadecimal.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// Interfaces it asks for.
    pub fn imports(&self) -> &[String] {
        &self.inner.imports
    }

    /// Interfaces it offers.
    pub fn exports(&self) -> &[String] {
        &self.inner.exports
    }

    pub(crate) fn pre(&self) -> &Pre {
        &self.inner.pre
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.inner.schema
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    pub(crate) fn wrong_kind(&self, expected: &'static str) -> InstanceError {
        InstanceError::WrongKind {
            plugin: self.descriptor().id.clone(),
            found: self.kind().as_str(),
            expected,
        }
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Plugin")
            .field("id", &self.inner.descriptor.id)
            .field("kind", &self.kind())
            .field("digest", &self.inner.digest)
            .finish_non_exhaustive()
    }
}
