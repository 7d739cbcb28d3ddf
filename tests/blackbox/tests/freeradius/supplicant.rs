//! A device that authenticates with its certificate, and the access point that
//! it uses: `eapol_test`.

use std::net::Ipv4Addr;

use anyhow::Context as _;
use portreeve_harness::Certificate;
use tokio::process::Command;

use crate::programs::installed;
use crate::raddb::SECRET;
use crate::server::FreeRadius;

/// What access point and device are told.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Access-Accept, and device and server have the same keys.
    pub(crate) accepted: bool,
    /// EAP's own word, which the device sees.
    pub(crate) succeeded: bool,
    /// Type and value of the last packet's attributes (RFC 2865, section 5).
    attributes: Vec<(u8, Vec<u8>)>,
    /// All that `eapol_test` said.
    pub(crate) transcript: String,
}

impl Outcome {
    /// `Tunnel-Private-Group-Id` (RFC 2868, section 3.6).
    pub(crate) fn vlan(&self) -> Option<String> {
        let mut values = self.values(81);
        values
            .next()
            .map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// `Cisco-AVPair`: vendor 9, type 1.
    pub(crate) fn cisco_pairs(&self) -> Vec<String> {
        let pairs = self.values(26).filter_map(|value| {
            let rest = value.strip_prefix(&[0, 0, 0, 9, 1])?;
            Some(String::from_utf8_lossy(rest.get(1..)?).into_owned())
        });
        pairs.collect()
    }

    /// Whether Microsoft's attributes (vendor 311), the session's keys, came.
    pub(crate) fn has_keys(&self) -> bool {
        self.values(26)
            .any(|value| value.starts_with(&[0, 0, 1, 55]))
    }

    fn values(&self, kind: u8) -> impl Iterator<Item = &[u8]> {
        let values = self.attributes.iter().filter(move |(own, _)| *own == kind);
        values.map(|(_, value)| value.as_slice())
    }
}

/// Authenticates with `certificate` from the device at `mac`.
pub(crate) async fn authenticate(
    server: &FreeRadius,
    certificate: &Certificate,
    mac: &str,
) -> anyhow::Result<Outcome> {
    let config = certificate.certificate.with_extension("conf");
    let text = format!(
        "network={{\nkey_mgmt=WPA-EAP\neap=TLS\nidentity=\"host/laptop\"\nca_cert=\"{}\"\n\
         client_cert=\"{}\"\nprivate_key=\"{}\"\n}}\n",
        server.raddb.device_ca().display(),
        certificate.certificate.display(),
        certificate.key.display(),
    );
    std::fs::write(&config, text)?;
    let output = Command::new(installed("eapol_test")?)
        .arg("-c")
        .arg(&config)
        .args(["-a", &Ipv4Addr::LOCALHOST.to_string()])
        .args(["-p", &server.port.to_string()])
        .args(["-s", SECRET, "-M", mac, "-t", "20"])
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot start eapol_test")?;
    let text = String::from_utf8_lossy(&output.stdout);
    read(output.status.success(), &text).with_context(|| format!("eapol_test said:\n{text}"))
}

fn read(accepted: bool, text: &str) -> anyhow::Result<Outcome> {
    const PACKET: &str = "RADIUS message: code=";

    let start = text.rfind(PACKET).context("no packet")?;
    let mut attributes = Vec::<(u8, Vec<u8>)>::new();
    for line in text.get(start..).unwrap_or_default().lines().skip(1) {
        if let Some(header) = line.strip_prefix("   Attribute ") {
            let kind = header.split(' ').next().unwrap_or_default().parse()?;
            attributes.push((kind, Vec::new()));
        } else if let Some(shown) = line.strip_prefix("      Value: ") {
            // The value of a type that it does not know is not shown.
            let (_, value) = attributes.last_mut().context("a value of nothing")?;
            *value = bytes(shown);
        } else {
            break;
        }
    }
    Ok(Outcome {
        accepted,
        succeeded: text.contains("CTRL-EVENT-EAP-SUCCESS"),
        attributes,
        transcript: text.to_owned(),
    })
}

/// Hexadecimal digits as bytes; numbers and quoted texts, which are shown as
/// such, as they are.
fn bytes(value: &str) -> Vec<u8> {
    let digits =
        value.len().is_multiple_of(2) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !digits {
        return value.as_bytes().to_owned();
    }
    let pairs = value.as_bytes().chunks_exact(2);
    pairs
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
