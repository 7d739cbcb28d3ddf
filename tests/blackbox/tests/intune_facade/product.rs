//! A product whose form has the gateway's addresses.

use std::path::Path;

use portreeve_harness::{Stand, StandBuilder};
use portreeve_tenant::{ClientCertificate, well_known};
use serde_json::json;
use tempfile::TempDir;

pub(crate) const CLIENT_ID: &str = "0c6a1f4e-5d0b-4f7a-9c55-6a4f1f0e2b11";
pub(crate) const SECRET: &str = "s3cret/+& of the product";
pub(crate) const TENANT: &str = "11111111-2222-4333-8444-555555555555";

/// What the product has to know.
pub(crate) struct Product {
    pub(crate) directory: TempDir,
    certificate: ClientCertificate,
}

impl Product {
    /// Makes its credentials up.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let certificate = ClientCertificate::generate("a product")?;
        let private = |name: &str, content: &[u8]| write(&directory.path().join(name), content);
        private("secret", SECRET.as_bytes())?;
        private("client.crt", certificate.certificate_pem.as_bytes())?;
        private("client.key", certificate.key_pem.as_bytes())?;
        private("client.pfx", &certificate.pfx)?;
        Ok(Self {
            directory,
            certificate,
        })
    }

    /// A gateway that knows it.
    pub(crate) async fn stand(&self) -> anyhow::Result<Stand> {
        self.stand_of(Stand::builder()).await
    }

    /// The same of other parts.
    pub(crate) async fn stand_of(&self, builder: StandBuilder) -> anyhow::Result<Stand> {
        let folder = self.directory.path().display();
        let client = format!(
            r#"
[clients.product]
faces = ["intune"]
intune = {{ client-id = "{CLIENT_ID}", secret = {{ file = "{folder}/secret" }}, certificate = "{folder}/client.crt" }}
patience = "5s"
"#
        );
        builder.extra(&client).start().await
    }

    /// Writes what the scripts read that ask the simulated tenant, too.
    pub(crate) fn describe(&self, stand: &Stand) -> anyhow::Result<()> {
        let folder = self.directory.path();
        let origin = stand.gateway.origin();
        write(&folder.join("ca.pem"), stand.authority.pem().as_bytes())?;
        let file = |name: &str| folder.join(name).display().to_string();
        let description = json!({
            "ca": file("ca.pem"),
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
            "certificate": {
                "certificate": file("client.crt"),
                "key": file("client.key"),
                "pfx": file("client.pfx"),
                "pfx_password": ClientCertificate::PFX_PASSWORD,
                "sha1": self.certificate.sha1,
                "sha256": self.certificate.sha256,
            },
            "authority": format!("{origin}/intune/{TENANT}"),
            "graph_url": format!("{origin}/intune/graph"),
            "compliance_url": format!("{origin}/intune/ComplianceRetrievalService"),
            "devices": well_known::ALL,
        });
        write(
            &folder.join("tenant.json"),
            description.to_string().as_bytes(),
        )
    }
}

/// Writes a file that only its owner can read.
fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(content)?)
}
