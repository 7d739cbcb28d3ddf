//! A device: a key and a certificate request, made by openssl.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio::process::Command;

/// What is in a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The challenge password, if there is one.
    pub(crate) challenge: Option<&'a str>,
    /// Lines of the distinguished name, e.g. `CN = ann`.
    pub(crate) subject: &'a [&'a str],
    /// Lines of extensions, e.g. `keyUsage = digitalSignature`.
    pub(crate) extensions: &'a [&'a str],
    pub(crate) bits: u32,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self {
            challenge: None,
            subject: &["CN = ann"],
            extensions: &[],
            bits: 2048,
        }
    }
}

/// A folder with `key.pem`, `csr.pem`, and `certificate.pem` once it is issued.
#[derive(Debug)]
pub(crate) struct Device(TempDir);

impl Device {
    pub(crate) async fn new(wanted: Wanted<'_>) -> anyhow::Result<Self> {
        let device = Self(tempfile::tempdir()?);
        let bits = wanted.bits.to_string();
        openssl(
            device.folder(),
            // scepclient reads no other form.
            &["genrsa", "-traditional", "-out", "key.pem", &bits],
        )
        .await?;
        device.ask(wanted).await?;
        Ok(device)
    }

    /// Makes another request with the same key.
    pub(crate) async fn ask(&self, wanted: Wanted<'_>) -> anyhow::Result<()> {
        let mut config = "[req]\nprompt = no\ndistinguished_name = name\n".to_owned();
        if wanted.challenge.is_some() {
            config.push_str("attributes = attributes\n");
        }
        if !wanted.extensions.is_empty() {
            config.push_str("req_extensions = extensions\n");
        }
        config.push_str("[name]\n");
        config.push_str(&wanted.subject.join("\n"));
        if let Some(challenge) = wanted.challenge {
            config.push_str("\n[attributes]\nchallengePassword = ");
            config.push_str(challenge);
        }
        if !wanted.extensions.is_empty() {
            config.push_str("\n[extensions]\n");
            config.push_str(&wanted.extensions.join("\n"));
        }
        config.push('\n');
        std::fs::write(self.folder().join("request.cnf"), config)?;
        let make = [
            "req",
            "-new",
            "-key",
            "key.pem",
            "-config",
            "request.cnf",
            "-out",
            "csr.pem",
        ];
        openssl(self.folder(), &make).await?;
        Ok(())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    /// The request, as PEM.
    pub(crate) fn request(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.folder().join("csr.pem"))?)
    }

    /// Where its certificate is once it has one.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder().join("certificate.pem")
    }

    /// What openssl says about its certificate.
    pub(crate) async fn certificate_text(&self, options: &[&str]) -> anyhow::Result<String> {
        let mut arguments = vec!["x509", "-in", "certificate.pem", "-noout"];
        arguments.extend(options);
        openssl(self.folder(), &arguments).await
    }

    /// SHA-1 of its certificate in upper-case hexadecimal.
    pub(crate) async fn thumbprint(&self) -> anyhow::Result<String> {
        let text = self.certificate_text(&["-fingerprint", "-sha1"]).await?;
        let (_, digits) = text.trim().split_once('=').context("a fingerprint")?;
        Ok(digits.replace(':', ""))
    }
}

async fn openssl(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .await
        .context("hint: is `openssl` installed?")?;
    ensure!(output.status.success(), "openssl {arguments:?}: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}
