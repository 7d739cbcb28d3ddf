//! One token for everybody who needs it.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;
use tokio::{sync::oneshot, task::JoinSet, time::Instant};

use super::{Token, TokenError, TokenErrorKind};
use crate::{Secret, examination::code};

/// A token that the resource refuses is replaced at most this often: a permission that is missing
/// must not turn every request into a token request (AADSTS50196).
const REJECT_EVERY: Duration = Duration::from_mins(1);
/// A renewal that somebody asked for goes out at most this often.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// First and longest wait after a passing failure.
const WAIT_UNAVAILABLE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// First and longest wait after a refusal, which only an administrator can end.
const WAIT_REFUSED: (Duration, Duration) = (Duration::from_secs(30), Duration::from_mins(5));
/// A server's own wish to be left alone is granted up to here.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// Gets one token from the identity provider, within a deadline of its own.
pub(crate) trait FetchToken: fmt::Debug + Send + Sync {
    /// The fetch itself. It must end by itself and keep no reference to the cache.
    fn fetch(&self) -> BoxFuture<'static, Result<Token, Box<TokenError>>>;
}

type Outcome = Result<Arc<Token>, Box<TokenError>>;

/// The cache of one kind of token: at most one fetch at a time, however many wait for it.
///
/// A fetch belongs to the cache and not to whoever asked first, so that it goes on when an asker
/// gives up, and ends when the cache is dropped.
#[derive(Debug)]
pub(crate) struct TokenSource {
    fetcher: Arc<dyn FetchToken>,
    state: Mutex<State>,
}

/// A token with the answer to the question whether it was fetched just now.
#[derive(Debug, Clone)]
pub(crate) struct Lent {
    pub(crate) token: Arc<Token>,
    pub(crate) fresh: bool,
}

/// What is known without asking anybody.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) token: Option<Arc<Token>>,
    pub(crate) failure: Option<Box<TokenError>>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Arc<Token>>,
    /// The token before, which a server may still echo.
    previous: Option<Arc<Token>>,
    failure: Option<Failure>,
    flight: Option<Shared<BoxFuture<'static, Outcome>>>,
    tasks: JoinSet<()>,
    rejected: Option<Instant>,
    renewed: Option<Instant>,
}

#[derive(Debug)]
struct Failure {
    error: Box<TokenError>,
    /// Nobody asks again before.
    until: Instant,
    /// Failures in a row.
    count: u32,
}

impl TokenSource {
    pub(crate) fn new(fetcher: Arc<dyn FetchToken>) -> Self {
        Self {
            fetcher,
            state: Mutex::default(),
        }
    }

    /// The token at hand, or the one that is being fetched. A token near its end is still lent
    /// while the next one is fetched behind. A recent failure is repeated without asking.
    pub(crate) async fn token(self: &Arc<Self>) -> Result<Lent, Box<TokenError>> {
        let flight = {
            let mut state = self.state.lock();
            let now = Instant::now();
            let waiting = state.failure.as_ref().filter(|failure| now < failure.until);
            if let Some(token) = state.usable(now) {
                if now >= token.refresh_at && waiting.is_none() {
                    drop(self.start(&mut state));
                }
                return Ok(Lent {
                    token,
                    fresh: false,
                });
            }
            if let Some(failure) = waiting {
                let mut error = failure.error.clone();
                error.retry_after = Some(failure.until - now);
                return Err(error);
            }
            self.start(&mut state)
        };
        flight.await.map(|token| Lent { token, fresh: true })
    }

    /// Takes note that the resource did not accept the token. `true` if asking for a token again
    /// may give another one.
    pub(crate) fn reject(&self, token: &Arc<Token>) -> bool {
        let mut state = self.state.lock();
        let now = Instant::now();
        let current = state
            .token
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, token));
        if !current {
            // Somebody else has replaced it, or is about to.
            return true;
        }
        if state.rejected.is_some_and(|at| now < at + REJECT_EVERY) {
            return false;
        }
        state.rejected = Some(now);
        state.previous = state.token.take();
        true
    }

    /// Fetches a token past the cache and past remembered failures.
    pub(crate) async fn renew(self: &Arc<Self>) {
        let flight = {
            let mut state = self.state.lock();
            let now = Instant::now();
            if state.renewed.is_some_and(|at| now < at + RENEW_EVERY) {
                return;
            }
            state.renewed = Some(now);
            self.start(&mut state)
        };
        // How it went is in the snapshot.
        let _ = flight.await;
    }

    /// Lets the next asker try again after a failure, without waiting for the end of the pause.
    pub(crate) fn forgive(&self) {
        self.state.lock().failure = None;
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.state.lock();
        Snapshot {
            token: state.usable(Instant::now()),
            failure: state.failure.as_ref().map(|failure| failure.error.clone()),
        }
    }

    /// The token values that a server may know.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let state = self.state.lock();
        [&state.token, &state.previous]
            .into_iter()
            .flatten()
            .map(|token| token.value.clone())
            .collect()
    }

    /// Joins the fetch under way or starts one.
    fn start(self: &Arc<Self>, state: &mut State) -> Shared<BoxFuture<'static, Outcome>> {
        while state.tasks.try_join_next().is_some() {}
        if state.tasks.is_empty() {
            // A fetch that panicked could not take its flight away.
            state.flight = None;
        }
        if let Some(flight) = &state.flight {
            return flight.clone();
        }
        let (sender, receiver) = oneshot::channel();
        let flight = receiver
            .map(|outcome| outcome.unwrap_or_else(|_| Err(abandoned())))
            .boxed()
            .shared();
        let fetch = self.fetcher.fetch();
        let source = Arc::downgrade(self);
        state.tasks.spawn(async move {
            let outcome = fetch.await;
            if let Some(source) = Weak::upgrade(&source) {
                // Nobody may be waiting any more; the cache has it all the same.
                let _ = sender.send(source.finish(outcome));
            }
        });
        state.flight = Some(flight.clone());
        flight
    }

    fn finish(&self, outcome: Result<Token, Box<TokenError>>) -> Outcome {
        let mut state = self.state.lock();
        state.flight = None;
        match outcome {
            Ok(token) => {
                let token = Arc::new(token);
                if let Some(old) = state.token.replace(Arc::clone(&token)) {
                    state.previous = Some(old);
                }
                state.failure = None;
                Ok(token)
            }
            Err(error) => {
                let count = state.failure.as_ref().map_or(0, |failure| failure.count);
                state.failure = Some(Failure {
                    until: Instant::now() + wait(&error, count),
                    count: count.saturating_add(1),
                    error: error.clone(),
                });
                Err(error)
            }
        }
    }
}

impl State {
    fn usable(&self, now: Instant) -> Option<Arc<Token>> {
        self.token
            .as_ref()
            .filter(|token| now < token.unusable_at)
            .cloned()
    }
}

/// How long nobody asks after a failure, with `before` failures in a row before it.
fn wait(error: &TokenError, before: u32) -> Duration {
    let (first, longest) = match error.kind {
        TokenErrorKind::Unavailable => WAIT_UNAVAILABLE,
        TokenErrorKind::Refused | TokenErrorKind::Misconfigured => WAIT_REFUSED,
    };
    let own = first
        .saturating_mul(2_u32.saturating_pow(before))
        .min(longest);
    own.max(
        error
            .retry_after
            .unwrap_or_default()
            .min(LONGEST_RETRY_AFTER),
    )
}

fn abandoned() -> Box<TokenError> {
    Box::new(TokenError::new(
        TokenErrorKind::Unavailable,
        code::LOGIN_TIMEOUT,
        "",
        "the token request was abandoned because this connector is shutting down",
    ))
}

#[cfg(test)]
mod tests;
