//! Choices that are made before a tenant starts.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{Inner, StartError, Tenant};
use crate::authority::Authority;
use crate::clock::Clock;
use crate::compliance::ComplianceService;
use crate::device::{Device, Directory, well_known};
use crate::entra::{Application, Entra, Secret, Signer};
use crate::fault::Faults;
use crate::graph::Endpoints;
use crate::scep::Scep;
use crate::server::{Actions, Address, Listener, Service, Unit};

/// How a tenant starts; made by [`Tenant::builder`].
#[derive(Debug)]
pub struct Builder {
    listen: SocketAddr,
    unit: Option<SocketAddr>,
    names: Vec<String>,
    devices: u32,
    well_known: bool,
    added: Vec<Device>,
    rich: bool,
    page_size: usize,
    secret: Option<String>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            unit: None,
            names: Vec::new(),
            devices: 0,
            well_known: true,
            added: Vec::new(),
            rich: false,
            page_size: 0,
            secret: None,
        }
    }
}

impl Builder {
    /// The address of Entra and Graph, and of the compliance service unless it has its own.
    /// Default `127.0.0.1:0`; with port 0 a free one is taken.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Gives the compliance service an address of its own, so that it alone can be switched off
    /// (see [`Tenant::stop_compliance`]).
    #[must_use]
    pub fn scale_unit(mut self, address: SocketAddr) -> Self {
        self.unit = Some(address);
        self
    }

    /// A further DNS name or address for the certificate, besides those of loopback. Assertions
    /// may name it in their audience.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// How many devices are generated; see [`crate::device::generated`].
    #[must_use]
    pub fn devices(mut self, count: u32) -> Self {
        self.devices = count;
        self
    }

    /// Adds one device.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.added.push(device);
        self
    }

    /// Leaves out the devices of [`well_known`].
    #[must_use]
    pub fn without_well_known(mut self) -> Self {
        self.well_known = false;
        self
    }

    /// Adds the attributes of the generic ISE interface to answers; see [`Tenant::set_rich`].
    #[must_use]
    pub fn rich(mut self) -> Self {
        self.rich = true;
        self
    }

    /// Splits the discovery into pages of this many entries.
    #[must_use]
    pub fn page_size(mut self, entries: usize) -> Self {
        self.page_size = entries;
        self
    }

    /// The client secret; by default a random one.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// Binds the addresses and serves.
    pub async fn start(self) -> Result<Tenant, StartError> {
        let cloud = bind(self.listen).await?;
        let cloud_address = cloud.local_addr().map_err(|source| StartError::Bind {
            address: self.listen,
            source,
        })?;
        let unit = match self.unit {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let unit_address = match &unit {
            Some(unit) => unit.local_addr().unwrap_or(cloud_address),
            None => cloud_address,
        };

        let mut names = vec![
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
            "localhost".to_owned(),
        ];
        // Where scale units move to.
        let others = (2..10).map(|last| format!("127.0.0.{last}"));
        let own = std::iter::once(cloud_address.ip().to_string());
        for name in own.chain(others).chain(self.names) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let authority = Authority::generate()?;
        let tls = authority.server_config(&names)?;

        let clock = Clock::default();
        let mut directory = Directory::new(clock.now_ms());
        directory.generate(self.devices);
        let well_known = if self.well_known {
            well_known::devices(clock.now_ms())
        } else {
            Vec::new()
        };
        for device in well_known.into_iter().chain(self.added) {
            directory.add(device);
        }

        let client_id = Uuid::new_v4();
        let secret = self
            .secret
            .unwrap_or_else(|| format!("{}~{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()));
        let mut application = Application::new(client_id);
        application.secrets.push(Secret {
            value: secret.clone(),
            expires: None,
        });
        let entra = Entra::new(
            Uuid::new_v4(),
            "contoso.onmicrosoft.example".to_owned(),
            Signer::generate()?,
        );
        *entra.applications.write() = HashMap::from([(client_id, application)]);

        let port = cloud_address.port();
        let mut origins = vec![format!("https://{cloud_address}")];
        for name in &names {
            let host = if name.contains(':') {
                format!("[{name}]")
            } else {
                name.clone()
            };
            let origin = format!("https://{host}:{port}");
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        let service = Arc::new(Service {
            clock,
            entra,
            endpoints: Endpoints::recorded()?,
            compliance: ComplianceService::new(directory),
            scep: Scep::default(),
            faults: Faults::default(),
            actions: Actions::default(),
            page_size: AtomicUsize::new(self.page_size),
            origins,
            units: RwLock::new(vec![Unit {
                origin: format!("https://{unit_address}"),
                moved: None,
            }]),
        });
        service.compliance.rich.store(self.rich, Ordering::Relaxed);

        let tracker = TaskTracker::new();
        let root = CancellationToken::new();
        let start = |listener, address| {
            let (tls, service) = (Arc::clone(&tls), Arc::clone(&service));
            Listener::start(
                listener,
                tls,
                service,
                address,
                tracker.clone(),
                root.clone(),
            )
            .map(Arc::new)
            .map_err(|source| StartError::Bind {
                address: self.listen,
                source,
            })
        };
        let cloud = start(
            cloud,
            Address {
                cloud: true,
                unit: unit.is_none().then_some(0),
            },
        )?;
        let unit = match unit {
            Some(listener) => start(
                listener,
                Address {
                    cloud: false,
                    unit: Some(0),
                },
            )?,
            None => Arc::clone(&cloud),
        };
        Ok(Tenant(Arc::new(Inner {
            ca_pem: authority.pem(),
            client_id,
            secret,
            service,
            cloud,
            units: tokio::sync::Mutex::new(vec![unit]),
            tls,
            tracker,
            root,
        })))
    }
}

pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Bind { address, source })
}
