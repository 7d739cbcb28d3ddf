//! `[policies.NAME]`: what decides.

use portreeve_gateway::Mode;
use portreeve_runtime::Limits;
use serde::{Serialize, Serializer};

use super::file::ExistingFile;
use super::place::Located;
use super::plugin::{LimitsConfig, Settings};
use super::read::{FromNode, Reader, Section};
use super::tree::Node;
use super::value::{Span, choice};

/// `[policies.NAME]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PolicyConfig {
    #[serde(skip)]
    pub(crate) name: Located<String>,
    #[serde(serialize_with = "super::named::value")]
    pub(crate) plugin: Located<ExistingFile>,
    #[serde(serialize_with = "word")]
    pub(crate) mode: Mode,
    pub(crate) on_error: OnError,
    pub(crate) timeout: Span,
    pub(crate) limits: LimitsConfig,
    pub(crate) settings: Settings,
}

/// What its failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnError {
    Deny,
    Abstain,
    Skip,
}

impl FromNode for OnError {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let choices = [
            ("deny", Self::Deny),
            ("abstain", Self::Abstain),
            ("skip", Self::Skip),
        ];
        choice(node, reader, &choices)
    }
}

impl FromNode for Mode {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let modes = [Self::Enforce, Self::Monitor, Self::Off];
        choice(node, reader, &modes.map(|mode| (mode.as_str(), mode)))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives fields so")]
fn word<S: Serializer>(mode: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(mode.as_str())
}

pub(super) fn read(name: Located<String>, section: Section<'_>) -> Option<PolicyConfig> {
    let defaults = Limits::policy();
    let plugin = section.required("plugin", "\"policies/baseline.wasm\"");
    let mode = section.or("mode", Mode::Enforce);
    let on_error = section.or("on-error", OnError::Deny);
    let timeout = section.or("timeout", Span(defaults.wall_clock));
    let limits = LimitsConfig::read(section.section("limits"), &defaults);
    let settings = Settings::read(&section);
    section.finish();
    Some(PolicyConfig {
        name,
        plugin: plugin?,
        mode,
        on_error,
        timeout,
        limits,
        settings: settings?,
    })
}
