//! The operator's lists: what the configuration says, and what was changed
//! since, at run time.
//!
//! A change holds for one member of one list that the configuration knows, until
//! it is taken back or its time is over. It says who made it, when and why, it is
//! in force at once, and it is there again after a restart.

mod kept;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use portreeve_domain::{Lists, Timestamp};
use portreeve_store::{DocumentError, StoreError, WriterHandle};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::feed::Touched;
use crate::rules::Rules;
use crate::select::Chains;

pub use self::kept::{Restored, restore};

/// Changes that can be in force at once.
const MOST: usize = 100_000;

/// Bytes of a member, and of the words that say why.
const LONGEST: usize = 256;

/// The longest wait until the clock is looked at again: it may have been set.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What was changed about one member of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The list.
    pub list: Arc<str>,
    /// The member; an identifier in its usual spelling.
    pub member: Arc<str>,
    /// Whether it is in the list now, whatever the configuration says.
    pub is_member: bool,
    /// Who did it, e.g. a client by its name.
    pub by: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// Why, in his words.
    pub why: Option<Arc<str>>,
    /// When it is over.
    pub until: Option<Timestamp>,
}

/// A change that is wanted.
#[derive(Clone, Debug)]
pub struct EditRequest<'a> {
    /// The list.
    pub list: &'a str,
    /// The member.
    pub member: &'a str,
    /// Who wants it, for the audit.
    pub by: &'a str,
    /// Why.
    pub why: Option<&'a str>,
    /// When it is to be over.
    pub until: Option<Timestamp>,
}

/// A list as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListState {
    /// Its name.
    pub name: Arc<str>,
    /// Its members, in order.
    pub members: Vec<Arc<str>>,
    /// What was changed at run time, in the members' order.
    pub edits: Vec<Arc<Edit>>,
}

/// A change of a list that was not made. Everything is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The configuration does not know it.
    #[error("there is no list `{0}` in the configuration")]
    NoList(Arc<str>),
    /// Nothing can be named like that.
    #[error("`{0}` has to have 1 to 256 bytes without control characters")]
    InvalidText(&'static str),
    /// It would never be in force.
    #[error("`until` is not in the future")]
    Past,
    /// The member is not in the list.
    #[error("`{member}` is not in the list `{list}`")]
    NoMember {
        /// The list.
        list: Arc<str>,
        /// The member.
        member: Arc<str>,
    },
    /// There are as many as there may be.
    #[error("no more than {0} changes can be kept; put lasting ones into the configuration")]
    Full(usize),
    /// The store did not take it.
    #[error("it cannot be kept: {0}")]
    NotKept(String),
}

impl From<DocumentError> for ListError {
    fn from(error: DocumentError) -> Self {
        Self::NotKept(error.to_string())
    }
}

impl From<StoreError> for ListError {
    fn from(error: StoreError) -> Self {
        Self::NotKept(error.to_string())
    }
}

/// Changes by list and member.
type Edits = BTreeMap<(Arc<str>, Arc<str>), Arc<Edit>>;

#[derive(Debug, Default)]
struct State {
    configured: Lists,
    edits: Edits,
}

/// The operator's lists, and what was changed about them.
#[derive(Debug)]
pub struct NamedLists {
    rules: Arc<ArcSwap<Rules>>,
    state: Mutex<State>,
    writer: Option<WriterHandle>,
    touched: Arc<Touched>,
    /// One change at a time: the store and the rules say the same.
    turn: tokio::sync::Mutex<()>,
    changed: Notify,
    pub(crate) stop: CancellationToken,
}

impl NamedLists {
    pub(crate) fn new(
        configured: Lists,
        rules: Arc<ArcSwap<Rules>>,
        writer: Option<WriterHandle>,
        touched: Arc<Touched>,
    ) -> Self {
        Self {
            rules,
            state: Mutex::new(State {
                configured,
                edits: Edits::new(),
            }),
            writer,
            touched,
            turn: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Puts in force what was changed before the restart. For the start, before
    /// anybody asks.
    pub fn resume(&self, restored: Restored) {
        let edits = restored.edits.into_iter().map(|edit| {
            let key = (Arc::clone(&edit.list), Arc::clone(&edit.member));
            (key, Arc::new(edit))
        });
        self.state.lock().edits.extend(edits);
        self.put_in_force();
    }

    /// The lists as they are now, in the order of their names.
    pub fn all(&self) -> Vec<ListState> {
        let lists = Arc::clone(&self.rules.load().lists);
        let state = self.state.lock();
        let names = state.configured.names();
        names
            .map(|name| list_state(name, &lists, &state.edits))
            .collect()
    }

    /// One list as it is now.
    pub fn get(&self, name: &str) -> Result<ListState, ListError> {
        let lists = Arc::clone(&self.rules.load().lists);
        let state = self.state.lock();
        check_list(&state.configured, name)?;
        Ok(list_state(name, &lists, &state.edits))
    }

    /// Adds a member, or changes why and until when it is there. In force and
    /// durable when this returns.
    pub async fn add(&self, request: EditRequest<'_>) -> Result<Arc<Edit>, ListError> {
        let _turn = self.turn.lock().await;
        let done = self.change(&request, true).await;
        audit("add", &request, done.as_ref().err());
        done
    }

    /// Takes a member out. In force and durable when this returns.
    pub async fn remove(&self, request: EditRequest<'_>) -> Result<Arc<Edit>, ListError> {
        let _turn = self.turn.lock().await;
        let done = self.change(&request, false).await;
        audit("remove", &request, done.as_ref().err());
        done
    }

    async fn change(
        &self,
        request: &EditRequest<'_>,
        is_member: bool,
    ) -> Result<Arc<Edit>, ListError> {
        let edit = Arc::new(edit(request, is_member)?);
        let key = (Arc::clone(&edit.list), Arc::clone(&edit.member));
        let is_configured = {
            let state = self.state.lock();
            check_list(&state.configured, &edit.list)?;
            if !state.edits.contains_key(&key) && state.edits.len() >= MOST {
                return Err(ListError::Full(MOST));
            }
            state.configured.contains(&edit.list, &edit.member) == Some(true)
        };
        let lists = Arc::clone(&self.rules.load().lists);
        if !is_member && lists.contains(&edit.list, &edit.member) != Some(true) {
            let (list, member) = key;
            return Err(ListError::NoMember { list, member });
        }
        // Who was added is taken out by forgetting that.
        let is_kept = is_member || is_configured;
        if let Some(writer) = &self.writer {
            if is_kept {
                writer.set_document(kept::document(&edit, MOST)).await?;
            } else {
                let name = kept::key(&edit);
                writer.delete_document(kept::NAMESPACE, &name).await?;
            }
        }
        {
            let mut state = self.state.lock();
            if is_kept {
                state.edits.insert(key, Arc::clone(&edit));
            } else {
                state.edits.remove(&key);
            }
        }
        self.put_in_force();
        Ok(edit)
    }

    /// Puts the lists of another configuration in force, and at the same moment
    /// other chains, if there are any. Returns the rules before.
    pub(crate) fn configure(&self, configured: Lists, chains: Option<&Arc<Chains>>) -> Arc<Rules> {
        let mut state = self.state.lock();
        state.configured = configured;
        self.replace(&state, chains)
    }

    /// Other configured lists, with what was changed at run time.
    pub(crate) fn with_edits(&self, mut configured: Lists) -> Lists {
        let state = self.state.lock();
        with_edits(&mut configured, &state.edits, Timestamp::now());
        configured
    }

    fn put_in_force(&self) {
        self.replace(&self.state.lock(), None);
        self.changed.notify_one();
    }

    /// As long as the state is locked nobody else replaces lists.
    fn replace(&self, state: &State, chains: Option<&Arc<Chains>>) -> Arc<Rules> {
        let lists = Arc::new(effective(state, Timestamp::now()));
        let before = self.rules.rcu(|rules| Rules {
            chains: Arc::clone(chains.unwrap_or(&rules.chains)),
            lists: Arc::clone(&lists),
            lists_number: rules.lists_number + 1,
            ..Rules::clone(rules)
        });
        self.touched.note_all();
        before
    }

    /// Forgets what is over. The store does so by itself.
    pub(crate) fn expire(&self, now: Timestamp) {
        let is_over = |edit: &Edit| edit.until.is_some_and(|until| until <= now);
        let mut over = Vec::new();
        self.state.lock().edits.retain(|_, edit| {
            if is_over(edit) {
                over.push(Arc::clone(edit));
            }
            !is_over(edit)
        });
        for edit in &over {
            let (list, member) = (&*edit.list, &*edit.member);
            tracing::info!(target: "audit", action = "expire", list, member, "list");
        }
        if !over.is_empty() {
            self.put_in_force();
        }
    }

    fn next_expiry(&self) -> Option<Timestamp> {
        let state = self.state.lock();
        state.edits.values().filter_map(|edit| edit.until).min()
    }

    /// Ends changes whose time is over, until it is stopped.
    pub(crate) async fn watch(self: Arc<Self>) {
        let expiring = async {
            loop {
                let now = Timestamp::now();
                self.expire(now);
                let pause = match self.next_expiry() {
                    Some(next) => next.since(now).min(LONGEST_WAIT),
                    None => LONGEST_WAIT,
                };
                // Or until another one may be the next.
                let _ = tokio::time::timeout(pause, self.changed.notified()).await;
            }
        };
        tokio::select! {
            // First, for a runtime that is no more has no timers either.
            biased;
            () = self.stop.cancelled() => {}
            () = expiring => {}
        }
    }
}

fn edit(request: &EditRequest<'_>, is_member: bool) -> Result<Edit, ListError> {
    let member = Lists::canonical(request.member);
    check_text("member", &member)?;
    if let Some(why) = request.why {
        check_text("why", why)?;
    }
    let at = Timestamp::now();
    if request.until.is_some_and(|until| until <= at) {
        return Err(ListError::Past);
    }
    Ok(Edit {
        list: request.list.into(),
        member: member.into(),
        is_member,
        by: request.by.into(),
        at,
        why: request.why.map(Into::into),
        until: request.until,
    })
}

fn check_list(configured: &Lists, name: &str) -> Result<(), ListError> {
    let mut names = configured.names();
    if names.any(|known| known == name) {
        return Ok(());
    }
    Err(ListError::NoList(name.into()))
}

fn check_text(name: &'static str, text: &str) -> Result<(), ListError> {
    if (1..=LONGEST).contains(&text.len()) && !text.contains(char::is_control) {
        return Ok(());
    }
    Err(ListError::InvalidText(name))
}

fn effective(state: &State, now: Timestamp) -> Lists {
    let mut lists = state.configured.clone();
    with_edits(&mut lists, &state.edits, now);
    lists
}

fn with_edits(lists: &mut Lists, edits: &Edits, now: Timestamp) {
    for edit in edits.values() {
        if edit.until.is_none_or(|until| until > now) {
            lists.set(&edit.list, &edit.member, edit.is_member);
        }
    }
}

fn list_state(name: &str, lists: &Lists, edits: &Edits) -> ListState {
    let mut members: Vec<Arc<str>> = lists.members(name).map(Into::into).collect();
    members.sort_unstable();
    let edits = edits.values().filter(|edit| *edit.list == *name);
    ListState {
        name: name.into(),
        members,
        edits: edits.cloned().collect(),
    }
}

/// Every request leaves a trace, done or not.
fn audit(action: &str, request: &EditRequest<'_>, error: Option<&ListError>) {
    let outcome = error.map_or_else(|| "done".to_owned(), ToString::to_string);
    let EditRequest {
        list,
        member,
        by,
        why,
        until,
    } = request;
    let until = until.map(portreeve_store::decisions::format_time);
    tracing::info!(target: "audit", action, by, list, member, why, until, outcome, "list");
}
