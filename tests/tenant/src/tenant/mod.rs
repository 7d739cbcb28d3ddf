//! The tenant as tests and the demo hold it.

mod builder;
mod certificates;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::ServerConfig;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use builder::Builder;
use builder::bind;

use crate::authority::{CertificateError, ClientCertificate};
use crate::device::{Acted, Device};
use crate::entra::{RegisteredCertificate, RegistrationError, Resource, Secret};
use crate::fault::{Fault, Step};
use crate::server::{Address, Listener, Service, Unit};

/// A tenant could not be started, or not be moved to a new address.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be used.
    #[error("cannot listen on `{address}`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificates could not be made.
    #[error("cannot make certificates")]
    Certificate(#[from] CertificateError),
    /// The recorded list of endpoints is damaged.
    #[error("the recorded list of endpoints is damaged")]
    Endpoints(#[from] serde_json::Error),
}

/// How a scale unit answers once the tenant has moved to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moved {
    /// With status 404.
    NotFound,
    /// With status 301 to the new address.
    Redirected,
    /// Not at all: connections are refused if the unit has an address of its own, otherwise they
    /// are closed without an answer.
    Refused,
}

/// A running tenant. Clones are the same tenant; it ends with [`Tenant::shutdown`] or with the
/// last clone.
#[derive(Debug, Clone)]
pub struct Tenant(Arc<Inner>);

struct Inner {
    ca_pem: String,
    client_id: Uuid,
    secret: String,
    service: Arc<Service>,
    cloud: Arc<Listener>,
    units: Mutex<Vec<Arc<Listener>>>,
    tls: Arc<ServerConfig>,
    tracker: TaskTracker,
    root: CancellationToken,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenant")
            .field("origin", &self.service.login())
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.root.cancel();
    }
}

/// Addresses and credentials.
impl Tenant {
    /// Begins to describe a tenant.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The certificate to trust, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.0.ca_pem
    }

    /// `https://127.0.0.1:PORT`, where Entra and Graph answer.
    pub fn origin(&self) -> &str {
        self.0.service.login()
    }

    /// The directory (tenant) id.
    pub fn tenant_id(&self) -> Uuid {
        self.0.service.entra.tenant
    }

    /// A verified domain of the tenant; token URLs may name it instead of the id.
    pub fn domain(&self) -> &str {
        &self.0.service.entra.domain
    }

    /// The application (client) id of the registered application.
    pub fn client_id(&self) -> Uuid {
        self.0.client_id
    }

    /// The secret it was started with.
    pub fn client_secret(&self) -> &str {
        &self.0.secret
    }

    /// The authority for Microsoft's libraries, `https://127.0.0.1:PORT/{tenant id}`.
    pub fn authority_url(&self) -> String {
        format!("{}/{}", self.origin(), self.tenant_id())
    }

    /// The token endpoint of generation 2.
    pub fn token_url_v2(&self) -> String {
        format!("{}/oauth2/v2.0/token", self.authority_url())
    }

    /// The token endpoint of generation 1.
    pub fn token_url_v1(&self) -> String {
        format!("{}/oauth2/token", self.authority_url())
    }

    /// Where Graph is found, without a version.
    pub fn graph_url(&self) -> &str {
        self.origin()
    }

    /// The NAC 2.0 service of the scale unit that serves the tenant now, as discovery names it.
    pub fn compliance_url(&self) -> String {
        format!(
            "{}/TrafficGateway/TrafficRoutingService/ResourceAccess/ComplianceRetrievalService",
            self.0.service.unit_origin()
        )
    }

    /// Adds a client secret; `valid_for` counts from now on the clock of the tenant.
    pub fn register_secret(&self, value: impl Into<String>, valid_for: Option<Duration>) {
        let now = self.0.service.clock.now();
        let expires = valid_for
            .map(|valid| now.saturating_add(i64::try_from(valid.as_secs()).unwrap_or(i64::MAX)));
        let value = value.into();
        self.application(|application| application.secrets.push(Secret { value, expires }));
    }

    /// Adds a certificate credential, given the certificate as PEM.
    pub fn register_certificate(&self, pem: &str) -> Result<(), RegistrationError> {
        let certificate = RegisteredCertificate::from_pem(pem)?;
        self.application(|application| application.certificates.push(certificate));
        Ok(())
    }

    /// Makes a new certificate credential and registers it. Takes some tens of milliseconds.
    pub fn new_certificate(&self) -> Result<ClientCertificate, CertificateError> {
        let certificate = ClientCertificate::generate("Portreeve simulated client")?;
        let registered = RegisteredCertificate::from_pem(&certificate.certificate_pem);
        if let Ok(registered) = registered {
            self.application(|application| application.certificates.push(registered));
        }
        Ok(certificate)
    }

    /// Takes all secrets and certificates away.
    pub fn remove_credentials(&self) {
        self.application(|application| {
            application.secrets.clear();
            application.certificates.clear();
        });
    }

    /// Enables or disables the application.
    pub fn set_enabled(&self, enabled: bool) {
        self.application(|application| application.enabled = enabled);
    }

    /// Consents to an application permission; new tokens carry it.
    pub fn grant(&self, resource: Resource, role: &str) {
        self.application(|application| {
            let roles = application.granted.entry(resource).or_default();
            roles.insert(role.to_owned());
        });
    }

    /// Takes all permissions for a service away; tokens that were issued keep them.
    pub fn revoke(&self, resource: Resource) {
        self.application(|application| {
            application.granted.remove(&resource);
        });
    }

    fn application(&self, change: impl FnOnce(&mut crate::entra::Application)) {
        let mut applications = self.0.service.entra.applications.write();
        if let Some(application) = applications.get_mut(&self.0.client_id) {
            change(application);
        }
    }
}

/// Devices.
impl Tenant {
    /// Adds a device, or replaces the one with the same id.
    pub fn add_device(&self, device: Device) {
        self.0.service.compliance.directory.write().add(device);
    }

    /// Changes a device; says whether it was there. Its last contact is changed only if the change
    /// does so: compliance may be evaluated without one.
    pub fn change_device(&self, guid: Uuid, change: impl FnOnce(&mut Device)) -> bool {
        let mut directory = self.0.service.compliance.directory.write();
        let Some(mut device) = directory.get(guid) else {
            return false;
        };
        change(&mut device);
        device.guid = guid;
        directory.add(device);
        true
    }

    /// The time by the clock of the tenant, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.0.service.clock.now_ms()
    }

    /// Removes a device; says whether it was there.
    pub fn remove_device(&self, guid: Uuid) -> bool {
        self.0.service.compliance.directory.write().remove(guid)
    }

    /// The record of a device.
    pub fn device(&self, guid: Uuid) -> Option<Device> {
        self.0.service.compliance.directory.read().get(guid)
    }

    /// Sets how many devices are generated; see [`crate::device::generated`].
    pub fn generate(&self, count: u32) {
        self.0.service.compliance.directory.write().generate(count);
    }

    /// How many devices there are.
    pub fn device_count(&self) -> usize {
        self.0.service.compliance.directory.read().len()
    }
}

/// Actions on devices.
impl Tenant {
    /// What was taken on, in that order.
    pub fn acted(&self) -> Vec<Acted> {
        self.0.service.actions.acted()
    }

    /// How long devices take to do what they are told, by the clock of the tenant. Default a
    /// minute. They do it when somebody asks for it after that.
    pub fn set_action_delay(&self, delay: Duration) {
        self.0.service.actions.set_delay(delay);
    }
}

/// Behaviour.
impl Tenant {
    /// From now on every request of this step meets the fault, until it is cleared.
    pub fn set_fault(&self, step: Step, fault: Fault) {
        self.clear_fault(step);
        self.0.service.faults.plan(step, fault, None);
    }

    /// After the faults that are planned already, the next `times` requests meet this one.
    pub fn plan_fault(&self, step: Step, fault: Fault, times: u32) {
        self.0.service.faults.plan(step, fault, Some(times));
    }

    /// Takes back all faults of a step.
    pub fn clear_fault(&self, step: Step) {
        self.0.service.faults.clear(step);
    }

    /// Takes back all faults.
    pub fn clear_faults(&self) {
        for step in Step::ALL {
            self.clear_fault(step);
        }
    }

    /// How many requests of this step came in since the start or the last reset, faulty ones
    /// included.
    pub fn requests(&self, step: Step) -> u64 {
        self.0.service.faults.requests(step)
    }

    /// Counts from zero again.
    pub fn reset_requests(&self) {
        self.0.service.faults.reset_requests();
    }

    /// Whether the compliance service adds the attributes of the generic ISE interface, and, as
    /// two elements of our own, `operating_system` and `grace_period_expiration` (milliseconds
    /// since 1970). The real service does not.
    pub fn set_rich(&self, rich: bool) {
        self.0
            .service
            .compliance
            .rich
            .store(rich, Ordering::Relaxed);
    }

    /// Whether an unknown device is answered with an empty list instead of `register_status`
    /// false.
    pub fn set_omit_unknown(&self, omit: bool) {
        self.0
            .service
            .compliance
            .omit_unknown
            .store(omit, Ordering::Relaxed);
    }

    /// Whether a device in its grace period has the status `true`; it has by default.
    pub fn set_grace_is_compliant(&self, compliant: bool) {
        let service = &self.0.service.compliance;
        service
            .grace_is_compliant
            .store(compliant, Ordering::Relaxed);
    }

    /// Splits the discovery into pages of this many entries, or not with `None`.
    pub fn set_page_size(&self, entries: Option<usize>) {
        self.0
            .service
            .page_size
            .store(entries.unwrap_or(0), Ordering::Relaxed);
    }

    /// The lifetime of tokens, in whole seconds. Default 3599.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        let service = &self.0.service;
        service
            .entra
            .lifetime
            .store(lifetime.as_secs(), Ordering::Relaxed);
    }

    /// Whether an assertion (by its `jti`) is refused when it comes again. Entra takes it again,
    /// and Microsoft's libraries rely on that.
    pub fn refuse_replay(&self, refuse: bool) {
        self.0
            .service
            .entra
            .refuse_replay
            .store(refuse, Ordering::Relaxed);
    }

    /// Moves the clock of the tenant forward: tokens and secrets expire without waiting.
    pub fn advance(&self, step: Duration) {
        self.0.service.clock.advance(step);
    }
}

/// Life and death.
impl Tenant {
    /// Switches everything off: connections are cut, and new ones are refused.
    pub async fn stop(&self) -> io::Result<()> {
        self.0.cloud.stop().await?;
        for unit in self.0.units.lock().await.iter() {
            unit.stop().await?;
        }
        Ok(())
    }

    /// Serves again after [`Tenant::stop`], on the same ports.
    pub async fn resume(&self) -> io::Result<()> {
        self.0.cloud.resume().await?;
        let units = self.0.units.lock().await;
        for (unit, listener) in units.iter().enumerate() {
            // One that was left stays off.
            let moved = self
                .0
                .service
                .units
                .read()
                .get(unit)
                .and_then(|unit| unit.moved);
            if moved != Some(Moved::Refused) {
                listener.resume().await?;
            }
        }
        Ok(())
    }

    /// Switches only the scale unit off that serves the tenant. Without an address of its own (see
    /// [`Builder::scale_unit`]) that is everything.
    pub async fn stop_compliance(&self) -> io::Result<()> {
        let units = self.0.units.lock().await;
        match units.last() {
            Some(unit) => unit.stop().await,
            None => Ok(()),
        }
    }

    /// Serves again after [`Tenant::stop_compliance`].
    pub async fn resume_compliance(&self) -> io::Result<()> {
        let units = self.0.units.lock().await;
        match units.last() {
            Some(unit) => unit.resume().await,
            None => Ok(()),
        }
    }

    /// Whether Entra and Graph are served.
    pub async fn is_serving(&self) -> bool {
        self.0.cloud.is_serving().await
    }

    /// Moves the tenant to a new scale unit, which has the next address of loopback and the same
    /// port: discovery names the new one from now on, and the old one answers as told. Gives the
    /// new [`Tenant::compliance_url`].
    pub async fn move_scale_unit(&self, old: Moved) -> Result<String, StartError> {
        let mut units = self.0.units.lock().await;
        let number = units.len();
        let host = u32::try_from(number).unwrap_or(u32::MAX);
        let host = Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST).saturating_add(host));
        let address = SocketAddr::from((host, self.unit_port()));
        let failed = |source| StartError::Bind { address, source };
        let listener = bind(address).await?;
        let origin = format!("https://{}", listener.local_addr().map_err(failed)?);
        let new = Listener::start(
            listener,
            Arc::clone(&self.0.tls),
            Arc::clone(&self.0.service),
            Address {
                cloud: false,
                unit: Some(number),
            },
            self.0.tracker.clone(),
            self.0.root.clone(),
        )
        .map_err(failed)?;
        {
            let mut known = self.0.service.units.write();
            if let Some(left) = known.last_mut() {
                left.moved = Some(old);
            }
            known.push(Unit {
                origin,
                moved: None,
            });
        }
        if let Some(left) = units
            .last()
            .filter(|left| !Arc::ptr_eq(left, &self.0.cloud))
            && old == Moved::Refused
        {
            left.stop().await.map_err(failed)?;
        }
        units.push(Arc::new(new));
        drop(units);
        Ok(self.compliance_url())
    }

    /// Port of the compliance service, the same for all scale units.
    pub fn unit_port(&self) -> u16 {
        let units = self.0.service.units.read();
        let port = units.last().and_then(|unit| unit.origin.rsplit(':').next());
        port.and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// Ends everything and waits until it has ended.
    pub async fn shutdown(&self) {
        self.0.root.cancel();
        self.0.tracker.close();
        self.0.tracker.wait().await;
    }
}
