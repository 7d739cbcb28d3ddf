//! The protocols in which clients ask: HTTP server, authentication, faces.
//!
//! [`Server`] listens (TLS, or plain HTTP on the loopback only), cuts slow and
//! oversized requests, and authenticates the client by certificate, Basic or
//! bearer key. Then one face reads the question, the
//! [`Gateway`](portreeve_gateway::Gateway) answers it, and the same face puts
//! the answer into the client's words: REST under `/v1/`, FreeRADIUS'
//! `rlm_rest` under `/radius/`.
//!
//! A face translates and nothing more: it has no rule of its own about who is
//! compliant. In every face "the device is unknown", "the device is denied" and
//! "we cannot tell" are three different answers.

mod actions;
mod admin;
#[doc(hidden)]
pub mod bench;
mod body;
mod check;
mod clearpass;
mod clients;
mod configuration;
mod connectors;
mod dispatch;
mod explanation;
mod faces;
#[doc(hidden)]
pub mod fuzz;
mod hit;
mod intune;
mod inventory;
mod ise;
mod jamf;
mod journal;
mod json;
mod kandji;
mod lists;
mod metrics;
mod openapi;
mod operations;
mod path;
mod policies;
mod problem;
mod pxgrid;
mod quarantine;
mod radius;
mod request_id;
mod rest;
mod scep;
mod server;
mod settings;
mod text;
mod token;
mod told;
mod trials;

pub use clients::{
    Argon2Hash, ClientAuthentication, ClientSettings, ClientsError, Face, HashError, PasswordHash,
    RateLimit, Secret, TokenKeys, TokenKeysError, TokenSettings,
};
pub use configuration::{
    Configuration, ConfigurationRefused, ConfigurationState, CredentialExpiry, CycleError, Cycled,
};
pub use intune::{CertificateError, RegisteredCertificate};
pub use ise::IseSettings;
pub use openapi::OPENAPI;
pub use pxgrid::PxgridSettings;
pub use rest::AnswerView;
pub use server::{BindError, ReloadError, Reloader, Server};
pub use settings::{FaceSettings, Limits, ListenerSettings, TlsSettings};
pub use trials::{ImpactView, TallyView, TrialError, TrialRequest, TrialState, Trials};
