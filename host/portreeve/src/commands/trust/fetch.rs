//! `portreeve trust fetch`: what a server presents.

use std::process::ExitCode;
use std::time::Duration;

use portreeve_egress::{CertificateDetails, FetchSettings, FetchedChain, fetch_chain};
use rustls_pki_types::CertificateDer;
use serde_json::json;

use super::{details, import, problem, short};
use crate::cli::TrustFetch;
use crate::commands::certificate::show;
use crate::config::{Config, Environment, Purpose};
use crate::output::{BAD, GOOD, styled};
use crate::{commands, output};

pub(super) fn run(command: &TrustFetch, environment: &dyn Environment) -> anyhow::Result<ExitCode> {
    let (host, port) = server(&command.server)?;
    let path = commands::path(&command.config, environment);
    // A configuration that was named has to be right; without any, the system's
    // roots count.
    let config = if command.config.config.is_some() || path.exists() {
        Some(Config::load(&path, environment)?)
    } else {
        None
    };
    let settings = settings(command, config.as_ref())?;
    let chain = commands::block_on(fetch_chain(&host, port, &settings))??;
    let found = details(&chain.certificates);
    if let (Some(name), Some(fingerprint)) = (&command.import, &command.fingerprint) {
        let chosen = chosen(&chain, &found, fingerprint)?;
        import::trust(
            &path,
            environment,
            name,
            std::slice::from_ref(&chosen),
            &command.terms,
        )?;
        import::told(name, &[chosen], command.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(command, &host, port, &chain, &found)?;
    Ok(match chain.failure {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    })
}

fn print(
    command: &TrustFetch,
    host: &str,
    port: u16,
    chain: &FetchedChain,
    found: &[CertificateDetails],
) -> anyhow::Result<()> {
    let failure = chain.failure.as_ref();
    if command.json {
        return output::json(&json!({
            "host": host,
            "port": port,
            "accepted": failure.is_none(),
            "problem": failure.map(|failure| failure.kind.as_str()),
            "reason": failure.map(|failure| failure.reason.clone()),
            "missing_issuer": failure.and_then(|failure| failure.missing_issuer.clone()),
            "presented": found.iter().map(show::document).collect::<Vec<_>>(),
        }));
    }
    for (position, details) in found.iter().enumerate() {
        output::line(format!("[{}] {}", position + 1, short(details)))?;
    }
    let Some(failure) = failure else {
        let accepted = styled(GOOD, "accepted");
        output::line(format!("{host}:{port}: {accepted}"))?;
        return Ok(());
    };
    let refused = styled(BAD, "not accepted");
    output::line(format!("{host}:{port}: {refused}: {}", failure.reason))?;
    if let Some(issuer) = &failure.missing_issuer {
        output::line(format!("missing: `{issuer}`"))?;
    }
    if let Some(advice) = failure.kind.advice() {
        output::line(format!("hint: {advice}"))?;
    }
    if failure.missing_issuer.is_some() {
        let importable = found
            .iter()
            .rfind(|details| details.is_self_issued() || details.is_authority);
        output::line(match importable {
            Some(details) => format!(
                "hint: if you know that this is genuine: portreeve trust fetch {} --import NAME --fingerprint {}",
                command.server, details.sha256
            ),
            None => "hint: get the issuer's certificate from those who run the server, then: portreeve trust import NAME FILE".to_owned(),
        })?;
    }
    Ok(())
}

/// The presented certificate with this fingerprint, if trusting it helps.
fn chosen(
    chain: &FetchedChain,
    found: &[CertificateDetails],
    fingerprint: &str,
) -> anyhow::Result<CertificateDer<'static>> {
    let wanted: String = fingerprint
        .chars()
        .filter(|digit| !matches!(digit, ':' | ' '))
        .map(|digit| digit.to_ascii_uppercase())
        .collect();
    let position = found.iter().position(|details| details.sha256 == wanted);
    let found = position.and_then(|at| found.get(at).zip(chain.certificates.get(at)));
    let Some((details, certificate)) = found else {
        return Err(problem(
            "the server presents no certificate with this fingerprint; nothing was imported",
            "`portreeve trust fetch` without `--import` shows what it presents",
        ));
    };
    if !details.is_authority && !details.is_self_issued() {
        return Err(problem(
            format!(
                "this is the server's own certificate; trust its issuer `{}`",
                details.issuer
            ),
            "get the issuer's certificate from those who run the server, then `portreeve trust import NAME FILE`",
        ));
    }
    Ok(certificate.clone())
}

fn settings(command: &TrustFetch, config: Option<&Config>) -> anyhow::Result<FetchSettings> {
    let timeout = Duration::from_secs(command.timeout);
    let Some(config) = config else {
        return Ok(FetchSettings {
            roots: Vec::new(),
            system_roots: true,
            proxy: None,
            timeout,
        });
    };
    if let Some(name) = command.terms.connectors.first() {
        let Some(connector) = config.connectors.get(name) else {
            return Err(commands::connector::unknown(name, &config.connectors.names()).into());
        };
        let own = connector.trust.iter().flat_map(|file| &file.certificates);
        return Ok(FetchSettings {
            roots: own.chain(&connector.way_out.trusted).cloned().collect(),
            system_roots: connector.way_out.system_roots(),
            proxy: connector.way_out.proxy(),
            timeout,
        });
    }
    let trusted = config.trust.0.iter();
    let trusted = trusted.filter(|trust| trust.is_for(Purpose::Connectors, None));
    Ok(FetchSettings {
        roots: trusted
            .flat_map(|trust| trust.file.certificates.iter().cloned())
            .collect(),
        system_roots: config.egress.system_roots,
        proxy: config.egress.proxy.settings(),
        timeout,
    })
}

/// Host and port, also as somebody copies them from a URL.
fn server(text: &str) -> anyhow::Result<(String, u16)> {
    let rest = text.strip_prefix("https://").unwrap_or(text);
    let url = url::Url::parse(&format!("https://{}/", rest.trim_end_matches('/')));
    let parts = url.ok().and_then(|url| {
        let is_plain = url.path() == "/" && url.query().is_none() && url.username().is_empty();
        let host = match url.host()? {
            url::Host::Domain(name) => name.to_owned(),
            url::Host::Ipv4(address) => address.to_string(),
            url::Host::Ipv6(address) => address.to_string(),
        };
        is_plain.then_some((host, url.port().unwrap_or(443)))
    });
    parts.ok_or_else(|| {
        problem(
            format!("`{text}` is no server"),
            "write `HOST` or `HOST:PORT`, e.g. `graph.microsoft.com`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_as_people_write_them() {
        for (text, expected) in [
            ("graph.microsoft.com", Some(("graph.microsoft.com", 443))),
            ("https://mdm.example:8443/", Some(("mdm.example", 8443))),
            ("10.0.0.1:1", Some(("10.0.0.1", 1))),
            ("[fd00::1]:8443", Some(("fd00::1", 8443))),
            ("mdm.example/path", None),
            ("a b", None),
            ("", None),
            ("host:99999", None),
        ] {
            let found = server(text).ok();
            let found = found.as_ref().map(|(host, port)| (host.as_str(), *port));
            assert_eq!(found, expected, "{text}");
        }
    }
}
