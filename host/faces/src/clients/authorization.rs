//! The `Authorization` header in its two forms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Secret;

/// What is digested for a user name and password, also the header's usual form.
pub(super) fn of_basic(username: &str, password: &Secret) -> Zeroizing<String> {
    let plain = Zeroizing::new(format!("{username}:{}", password.reveal()));
    Zeroizing::new(format!("Basic {}", STANDARD.encode(&*plain)))
}

/// What is digested for a bearer key, also the header's usual form.
pub(super) fn of_bearer(key: &Secret) -> Zeroizing<String> {
    Zeroizing::new(format!("Bearer {}", key.reveal()))
}

/// Brings an unusual spelling into the usual form: schemes are written in any
/// case (RFC 9110, section 11.1) and with any number of spaces after them.
/// `None` when it is neither form.
pub(super) fn usual_form(header: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let space = header.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = header.split_at(space);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(Zeroizing::new([b"Bearer ".as_slice(), rest].concat()));
    }
    if scheme.eq_ignore_ascii_case(b"basic") {
        let plain = Zeroizing::new(STANDARD.decode(rest).ok()?);
        if !plain.contains(&b':') {
            return None;
        }
        let encoded = Zeroizing::new(STANDARD.encode(&*plain));
        let whole = [b"Basic ".as_slice(), encoded.as_bytes()].concat();
        return Some(Zeroizing::new(whole));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, expected: Option<&str>) {
        let form = usual_form(header.as_bytes());
        let form = form.as_deref().map(|form| String::from_utf8_lossy(form));
        assert_eq!(form.as_deref(), expected, "{header}");
    }

    #[test]
    fn spellings() {
        check("Bearer key", Some("Bearer key"));
        check("BEARER   key ", Some("Bearer key"));
        check("basic cjpz", Some("Basic cjpz"));
        check("Basic   cjpz", Some("Basic cjpz"));
        check("Basic cjpz=", None);
        check("Basic cnM=", None);
        check("Basic", None);
        check("Digest username=x", None);
        check("", None);
        check(" ", None);
    }
}
