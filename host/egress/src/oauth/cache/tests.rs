use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use http::HeaderValue;
use tokio::time;

use super::*;

/// An identity provider that takes a second, and does what the test says.
#[derive(Debug, Default)]
struct Provider {
    asked: AtomicUsize,
    answer: Mutex<Option<TokenError>>,
}

const LATENCY: Duration = Duration::from_secs(1);
const LIFETIME: Duration = Duration::from_hours(1);

impl Provider {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn fail(&self, kind: TokenErrorKind, retry_after: Option<Duration>) {
        let error = TokenError::new(kind, "login-busy", "login.example", "no");
        *self.answer.lock() = Some(TokenError {
            retry_after,
            ..error
        });
    }

    fn recover(&self) {
        *self.answer.lock() = None;
    }
}

#[derive(Debug)]
struct Fetcher(Arc<Provider>);

impl FetchToken for Fetcher {
    fn fetch(&self) -> BoxFuture<'static, Result<Token, Box<TokenError>>> {
        let provider = Arc::clone(&self.0);
        async move {
            let number = provider.asked.fetch_add(1, Ordering::SeqCst) + 1;
            time::sleep(LATENCY).await;
            if let Some(error) = provider.answer.lock().clone() {
                return Err(Box::new(error));
            }
            let now = Instant::now();
            Ok(Token {
                value: Secret::new(format!("token-{number}")),
                header: HeaderValue::from_static("Bearer x"),
                refresh_at: now + LIFETIME - Duration::from_mins(5),
                unusable_at: now + LIFETIME,
                roles: Vec::new(),
                readable: false,
                clock_ahead: None,
            })
        }
        .boxed()
    }
}

fn source() -> (Arc<Provider>, Arc<TokenSource>) {
    let provider = Arc::new(Provider::default());
    let source = TokenSource::new(Arc::new(Fetcher(Arc::clone(&provider))));
    (provider, Arc::new(source))
}

async fn value(source: &Arc<TokenSource>) -> String {
    source
        .token()
        .await
        .unwrap()
        .token
        .value
        .expose()
        .to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_askers_make_one_request() {
    let (provider, source) = source();
    let values = join_all((0..100).map(|_| value(&source))).await;
    assert!(values.iter().all(|value| value == "token-1"));
    assert_eq!(provider.asked(), 1);
    let lent = source.token().await.unwrap();
    assert!(!lent.fresh);
    assert_eq!(provider.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_asker_that_gives_up_does_not_end_the_fetch() {
    let (provider, source) = source();
    time::timeout(LATENCY / 2, source.token())
        .await
        .unwrap_err();
    assert_eq!(value(&source).await, "token-1");
    assert_eq!(provider.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_near_its_end_is_replaced_behind() {
    let (provider, source) = source();
    assert_eq!(value(&source).await, "token-1");
    time::advance(Duration::from_mins(56)).await;
    let asked = Instant::now();
    assert_eq!(value(&source).await, "token-1");
    assert_eq!(asked, Instant::now(), "nobody waits");
    assert_eq!(value(&source).await, "token-1");
    time::sleep(LATENCY * 2).await;
    assert_eq!(value(&source).await, "token-2");
    assert_eq!(provider.asked(), 2);
    assert_eq!(
        source.secrets().len(),
        2,
        "the old token may still be echoed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_token_is_waited_for() {
    let (_provider, source) = source();
    assert_eq!(value(&source).await, "token-1");
    time::advance(LIFETIME).await;
    assert_eq!(value(&source).await, "token-2");
}

#[tokio::test(start_paused = true)]
async fn an_old_token_outlives_a_failing_provider() {
    let (provider, source) = source();
    assert_eq!(value(&source).await, "token-1");
    provider.fail(TokenErrorKind::Unavailable, None);
    time::advance(Duration::from_mins(56)).await;
    assert_eq!(value(&source).await, "token-1");
    time::sleep(LATENCY * 2).await;
    assert_eq!(value(&source).await, "token-1");
    assert!(source.snapshot().failure.is_some());
    assert!(source.snapshot().token.is_some());
}

#[tokio::test(start_paused = true)]
async fn failures_are_remembered_and_waits_grow() {
    let (provider, source) = source();
    provider.fail(TokenErrorKind::Refused, None);
    for (expected, wait) in [(1, 30), (2, 60), (3, 120), (4, 240), (5, 300), (6, 300)] {
        source.token().await.unwrap_err();
        let again = source.token().await.unwrap_err();
        assert_eq!(again.retry_after, Some(Duration::from_secs(wait)));
        assert_eq!(provider.asked(), expected);
        time::advance(Duration::from_secs(wait)).await;
    }
    provider.recover();
    assert_eq!(value(&source).await, "token-7");
    assert!(source.snapshot().failure.is_none());
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed() {
    let (provider, source) = source();
    provider.fail(TokenErrorKind::Unavailable, Some(Duration::from_mins(7)));
    source.token().await.unwrap_err();
    time::advance(Duration::from_mins(6)).await;
    source.token().await.unwrap_err();
    assert_eq!(provider.asked(), 1);
    provider.recover();
    time::advance(Duration::from_mins(1)).await;
    assert_eq!(value(&source).await, "token-2");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_replaced_once_a_minute() {
    let (provider, source) = source();
    let first = source.token().await.unwrap().token;
    assert!(source.reject(&first));
    assert!(
        source.reject(&first),
        "a late 401 for the same token is not a second rejection"
    );
    let second = source.token().await.unwrap().token;
    assert_eq!(second.value.expose(), "token-2");
    assert!(!source.reject(&second));
    assert_eq!(value(&source).await, "token-2");
    time::advance(REJECT_EVERY).await;
    assert!(source.reject(&second));
    assert_eq!(value(&source).await, "token-3");
    assert_eq!(provider.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn renewal_passes_the_cache_but_not_too_often() {
    let (provider, source) = source();
    assert_eq!(value(&source).await, "token-1");
    source.renew().await;
    assert_eq!(value(&source).await, "token-2");
    source.renew().await;
    assert_eq!(provider.asked(), 2);
    provider.fail(TokenErrorKind::Refused, None);
    time::advance(RENEW_EVERY).await;
    source.renew().await;
    assert!(source.snapshot().failure.is_some());
    provider.recover();
    time::advance(RENEW_EVERY).await;
    source.renew().await;
    assert!(source.snapshot().failure.is_none());
    assert_eq!(provider.asked(), 4);
}

#[derive(Debug)]
struct Panicking;

impl FetchToken for Panicking {
    fn fetch(&self) -> BoxFuture<'static, Result<Token, Box<TokenError>>> {
        async { panic!("a defect") }.boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_fetch_hangs_nobody() {
    let source = Arc::new(TokenSource::new(Arc::new(Panicking)));
    for _ in 0..3 {
        let error = source.token().await.unwrap_err();
        assert_eq!(error.kind, TokenErrorKind::Unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_cache_ends_the_fetch() {
    let (provider, source) = source();
    time::timeout(LATENCY / 2, source.token())
        .await
        .unwrap_err();
    assert_eq!(Arc::strong_count(&provider), 3, "test, fetcher and task");
    drop(source);
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&provider), 1);
}
