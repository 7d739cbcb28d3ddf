//! Known secrets cut out of what a guest or a log gets to see.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderValue;
use memchr::memmem;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::Secret;

/// What stands where a secret stood.
pub(crate) const REDACTED: &str = "[redacted]";

/// Shorter secrets would be found in innocent text, and every answer would be spoilt.
const SHORTEST: usize = 4;

/// The texts to look for, longest first.
#[derive(Debug)]
pub(crate) struct Redactor {
    needles: Vec<Needle>,
}

struct Needle(Zeroizing<String>);

impl std::fmt::Debug for Needle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl Redactor {
    /// Looks for the secrets as they are, form-encoded, and escaped as in JSON.
    pub(crate) fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let mut needles: Vec<Needle> = Vec::new();
        for secret in secrets {
            let text = secret.expose();
            if text.len() < SHORTEST {
                continue;
            }
            let form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let json = serde_json::Value::from(text).to_string();
            let json = json.strip_prefix('"').unwrap_or_default();
            let json = json.strip_suffix('"').unwrap_or_default();
            for form in [text, form.as_str(), json, &json.replace('/', "\\/")] {
                if !needles.iter().any(|known| known.0.as_str() == form) {
                    needles.push(Needle(Zeroizing::new(form.to_owned())));
                }
            }
        }
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.0.len()));
        Self { needles }
    }

    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            None => Cow::Borrowed(text),
            // Whole texts were replaced by text, so this is still text.
            Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The body without secrets, the same body if there are none in it.
    pub(crate) fn body(&self, body: Bytes) -> Bytes {
        self.bytes(&body).map_or(body, Bytes::from)
    }

    /// The header without secrets.
    pub(crate) fn header(&self, value: &mut HeaderValue) {
        if let Some(bytes) = self.bytes(value.as_bytes()) {
            *value = HeaderValue::from_bytes(&bytes)
                .unwrap_or_else(|_| HeaderValue::from_static(REDACTED));
        }
    }

    /// `None` if there was nothing to replace.
    fn bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut current: Option<Vec<u8>> = None;
        for needle in &self.needles {
            let haystack = current.as_deref().unwrap_or(bytes);
            if let Some(replaced) = replace(haystack, needle.0.as_bytes()) {
                current = Some(replaced);
            }
        }
        current
    }
}

fn replace(haystack: &[u8], needle: &[u8]) -> Option<Vec<u8>> {
    let mut rest = haystack;
    let mut replaced = Vec::new();
    while let Some(at) = memmem::find(rest, needle) {
        let (before, after) = rest.split_at(at);
        replaced.extend_from_slice(before);
        replaced.extend_from_slice(REDACTED.as_bytes());
        rest = after.get(needle.len()..).unwrap_or_default();
    }
    if rest.len() == haystack.len() {
        return None;
    }
    replaced.extend_from_slice(rest);
    Some(replaced)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(secrets: &[&str], text: &str, expected: &str) {
        let redactor = Redactor::new(secrets.iter().map(|secret| Secret::new(*secret)));
        assert_eq!(redactor.text(text), expected);
        let body = redactor.body(Bytes::copy_from_slice(text.as_bytes()));
        assert_eq!(body, expected.as_bytes());
    }

    #[test]
    fn secrets_are_cut_out() {
        check(
            &["hunter2"],
            "a hunter2 b hunter2",
            "a [redacted] b [redacted]",
        );
        check(&["hunter2"], "nothing", "nothing");
        check(&[], "hunter2", "hunter2");
        check(&["hunter2", "hunter2-long"], "hunter2-long", "[redacted]");
    }

    #[test]
    fn also_in_disguise() {
        check(&["p/q+r&s"], "x=p%2Fq%2Br%26s&y", "x=[redacted]&y");
        check(&["a\"b\\c"], r#"{"x":"a\"b\\c"}"#, r#"{"x":"[redacted]"}"#);
        check(&["abc/def"], r#"{"x":"abc\/def"}"#, r#"{"x":"[redacted]"}"#);
    }

    #[test]
    fn tiny_secrets_do_not_spoil_everything() {
        check(&["a"], "banana", "banana");
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let redactor = Redactor::new([Secret::new("hunter2")]);
        let body = redactor.body(Bytes::from_static(b"\xff\xfehunter2\xff"));
        assert_eq!(body, b"\xff\xfe[redacted]\xff".as_slice());
    }

    #[test]
    fn debug_shows_nothing() {
        assert!(!format!("{:?}", Redactor::new([Secret::new("hunter2")])).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_secret_is_left(secret in "[!-Z^-~]{4,12}", before in ".{0,20}", after in ".{0,20}") {
            prop_assume!(!REDACTED.contains(&secret));
            let redactor = Redactor::new([Secret::new(secret.clone())]);
            let text = format!("{before}{secret}{after}");
            let redacted = redactor.text(&text);
            prop_assert!(redacted.contains(REDACTED));
            prop_assert!(!redacted.contains(&secret));
        }
    }
}
