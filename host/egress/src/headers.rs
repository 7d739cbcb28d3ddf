//! Which headers a guest may set and see.

use http::{
    HeaderMap, HeaderName,
    header::{
        ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};

/// Names of the connection (RFC 9110, 7.6.1) that `http` has no constant for.
const OLD_CONNECTION_NAMES: [&str; 3] = ["keep-alive", "proxy-connection", "http2-settings"];

/// Whether the header is about one connection or about framing, and so the host's own affair.
pub(crate) fn belongs_to_connection(name: &HeaderName) -> bool {
    [
        HOST,
        CONTENT_LENGTH,
        CONNECTION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        EXPECT,
        PROXY_AUTHORIZATION,
        PROXY_AUTHENTICATE,
        ACCEPT_ENCODING,
    ]
    .contains(name)
        || OLD_CONNECTION_NAMES.contains(&name.as_str())
}

/// The guest's headers without those that the host sets itself, and without `injected`.
pub(crate) fn from_guest(headers: &HeaderMap, injected: Option<&HeaderName>) -> HeaderMap {
    headers
        .iter()
        .filter(|(name, _)| !belongs_to_connection(name) && Some(*name) != injected)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Takes away from an answer what was about the connection. `Content-Length` stays: in the answer
/// to `HEAD` it is information.
pub(crate) fn clean_answer(headers: &mut HeaderMap) {
    for name in [
        CONNECTION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        PROXY_AUTHENTICATE,
    ] {
        headers.remove(name);
    }
    for name in OLD_CONNECTION_NAMES {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::AUTHORIZATION};

    use super::*;

    fn kept(names: &[&str], injected: Option<&HeaderName>) -> Vec<String> {
        let headers: HeaderMap = names
            .iter()
            .map(|name| {
                (
                    name.parse::<HeaderName>().unwrap(),
                    HeaderValue::from_static("x"),
                )
            })
            .collect();
        from_guest(&headers, injected)
            .keys()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn connection_headers_are_dropped() {
        let names = [
            "Host",
            "Content-Length",
            "Connection",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
            "Keep-Alive",
            "Proxy-Authorization",
            "Proxy-Connection",
            "Expect",
            "Accept-Encoding",
        ];
        assert!(kept(&names, None).is_empty());
    }

    #[test]
    fn the_rest_is_the_guests() {
        assert_eq!(
            kept(&["Accept", "X-Own"], Some(&AUTHORIZATION)),
            ["accept", "x-own"]
        );
        assert_eq!(kept(&["Authorization"], None), ["authorization"]);
        assert!(kept(&["Authorization"], Some(&AUTHORIZATION)).is_empty());
    }

    #[test]
    fn repeated_headers_stay_repeated() {
        let mut headers = HeaderMap::new();
        headers.append("x-own", HeaderValue::from_static("1"));
        headers.append("x-own", HeaderValue::from_static("2"));
        assert_eq!(
            from_guest(&headers, None).get_all("x-own").iter().count(),
            2
        );
    }
}
