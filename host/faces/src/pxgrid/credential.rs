//! What nodes send to say who they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use super::name::NodeName;

/// An `Authorization` header longer than this is none of ours.
const LONGEST: usize = 1024;

/// A user name and password (RFC 7617).
pub(super) struct Basic {
    pub(super) username: String,
    pub(super) password: Zeroizing<String>,
}

impl Basic {
    pub(super) fn is_of(&self, name: &NodeName) -> bool {
        self.username.eq_ignore_ascii_case(name.as_str())
    }
}

/// Reads the header, if it is there and Basic.
pub(super) fn basic(headers: &HeaderMap) -> Option<Basic> {
    read(headers.get(AUTHORIZATION)?.as_bytes())
}

fn read(header: &[u8]) -> Option<Basic> {
    if header.len() > LONGEST {
        return None;
    }
    let (scheme, rest) = header.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let plain = Zeroizing::new(STANDARD.decode(rest.trim_ascii()).ok()?);
    let plain = std::str::from_utf8(&plain).ok()?;
    let (username, password) = plain.split_once(':')?;
    Some(Basic {
        username: username.to_owned(),
        password: Zeroizing::new(password.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers() {
        for (header, expected) in [
            ("Basic Y2xpZW50MTpOb25l", Some(("client1", "None"))),
            ("basic  Y2xpZW50MTo=", Some(("client1", ""))),
            ("Basic bjphOmI=", Some(("n", "a:b"))),
            ("Basic Y2xpZW50MQ==", None),
            ("Basic !", None),
            ("Basic", None),
            ("Bearer Y2xpZW50MTo=", None),
            ("", None),
        ] {
            let read = read(header.as_bytes());
            let read = read
                .as_ref()
                .map(|basic| (&*basic.username, basic.password.as_str()));
            assert_eq!(read, expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(header in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&header);
        }
    }
}
