//! A guest's request, read strictly.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Uri};
use url::{Host, Url};

use crate::EgressError;

/// Most headers of one request.
const MAX_HEADERS: usize = 100;
/// Most bytes of all header names and values of one request.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Makes a request out of a guest's loose parts.
///
/// Names and values that could smuggle a second header or request are refused, as is a URL that is
/// not absolute.
pub fn request<'a>(
    method: &str,
    url: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    body: Bytes,
) -> Result<http::Request<Bytes>, EgressError> {
    let invalid = EgressError::InvalidRequest;
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| invalid("the method is not a token".to_owned()))?;
    let url = Url::parse(url).map_err(|error| invalid(format!("the URL is wrong: {error}")))?;
    check_url(&url)?;
    let uri: Uri = url
        .as_str()
        .parse()
        .map_err(|_| invalid("the URL is wrong".to_owned()))?;
    let mut request = http::Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| invalid("a header name has characters that are not allowed".to_owned()))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| {
            invalid(format!(
                "the value of `{name}` has characters that are not allowed"
            ))
        })?;
        request
            .headers_mut()
            .try_append(name, value)
            .map_err(|_| invalid("there are too many headers".to_owned()))?;
    }
    Ok(request)
}

/// The destination of a request, in the one form that is checked, matched and sent.
pub(crate) fn destination(uri: &Uri) -> Result<Url, EgressError> {
    let mut url = Url::parse(&uri.to_string())
        .map_err(|error| EgressError::InvalidRequest(format!("the URL is wrong: {error}")))?;
    check_url(&url)?;
    url.set_fragment(None);
    if let Some(Host::Domain(name)) = url.host()
        && let Some(name) = name.strip_suffix('.')
    {
        let name = name.to_owned();
        url.set_host(Some(&name))
            .map_err(|_| EgressError::InvalidRequest("the host is wrong".to_owned()))?;
    }
    Ok(url)
}

fn check_url(url: &Url) -> Result<(), EgressError> {
    let wrong = |reason: &str| Err(EgressError::InvalidRequest(reason.to_owned()));
    if !matches!(url.scheme(), "https" | "http") {
        return wrong("only `https` and `http` URLs can be asked");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("the URL has a user name before `@`");
    }
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            if name.split('.').any(str::is_empty) {
                return wrong("the host has an empty label");
            }
            Ok(())
        }
        Some(_) => Ok(()),
        None => wrong("the URL has no host"),
    }
}

/// Limits that no server needs to be bothered with.
pub(crate) fn check_parts(
    request: &http::Request<Bytes>,
    max_body: u64,
) -> Result<(), EgressError> {
    let wrong = |reason: String| Err(EgressError::InvalidRequest(reason));
    // CONNECT would be a tunnel, TRACE would have the credential sent back.
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return wrong(format!("the method `{}` is not allowed", request.method()));
    }
    let headers = request.headers();
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return wrong(format!(
            "more than {MAX_HEADERS} headers or {MAX_HEADER_BYTES} bytes of them"
        ));
    }
    if u64::try_from(request.body().len()).is_ok_and(|length| length > max_body) {
        return wrong(format!("the body is larger than {max_body} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: &str, url: &str, headers: &[(&str, &str)]) -> String {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        request(method, url, headers, Bytes::new())
            .unwrap_err()
            .to_string()
    }

    const URL: &str = "https://h.example/";

    #[test]
    fn forged_parts_are_refused() {
        let cannot = "the request cannot be sent: ";
        assert_eq!(
            refused("GET", URL, &[("x", "a\r\nHost: evil")]),
            format!("{cannot}the value of `x` has characters that are not allowed")
        );
        assert_eq!(
            refused("GET", URL, &[("x: y\r\nHost", "evil")]),
            format!("{cannot}a header name has characters that are not allowed")
        );
        assert_eq!(
            refused("GET / HTTP/1.1\r\nx:", URL, &[]),
            format!("{cannot}the method is not a token")
        );
        assert_eq!(
            refused("GET", "https://graph.microsoft.com@evil.example/", &[]),
            format!("{cannot}the URL has a user name before `@`")
        );
        assert_eq!(
            refused("GET", "ftp://h.example/", &[]),
            format!("{cannot}only `https` and `http` URLs can be asked")
        );
        assert_eq!(
            refused("GET", "https://a..b/", &[]),
            format!("{cannot}the host has an empty label")
        );
        assert!(refused("GET", "/relative", &[]).starts_with(&format!("{cannot}the URL is wrong")));
        assert!(refused("GET", "https://", &[]).starts_with(&format!("{cannot}the URL is wrong")));
    }

    #[test]
    fn destinations_have_one_form() {
        let read = |text: &str| destination(&text.parse().unwrap()).map(|url| url.to_string());
        assert_eq!(
            read("HTTPS://H.Example.:443/a/../b?c").unwrap(),
            "https://h.example/b?c"
        );
        assert_eq!(read("https://h.example").unwrap(), "https://h.example/");
        assert!(read("/relative").is_err());
        assert!(read("h.example:443").is_err());
        assert!(read("https://user@h.example/").is_err());
    }

    #[test]
    fn international_urls_are_taken() {
        let request = request("GET", "https://bücher.example/ä", [], Bytes::new()).unwrap();
        assert_eq!(request.uri(), "https://xn--bcher-kva.example/%C3%A4");
    }

    #[test]
    fn limits() {
        let get = |method: &str, body: &'static [u8]| {
            let request = request(method, URL, [], Bytes::from_static(body)).unwrap();
            check_parts(&request, 4).map_err(|error| error.to_string())
        };
        assert_eq!(get("GET", b"1234"), Ok(()));
        assert_eq!(
            get("GET", b"12345").unwrap_err(),
            "the request cannot be sent: the body is larger than 4 bytes"
        );
        assert!(get("TRACE", b"").is_err());
        assert!(get("CONNECT", b"").is_err());
        let many = (0..=MAX_HEADERS).map(|_| ("x", b"y".as_slice()));
        let request = request("GET", URL, many, Bytes::new()).unwrap();
        assert!(check_parts(&request, 4).is_err());
    }
}
