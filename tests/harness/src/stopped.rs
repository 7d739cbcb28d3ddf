//! A stand whose gateway does not run.

use std::path::{Path, PathBuf};
use std::time::Instant;

use portreeve_tenant::Tenant;
use tempfile::TempDir;

use crate::stand::Stand;
use crate::{Authority, Client, Gateway, Output, REST_KEY, program};

/// Tenant and configuration, and what the gateway left behind.
#[derive(Debug)]
pub struct Stopped {
    /// The simulated tenant.
    pub tenant: Tenant,
    /// The second one, if there is one.
    pub fabrikam: Option<Tenant>,
    pub(crate) authority: Authority,
    pub(crate) directory: TempDir,
}

impl Stopped {
    /// Starts the gateway; free ports may be others than before. Tells when it
    /// was started.
    pub async fn start(self) -> anyhow::Result<(Stand, Instant)> {
        self.start_within(None).await
    }

    /// The same, with files that cannot grow beyond so many KiB: to a program
    /// that is as a disk that is full. [`Gateway::lift_file_limit`] makes room.
    pub async fn start_on_full_disk(self, kibibytes: u64) -> anyhow::Result<(Stand, Instant)> {
        self.start_within(Some(kibibytes)).await
    }

    async fn start_within(self, largest_file: Option<u64>) -> anyhow::Result<(Stand, Instant)> {
        let Self {
            tenant,
            fabrikam,
            authority,
            directory,
        } = self;
        let started = Instant::now();
        let config = directory.path().join("portreeve.toml");
        let log = directory.path().join("portreeve.log");
        let gateway = Gateway::start_within(&config, &log, 2, largest_file).await?;
        let client = Client::new(gateway.origin(), &authority.pem(), Some(REST_KEY), None)?;
        let stand = Stand {
            tenant,
            fabrikam,
            gateway,
            client,
            authority,
            directory,
        };
        Ok((stand, started))
    }

    /// Runs `portreeve` with this configuration to its end.
    pub async fn program(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        program::run(&self.config(), arguments).await
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.directory.path().join("portreeve.toml")
    }

    /// Where configuration, certificates and log are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where the store is, if there is one.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}
