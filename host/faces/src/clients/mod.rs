//! Who asks, and what they may.

mod authorization;
mod certificate;
mod client;
mod digest;
mod error;
mod password;
mod peer;
mod rate;
mod recent;
mod remembered;
mod roster;
mod secret;
mod settings;
mod slowdown;
mod token;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

pub(crate) use client::Client;
pub(crate) use client::test_client;
pub use error::ClientsError;
pub(crate) use error::{AuthenticationFailure, Unknown};
pub use password::{Argon2Hash, HashError, PasswordHash};
pub(crate) use peer::Peer;
pub use rate::RateLimit;
pub(crate) use recent::is_same;
pub(crate) use roster::{Challenges, Roster, RosterSettings};
pub use secret::Secret;
pub use settings::{ClientAuthentication, ClientSettings, Face};
use slowdown::{Held, Slowdown, TooMany};
pub use token::{TokenKeys, TokenKeysError, TokenSettings};

/// Passwords and tokens that are verified at the same time.
const VERIFIED_AT_ONCE: usize = 2;
/// Those that wait for it.
const MOST_UNVERIFIED: usize = 256;

/// The clients, which may be others from one moment to the next.
#[derive(Debug)]
pub(crate) struct Clients {
    roster: ArcSwap<Roster>,
    local: Arc<Client>,
    slowdown: Slowdown,
    unverified: Semaphore,
    verifying: Semaphore,
}

impl Clients {
    pub(crate) fn new(settings: RosterSettings<'_>) -> Result<Self, ClientsError> {
        Ok(Self {
            roster: ArcSwap::from_pointee(Roster::new(settings, None)?),
            local: Arc::new(Client::local()),
            slowdown: Slowdown::default(),
            unverified: Semaphore::new(MOST_UNVERIFIED),
            verifying: Semaphore::new(VERIFIED_AT_ONCE),
        })
    }

    /// The clients of this moment. A question is answered for whom it was asked
    /// by, also if there is no such client when it is.
    pub(crate) fn now(&self) -> Guard<Arc<Roster>> {
        self.roster.load()
    }

    /// The roster that would follow the one in force.
    pub(crate) fn prepare(
        &self,
        settings: RosterSettings<'_>,
    ) -> Result<Arc<Roster>, ClientsError> {
        Roster::new(settings, Some(&self.roster.load())).map(Arc::new)
    }

    /// Puts other clients in force. Nobody notices who is the same as before.
    pub(crate) fn replace(&self, roster: Arc<Roster>) {
        self.roster.store(roster);
    }

    /// Whoever came through the socket in the file system.
    pub(crate) const fn local(&self) -> &Arc<Client> {
        &self.local
    }

    /// Finds out who asks, however long that takes.
    pub(crate) async fn recognise(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Result<Arc<Client>, AuthenticationFailure> {
        let known = {
            let roster = self.now();
            let certified = peer.client(&roster);
            let known = roster.authenticate(headers, certified.client(), peer);
            known.cloned()
        };
        match (known, headers.get(AUTHORIZATION)) {
            (Ok(client), _) => Ok(client),
            (Err(Unknown::NotYet), Some(header)) => {
                // Boxed: most requests never need it.
                Box::pin(self.verify(header.as_bytes(), peer.address)).await
            }
            (Err(Unknown::NotYet), None) => Err(AuthenticationFailure::Missing),
            (Err(Unknown::Failed(failure)), _) => Err(failure),
        }
    }

    /// Looks thoroughly at a header that could not be recognised at once. That
    /// happens aside and for a few at a time, and where wrong ones come from it
    /// begins late: nobody keeps the processors busy by guessing.
    async fn verify(
        &self,
        header: &[u8],
        address: IpAddr,
    ) -> Result<Arc<Client>, AuthenticationFailure> {
        let turn = self.slowdown.turn(address, Instant::now());
        wait(turn.map_err(|TooMany| AuthenticationFailure::TooMany)?).await;
        let Ok(_place) = self.unverified.try_acquire() else {
            return Err(AuthenticationFailure::Busy);
        };
        // Closing is never done, so a permit always comes.
        let _permit = self.verifying.acquire().await;
        let roster = self.roster.load_full();
        let header = Zeroizing::new(header.to_vec());
        let verified = tokio::task::spawn_blocking(move || roster.verify(&header)).await;
        let client = verified.map_err(|_| AuthenticationFailure::Busy)??;
        roster::expect_at_home(&client, address)?;
        Ok(client)
    }

    /// Keeps the answer to a wrong credential back for a while that grows with
    /// each, or says that too many are kept back already.
    pub(crate) async fn slow_down(&self, address: IpAddr) -> Result<(), AuthenticationFailure> {
        let held = self.slowdown.fail(address, Instant::now());
        wait(Some(
            held.map_err(|TooMany| AuthenticationFailure::TooMany)?,
        ))
        .await;
        Ok(())
    }
}

async fn wait(held: Option<Held>) {
    if let Some(held) = held {
        tokio::time::sleep(held.delay).await;
    }
}

/// For a fuzzer: the header `Authorization`.
pub(crate) fn fuzz_authorization(header: &[u8]) {
    use authorization::Presentation;

    if let Some(read) = Presentation::read(header) {
        let usual = read.usual_form();
        let again = Presentation::read(usual.as_bytes());
        let again = again.map(|again| again.usual_form());
        assert_eq!(again.as_deref(), Some(&*usual), "the usual form stays");
    }
}
