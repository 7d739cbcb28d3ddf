//! The opening handshake of WebSocket (RFC 6455, section 4.2).

use http::header::{
    CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The subprotocol's registered name.
const STOMP: &str = "v12.stomp";

/// What an acceptable request is answered with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// For `Sec-WebSocket-Accept`.
    pub(super) key: String,
    /// For `Sec-WebSocket-Protocol`, if the client named any protocol we speak.
    pub(super) protocol: Option<HeaderValue>,
}

/// The request opens no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HandshakeError {
    /// Over HTTP/2 there is another way, which pxGrid clients do not go.
    #[error("expected HTTP/1.1")]
    NotHttp11,
    /// It is an ordinary request.
    #[error("expected `Connection: Upgrade` and `Upgrade: websocket`")]
    NoUpgrade,
    /// Another version of the protocol. The answer has to name ours.
    #[error("expected `Sec-WebSocket-Version: 13`")]
    Version,
    /// The key is missing or no key.
    #[error("expected `Sec-WebSocket-Key` with 16 bytes in Base64")]
    Key,
}

/// Reads the request's head, which is a GET already.
pub(super) fn accept(version: Version, headers: &HeaderMap) -> Result<Accepted, HandshakeError> {
    if version != Version::HTTP_11 {
        return Err(HandshakeError::NotHttp11);
    }
    let mut upgrades = words(headers, &UPGRADE);
    let mut connection = words(headers, &CONNECTION);
    if !upgrades.any(|word| word.eq_ignore_ascii_case("websocket"))
        || !connection.any(|word| word.eq_ignore_ascii_case("upgrade"))
    {
        return Err(HandshakeError::NoUpgrade);
    }
    if headers
        .get(SEC_WEBSOCKET_VERSION)
        .map(HeaderValue::as_bytes)
        != Some(b"13")
    {
        return Err(HandshakeError::Version);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY);
    let key = key.map_or(&b""[..], HeaderValue::as_bytes);
    // Nobody decodes it; 16 bytes have this form in Base64.
    if key.len() != 24 || !key.ends_with(b"==") {
        return Err(HandshakeError::Key);
    }
    let speaks = |word| word == STOMP;
    Ok(Accepted {
        key: derive_accept_key(key),
        protocol: words(headers, &SEC_WEBSOCKET_PROTOCOL)
            .any(speaks)
            .then_some(HeaderValue::from_static(STOMP)),
    })
}

/// The members of a list in one header or several.
fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The usual headers and then others; an empty value takes one away.
    #[track_caller]
    fn check(other: &[(HeaderName, &'static str)], expected: Result<Option<&str>, HandshakeError>) {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (UPGRADE, "websocket"),
            (CONNECTION, "Upgrade"),
            (SEC_WEBSOCKET_VERSION, "13"),
            // The example of RFC 6455, section 1.3.
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        .iter()
        .chain(other)
        {
            match *value {
                "" => drop(headers.remove(name)),
                value => drop(headers.insert(name, HeaderValue::from_static(value))),
            }
        }
        let expected = expected.map(|protocol| Accepted {
            key: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(),
            protocol: protocol.map(|protocol| HeaderValue::from_str(protocol).unwrap()),
        });
        assert_eq!(accept(Version::HTTP_11, &headers), expected, "{other:?}");
    }

    #[test]
    fn requests() {
        check(&[], Ok(None));
        check(&[(UPGRADE, "h2c, WebSocket")], Ok(None));
        check(&[(CONNECTION, "keep-alive, upgrade")], Ok(None));
        check(&[(SEC_WEBSOCKET_PROTOCOL, "x, v12.stomp")], Ok(Some(STOMP)));
        check(&[(SEC_WEBSOCKET_PROTOCOL, "v10.stomp")], Ok(None));
        check(&[(UPGRADE, "")], Err(HandshakeError::NoUpgrade));
        check(&[(UPGRADE, "h2c")], Err(HandshakeError::NoUpgrade));
        check(&[(CONNECTION, "close")], Err(HandshakeError::NoUpgrade));
        check(
            &[(SEC_WEBSOCKET_VERSION, "8")],
            Err(HandshakeError::Version),
        );
        check(&[(SEC_WEBSOCKET_VERSION, "")], Err(HandshakeError::Version));
        check(&[(SEC_WEBSOCKET_KEY, "")], Err(HandshakeError::Key));
        check(&[(SEC_WEBSOCKET_KEY, "c2hvcnQ=")], Err(HandshakeError::Key));
        let none = accept(Version::HTTP_2, &HeaderMap::new());
        assert_eq!(none, Err(HandshakeError::NotHttp11));
    }
}
