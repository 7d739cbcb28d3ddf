//! How the gateway is told of a tenant.

use std::fmt::Write as _;
use std::path::Path;

use portreeve_tenant::{ClientCertificate, Tenant};

use crate::certificates::write_private;
use crate::guest;
use crate::stand::Credential;

/// One tenant as a connector instance of the gateway.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub(crate) name: &'a str,
    pub(crate) tenant: &'a Tenant,
    pub(crate) credential: Credential,
    pub(crate) ttl: &'a str,
    pub(crate) negative_ttl: &'a str,
    /// TOML below `[connectors.NAME.inventory]`, if all devices are read.
    pub(crate) inventory: Option<&'a str>,
    /// Whether the checks that devices failed are read with them.
    pub(crate) details: bool,
}

impl Source<'_> {
    /// Writes the files that the configuration names.
    pub(crate) fn write_files(&self, directory: &Path) -> anyhow::Result<()> {
        let Self { name, tenant, .. } = self;
        std::fs::write(directory.join(format!("{name}-ca.pem")), tenant.ca_pem())?;
        let secret = directory.join(format!("{name}-secret"));
        write_private(&secret, tenant.client_secret().as_bytes())?;
        match self.credential {
            Credential::Secret | Credential::SecretV1 => Ok(()),
            Credential::CertificatePem | Credential::CertificatePfx => {
                self.write_certificate(directory)
            }
        }
    }

    /// A certificate of the application, known to the tenant.
    fn write_certificate(&self, directory: &Path) -> anyhow::Result<()> {
        let certificate = self.tenant.new_certificate()?;
        let file = |end| directory.join(format!("{}.{end}", self.name));
        std::fs::write(file("pem"), &certificate.certificate_pem)?;
        write_private(&file("key"), certificate.key_pem.as_bytes())?;
        write_private(&file("pfx"), &certificate.pfx)?;
        let password = ClientCertificate::PFX_PASSWORD.as_bytes();
        write_private(&file("password"), password)
    }

    /// The connector's part of the configuration.
    pub(crate) fn configuration(&self) -> anyhow::Result<String> {
        let Self {
            name,
            tenant,
            ttl,
            negative_ttl,
            ..
        } = self;
        let port = tenant.unit_port();
        let units = |start: &str, end: &str| {
            let hosts = ["127.0.0.1", "127.0.0.2"];
            hosts
                .map(|host| format!("\"{start}{host}:{port}{end}\""))
                .join(", ")
        };
        let mut text = String::new();
        write!(
            text,
            r#"
[connectors.{name}]
plugin = {intune:?}
egress = ["{tenant_host}", {unit_hosts}]
private-networks = ["127.0.0.0/8"]
trust = ["{name}-ca.pem"]
ttl = "{ttl}"
negative-ttl = "{negative_ttl}"
timeout = "10s"

[connectors.{name}.settings]
graph-url = "{graph}"
service-hosts = ["127.0.0.1", "127.0.0.2"]
{inventory_setting}

[connectors.{name}.credentials.graph]
urls = ["{graph}/v1.0/"]
{graph_credential}

[connectors.{name}.credentials.intune]
urls = [{unit_urls}]
{intune_credential}
"#,
            intune = guest("intune")?.display().to_string(),
            tenant_host = tenant.origin().trim_start_matches("https://"),
            // Where the compliance service is, and where it moves to.
            unit_hosts = units("", ""),
            unit_urls = units("https://", "/TrafficGateway/"),
            graph = tenant.graph_url(),
            graph_credential = self.credential_keys("https://graph.microsoft.com/"),
            intune_credential = self.credential_keys("https://api.manage.microsoft.com/"),
            inventory_setting = match self.inventory {
                Some(_) if self.details => "inventory = \"graph\"\ncompliance-details = true",
                Some(_) => "inventory = \"graph\"",
                None => "",
            },
        )?;
        if let Some(settings) = self.inventory {
            write!(text, "\n[connectors.{name}.inventory]\n{settings}\n")?;
        }
        Ok(text)
    }

    /// The keys of a credential that is for one resource.
    fn credential_keys(&self, resource: &str) -> String {
        let Self { name, tenant, .. } = self;
        let (token_url, audience) = match self.credential {
            Credential::SecretV1 => (tenant.token_url_v1(), format!("scope = {resource:?}")),
            // Intune's own has two slashes (Microsoft's guide for Cisco ISE).
            _ if resource.contains("manage") => (
                tenant.token_url_v2(),
                format!("scope = \"{resource}/.default\""),
            ),
            _ => (
                tenant.token_url_v2(),
                format!("scope = \"{resource}.default\""),
            ),
        };
        let proof = match self.credential {
            Credential::Secret | Credential::SecretV1 => {
                format!("kind = \"oauth2-client-secret\"\nsecret = {{ file = \"{name}-secret\" }}")
            }
            Credential::CertificatePem => format!(
                "kind = \"oauth2-client-certificate\"\n\
                 certificate = \"{name}.pem\"\nkey = \"{name}.key\""
            ),
            Credential::CertificatePfx => format!(
                "kind = \"oauth2-client-certificate\"\ncertificate = \"{name}.pfx\"\n\
                 password = {{ file = \"{name}.password\" }}\nalgorithm = \"RS256\""
            ),
        };
        format!(
            "{proof}\ntoken-url = {token_url:?}\nclient-id = \"{}\"\n{audience}",
            tenant.client_id()
        )
    }
}
