//! `[cache]`, `[sessions]` and `[plugins]`: how much of the machine may be used.

use portreeve_cache::CacheSettings;
use portreeve_gateway::SessionSettings;
use portreeve_runtime::RuntimeSettings;
use serde::Serialize;

use super::read::Section;
use super::value::{FilePath, Size, Span};

/// `[cache]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    clippy::struct_field_names,
    reason = "the fields are called as their keys"
)]
pub(crate) struct CacheConfig {
    pub(crate) max_devices: usize,
    pub(crate) max_memory: Size,
    pub(crate) max_unknown: usize,
    pub(crate) max_verdicts: usize,
    pub(crate) max_answers: Size,
}

impl CacheConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let defaults = CacheSettings::default();
        let read = Self {
            max_devices: section.or("max-devices", defaults.max_devices),
            max_memory: section.or("max-memory", Size::of_bytes(defaults.max_bytes)),
            max_unknown: section.or("max-unknown", defaults.max_unknown),
            max_verdicts: section.or("max-verdicts", defaults.max_verdicts),
            max_answers: section.or("max-answers", Size::of_bytes(defaults.max_attached_bytes)),
        };
        section.finish();
        read
    }

    /// The same in the cache's words.
    pub(crate) fn to_settings(&self) -> CacheSettings {
        CacheSettings {
            max_devices: self.max_devices,
            max_bytes: self.max_memory.bytes(),
            max_unknown: self.max_unknown,
            max_verdicts: self.max_verdicts,
            max_attached_bytes: self.max_answers.bytes(),
        }
    }
}

/// `[sessions]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SessionsConfig {
    pub(crate) max: usize,
    pub(crate) expire_after: Span,
}

impl SessionsConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let defaults = SessionSettings::default();
        let read = Self {
            max: section.or("max", defaults.max),
            expire_after: section.or("expire-after", Span(defaults.expire_after)),
        };
        section.finish();
        read
    }

    /// The same in the gateway's words.
    pub(crate) fn to_settings(&self) -> SessionSettings {
        SessionSettings {
            max: self.max,
            expire_after: self.expire_after.0,
        }
    }
}

/// `[plugins]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PluginsConfig {
    pub(crate) compiled_cache: Option<FilePath>,
    pub(crate) threads: usize,
    pub(crate) max_instances: u32,
    pub(crate) max_memory: Size,
    pub(crate) max_component: Size,
}

impl PluginsConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let defaults = RuntimeSettings::default();
        let read = Self {
            compiled_cache: section.optional("compiled-cache"),
            threads: section.or("threads", defaults.threads),
            max_instances: section.or("max-instances", defaults.instances),
            max_memory: section.or("max-memory", Size::of_bytes(defaults.largest_memory)),
            max_component: section.or("max-component", Size::of_bytes(defaults.largest_component)),
        };
        section.finish();
        read
    }

    /// The same in the runtime's words.
    pub(crate) fn to_settings(&self) -> RuntimeSettings {
        RuntimeSettings {
            compiled_cache: self.compiled_cache.as_ref().map(|path| path.0.clone()),
            threads: self.threads,
            instances: self.max_instances,
            largest_memory: self.max_memory.bytes(),
            largest_component: self.max_component.bytes(),
        }
    }
}
