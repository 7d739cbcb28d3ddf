//! `PacketFence` asks the real gateway as it asks Kandji and Jamf, and comes to
//! the same verdict in every way.

mod asker;

use std::path::Path;

use anyhow::ensure;
use asker::Authorized::{CommunicationFailed, No, Yes};
use asker::{Jamf, PacketFence};
use portreeve_harness::{REST_KEY, Stand};
use portreeve_tenant::device::generated_mac;
use portreeve_tenant::well_known::{
    COMPLIANT, IN_GRACE, JAILBROKEN, NON_COMPLIANT, OLD_OS, RETIRED, UNKNOWN,
};

const KANDJI: &str = "a-kandji-key-of-0123456789abcdef";
const JAMF: &str = "a-jamf-password";

/// A stand with the clients that `PacketFence` is.
async fn stand(secrets: &Path) -> anyhow::Result<Stand> {
    for (name, secret) in [("kandji", KANDJI), ("jamf", JAMF)] {
        write_private(&secrets.join(name), secret)?;
    }
    let folder = secrets.display();
    let clients = format!(
        r#"
[clients.packetfence-kandji]
faces = ["kandji"]
bearer = {{ file = "{folder}/kandji" }}
patience = "5s"

[clients.packetfence-jamf]
faces = ["jamf"]
basic = {{ username = "packetfence", password = {{ file = "{folder}/jamf" }} }}
patience = "5s"
"#
    );
    Stand::builder().devices(10).extra(&clients).start().await
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

#[tokio::test]
async fn every_provisioner_comes_to_the_same_verdict() -> anyhow::Result<()> {
    let secrets = tempfile::tempdir()?;
    let stand = stand(secrets.path()).await?;
    let packetfence = PacketFence::new(&stand)?;
    let (token, seconds) = packetfence.jamf_token("packetfence", JAMF).await?;
    ensure!(seconds == 1800, "{seconds}");
    for (known, expected) in [
        (COMPLIANT, Yes),
        (NON_COMPLIANT, No),
        (IN_GRACE, Yes),
        (JAILBROKEN, No),
        (OLD_OS, Yes),
        (RETIRED, No),
        (UNKNOWN, No),
    ] {
        let mac = known.mac.separated(':').to_lowercase();
        let name = known.name;
        let found = packetfence.kandji(KANDJI, &mac).await?;
        ensure!(found == expected, "{name} by kandji: {found:?}");
        for credential in [Jamf::Basic("packetfence", JAMF), Jamf::Token(&token)] {
            let found = packetfence.jamf(credential, &mac).await?;
            ensure!(found == expected, "{name} by jamf: {found:?}");
        }
        let found = packetfence.generic_http(REST_KEY, &mac).await?;
        ensure!(found == expected, "{name} by generic_http: {found:?}");
    }
    stand.gateway.stop().await
}

/// Nobody can tell about a device that was never asked about while the
/// management system is down: no word about it. What is in memory is answered.
#[tokio::test]
async fn a_management_system_that_is_down_is_no_word_about_a_device() -> anyhow::Result<()> {
    let secrets = tempfile::tempdir()?;
    let stand = stand(secrets.path()).await?;
    let packetfence = PacketFence::new(&stand)?;
    let known = COMPLIANT.mac.separated(':').to_lowercase();
    let new = generated_mac(9).separated(':').to_lowercase();
    ensure!(packetfence.kandji(KANDJI, &known).await? == Yes);
    stand.tenant.stop().await?;
    for (mac, expected) in [(&known, Yes), (&new, CommunicationFailed)] {
        let found = packetfence.kandji(KANDJI, mac).await?;
        ensure!(found == expected, "{mac} by kandji: {found:?}");
        let found = packetfence.generic_http(REST_KEY, mac).await?;
        ensure!(found == expected, "{mac} by generic_http: {found:?}");
    }
    // `jamf` takes every status but success for "not managed": the gateway says
    // 503, and cannot say it louder. `docs/packetfence.md` warns of it.
    let jamf = Jamf::Basic("packetfence", JAMF);
    ensure!(packetfence.jamf(jamf, &known).await? == Yes);
    ensure!(packetfence.jamf(jamf, &new).await? == No);
    // A wrong key is no word about a device either.
    ensure!(packetfence.kandji("another-key", &known).await? == CommunicationFailed);
    stand.gateway.stop().await
}
