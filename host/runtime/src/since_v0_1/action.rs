//! A connector's actions: how they are called and what may be said about them.

use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use wasmtime::Store;

use super::bindings::actions::exports::portreeve::connector::actions as wit;
use super::connector::{ConnectorData, ConnectorStart};
use crate::action::{Action, ActionTicket, TicketState};
use crate::error::{CallError, SettingsProblem};
use crate::guarded::{Guard, Start};
use crate::limits::Limits;
use crate::plugin_log::PluginLog;

/// Bytes of a ticket's key. It is stored with every device of a job.
const LONGEST_KEY: usize = 1 << 10;

/// Bytes of a text about an action.
const LONGEST_TEXT: usize = 1 << 10;

/// Actions that are told.
const MOST_NAMES: usize = 256;

/// The typed export of a running connector that has actions.
pub(crate) type ActionsGuest = wit::Guest;

type ActionGuard = Guard<ConnectorData, ActionsGuest>;

impl Start<ConnectorData, ActionsGuest> for ConnectorStart {
    fn store(&self, limits: &Limits) -> Store<ConnectorData> {
        self.new_store(limits)
    }

    fn instantiate<'a>(
        &'a self,
        store: &'a mut Store<ConnectorData>,
    ) -> BoxFuture<'a, wasmtime::Result<ActionsGuest>> {
        async move {
            let Some(indices) = &self.pre.actions else {
                return Err(wasmtime::format_err!("there are no actions"));
            };
            let instance_pre = self.pre.connector.instance_pre();
            let instance = instance_pre.instantiate_async(&mut *store).await?;
            indices.load(store, &instance)
        }
        .boxed()
    }

    fn validate<'a>(
        &'a self,
        store: &'a mut Store<ConnectorData>,
    ) -> BoxFuture<'a, wasmtime::Result<Vec<SettingsProblem>>> {
        self.validate_offline(store)
    }
}

impl ConnectorStart {
    pub(crate) async fn supported(
        &self,
        guard: &ActionGuard,
        device: &str,
        deadline: Instant,
    ) -> Result<Vec<String>, CallError> {
        self.expect_actions()?;
        let device = device.to_owned();
        guard
            .call(
                Some(deadline),
                self,
                |live| {
                    async move {
                        let actions = &live.bindings;
                        actions.call_supported(&mut live.store, &device).await
                    }
                    .boxed()
                },
                |names| {
                    let names = names.map_err(|error| self.error(error))?;
                    let names = names.iter().take(MOST_NAMES);
                    let shown = |name: &String| self.common.log.presentable(name, LONGEST_TEXT);
                    Ok(names.map(shown).collect())
                },
            )
            .await
    }

    pub(crate) async fn act(
        &self,
        guard: &ActionGuard,
        device: &str,
        action: Action,
        idempotency_key: &str,
        deadline: Instant,
    ) -> Result<ActionTicket, CallError> {
        self.expect_actions()?;
        let (device, action) = (device.to_owned(), action_to_wit(action));
        let key = idempotency_key.to_owned();
        guard
            .call(
                Some(deadline),
                self,
                |live| {
                    async move {
                        let actions = &live.bindings;
                        let store = &mut live.store;
                        actions.call_start(store, &device, &action, &key).await
                    }
                    .boxed()
                },
                |ticket| {
                    let ticket = ticket.map_err(|error| self.error(error))?;
                    ticket_from_wit(ticket, &self.common.log)
                },
            )
            .await
    }

    pub(crate) async fn action_status(
        &self,
        guard: &ActionGuard,
        device: &str,
        ticket: &str,
        deadline: Instant,
    ) -> Result<ActionTicket, CallError> {
        self.expect_actions()?;
        let (device, ticket) = (device.to_owned(), ticket.to_owned());
        guard
            .call(
                Some(deadline),
                self,
                |live| {
                    async move {
                        let actions = &live.bindings;
                        let store = &mut live.store;
                        actions.call_status(store, &device, &ticket).await
                    }
                    .boxed()
                },
                |ticket| {
                    let ticket = ticket.map_err(|error| self.error(error))?;
                    ticket_from_wit(ticket, &self.common.log)
                },
            )
            .await
    }

    fn expect_actions(&self) -> Result<(), CallError> {
        if self.pre.actions.is_some() {
            return Ok(());
        }
        Err(CallError::Unsupported(
            "the connector acts on no device".to_owned(),
        ))
    }
}

fn action_to_wit(action: Action) -> wit::Action {
    match action {
        Action::Sync => wit::Action::Sync,
        Action::Lock => wit::Action::Lock,
        Action::Retire => wit::Action::Retire,
        Action::Wipe => wit::Action::Wipe,
        Action::Notify(text) => wit::Action::Notify(text),
        Action::Other { name, arguments } => {
            wit::Action::Other(wit::NamedAction { name, arguments })
        }
    }
}

fn ticket_from_wit(ticket: wit::Ticket, log: &PluginLog) -> Result<ActionTicket, CallError> {
    if let Some(key) = &ticket.key
        && key.len() > LONGEST_KEY
    {
        let what = format!("the key of an action has more than {LONGEST_KEY} bytes");
        return Err(CallError::LimitHit(what));
    }
    let detail = ticket.detail;
    Ok(ActionTicket {
        key: ticket.key,
        state: match ticket.state {
            wit::State::Pending => TicketState::Pending,
            wit::State::Done => TicketState::Done,
            wit::State::Refused => TicketState::Refused,
            wit::State::Failed => TicketState::Failed,
        },
        detail: detail.map(|detail| log.presentable(&detail, LONGEST_TEXT)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::device::tests::log;
    use super::*;

    fn ticket(key: String, detail: String) -> wit::Ticket {
        wit::Ticket {
            key: Some(key),
            state: wit::State::Refused,
            detail: Some(detail),
        }
    }

    #[test]
    fn a_ticket_is_bounded() {
        let whole = ticket_from_wit(ticket("k".into(), "no".into()), &log()).unwrap();
        assert_eq!(whole.state, TicketState::Refused);
        assert_eq!(
            (whole.key, whole.detail),
            (Some("k".into()), Some("no".into()))
        );
        let long = ticket("k".into(), "n".repeat(LONGEST_TEXT * 2));
        let cut = ticket_from_wit(long, &log()).unwrap().detail.unwrap();
        assert!(cut.len() <= LONGEST_TEXT + 4, "{}", cut.len());
        let long = ticket("k".repeat(LONGEST_KEY + 1), String::new());
        let refused = ticket_from_wit(long, &log()).unwrap_err();
        assert!(refused.is_plugin_fault(), "{refused:?}");
    }
}
