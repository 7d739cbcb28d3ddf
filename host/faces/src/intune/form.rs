//! The body of a token request.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::refusal::Refusal;

/// Parameters of a request, known or not. Libraries send about twenty.
const MOST: usize = 100;

/// What counts of a token request (RFC 6749, section 4.4.2; RFC 7523, section
/// 2.2). Everything else is ignored, as section 3.2 demands.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub(super) grant_type: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Zeroizing<String>>,
    pub(super) assertion: Option<Zeroizing<String>>,
    pub(super) assertion_type: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) scope: Option<String>,
}

impl fmt::Debug for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Form")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let mut form = Self::default();
        for (position, (name, value)) in form_urlencoded::parse(body).enumerate() {
            if position >= MOST {
                return Err(Refusal::malformed("The body has too many parameters."));
            }
            form.set(&name, value)?;
        }
        Ok(form)
    }

    fn set(&mut self, name: &str, value: Cow<'_, str>) -> Result<(), Refusal> {
        // Before anything else: every copy of a secret is overwritten.
        let value = Zeroizing::new(value.into_owned());
        if value.is_empty() {
            // As good as left out (RFC 6749, section 3.2).
            return Ok(());
        }
        let taken = match name {
            "client_secret" => self.client_secret.replace(value).is_some(),
            "client_assertion" => self.assertion.replace(value).is_some(),
            _ => {
                let place = match name {
                    "grant_type" => &mut self.grant_type,
                    "client_id" => &mut self.client_id,
                    "client_assertion_type" => &mut self.assertion_type,
                    "resource" => &mut self.resource,
                    "scope" => &mut self.scope,
                    _ => return Ok(()),
                };
                place.replace(value.to_string()).is_some()
            }
        };
        if taken {
            let text = format!("The parameter '{name}' is there more than once.");
            return Err(Refusal::malformed(&text));
        }
        Ok(())
    }

    /// Takes identifier and secret from HTTP Basic when the body has none; both
    /// are form-encoded there (RFC 6749, section 2.3.1).
    pub(super) fn complete(&mut self, headers: &HeaderMap) {
        if self.client_secret.is_some() || self.assertion.is_some() {
            return;
        }
        let Some((id, secret)) = headers.get(AUTHORIZATION).and_then(basic) else {
            return;
        };
        self.client_id.get_or_insert(id);
        self.client_secret = Some(secret);
    }
}

fn basic(header: &http::HeaderValue) -> Option<(String, Zeroizing<String>)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let colon = plain.iter().position(|byte| *byte == b':')?;
    let (id, secret) = (plain.get(..colon)?, plain.get(colon + 1..)?);
    let decode = |part: &[u8]| {
        let spaced: Zeroizing<Vec<u8>> = Zeroizing::new(
            part.iter()
                .map(|byte| if *byte == b'+' { b' ' } else { *byte })
                .collect(),
        );
        let text = percent_decode(&spaced).decode_utf8().ok()?.into_owned();
        Some(Zeroizing::new(text))
    };
    Some((decode(id)?.to_string(), decode(secret)?))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms() {
        let form = Form::read(
            b"grant_type=client_credentials&client_id=c1&client_secret=s3cret%2F%2B%26&\
              scope=https%3A%2F%2Fgraph.microsoft.com%2F.default&x-client-sku=MSAL&resource=",
        )
        .unwrap();
        assert_eq!(form.grant_type.as_deref(), Some("client_credentials"));
        assert_eq!(form.client_id.as_deref(), Some("c1"));
        assert_eq!(
            form.client_secret.as_ref().map(|text| text.as_str()),
            Some("s3cret/+&")
        );
        assert_eq!(
            form.scope.as_deref(),
            Some("https://graph.microsoft.com/.default")
        );
        assert_eq!(form.resource, None);
        assert_eq!(format!("{form:?}"), "Form { client_id: Some(\"c1\"), .. }");
    }

    #[test]
    fn refused_forms() {
        for body in ["client_id=a&client_id=a".to_owned(), "x=1&".repeat(101)] {
            let refusal = Form::read(body.as_bytes()).unwrap_err();
            assert_eq!(refusal.code(), 9_002_313, "{body}");
        }
    }

    #[test]
    fn basic_is_taken_when_the_body_has_nothing() {
        let mut headers = HeaderMap::new();
        let encoded = STANDARD.encode("c%2D1:a+b%3Ac");
        let value = HeaderValue::from_str(&format!("Basic {encoded}")).unwrap();
        headers.insert(AUTHORIZATION, value);
        let mut form = Form::default();
        form.complete(&headers);
        assert_eq!(form.client_id.as_deref(), Some("c-1"));
        assert_eq!(
            form.client_secret.as_ref().map(|text| text.as_str()),
            Some("a b:c")
        );
        let mut form = Form::read(b"client_id=x&client_secret=y").unwrap();
        let before = form.clone();
        form.complete(&headers);
        assert_eq!(form, before);
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Form::read(&body);
        }
    }
}
