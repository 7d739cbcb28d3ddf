//! The accounts of all nodes, in memory and in the store.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use portreeve_domain::Timestamp;
use portreeve_store::{Quota, SetDocument, Store, StoreError};
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::account::{Account, AccountState, NoRandomness, Proof};
use super::name::NodeName;
use super::right::Rights;

/// Where accounts are in the store.
const NAMESPACE: &str = "pxgrid:nodes";
/// Accounts in all.
const MOST: usize = 1024;
/// Accounts that wait for the operator.
const MOST_WAITING: usize = 100;
/// An account that was made and not used for so long is forgotten.
const UNUSED: Duration = Duration::from_hours(1);
/// Accounts that may be made in a minute, by all nodes together.
const CREATIONS: u32 = 10;
const MINUTE: u64 = 60_000;

const QUOTA: Quota = Quota {
    // Beyond what memory takes, for documents that are being replaced.
    keys: 2 * MOST as u64,
    value_bytes: 4 << 10,
    total_bytes: 8 << 20,
};

/// Why an account is not made or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountError {
    /// Another node has this name.
    #[error("`nodeName`: `{0}` is taken")]
    Taken(NodeName),
    /// Too many wait already.
    #[error("too many accounts wait for the operator's approval, or there are too many in all")]
    Full,
    /// Too many were made in the last minute.
    #[error("too many accounts were made in the last minute")]
    TooOften,
    /// There is none of this name.
    #[error("there is no node `{0}`")]
    Unknown(NodeName),
    /// No secret can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// It would be forgotten at the next start.
    #[error("the store does not keep the account: {0}")]
    NotKept(String),
}

/// The accounts of all nodes.
pub(crate) struct Accounts {
    by_name: RwLock<HashMap<NodeName, Account>>,
    store: Option<Arc<Store>>,
    /// One change after another, so that memory and store agree.
    changing: tokio::sync::Mutex<()>,
    creations: Mutex<Window>,
    changes: watch::Sender<u64>,
}

/// What was made in the minute that is going on.
#[derive(Debug, Default)]
struct Window {
    minute: u64,
    count: u32,
}

impl Accounts {
    /// Reads what is kept. Without a store accounts end with the process.
    pub(super) fn load(store: Option<Arc<Store>>) -> Result<Self, StoreError> {
        let accounts = match &store {
            Some(store) => read(store)?,
            None => HashMap::new(),
        };
        Ok(Self {
            by_name: RwLock::new(accounts),
            store,
            changing: tokio::sync::Mutex::default(),
            creations: Mutex::default(),
            changes: watch::Sender::new(0),
        })
    }

    pub(crate) fn get(&self, name: &NodeName) -> Option<Account> {
        self.by_name.read().get(name).cloned()
    }

    /// Something about one account, without a copy of it.
    pub(super) fn with<T>(&self, name: &NodeName, read: impl FnOnce(&Account) -> T) -> Option<T> {
        self.by_name.read().get(name).map(read)
    }

    /// All of them, by name.
    pub(crate) fn list(&self) -> Vec<(NodeName, Account)> {
        let accounts = self.by_name.read();
        let mut list: Vec<_> = accounts
            .iter()
            .map(|(name, account)| (name.clone(), account.clone()))
            .collect();
        list.sort_by(|(one, _), (other, _)| one.cmp(other));
        list
    }

    /// Wakes up whenever an account is approved, disabled or deleted: who holds
    /// a node's connection looks again whether it still may.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Lets everybody who holds a connection see whether its node still may.
    pub(super) fn look_again(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Makes an account with a password, which is told only now.
    pub(super) async fn create(
        &self,
        name: &NodeName,
        now: Timestamp,
    ) -> Result<Zeroizing<String>, AccountError> {
        let _changing = self.changing.lock().await;
        if self.get(name).is_some() {
            return Err(AccountError::Taken(name.clone()));
        }
        self.count_creation(now)?;
        self.forget_unused(now).await?;
        self.expect_room()?;
        let (account, password) = Account::with_password(now)?;
        self.keep(name, account).await?;
        Ok(password)
    }

    /// An account that the operator makes: it waits for nobody.
    pub(crate) async fn add(
        &self,
        name: &NodeName,
        rights: Rights,
        now: Timestamp,
    ) -> Result<Zeroizing<String>, AccountError> {
        let _changing = self.changing.lock().await;
        if self.get(name).is_some() {
            return Err(AccountError::Taken(name.clone()));
        }
        if self.by_name.read().len() >= MOST {
            return Err(AccountError::Full);
        }
        let (mut account, password) = Account::with_password(now)?;
        account.state = AccountState::Enabled;
        account.rights = rights;
        self.keep(name, account).await?;
        Ok(password)
    }

    /// A node is there and wants to be approved. One with a certificate has no
    /// account before.
    pub(super) async fn activate(
        &self,
        name: &NodeName,
        proof: &Proof,
        description: Option<String>,
        is_approved: bool,
        now: Timestamp,
    ) -> Result<AccountState, AccountError> {
        let _changing = self.changing.lock().await;
        let mut account = match self.get(name) {
            Some(account) if account.proof == *proof => account,
            Some(_) => return Err(AccountError::Taken(name.clone())),
            None => {
                let Proof::Certificate(client) = proof else {
                    return Err(AccountError::Unknown(name.clone()));
                };
                self.expect_room()?;
                Account::with_certificate(client, now)?
            }
        };
        let before = account.clone();
        if account.state == AccountState::Init {
            account.state = if is_approved {
                AccountState::Enabled
            } else {
                AccountState::Pending
            };
        }
        if description.is_some() {
            account.description = description;
        }
        let state = account.state;
        if account != before || state == AccountState::Init {
            self.keep(name, account).await?;
        }
        Ok(state)
    }

    /// Lets a node in, with these rights; without a word with those it has.
    pub(crate) async fn approve(
        &self,
        name: &NodeName,
        rights: Option<Rights>,
    ) -> Result<Account, AccountError> {
        self.change(name, |account| {
            account.state = AccountState::Enabled;
            if let Some(rights) = rights {
                account.rights = rights;
            }
        })
        .await
    }

    /// Keeps a node out, and its name taken.
    pub(crate) async fn disable(&self, name: &NodeName) -> Result<Account, AccountError> {
        self.change(name, |account| account.state = AccountState::Disabled)
            .await
    }

    /// Forgets a node.
    pub(crate) async fn delete(&self, name: &NodeName) -> Result<(), AccountError> {
        let _changing = self.changing.lock().await;
        if self.get(name).is_none() {
            return Err(AccountError::Unknown(name.clone()));
        }
        self.forget(name).await?;
        self.look_again();
        Ok(())
    }

    async fn change(
        &self,
        name: &NodeName,
        edit: impl FnOnce(&mut Account),
    ) -> Result<Account, AccountError> {
        let _changing = self.changing.lock().await;
        let account = self.get(name);
        let mut account = account.ok_or_else(|| AccountError::Unknown(name.clone()))?;
        edit(&mut account);
        self.keep(name, account.clone()).await?;
        Ok(account)
    }

    fn count_creation(&self, now: Timestamp) -> Result<(), AccountError> {
        let minute = now.as_millis() / MINUTE;
        let mut window = self.creations.lock();
        if window.minute != minute {
            *window = Window { minute, count: 0 };
        }
        if window.count >= CREATIONS {
            return Err(AccountError::TooOften);
        }
        window.count += 1;
        Ok(())
    }

    fn expect_room(&self) -> Result<(), AccountError> {
        let accounts = self.by_name.read();
        let waits = |account: &&Account| {
            matches!(account.state, AccountState::Init | AccountState::Pending)
        };
        let waiting = accounts.values().filter(waits).count();
        if accounts.len() >= MOST || waiting >= MOST_WAITING {
            return Err(AccountError::Full);
        }
        Ok(())
    }

    async fn forget_unused(&self, now: Timestamp) -> Result<(), AccountError> {
        let unused = u64::try_from(UNUSED.as_millis()).unwrap_or(u64::MAX);
        let is_unused = |account: &Account| {
            account.state == AccountState::Init
                && account.created_at().as_millis().saturating_add(unused) < now.as_millis()
        };
        let names: Vec<NodeName> = {
            let accounts = self.by_name.read();
            let unused = accounts.iter().filter(|(_, account)| is_unused(account));
            unused.map(|(name, _)| name.clone()).collect()
        };
        for name in &names {
            self.forget(name).await?;
        }
        Ok(())
    }

    /// First durable, then true: who is told "approved" finds it so after a
    /// crash.
    async fn keep(&self, name: &NodeName, account: Account) -> Result<(), AccountError> {
        let value = serde_json::to_vec(&account).map_err(not_kept)?;
        let request = SetDocument {
            namespace: NAMESPACE.to_owned(),
            key: name.as_str().to_owned(),
            value,
            if_version: None,
            ttl: None,
            quota: QUOTA,
            now: Timestamp::now(),
        };
        self.aside(move |store| store.set_document(&request).map(|_| ()).map_err(not_kept))
            .await?;
        self.by_name.write().insert(name.clone(), account);
        self.look_again();
        Ok(())
    }

    async fn forget(&self, name: &NodeName) -> Result<(), AccountError> {
        let key = name.as_str().to_owned();
        self.aside(move |store| store.delete_document(NAMESPACE, &key).map_err(not_kept))
            .await?;
        self.by_name.write().remove(name);
        Ok(())
    }

    /// The disk may take its time.
    async fn aside(
        &self,
        work: impl FnOnce(&Store) -> Result<(), AccountError> + Send + 'static,
    ) -> Result<(), AccountError> {
        let Some(store) = self.store.clone() else {
            return Ok(());
        };
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        done.map_err(not_kept)?
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Accounts")
            .field("accounts", &self.by_name.read().len())
            .finish_non_exhaustive()
    }
}

fn not_kept(error: impl fmt::Display) -> AccountError {
    AccountError::NotKept(error.to_string())
}

fn read(store: &Store) -> Result<HashMap<NodeName, Account>, StoreError> {
    let mut accounts = HashMap::new();
    let mut cursor: Option<String> = None;
    let now = Timestamp::now();
    loop {
        let page = store.document_keys(NAMESPACE, "", cursor.as_deref(), now)?;
        for key in &page.keys {
            let Some(document) = store.document(NAMESPACE, key, now)? else {
                continue;
            };
            if let (Ok(name), Ok(account)) = (key.parse(), serde_json::from_slice(&document.value))
            {
                accounts.insert(name, account);
            } else {
                // A later version wrote it; without an account the node stays out.
                tracing::warn!(node = key, "an account of a pxGrid node cannot be read");
            }
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(accounts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_store::StoreSettings;

    fn minutes(minutes: u64) -> Timestamp {
        Timestamp::from_millis(minutes * MINUTE)
    }

    fn name(text: &str) -> NodeName {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn an_account_from_its_making_to_its_end() {
        let accounts = Accounts::load(None).unwrap();
        let node = name("siem");
        let password = accounts.create(&node, minutes(0)).await.unwrap();
        let made = accounts.get(&node).unwrap();
        assert_eq!(made.state, AccountState::Init);
        assert!(made.has_password(&password));
        let again = accounts.create(&node, minutes(0)).await.unwrap_err();
        assert!(matches!(again, AccountError::Taken(_)));

        let activate = |description: Option<&str>| {
            let description = description.map(str::to_owned);
            accounts.activate(&node, &made.proof, description, false, minutes(1))
        };
        assert_eq!(
            activate(Some("SIEM 1.0")).await.unwrap(),
            AccountState::Pending
        );
        assert_eq!(activate(None).await.unwrap(), AccountState::Pending);
        let mut changes = accounts.changes();
        changes.mark_unchanged();
        accounts.approve(&node, None).await.unwrap();
        assert!(changes.has_changed().unwrap());
        assert_eq!(activate(None).await.unwrap(), AccountState::Enabled);
        let approved = accounts.get(&node).unwrap();
        assert_eq!(approved.rights, Rights::READING);
        assert_eq!(approved.description.as_deref(), Some("SIEM 1.0"));
        accounts.disable(&node).await.unwrap();
        assert_eq!(activate(None).await.unwrap(), AccountState::Disabled);
        accounts.delete(&node).await.unwrap();
        assert!(accounts.get(&node).is_none());
        let gone = accounts.approve(&node, None).await.unwrap_err();
        assert!(matches!(gone, AccountError::Unknown(_)));
    }

    #[tokio::test]
    async fn a_name_keeps_its_proof() {
        let accounts = Accounts::load(None).unwrap();
        let node = name("switch");
        let certificate = Proof::Certificate("switch".to_owned());
        let state = accounts.activate(&node, &certificate, None, true, minutes(0));
        assert_eq!(state.await.unwrap(), AccountState::Enabled);
        let taken = accounts.create(&node, minutes(0)).await.unwrap_err();
        assert!(matches!(taken, AccountError::Taken(_)));
        // Names of nodes have no case, those of clients have.
        let namesake = Proof::Certificate("Switch".to_owned());
        let taken = accounts.activate(&node, &namesake, None, true, minutes(0));
        assert!(matches!(taken.await.unwrap_err(), AccountError::Taken(_)));
        let other = name("other");
        accounts.create(&other, minutes(0)).await.unwrap();
        let taken = accounts.activate(&other, &certificate, None, true, minutes(0));
        assert!(matches!(taken.await.unwrap_err(), AccountError::Taken(_)));
    }

    #[tokio::test]
    async fn making_accounts_is_bounded() {
        let accounts = Accounts::load(None).unwrap();
        let mut made = 0;
        for minute in 0.. {
            for _ in 0..CREATIONS {
                match accounts
                    .create(&name(&format!("n{made}")), minutes(minute))
                    .await
                {
                    Ok(_) => made += 1,
                    Err(AccountError::Full) => {
                        assert_eq!(made, MOST_WAITING);
                        // Nobody used them, so there is room again later.
                        let later = minutes(minute + 61);
                        accounts.create(&name("later"), later).await.unwrap();
                        assert_eq!(accounts.list().len(), 1);
                        return;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            let error = accounts
                .create(&name("x"), minutes(minute))
                .await
                .unwrap_err();
            assert!(matches!(error, AccountError::TooOften), "{error}");
        }
    }

    #[tokio::test]
    async fn accounts_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let store = Store::open(&folder.path().join("store"), &StoreSettings::default());
            Arc::new(store.unwrap())
        };
        let node = name("siem");
        let before = {
            let accounts = Accounts::load(Some(open())).unwrap();
            accounts.create(&node, minutes(0)).await.unwrap();
            accounts.create(&name("gone"), minutes(0)).await.unwrap();
            accounts.approve(&node, None).await.unwrap();
            accounts.delete(&name("gone")).await.unwrap();
            accounts.list()
        };
        let accounts = Accounts::load(Some(open())).unwrap();
        assert_eq!(accounts.list(), before);
        assert_eq!(before.len(), 1);
    }
}
