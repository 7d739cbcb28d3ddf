//! `portreeve certificate`: what an application in Entra is given, and how to
//! compare it with what Entra has.

mod find;
pub(super) mod show;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portreeve_egress::{
    CertificateDetails, ClientCertificate, FreshCertificate, KeyCredential, KeySize, Secret,
    certificates_in, is_pem,
};
use serde_json::json;

use crate::cli::{
    CertificateCommand, CertificateExport, CertificateFiles, CertificateForm, CertificateNew,
    CertificateShow,
};
use crate::config::{Problem, Problems, is_name, read_secret};
use crate::output;

/// Runs one of the commands.
pub(super) fn run(command: &CertificateCommand) -> anyhow::Result<ExitCode> {
    match command {
        CertificateCommand::New(command) => new(command)?,
        CertificateCommand::Show(command) => show(command)?,
        CertificateCommand::Export(command) => export(command)?,
        CertificateCommand::Keycredentials(command) => key_credentials(command)?,
        CertificateCommand::Find(command) => return find::run(command),
    }
    Ok(ExitCode::SUCCESS)
}

fn problem(message: impl Into<String>, hint: &str) -> anyhow::Error {
    Problems::from(Problem::nowhere(message).hint(hint)).into()
}

fn new(command: &CertificateNew) -> anyhow::Result<()> {
    let name = &command.name;
    if !is_name(name) {
        return Err(problem(
            format!("`{name}` is no usable name"),
            "a name has 1 to 64 letters, digits, `-`, `_` or `.` and begins with a letter or digit; `--directory` says where",
        ));
    }
    let size = match command.bits.as_str() {
        "2048" => KeySize::Rsa2048,
        "4096" => KeySize::Rsa4096,
        _ => KeySize::Rsa3072,
    };
    let password = password(command.password_file.as_deref())?;
    let common_name = command.common_name.as_ref().unwrap_or(name);
    let certificate_path = command.directory.join(format!("{name}.pem"));
    let key_path = command.directory.join(format!("{name}-key.pem"));
    // Before the key is made, which takes a while.
    for path in [&certificate_path, &key_path] {
        if path.exists() {
            return Err(there_already(path));
        }
    }
    let fresh = FreshCertificate::new(common_name, command.days, size, password.as_ref())?;
    write_new(&key_path, fresh.key_pem.expose().as_bytes(), 0o600)?;
    write_new(&certificate_path, fresh.pem.as_bytes(), 0o644)?;
    let details = CertificateDetails::read(&fresh.der)?;
    if command.json {
        return output::json(&json!({
            "certificate": certificate_path,
            "key": key_path,
            "details": show::document(&details),
        }));
    }
    for line in show::lines(&details) {
        output::line(line)?;
    }
    let (certificate, key) = (certificate_path.display(), key_path.display());
    output::line(format!("written       {certificate} (upload this one)"))?;
    output::line(format!("              {key} (stays here)"))?;
    Ok(())
}

fn show(command: &CertificateShow) -> anyhow::Result<()> {
    let mut documents = Vec::new();
    for path in &command.files.files {
        let chain = chain(path, command.files.password_file.as_deref())?;
        if command.json {
            let certificates = chain.iter().map(show::document);
            documents.push(json!({
                "file": path,
                "hierarchy": show::hierarchy(&chain),
                "certificates": certificates.collect::<Vec<_>>(),
            }));
            continue;
        }
        for (position, details) in chain.iter().enumerate() {
            if position > 0 {
                output::line("")?;
            }
            for line in show::lines(details) {
                output::line(line)?;
            }
        }
        output::line(format!(
            "hierarchy     {}",
            show::hierarchy(&chain).join(" < ")
        ))?;
    }
    if command.json {
        output::json(&documents)?;
    }
    Ok(())
}

fn export(command: &CertificateExport) -> anyhow::Result<()> {
    let der = first(&command.file, command.password_file.as_deref())?;
    let base64 = STANDARD.encode(&der);
    let content = match command.form {
        CertificateForm::Cer => der.clone(),
        CertificateForm::Pem | CertificateForm::Crt => pem(&base64).into_bytes(),
        CertificateForm::Base64 => format!("{base64}\n").into_bytes(),
    };
    if let Some(path) = &command.output {
        write_new(path, &content, 0o644)?;
    }
    if command.json {
        let details = CertificateDetails::read(&der)?;
        return output::json(&json!({
            "base64": base64,
            "file": command.output,
            "details": show::document(&details),
        }));
    }
    if command.output.is_none() {
        std::io::stdout().lock().write_all(&content)?;
    }
    Ok(())
}

fn key_credentials(command: &CertificateFiles) -> anyhow::Result<()> {
    let mut entries = Vec::new();
    for path in &command.files {
        let der = first(path, command.password_file.as_deref())?;
        let details = CertificateDetails::read(&der)?;
        // Beside the data, so that the manifest can be made by a script.
        output::note(&format!(
            "{}: CN {}, thumbprint {}",
            path.display(),
            details.common_name.as_deref().unwrap_or("(none)"),
            details.sha1
        ))?;
        entries.push(KeyCredential::new(&der));
    }
    output::json(&json!({ "keyCredentials": entries }))
}

/// PEM text of one certificate.
pub(super) fn pem(base64: &str) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for (position, character) in base64.chars().enumerate() {
        if position > 0 && position % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END CERTIFICATE-----\n");
    text
}

/// The certificate of the file's key, or else the first one.
pub(super) fn first(path: &Path, password_file: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    let found = ders(path, password_file)?;
    found.into_iter().next().context("no certificate")
}

/// All certificates of a file, that of its key first.
pub(super) fn chain(
    path: &Path,
    password_file: Option<&Path>,
) -> anyhow::Result<Vec<CertificateDetails>> {
    let found = ders(path, password_file)?;
    let details: Result<Vec<_>, _> = found
        .iter()
        .map(|der| CertificateDetails::read(der))
        .collect();
    details.with_context(|| format!("cannot use `{}`", path.display()))
}

fn ders(path: &Path, password_file: Option<&Path>) -> anyhow::Result<Vec<Vec<u8>>> {
    let content = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let content = zeroize::Zeroizing::new(content);
    let password = password(password_file)?;
    let unusable = || format!("cannot use `{}`", path.display());
    let plain = certificates_in(&content);
    // A PFX file is DER, too, but no certificate.
    let is_pfx = plain.is_err() && !is_pem(&content) && content.first() == Some(&0x30);
    if is_pfx {
        let found = ClientCertificate::chain_in_pfx(&content, password.as_ref());
        return found.with_context(unusable);
    }
    let mut found: Vec<Vec<u8>> = plain
        .with_context(unusable)?
        .iter()
        .map(|der| der.to_vec())
        .collect();
    if let Ok(own) = ClientCertificate::from_pem(&content, &content, password.as_ref()) {
        found.sort_by_key(|der| der != own.der());
    }
    Ok(found)
}

fn password(path: Option<&Path>) -> anyhow::Result<Option<Secret>> {
    Ok(path.map(read_secret).transpose()?)
}

fn there_already(path: &Path) -> anyhow::Error {
    problem(
        format!("there is `{}` already", path.display()),
        "nothing is overwritten; take another name, or move the file away",
    )
}

/// A file that must not be there yet.
pub(super) fn write_new(path: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let mut file = match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(there_already(path));
        }
        opened => opened.with_context(|| format!("cannot write `{}`", path.display()))?,
    };
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write `{}`", path.display()))
}
