//! `portreeve trust`: whom the gateway trusts, and whom it could.

mod fetch;
mod import;

use std::process::ExitCode;

use portreeve_egress::CertificateDetails;
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};

use super::certificate::show;
use crate::cli::{TrustCommand, TrustList, TrustShow};
use crate::config::{Config, Environment, Problem, Problems, listed, nearest};
use crate::output;

/// Runs one of the commands.
pub(super) fn run(
    command: &TrustCommand,
    environment: &dyn Environment,
) -> anyhow::Result<ExitCode> {
    match command {
        TrustCommand::List(command) => list(&super::load(&command.config, environment)?, command)?,
        TrustCommand::Show(command) => show(&super::load(&command.config, environment)?, command)?,
        TrustCommand::Import(command) => import::file(command, environment)?,
        TrustCommand::Fetch(command) => return fetch::run(command, environment),
    }
    Ok(ExitCode::SUCCESS)
}

fn problem(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Problems::from(Problem::nowhere(message).hint(hint)).into()
}

/// Trusted certificates with a name and what they are for.
struct Entry<'a> {
    name: String,
    purposes: Value,
    connectors: Value,
    certificates: &'a [CertificateDer<'static>],
}

/// `[trust.NAME]` and the files that connectors name themselves.
fn entries(config: &Config) -> Vec<Entry<'_>> {
    let named = config.trust.0.iter().map(|trust| Entry {
        name: trust.name.value.clone(),
        purposes: json!(trust.purposes),
        connectors: match &trust.connectors {
            None => Value::Null,
            Some(names) => names.iter().map(|name| name.value.clone()).collect(),
        },
        certificates: &trust.file.certificates,
    });
    let own = config.connectors.0.iter().flat_map(|connector| {
        let connector_name = &connector.name.value;
        connector.trust.iter().map(move |file| Entry {
            name: format!("(connectors.{connector_name}.trust)"),
            purposes: json!(["connectors"]),
            connectors: json!([connector_name]),
            certificates: &file.certificates,
        })
    });
    named.chain(own).collect()
}

fn list(config: &Config, command: &TrustList) -> anyhow::Result<()> {
    let entries = entries(config);
    let system = portreeve_egress::system_root_names();
    if command.json {
        let entries = entries.iter().map(|entry| {
            json!({
                "name": entry.name,
                "purposes": entry.purposes,
                "connectors": entry.connectors,
                "certificates": details(entry.certificates).iter().map(show::document).collect::<Vec<_>>(),
            })
        });
        return output::json(&json!({
            "trust": entries.collect::<Vec<_>>(),
            "system_roots": { "trusted": config.egress.system_roots, "names": system },
        }));
    }
    for entry in &entries {
        let connectors = match &entry.connectors {
            Value::Array(names) => format!(", only for {}", texts(names)),
            _ => String::new(),
        };
        let purposes = entry.purposes.as_array().map(|words| texts(words));
        output::line(format!(
            "{}: for {}{connectors}",
            entry.name,
            purposes.unwrap_or_default()
        ))?;
        for details in details(entry.certificates) {
            output::line(format!("  {}", short(&details)))?;
        }
    }
    let trusted = if config.egress.system_roots {
        "trusted"
    } else {
        "not trusted (`system-roots = false`)"
    };
    output::line(format!("system: {} roots, {trusted}", system.len()))?;
    Ok(())
}

fn show(config: &Config, command: &TrustShow) -> anyhow::Result<()> {
    let Some(trust) = config.trust.get(&command.name) else {
        let known = config.trust.names();
        let hint = match nearest(&command.name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "`portreeve trust import` adds one".to_owned(),
            None => format!("there are {}", listed(&known)),
        };
        return Err(problem(
            format!("there is no `[trust.{}]`", command.name),
            hint,
        ));
    };
    let found = details(&trust.file.certificates);
    if command.json {
        let found: Vec<_> = found.iter().map(show::document).collect();
        return output::json(&found);
    }
    for (position, details) in found.iter().enumerate() {
        if position > 0 {
            output::line("")?;
        }
        for line in show::lines(details) {
            output::line(line)?;
        }
    }
    Ok(())
}

fn details(certificates: &[CertificateDer<'static>]) -> Vec<CertificateDetails> {
    let read = certificates.iter().map(|der| CertificateDetails::read(der));
    read.filter_map(Result::ok).collect()
}

fn texts(words: &[Value]) -> String {
    let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    words.join(", ")
}

/// A certificate on one line.
fn short(details: &CertificateDetails) -> String {
    format!(
        "subject {}, issuer {}, SHA-256 {}, {}",
        details.subject,
        details.issuer,
        details.sha256,
        show::validity(details)
    )
}
