//! Acting on devices.

use std::sync::Arc;
use std::time::Instant;

use crate::connector::Connector;
use crate::error::CallError;
use crate::status::InstanceStatus;

/// Something that a source does to one of its devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make the device report to its management system now.
    Sync,
    /// Lock the screen.
    Lock,
    /// Erase corporate data and end management.
    Retire,
    /// Erase everything.
    Wipe,
    /// Show a message to the user.
    Notify(String),
    /// An action of the source, or one of those above with arguments.
    Other {
        /// Its name.
        name: String,
        /// A JSON object.
        arguments: String,
    },
}

/// How far an action has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionTicket {
    /// What the source has to be asked by how it goes on, if it can be asked.
    pub key: Option<String>,
    /// How far it is.
    pub state: TicketState,
    /// What the source says to it, for people.
    pub detail: Option<String>,
}

/// How far an action has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketState {
    /// The source has taken it on.
    Pending,
    /// It is done.
    Done,
    /// The source did not take it on, and will not.
    Refused,
    /// It was taken on and came to nothing.
    Failed,
}

impl Connector {
    /// Whether the plugin can act on devices.
    pub fn has_actions(&self) -> bool {
        self.inner.start.pre.actions.is_some()
    }

    /// What can be done to a device: names, and after some of them `: ` and why
    /// that cannot be done just now.
    pub async fn supported_actions(
        &self,
        device: &str,
        deadline: Instant,
    ) -> Result<Vec<String>, CallError> {
        let (inner, device) = (Arc::clone(&self.inner), device.to_owned());
        let call = async move {
            let guard = &inner.action_guard;
            inner.start.supported(guard, &device, deadline).await
        };
        self.inner.shared.workers.run(call).await
    }

    /// Starts an action. The same `idempotency_key` never starts one twice.
    ///
    /// Actions run in instances of their own: look-ups are not held up.
    pub async fn start_action(
        &self,
        device: &str,
        action: Action,
        idempotency_key: &str,
        deadline: Instant,
    ) -> Result<ActionTicket, CallError> {
        let (inner, device) = (Arc::clone(&self.inner), device.to_owned());
        let key = idempotency_key.to_owned();
        let call = async move {
            let guard = &inner.action_guard;
            let start = &inner.start;
            start.act(guard, &device, action, &key, deadline).await
        };
        self.inner.shared.workers.run(call).await
    }

    /// Asks how an action goes on, by the key of its ticket.
    pub async fn action_status(
        &self,
        device: &str,
        ticket: &str,
        deadline: Instant,
    ) -> Result<ActionTicket, CallError> {
        let (inner, device) = (Arc::clone(&self.inner), device.to_owned());
        let ticket = ticket.to_owned();
        let call = async move {
            let guard = &inner.action_guard;
            let start = &inner.start;
            start.action_status(guard, &device, &ticket, deadline).await
        };
        self.inner.shared.workers.run(call).await
    }

    /// How it is doing with its actions, which have a breaker of their own.
    pub fn actions_status(&self) -> InstanceStatus {
        self.inner.action_guard.status()
    }
}
