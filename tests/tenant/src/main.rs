//! `portreeve-tenant`: the simulated tenant as a program of its own.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use portreeve_tenant::{ClientCertificate, Tenant, control, well_known};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Serves a simulated cloud tenant until it is told to end (SIGTERM or Ctrl-C).
///
/// Writes `ca.pem`, the client certificate and `tenant.json` (addresses and throw-away
/// credentials) into the directory, then prints one line `ready URL`.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address of Entra, Graph and the compliance service
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Address of the compliance service alone, if it is to have its own
    #[arg(long, value_name = "ADDRESS")]
    scale_unit: Option<SocketAddr>,
    /// Address of the control interface (plain HTTP, without authentication)
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Number of generated devices, besides the well-known ones
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    devices: u32,
    /// Add the attributes of the generic ISE interface to answers
    #[arg(long)]
    rich: bool,
    /// Directory for the files, made if it is absent
    #[arg(long, value_name = "DIRECTORY")]
    directory: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    // Asked for before the tenant is ready, so that nobody can be too early.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;

    let mut builder = Tenant::builder()
        .listen(arguments.listen)
        .devices(arguments.devices);
    if let Some(address) = arguments.scale_unit {
        builder = builder.scale_unit(address);
    }
    if arguments.rich {
        builder = builder.rich();
    }
    let tenant = builder.start().await?;
    let control = TcpListener::bind(arguments.control)
        .await
        .with_context(|| format!("cannot listen on `{}`", arguments.control))?;
    write_files(&arguments.directory, &tenant, control.local_addr()?)?;
    writeln!(std::io::stdout(), "ready {}", tenant.origin())?;

    tokio::select! {
        served = axum::serve(control, control::router(tenant.clone())) => {
            served.context("the control interface ended")?;
        }
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tenant.shutdown().await;
    Ok(())
}

fn write_files(directory: &Path, tenant: &Tenant, control: SocketAddr) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot make `{}`", directory.display()))?;
    let certificate = tenant.new_certificate()?;
    let file = |name: &str| directory.join(name);
    write(&file("ca.pem"), tenant.ca_pem().as_bytes())?;
    write(&file("client.crt"), certificate.certificate_pem.as_bytes())?;
    write(&file("client.key"), certificate.key_pem.as_bytes())?;
    write(&file("client.pfx"), &certificate.pfx)?;
    let description = json!({
        "origin": tenant.origin(),
        "ca": file("ca.pem"),
        "tenant_id": tenant.tenant_id(),
        "domain": tenant.domain(),
        "client_id": tenant.client_id(),
        "client_secret": tenant.client_secret(),
        "certificate": {
            "certificate": file("client.crt"),
            "key": file("client.key"),
            "pfx": file("client.pfx"),
            "pfx_password": ClientCertificate::PFX_PASSWORD,
            "sha1": certificate.sha1,
            "sha256": certificate.sha256,
        },
        "authority": tenant.authority_url(),
        "token_url_v2": tenant.token_url_v2(),
        "token_url_v1": tenant.token_url_v1(),
        "graph_url": tenant.graph_url(),
        "compliance_url": tenant.compliance_url(),
        "control_url": format!("http://{control}"),
        "devices": well_known::ALL,
    });
    // Readers wait for this name: it appears only when it is complete.
    let partial = file("tenant.json.partial");
    write(
        &partial,
        serde_json::to_string_pretty(&description)?.as_bytes(),
    )?;
    std::fs::rename(&partial, file("tenant.json")).context("cannot name `tenant.json`")
}

/// Writes a file that only its owner can read: most of them hold a credential.
fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(content))
        .with_context(|| format!("cannot write `{}`", path.display()))
}
