//! The only way out of the gateway for connectors.
//!
//! A guest hands over a request; this crate decides whether it may leave, adds the credential that
//! the guest never sees, and hands back the whole answer with known secrets cut out. It stands on
//! three invariants: no egress but what is granted ([`HostGrant`], and addresses that are public
//! or granted), secrets never enter a guest ([`CredentialSettings`]), and every call is bounded in
//! time and bytes ([`EgressSettings`]).
//!
//! The runtime calls [`Egress::send`] from `portreeve:host/http` and from `wasi:http` alike, and
//! the other methods of [`Egress`] for the credential, signing and logging capabilities. Tokens for
//! OAuth 2 are fetched here as well, once for however many wait for them.
//!
//! It knows nothing of WebAssembly, of devices or of what a connector is for, it follows no
//! redirects, keeps no cookies, takes no proxy from the environment and retries nothing but a
//! refused token.
//!
//! ```
//! use portreeve_egress::{Egress, EgressError, EgressSettings, request};
//! use tokio::time::{Duration, Instant};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let egress = Egress::new(
//!     "intune",
//!     EgressSettings { allow: vec!["graph.microsoft.com".parse()?], ..Default::default() },
//! )?;
//! let request = request("GET", "https://graph.microsoft.com.evil.example/", [], Default::default())?;
//! let outcome = egress.send(request, Instant::now() + Duration::from_secs(5)).await;
//! assert!(matches!(outcome, Err(EgressError::Denied { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod certificate;
mod credential;
mod egress;
mod error;
mod examination;
mod guard;
mod headers;
mod oauth;
mod proxy;
mod reached;
mod redact;
mod request;
mod retry_after;
mod sealed;
mod secret;
mod settings;
mod text;
mod tls;
mod transport;

pub use certificate::{
    CertificateDetails, CertificateFileError, ClientCertificate, FreshCertificate,
    FreshCertificateError, KeyCredential, KeySize, ManifestEntry, certificates_in, is_pem,
    read_manifest,
};
pub use credential::{
    CredentialInfo, CredentialKind, CredentialSettings, CredentialStatus, HmacAlgorithm, SignError,
};
pub use egress::Egress;
pub use error::{CredentialError, EgressError, SettingsError};
pub use examination::{Finding, Verdict};
pub use guard::{HostGrant, PatternError, Scheme, UrlScope, is_public};
pub use oauth::{AssertionAlgorithm, TokenError, TokenErrorKind};
pub use proxy::{ProxyException, ProxyPatternError, ProxySettings};
pub use request::request;
pub use retry_after::retry_after;
pub use sealed::{SealError, SealingKeys};
pub use secret::Secret;
pub use settings::EgressSettings;
pub use tls::{
    FetchSettings, FetchedChain, PresentedCertificate, TlsFailure, TlsFailureKind, fetch_chain,
    system_root_names,
};
