//! Every request has a name that answers and logs repeat.

use std::cell::Cell;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A longer one is not taken over.
const LONGEST: usize = 64;

/// Makes names that are unique over processes and restarts.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: u64,
}

/// Numbers that a thread takes for itself at once, so that threads do not wait
/// for each other with every request.
const BLOCK: u64 = 1024;

/// A number that no other request of this process has.
fn next_number() -> u64 {
    static NEXT_BLOCK: AtomicU64 = AtomicU64::new(BLOCK);
    thread_local! {
        static NEXT: Cell<u64> = const { Cell::new(0) };
    }
    NEXT.with(|next| {
        let mut number = next.get();
        if number.is_multiple_of(BLOCK) {
            number = NEXT_BLOCK.fetch_add(BLOCK, Ordering::Relaxed);
        }
        next.set(number.wrapping_add(1));
        number
    })
}

impl RequestIds {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            process: RandomState::new().hash_one(std::process::id()),
        })
    }

    /// The client's own name for the request if it is a sane one, else a new
    /// one. Only letters, digits, `-`, `_` and `.` are taken over, so that the
    /// name can stand in any log or URN.
    pub(crate) fn of(&self, headers: &HeaderMap) -> RequestId {
        match headers.get(X_REQUEST_ID) {
            Some(given) if is_sane(given.as_bytes()) => RequestId(given.clone()),
            _ => RequestId(self.make()),
        }
    }

    fn make(&self) -> HeaderValue {
        let number = next_number();
        let mut text = [0; 24];
        let mut digits = (u128::from(self.process) << 32) | u128::from(number & 0xffff_ffff);
        for digit in text.iter_mut().rev() {
            let nibble = u8::try_from(digits & 0xf).unwrap_or(0);
            *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
            digits >>= 4;
        }
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("none"))
    }
}

/// The name of one request.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn into_header(self) -> HeaderValue {
        self.0
    }
}

fn is_sane(name: &[u8]) -> bool {
    (1..=LONGEST).contains(&name.len())
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sane_names_are_taken_over() {
        let ids = RequestIds::new();
        for (given, taken) in [
            ("a8cc573acdf3d522", true),
            ("3eeb9e62-cec9-4dd8-9dd6-74903695a62b", true),
            ("a b", false),
            ("a\"b", false),
            ("", false),
            (&"x".repeat(65), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_str(given).unwrap());
            assert_eq!(ids.of(&headers).as_str() == given, taken, "{given}");
        }
    }

    #[test]
    fn made_names_differ() {
        let ids = RequestIds::new();
        let headers = HeaderMap::new();
        let (one, two) = (ids.of(&headers), ids.of(&headers));
        assert_ne!(one.as_str(), two.as_str());
        assert_eq!(one.as_str().len(), 24);
        assert_ne!(
            one.as_str().get(..16),
            RequestIds::new().of(&headers).as_str().get(..16)
        );
    }
}
