//! The `Authorization` header in its two forms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Secret;

/// What is digested for a user name and password, also the header's usual form.
pub(super) fn of_basic(username: &str, password: &Secret) -> Zeroizing<String> {
    basic(username.as_bytes(), password.reveal().as_bytes())
}

/// What is digested for a bearer key, also the header's usual form.
pub(super) fn of_bearer(key: &Secret) -> Zeroizing<String> {
    Zeroizing::new(format!("Bearer {}", key.reveal()))
}

fn basic(username: &[u8], password: &[u8]) -> Zeroizing<String> {
    let plain = Zeroizing::new([username, b":", password].concat());
    Zeroizing::new(format!("Basic {}", STANDARD.encode(&*plain)))
}

/// What somebody presents in a header.
pub(super) enum Presentation {
    /// After `Basic` (RFC 7617).
    Basic {
        username: String,
        password: Zeroizing<Vec<u8>>,
    },
    /// After `Bearer` (RFC 6750).
    Bearer { key: Zeroizing<Vec<u8>> },
}

impl Presentation {
    /// Schemes are written in any case (RFC 9110, section 11.1) and with any
    /// number of spaces after them. `None` when it is neither form.
    pub(super) fn read(header: &[u8]) -> Option<Self> {
        let space = header.iter().position(|byte| *byte == b' ')?;
        let (scheme, rest) = header.split_at(space);
        let rest = rest.trim_ascii();
        if scheme.eq_ignore_ascii_case(b"bearer") {
            let key = Zeroizing::new(rest.to_vec());
            return Some(Self::Bearer { key });
        }
        if scheme.eq_ignore_ascii_case(b"basic") {
            let plain = Zeroizing::new(STANDARD.decode(rest).ok()?);
            let colon = plain.iter().position(|byte| *byte == b':')?;
            let (username, password) = plain.split_at(colon);
            return Some(Self::Basic {
                username: String::from_utf8(username.to_vec()).ok()?,
                password: Zeroizing::new(password.get(1..)?.to_vec()),
            });
        }
        None
    }

    /// The spelling that is digested.
    pub(super) fn usual_form(&self) -> Zeroizing<String> {
        match self {
            Self::Basic { username, password } => basic(username.as_bytes(), password),
            Self::Bearer { key } => {
                Zeroizing::new(format!("Bearer {}", String::from_utf8_lossy(key)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, expected: Option<&str>) {
        let form = Presentation::read(header.as_bytes());
        let form = form.map(|form| form.usual_form());
        let form = form.as_ref().map(|form| form.as_str());
        assert_eq!(form, expected, "{header}");
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
