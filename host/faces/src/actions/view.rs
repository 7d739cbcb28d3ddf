//! Jobs and possible actions as clients see them.

use std::collections::BTreeMap;

use portreeve_domain::{ActionKind, Timestamp};
use portreeve_gateway::job::{ActionRules, Job, JobDevice, PossibleActions};
use portreeve_gateway::{Action, PossibleAction};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::text::Rfc3339;

/// A job without its devices.
#[derive(Debug, Serialize)]
pub(super) struct SummaryView<'a> {
    id: &'a str,
    action: String,
    arguments: Map<String, Value>,
    state: &'static str,
    client: &'a str,
    confirmed_by: Option<&'a str>,
    created_at: String,
    /// How many devices are in each state that there is.
    counts: BTreeMap<&'static str, usize>,
}

/// A job with its devices.
#[derive(Debug, Serialize)]
pub(super) struct JobView<'a> {
    #[serde(flatten)]
    summary: SummaryView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation: Option<ConfirmationView<'a>>,
    devices: Vec<DeviceView<'a>>,
}

/// What is needed to confirm it.
#[derive(Debug, Serialize)]
struct ConfirmationView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    expires_at: String,
    /// What will happen, for people.
    text: String,
}

#[derive(Debug, Serialize)]
struct DeviceView<'a> {
    device: &'a str,
    name: Option<&'a str>,
    source: Option<&'a str>,
    state: &'static str,
    detail: Option<&'a str>,
    changed_at: String,
}

impl<'a> SummaryView<'a> {
    pub(super) fn of(job: &'a Job) -> Self {
        let counts = job.counts().into_iter();
        Self {
            id: &job.id,
            action: job.action.kind().to_string(),
            arguments: shown(&job.action),
            state: job.state().as_str(),
            client: &job.client,
            confirmed_by: job.confirmed_by.as_deref(),
            created_at: moment(job.created_at),
            counts: counts
                .map(|(state, count)| (state.as_str(), count))
                .collect(),
        }
    }
}

impl<'a> JobView<'a> {
    pub(super) fn of(job: &'a Job) -> Self {
        Self {
            summary: SummaryView::of(job),
            confirmation: None,
            devices: job.devices.iter().map(DeviceView::of).collect(),
        }
    }

    /// The same of a job that is not begun yet.
    pub(super) fn waiting_for_word(
        mut self,
        token: Option<&'a str>,
        expires_at: Timestamp,
    ) -> Self {
        self.summary.state = "to-be-confirmed";
        let waiting = self.summary.counts.get("waiting").copied().unwrap_or(0);
        let action = &self.summary.action;
        self.confirmation = Some(ConfirmationView {
            token,
            expires_at: moment(expires_at),
            text: format!(
                "`{action}` will be done to {waiting} of these devices: those in the state `waiting`"
            ),
        });
        self
    }
}

impl<'a> DeviceView<'a> {
    fn of(device: &'a JobDevice) -> Self {
        Self {
            device: &device.asked,
            name: device.name.as_deref(),
            source: device.source.as_deref(),
            state: device.state.as_str(),
            detail: device.detail.as_deref(),
            changed_at: moment(device.changed_at),
        }
    }
}

/// The arguments, but for texts that are no message: one of them may unlock a
/// device.
fn shown(action: &Action) -> Map<String, Value> {
    let arguments = action.arguments().unwrap_or("{}");
    let arguments: Map<String, Value> = serde_json::from_str(arguments).unwrap_or_default();
    let is_message = *action.kind() == ActionKind::Notify;
    let shown = arguments.into_iter().map(|(name, value)| match value {
        Value::Bool(_) | Value::Number(_) | Value::Null => (name, value),
        value if is_message => (name, value),
        _ => (name, Value::String("[hidden]".to_owned())),
    });
    shown.collect()
}

fn moment(at: Timestamp) -> String {
    String::from_utf8_lossy(&Rfc3339(at).to_bytes()).into_owned()
}

/// What can be done to one device.
#[derive(Debug, Serialize)]
pub(super) struct PossibleView<'a> {
    source: &'a str,
    actions: Vec<PossibleActionView>,
}

#[derive(Debug, Serialize)]
struct PossibleActionView {
    action: String,
    possible: bool,
    /// Why not.
    reason: Option<String>,
    /// Whether it has to be confirmed.
    confirmation: bool,
}

impl<'a> PossibleView<'a> {
    /// What the source knows, and whether the operator, the client's
    /// configuration and the source's permissions allow it.
    pub(super) fn of(
        possible: &'a PossibleActions,
        rules: &ActionRules,
        is_allowed: impl Fn(&ActionKind) -> bool,
    ) -> Self {
        let actions = possible.actions.iter().filter_map(|action| {
            let kind = kind(action)?;
            let reason = if !rules.allows(&kind) {
                Some("`allow` of `[actions]` does not name it".to_owned())
            } else if is_allowed(&kind) {
                action.obstacle.clone()
            } else {
                Some("the client's `actions` do not name it".to_owned())
            };
            Some(PossibleActionView {
                possible: reason.is_none(),
                reason,
                confirmation: rules.wants_confirmation(&kind),
                action: kind.to_string(),
            })
        });
        Self {
            source: &possible.source,
            actions: actions.collect(),
        }
    }
}

/// The kind of what a source calls so.
fn kind(action: &PossibleAction) -> Option<ActionKind> {
    let name = &action.name;
    let shared = name.parse();
    shared.or_else(|_| format!("other:{name}").parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_hidden_and_messages_are_not() {
        let action = |kind: &str, arguments: &str| {
            let arguments = serde_json::from_str(arguments).unwrap();
            Action::with(kind.parse().unwrap(), &arguments).unwrap()
        };
        let wipe = action(
            "wipe",
            "{\"keepUserData\":true,\"macOsUnlockCode\":\"123456\"}",
        );
        let told = Value::Object(shown(&wipe)).to_string();
        assert_eq!(
            told,
            "{\"keepUserData\":true,\"macOsUnlockCode\":\"[hidden]\"}"
        );
        let notify = action("notify", "{\"body\":\"hello\"}");
        assert_eq!(shown(&notify)["body"], "hello");
    }
}
