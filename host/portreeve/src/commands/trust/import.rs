//! Writing down whom to trust: two files in a folder beside the configuration.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portreeve_egress::certificates_in;
use rustls_pki_types::CertificateDer;
use serde_json::json;
use toml::{Table, Value};

use super::{details, problem, short};
use crate::cli::{TrustImport, TrustTerms};
use crate::commands::certificate::show;
use crate::commands::certificate::{pem, write_new};
use crate::config::{Config, Environment, is_name};
use crate::output;

/// The folder beside the configuration.
const FOLDER: &str = "trust.d";

/// `portreeve trust import`
pub(super) fn file(command: &TrustImport, environment: &dyn Environment) -> anyhow::Result<()> {
    let shown = command.file.display();
    let content = fs::read(&command.file).with_context(|| format!("cannot read `{shown}`"))?;
    let certificates =
        certificates_in(&content).with_context(|| format!("cannot use `{shown}`"))?;
    let path = crate::commands::path(&command.config, environment);
    trust(
        &path,
        environment,
        &command.name,
        &certificates,
        &command.terms,
    )?;
    told(&command.name, &certificates, command.json)
}

/// What was written.
pub(super) fn told(
    name: &str,
    certificates: &[CertificateDer<'static>],
    is_json: bool,
) -> anyhow::Result<()> {
    let found = details(certificates);
    if is_json {
        let found: Vec<_> = found.iter().map(show::document).collect();
        return output::json(&json!({ "imported": name, "certificates": found }));
    }
    for details in &found {
        output::line(format!("trusted as `{name}`: {}", short(details)))?;
    }
    output::line("a gateway that runs takes it with its next start or `portreeve reload`")?;
    Ok(())
}

/// Writes `trust.d/NAME.pem` and `trust.d/NAME.toml`. What the configuration
/// does not take is undone.
pub(super) fn trust(
    config: &Path,
    environment: &dyn Environment,
    name: &str,
    certificates: &[CertificateDer<'static>],
    terms: &TrustTerms,
) -> anyhow::Result<()> {
    if !is_name(name) {
        return Err(problem(
            format!("`{name}` is no usable name"),
            "a name has 1 to 64 letters, digits, `-`, `_` or `.` and begins with a letter or digit",
        ));
    }
    let before = Config::load(config, environment)?;
    if before.trust.get(name).is_some() {
        return Err(problem(
            format!("there is `[trust.{name}]` already"),
            "take another name, or remove the old one first",
        ));
    }
    let folder = config.parent().unwrap_or(Path::new("")).join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let (pem_path, toml_path) = (
        folder.join(format!("{name}.pem")),
        folder.join(format!("{name}.toml")),
    );
    let content: String = certificates
        .iter()
        .map(|der| pem(&STANDARD.encode(der)))
        .collect();
    // Certificates are no secrets, and the gateway may run as somebody else.
    write_new(&pem_path, content.as_bytes(), 0o644)?;
    let written = write_new(&toml_path, entry(name, terms)?.as_bytes(), 0o644)
        .and_then(|()| taken(config, environment, name));
    if written.is_err() {
        undo(&[pem_path, toml_path])?;
    }
    written
}

fn entry(name: &str, terms: &TrustTerms) -> anyhow::Result<String> {
    let list = |words: &[String]| Value::Array(words.iter().cloned().map(Value::String).collect());
    let mut trust = Table::new();
    trust.insert("file".to_owned(), Value::String(format!("{name}.pem")));
    trust.insert("purposes".to_owned(), list(&terms.purposes));
    if !terms.connectors.is_empty() {
        trust.insert("connectors".to_owned(), list(&terms.connectors));
    }
    let named = Table::from_iter([(name.to_owned(), Value::Table(trust))]);
    let whole = Table::from_iter([("trust".to_owned(), Value::Table(named))]);
    let text = toml::to_string_pretty(&whole)?;
    Ok(format!("# Made by `portreeve trust`.\n{text}"))
}

fn taken(config: &Path, environment: &dyn Environment, name: &str) -> anyhow::Result<()> {
    if Config::load(config, environment)?.trust.get(name).is_some() {
        return Ok(());
    }
    Err(problem(
        format!(
            "`{}` does not include `{FOLDER}/{name}.toml`",
            config.display()
        ),
        format!("add `include = [\"{FOLDER}/*.toml\"]` at its beginning"),
    ))
}

fn undo(paths: &[PathBuf]) -> anyhow::Result<()> {
    for path in paths.iter().filter(|path| path.exists()) {
        fs::remove_file(path).with_context(|| format!("cannot remove `{}`", path.display()))?;
    }
    Ok(())
}
