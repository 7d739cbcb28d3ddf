//! `[actions]`: what may be done to devices.

use portreeve_domain::ActionKind;
use portreeve_gateway::{ActionRules, ConfirmBy};
use serde::Serialize;

use super::problem::Problem;
use super::read::{FromNode, Reader, Section};
use super::tree::Node;
use super::value::{Span, choice, text};

/// `[actions]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ActionsConfig {
    #[serde(serialize_with = "super::credential::as_texts")]
    pub(crate) allow: Vec<ActionKind>,
    #[serde(serialize_with = "super::credential::as_texts")]
    at_once: Vec<ActionKind>,
    confirm_by: By,
    confirm_within: Span,
    max_devices: usize,
    max_jobs: usize,
    first_look: Span,
}

/// Who has to confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    SameClient,
    AnotherClient,
}

impl FromNode for By {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let choices = [
            ("same-client", Self::SameClient),
            ("another-client", Self::AnotherClient),
        ];
        choice(node, reader, &choices)
    }
}

impl FromNode for ActionKind {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let written = text(node, reader)?;
        if let Ok(kind) = written.parse() {
            return Some(kind);
        }
        let message = format!(
            "`{written}` is none of `sync`, `lock`, `retire`, `wipe`, `notify`, `other:NAME`"
        );
        reader.report(
            Problem::new(&node.place, &node.key, message)
                .hint("write one of these words, or e.g. `other:rebootNow`"),
        );
        None
    }
}

impl ActionsConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let defaults = ActionRules::default();
        let config = Self {
            allow: section.or("allow", Vec::new()),
            at_once: section.or("at-once", Vec::new()),
            confirm_by: section.or("confirm-by", By::SameClient),
            confirm_within: section.or("confirm-within", Span(defaults.confirm_within)),
            max_devices: section.or("max-devices", defaults.most_devices),
            max_jobs: section.or("max-jobs", defaults.most_jobs),
            first_look: section.or("first-look", Span(defaults.first_look)),
        };
        let confirmed = |kind: &&ActionKind| matches!(kind, ActionKind::Retire | ActionKind::Wipe);
        if let Some(node) = section.node("at-once")
            && let Some(kind) = config.at_once.iter().find(confirmed)
        {
            let message = format!("`{kind}` is always confirmed");
            section.reader.report(
                Problem::new(&node.place, &node.key, message)
                    .hint("remove it; `unconfirmed-actions` of a client is for protocols without"),
            );
        }
        section.finish();
        config
    }

    /// The same in the gateway's words.
    pub(crate) fn to_rules(&self) -> ActionRules {
        ActionRules {
            allow: self.allow.clone(),
            at_once: self.at_once.clone(),
            confirm_by: match self.confirm_by {
                By::SameClient => ConfirmBy::SameClient,
                By::AnotherClient => ConfirmBy::AnotherClient,
            },
            confirm_within: self.confirm_within.0,
            most_devices: self.max_devices,
            most_jobs: self.max_jobs,
            first_look: self.first_look.0,
            ..ActionRules::default()
        }
    }
}

/// `unconfirmed-actions` of a client, some of its `actions`.
pub(super) fn unconfirmed(section: &Section<'_>, actions: &[ActionKind]) -> Vec<ActionKind> {
    let unconfirmed: Vec<ActionKind> = section.or("unconfirmed-actions", Vec::new());
    if let Some(node) = section.node("unconfirmed-actions")
        && let Some(kind) = unconfirmed.iter().find(|kind| !actions.contains(kind))
    {
        let message = format!("`{kind}` is not in `actions`");
        section.reader.report(
            Problem::new(&node.place, &node.key, message)
                .hint("add it there as well, or remove it"),
        );
    }
    unconfirmed
}
