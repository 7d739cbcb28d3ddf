//! The HTTP proxy between the gateway and the Internet, where there is one.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use ipnet::IpNet;
use url::{Host, Url};

use crate::{Secret, guard::HostPattern};

/// Why a proxy or an exception to it cannot be read. Texts never hold the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyPatternError {
    /// Not a URL of an HTTP proxy.
    #[error("a proxy is written as `http://HOST:PORT`: {0}")]
    Url(String),
    /// A user name with a colon cannot be sent (RFC 7617), nor control characters.
    #[error("the user name has characters that HTTP Basic cannot carry")]
    User,
    /// The password cannot be sent.
    #[error("the password has characters that HTTP Basic cannot carry")]
    Password,
    /// An exception is neither a host nor a network.
    #[error("`{0}` is no host, `*.domain`, address or network")]
    Exception(String),
}

/// An HTTP proxy that opens tunnels with `CONNECT` (RFC 9110, section 9.3.6), and takes plain `http`
/// requests whole.
///
/// With a proxy the gateway no longer resolves the names that it asks, the proxy does. Which hosts
/// may be asked is checked as ever, but whether a name leads to a private address only the proxy can
/// check.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxySettings {
    url: Url,
    authorization: Option<Secret>,
    except: Vec<ProxyException>,
}

/// A destination that is asked without the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyException(Exception);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    Host(HostPattern),
    Network(IpNet),
}

impl ProxySettings {
    /// A proxy at `url`, with a user name and password if it wants any (HTTP Basic), for all
    /// destinations but the exceptions.
    pub fn new(
        url: &str,
        user: Option<(&str, &Secret)>,
        except: Vec<ProxyException>,
    ) -> Result<Self, ProxyPatternError> {
        let wrong = |reason: &str| Err(ProxyPatternError::Url(reason.to_owned()));
        let url = match Url::parse(url) {
            Err(error) => return wrong(&error.to_string()),
            Ok(url) => url,
        };
        if url.scheme() != "http" {
            return wrong("the scheme is another one");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("user name and password do not belong into it");
        }
        if url.host().is_none() || url.path() != "/" || url.query().is_some() {
            return wrong("nothing comes behind the port");
        }
        let authorization = user.map(basic).transpose()?;
        Ok(Self {
            url,
            authorization,
            except,
        })
    }

    /// Where it is, as `HOST:PORT`.
    pub fn address(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or(80);
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }

    /// Whether a request to this URL goes through it.
    pub(crate) fn is_for(&self, url: &Url) -> bool {
        url.host()
            .is_some_and(|host| !self.except.iter().any(|except| except.covers(&host)))
    }

    /// The same for a host by itself.
    pub(crate) fn is_for_host(&self, host: &str) -> bool {
        let host = match host.parse() {
            Ok(std::net::IpAddr::V4(address)) => Host::Ipv4(address),
            Ok(std::net::IpAddr::V6(address)) => Host::Ipv6(address),
            Err(_) => Host::Domain(host),
        };
        !self.except.iter().any(|except| except.covers(&host))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Its name, if it is no address.
    pub(crate) fn name(&self) -> Option<&str> {
        self.url.domain()
    }

    /// The value of `Proxy-Authorization`.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let value = self.authorization.as_ref()?;
        let mut value = HeaderValue::from_str(value.expose()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

fn basic((user, password): (&str, &Secret)) -> Result<Secret, ProxyPatternError> {
    if user.contains(':') || user.chars().any(char::is_control) {
        return Err(ProxyPatternError::User);
    }
    if password.expose().chars().any(char::is_control) {
        return Err(ProxyPatternError::Password);
    }
    let pair = Secret::new(format!("{user}:{}", password.expose()));
    Ok(Secret::new(format!(
        "Basic {}",
        BASE64_STANDARD.encode(pair.expose())
    )))
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProxySettings")
            .field("address", &self.address())
            .field("except", &self.except)
            .finish_non_exhaustive()
    }
}

impl ProxyException {
    fn covers(&self, host: &Host<&str>) -> bool {
        match &self.0 {
            Exception::Host(pattern) => pattern.matches(host),
            Exception::Network(network) => match host {
                Host::Ipv4(address) => network.contains(&std::net::IpAddr::from(*address)),
                Host::Ipv6(address) => network.contains(&std::net::IpAddr::from(*address)),
                Host::Domain(_) => false,
            },
        }
    }
}

impl FromStr for ProxyException {
    type Err = ProxyPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(network) = text.parse() {
            return Ok(Self(Exception::Network(network)));
        }
        HostPattern::parse(text)
            .map(|pattern| Self(Exception::Host(pattern)))
            .map_err(|_| ProxyPatternError::Exception(text.to_owned()))
    }
}

impl fmt::Display for ProxyException {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Exception::Host(pattern) => write!(formatter, "{pattern}"),
            Exception::Network(network) => write!(formatter, "{network}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(url: &str) -> Result<ProxySettings, String> {
        ProxySettings::new(url, None, Vec::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_proxy_is() {
        for (url, address) in [
            ("http://proxy.example:3128", "proxy.example:3128"),
            ("http://proxy.example", "proxy.example:80"),
            ("http://10.0.0.1:8080/", "10.0.0.1:8080"),
            ("http://[fd00::1]:8080/", "[fd00::1]:8080"),
        ] {
            assert_eq!(proxy(url).unwrap().address(), address);
        }
        for url in [
            "proxy.example:3128",
            "https://proxy.example",
            "socks5://proxy.example",
            "http://user:secret@proxy.example",
            "http://proxy.example/path",
            "http://",
            "",
        ] {
            let error = proxy(url).unwrap_err();
            assert!(error.starts_with("a proxy is written as"), "{url}: {error}");
            assert!(!error.contains("secret"));
        }
    }

    #[test]
    fn users_and_passwords() {
        let secret = Secret::new("open sesame");
        let new = |user: &str, password: &Secret| {
            ProxySettings::new("http://p:1", Some((user, password)), Vec::new())
        };
        let proxy = new("Aladdin", &secret).unwrap();
        // RFC 7617, section 2.
        assert_eq!(
            proxy.authorization().unwrap(),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert!(proxy.authorization().unwrap().is_sensitive());
        assert!(!format!("{proxy:?}").contains("QWx"));
        assert_eq!(new("a:b", &secret), Err(ProxyPatternError::User));
        assert_eq!(
            new("a", &Secret::new("a\r\nX: y")),
            Err(ProxyPatternError::Password)
        );
    }

    #[test]
    fn who_is_asked_without_it() {
        let except = [
            "*.corp.example",
            "mdm.example",
            "10.0.0.0/8",
            "fd00::/8",
            "192.0.2.1",
        ];
        let except = except.map(|text| text.parse().unwrap());
        let proxy = ProxySettings::new("http://p:1", None, except.to_vec()).unwrap();
        for (url, expected) in [
            ("https://graph.microsoft.com/", true),
            ("https://a.b.corp.example:8443/", false),
            ("https://corp.example/", true),
            ("https://mdm.example/", false),
            ("https://MDM.example./", false),
            ("https://x.mdm.example/", true),
            ("https://10.1.2.3/", false),
            ("https://11.1.2.3/", true),
            ("https://[fd00::1]/", false),
            ("https://192.0.2.1/", false),
            ("https://192.0.2.2/", true),
        ] {
            assert_eq!(proxy.is_for(&url.parse().unwrap()), expected, "{url}");
        }
        for wrong in ["", "*", "*.com", "a b", "10.0.0.0/99", "http://x"] {
            assert!(wrong.parse::<ProxyException>().is_err(), "{wrong}");
        }
    }
}
