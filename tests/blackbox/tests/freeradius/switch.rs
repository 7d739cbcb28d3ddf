//! A switch that authenticates devices by their MAC address: `radclient`.

use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::programs::installed;
use crate::raddb::SECRET;
use crate::server::FreeRadius;

/// What the switch is told.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Access-Accept rather than Access-Reject.
    pub(crate) accepted: bool,
    attributes: Vec<(String, String)>,
}

impl Reply {
    /// The value of an attribute, without quotes.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The VLAN, if one is set as RFC 3580, section 3.31 wants it.
    pub(crate) fn vlan(&self) -> Option<&str> {
        let vlan = self.get("Tunnel-Type:0") == Some("VLAN")
            && self.get("Tunnel-Medium-Type:0") == Some("IEEE-802");
        self.get("Tunnel-Private-Group-Id:0").filter(|_| vlan)
    }
}

/// Asks whether the device at `mac`, in any spelling, may come in.
pub(crate) async fn ask(server: &FreeRadius, mac: &str) -> anyhow::Result<Reply> {
    ask_as(server, mac, mac).await
}

/// The same with another user name.
pub(crate) async fn ask_as(server: &FreeRadius, mac: &str, user: &str) -> anyhow::Result<Reply> {
    let request = format!(
        "User-Name = '{user}'\nUser-Password = '{user}'\nCalling-Station-Id = '{mac}'\n\
         NAS-IP-Address = 127.0.0.1\nNAS-Identifier = 'switch-7'\nNAS-Port-Id = 'Gi1/0/1'\n\
         NAS-Port-Type = Ethernet\nService-Type = Call-Check\nMessage-Authenticator = 0x00\n"
    );
    let text = radclient(&server.address(), "auth", &request).await?;
    read(&text).with_context(|| format!("radclient said:\n{text}"))
}

/// Reports a session, as RFC 2866 wants it; fails unless that is answered.
pub(crate) async fn report(server: &FreeRadius, attributes: &str) -> anyhow::Result<()> {
    let address = server.accounting_address();
    let text = radclient(&address, "acct", attributes).await?;
    ensure!(
        text.contains("Received Accounting-Response"),
        "radclient said:\n{text}"
    );
    Ok(())
}

/// Sends one packet. What it says of that, errors included.
async fn radclient(address: &str, kind: &str, attributes: &str) -> anyhow::Result<String> {
    let mut radclient = Command::new(installed("radclient")?)
        // One attempt, and more time than the server has for its answer.
        .args(["-x", "-r", "1", "-t", "15"])
        .args([address, kind, SECRET])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start radclient")?;
    let mut stdin = radclient.stdin.take().context("radclient's input")?;
    stdin.write_all(attributes.as_bytes()).await?;
    drop(stdin);
    let output = radclient.wait_with_output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    Ok(format!("{text}{errors}"))
}

fn read(text: &str) -> anyhow::Result<Reply> {
    let mut lines = text
        .lines()
        .skip_while(|line| !line.starts_with("Received "));
    let accepted = match lines.next().context("no answer")? {
        line if line.starts_with("Received Access-Accept") => true,
        line if line.starts_with("Received Access-Reject") => false,
        line => bail!("unexpected: {line}"),
    };
    let attributes = lines
        .map_while(|line| line.strip_prefix('\t')?.split_once(" = "))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect();
    Ok(Reply {
        accepted,
        attributes,
    })
}
