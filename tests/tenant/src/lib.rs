//! A simulated cloud tenant: Microsoft Entra, the parts of Microsoft Graph that name service
//! endpoints and list managed devices, Intune's compliance service for network access control, and its
//! services for certification authorities.
//!
//! It stands in for the real cloud in tests and in the demo, so it really verifies: secrets and
//! signed assertions, scopes, audiences, times and roles; and it refuses in the words of the real
//! services (`AADSTS…` codes, Graph's error objects). Everything is served over TLS with a
//! throw-away authority, on one address by default, where Entra, Graph and the compliance service
//! are told apart by their paths. Faults are set on demand per [`Step`], requests are counted, and
//! the whole tenant can be switched off and on again at the same port.
//!
//! It does not keep anything, has no users, and issues no token that the real cloud would take.
//! What is not Microsoft's behaviour, but a choice made here, says so in its documentation.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use portreeve_tenant::{Fault, Step, Tenant, well_known};
//!
//! let tenant = Tenant::builder().devices(1_000).start().await?;
//! println!("ask {} about {}", tenant.compliance_url(), well_known::COMPLIANT.mac);
//! tenant.plan_fault(Step::Token, Fault::Timeout, 1);
//! assert_eq!(tenant.requests(Step::Token), 0);
//! tenant.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authority;
mod clock;
mod compliance;
pub mod control;
pub mod device;
mod entra;
mod fault;
mod graph;
mod scep;
mod server;
mod tenant;

pub use authority::{Authority, CertificateError, ClientCertificate};
pub use device::well_known;
pub use device::{Acted, ActionResult, ActionState, Compliance, Device, Mac, User};
pub use entra::{RegistrationError, Resource};
pub use fault::{Fault, RetryAfter, Step};
pub use scep::{Challenge, Notification, Revocation, RevocationResult};
pub use tenant::{Builder, Moved, StartError, Tenant};
