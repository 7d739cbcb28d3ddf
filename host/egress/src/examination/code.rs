//! The codes of findings, each with its section in `docs/findings.md`. They are stable: people
//! search for them and alert on them.

/// Declares the codes that are not in `oauth/advice.json`.
macro_rules! codes {
    ($($name:ident = $code:literal,)*) => {
        $(pub(crate) const $name: &str = $code;)*
        #[cfg(test)]
        pub(crate) const ALL: &[&str] = &[$($code,)*];
    };
}

codes! {
    ASSERTION_NOT_SIGNED = "assertion-not-signed",
    CERTIFICATE_EXPIRED = "certificate-expired",
    CERTIFICATE_EXPIRES_SOON = "certificate-expires-soon",
    CLIENT_NOT_ALLOWED = "client-not-allowed",
    CLOCK_WRONG = "clock-wrong",
    CONSENT_MISSING = "consent-missing",
    CREDENTIAL_REFUSED = "credential-refused",
    GRANT_NOT_SUPPORTED = "grant-not-supported",
    LOGIN_ADDRESS_PRIVATE = "login-address-private",
    LOGIN_BUSY = "login-busy",
    LOGIN_CERTIFICATE_REFUSED = "login-certificate-refused",
    LOGIN_CERTIFICATE_UNTRUSTED = "login-certificate-untrusted",
    LOGIN_CONNECTION = "login-connection",
    LOGIN_NAME_RESOLUTION = "login-name-resolution",
    LOGIN_PROXY = "login-proxy",
    LOGIN_TIMEOUT = "login-timeout",
    LOGIN_TLS = "login-tls",
    NOT_A_TOKEN_ENDPOINT = "not-a-token-endpoint",
    SCOPE_NOT_KNOWN = "scope-not-known",
    TOKEN_REQUEST_REFUSED = "token-request-refused",
}
