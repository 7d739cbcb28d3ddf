//! `portreeve certificate find`: whether Entra has the certificate that the
//! gateway signs with.

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use portreeve_egress::{CertificateDetails, ManifestEntry, read_manifest};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::chain;
use crate::cli::CertificateFind;
use crate::output;

/// Entra writes the dates of the certificate; more than this is another one.
const DIFFERENCE: Duration = Duration::minutes(1);

pub(super) fn run(command: &CertificateFind) -> anyhow::Result<ExitCode> {
    let path = &command.manifest;
    let json = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let entries =
        read_manifest(&json).with_context(|| format!("cannot use `{}`", path.display()))?;
    let mut documents = Vec::new();
    let mut is_good = true;
    for file in &command.files.files {
        let chain = chain(file, command.files.password_file.as_deref())?;
        let details = chain.first().context("no certificate")?;
        let found = entries.iter().find(|entry| entry.is_for(details));
        let faults = match found {
            Some(entry) => faults(entry, details, OffsetDateTime::now_utc()),
            None => why_not(&entries, details),
        };
        is_good &= found.is_some() && faults.is_empty();
        if command.json {
            documents.push(document(details, found, &faults));
            continue;
        }
        let name = details.common_name.as_deref().unwrap_or("(none)");
        let verdict = if found.is_some() {
            "found"
        } else {
            "NOT FOUND"
        };
        let file = file.display();
        output::line(format!(
            "{verdict}: {file}, CN {name}, thumbprint {}",
            details.sha1
        ))?;
        if let Some(entry) = found {
            output::line(format!("  {}", shown(entry)))?;
        }
        for fault in &faults {
            output::line(format!("  {fault}"))?;
        }
    }
    if command.json {
        output::json(&documents)?;
    }
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn shown(entry: &ManifestEntry) -> String {
    let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "(none)".to_owned());
    format!(
        "entry {}, thumbprint {}, name {}, {} to {}",
        or(&entry.key_id),
        or(&entry.sha1),
        or(&entry.display_name),
        or(&entry.start),
        or(&entry.end)
    )
}

/// What is wrong with the entry of the certificate.
fn faults(entry: &ManifestEntry, details: &CertificateDetails, now: OffsetDateTime) -> Vec<String> {
    let mut faults = entry.faults.clone();
    let end = entry
        .end
        .as_deref()
        .and_then(|end| OffsetDateTime::parse(end, &Rfc3339).ok());
    if let Some(end) = end {
        if (end - details.not_after).abs() > DIFFERENCE {
            faults.push(format!(
                "Entra lets it end on {}, the certificate ends on {}",
                end.date(),
                details.not_after.date()
            ));
        }
        if end < now {
            faults.push(format!(
                "it ended on {}; upload a new certificate",
                end.date()
            ));
        }
    }
    faults
}

/// Why no entry fits, as far as the others tell.
fn why_not(entries: &[ManifestEntry], details: &CertificateDetails) -> Vec<String> {
    if entries.is_empty() {
        return vec![
            "`keyCredentials` is empty: upload the certificate, or add what `portreeve certificate keycredentials` prints"
                .to_owned(),
        ];
    }
    let mut reasons = vec![format!(
        "none of the {} entries has the `customKeyIdentifier` {}",
        entries.len(),
        details.key_identifier
    )];
    for entry in entries {
        reasons.push(shown(entry));
        let same_name = entry.display_name.as_deref().is_some_and(|name| {
            Some(name) == details.common_name.as_deref() || name == details.subject
        });
        if same_name {
            reasons.push(
                "  it has the name of this certificate, but is another one: an older one, or that of another node"
                    .to_owned(),
            );
        }
        reasons.extend(entry.faults.iter().map(|fault| format!("  {fault}")));
    }
    reasons
}

fn document(
    details: &CertificateDetails,
    found: Option<&ManifestEntry>,
    faults: &[String],
) -> Value {
    json!({
        "common_name": details.common_name,
        "thumbprint": details.sha1,
        "found": found.is_some(),
        "entry": found.map(|entry| json!({
            "key_id": entry.key_id,
            "display_name": entry.display_name,
            "start": entry.start,
            "end": entry.end,
        })),
        "faults": faults,
    })
}
