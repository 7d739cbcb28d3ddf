//! The configuration that the administrator's page shows, with the changes that
//! it asks for.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use portreeve_harness::{Authority, Stand};
use tempfile::TempDir;

/// Secret that switch and server share.
pub(crate) const SECRET: &str = "a-long-enough-shared-secret";

/// A copy of `tests/blackbox/freeradius/raddb`. Gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Raddb {
    directory: TempDir,
}

impl Raddb {
    /// A copy that asks the gateway at `url` with the password that `stand` has
    /// for it.
    pub(crate) fn new(stand: &Stand, url: &str) -> anyhow::Result<Self> {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("freeradius/raddb");
        let directory = tempfile::tempdir()?;
        copy(&shipped, directory.path())?;
        let raddb = Self { directory };
        raddb.lay_out()?;
        raddb.set("portreeve.conf", "url", url)?;
        let ca = stand.directory().join("ca.pem");
        raddb.set("portreeve.conf", "ca_file", &ca.display().to_string())?;
        raddb.set(
            "portreeve.conf",
            "password",
            portreeve_harness::RADIUS_PASSWORD,
        )?;
        Ok(raddb)
    }

    /// What a machine of its own would not need: paths of this folder, the
    /// loopback only, no delay of rejects.
    fn lay_out(&self) -> anyhow::Result<()> {
        let run = self.path().join("run");
        std::fs::create_dir(&run)?;
        std::fs::create_dir(self.path().join("certs"))?;
        let (raddb, run) = (self.path().display().to_string(), run.display().to_string());
        self.set("radiusd.conf", "raddbdir", &raddb)?;
        self.set("radiusd.conf", "run_dir", &run)?;
        self.set("radiusd.conf", "logdir", &run)?;
        self.set("radiusd.conf", "reject_delay", "0")?;
        self.set("clients.conf", "secret", SECRET)?;
        self.set(
            "sites-enabled/portreeve",
            "ipaddr",
            &Ipv4Addr::LOCALHOST.to_string(),
        )?;
        self.set(
            "sites-enabled/portreeve-accounting",
            "ipaddr",
            &Ipv4Addr::LOCALHOST.to_string(),
        )?;
        // FreeRADIUS does not start without; who needs it makes another one.
        self.device_authority().map(drop)
    }

    /// A new authority, which signs the certificates of devices and that of
    /// FreeRADIUS itself.
    pub(crate) fn device_authority(&self) -> anyhow::Result<Authority> {
        let authority = Authority::generate("Devices of the test")?;
        let certs = self.path().join("certs");
        authority.server(&certs, "server")?;
        std::fs::write(certs.join("ca.pem"), authority.pem())?;
        Ok(authority)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The file with the authority of the devices' certificates.
    pub(crate) fn device_ca(&self) -> PathBuf {
        self.path().join("certs/ca.pem")
    }

    /// Gives the one setting `key` of `file` another value.
    pub(crate) fn set(&self, file: &str, key: &str, value: &str) -> anyhow::Result<()> {
        let start = format!("{key} = ");
        self.change(file, |line| {
            let before = line.len() - line.trim_start().len();
            line.trim_start()
                .starts_with(&start)
                .then(|| format!("{}{start}\"{value}\"", " ".repeat(before)))
        })
    }

    /// Adds a line behind the one line of `file` that contains `text`.
    pub(crate) fn add(&self, file: &str, text: &str, added: &str) -> anyhow::Result<()> {
        self.change(file, |line| {
            line.contains(text).then(|| format!("{line}\n{added}"))
        })
    }

    /// Puts `with` in the place of the one `text` in `file`.
    pub(crate) fn replace(&self, file: &str, text: &str, with: &str) -> anyhow::Result<()> {
        self.change(file, |line| {
            line.contains(text).then(|| line.replacen(text, with, 1))
        })
    }

    /// Takes the comment mark off the one line of `file` that contains `text`.
    pub(crate) fn uncomment(&self, file: &str, text: &str) -> anyhow::Result<()> {
        self.change(file, |line| {
            let line = line.contains(text).then_some(line)?;
            Some(line.replacen('#', "", 1))
        })
    }

    /// Takes away the lines of `file` that contain `text`.
    pub(crate) fn remove(&self, file: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path().join(file);
        let before = std::fs::read_to_string(&path).with_context(|| file.to_owned())?;
        let lines = before.lines().filter(|line| !line.contains(text));
        let after: Vec<&str> = lines.chain([""]).collect();
        let after = after.join("\n");
        ensure!(after != before, "no line of `{file}` has `{text}`");
        std::fs::write(&path, after)?;
        Ok(())
    }

    /// Changes the one line for which `with` gives another.
    fn change(&self, file: &str, with: impl Fn(&str) -> Option<String>) -> anyhow::Result<()> {
        let path = self.path().join(file);
        let text = std::fs::read_to_string(&path).with_context(|| file.to_owned())?;
        let mut changed = 0;
        let lines = text.lines().map(|line| {
            let other = with(line);
            changed += usize::from(other.is_some());
            other.unwrap_or_else(|| line.to_owned()) + "\n"
        });
        let lines: String = lines.collect();
        ensure!(changed == 1, "{changed} lines of `{file}` would change");
        std::fs::write(&path, lines)?;
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
