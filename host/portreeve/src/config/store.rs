//! `[store]` and `[decisions]`: what is kept over restarts.

use serde::Serialize;

use super::problem::Problem;
use super::read::{FromNode, Reader, Section};
use super::tree::Node;
use super::value::{FilePath, Size, Span, choice};

/// `[store]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct StoreConfig {
    pub(crate) directory: FilePath,
    pub(crate) cache: Size,
}

impl StoreConfig {
    pub(super) fn read(section: Section<'_>) -> Option<Self> {
        let directory = section.required("directory", "\"/var/lib/portreeve\"");
        let cache = section.or("cache", Size::of_bytes(64 << 20));
        section.finish();
        Some(Self {
            directory: directory?,
            cache,
        })
    }
}

/// `[decisions]`: the decision log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DecisionsConfig {
    pub(crate) keep: Keep,
    pub(crate) facts: FactsKept,
    pub(crate) max_file: Size,
    pub(crate) max_total: Size,
    pub(crate) retention: Span,
    pub(crate) queue: usize,
}

impl DecisionsConfig {
    /// Nothing is kept without a place to keep it.
    pub(super) fn read(section: Section<'_>, has_store: bool) -> Self {
        let default = if has_store { Keep::Changes } else { Keep::None };
        let read = Self {
            keep: section.or("keep", default),
            facts: section.or("facts", FactsKept::Read),
            max_file: section.or("max-file", Size::of_bytes(64 << 20)),
            max_total: section.or("max-total", Size::of_bytes(1 << 30)),
            retention: section.or("retention", Span::seconds(30 * 24 * 3600)),
            queue: section.or("queue", 8192),
        };
        if read.keep != Keep::None
            && !has_store
            && let Some(node) = section.node("keep")
        {
            section.reader.report(
                Problem::new(
                    &node.place,
                    &node.key,
                    "there is no place to keep decisions",
                )
                .hint("add `[store]` with `directory = \"/var/lib/portreeve\"`"),
            );
        }
        section.finish();
        read
    }
}

/// Which decisions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Keep {
    All,
    Changes,
    Denials,
    None,
}

/// Which facts stand beside a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FactsKept {
    /// Those that policies read.
    Read,
    All,
}

impl FromNode for FactsKept {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        choice(node, reader, &[("read", Self::Read), ("all", Self::All)])
    }
}

impl FromNode for Keep {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let choices = [
            ("all", Self::All),
            ("changes", Self::Changes),
            ("denials", Self::Denials),
            ("none", Self::None),
        ];
        choice(node, reader, &choices)
    }
}

/// `[connectors.NAME.inventory]`: reading the whole fleet.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct InventoryConfig {
    pub(crate) enabled: bool,
    pub(crate) interval: Span,
    pub(crate) full_interval: Span,
    pub(crate) jitter: Span,
    pub(crate) page_size: u32,
    pub(crate) page_timeout: Span,
}

impl InventoryConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let interval = section.or("interval", Span::seconds(15 * 60));
        let read = Self {
            enabled: section.or("enabled", true),
            interval,
            full_interval: section.or("full-interval", Span::seconds(4 * 3600)),
            jitter: section.or("jitter", Span::seconds(60)),
            page_size: section.or("page-size", 1000),
            page_timeout: section.or("page-timeout", Span::seconds(60)),
        };
        if read.full_interval < read.interval {
            let (full, interval) = (read.full_interval, read.interval);
            let problem = section.problem(format!(
                "`full-interval` ({full}) is shorter than `interval` ({interval})"
            ));
            section.reader.report(
                problem.hint("changes are read every `interval`, everything every `full-interval`"),
            );
        }
        section.finish();
        read
    }
}
