//! Whether a tenant can be used, step by step, and what to do if it cannot.

use portreeve_plugin::connector::credentials::{Info, Status};
use portreeve_plugin::connector::{Error, Finding, Outcome, Report, Verdict};
use portreeve_plugin::http::Error as HttpError;

use crate::address::Address;
use crate::discovery::{self, Service};
use crate::errors::{Failure, Party};
use crate::identifier::Asked;
use crate::inventory;
use crate::retrieval;
use crate::services::Services;
use crate::settings::{Inventory, ServiceVersion, Settings};

/// A device that no tenant has: these are not random enough to be given out.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// Tries everything that a look-up needs. A step whose ground is missing is not
/// tried.
pub(crate) fn run<S: Services>(services: &S, settings: &Settings) -> Report {
    let mut findings = Vec::new();
    let wanted = settings.inventory == Inventory::Graph;
    let [graph, intune] = [Party::Graph, Party::Intune].map(|party| {
        let info = services.renew_credential(party.slot());
        let usable = credential(&mut findings, party, &info);
        if usable && wanted && party == Party::Graph {
            permission(&mut findings, Party::Devices, &info.permissions);
        }
        usable
    });
    if graph {
        let service = find_service(&mut findings, services, settings);
        if wanted {
            read_devices(&mut findings, services, settings);
        }
        if let Some(address) = service.filter(|_| intune) {
            ask_service(&mut findings, services, settings, &address);
        }
    }
    report(findings)
}

/// The report about settings that cannot be read at all.
pub(crate) fn unusable(problem: String) -> Report {
    report(vec![failed(
        "settings".to_owned(),
        problem,
        "correct the settings of this connector",
    )])
}

fn report(findings: Vec<Finding>) -> Report {
    let has = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
    let verdict = if has(Verdict::Failed) {
        Verdict::Failed
    } else if has(Verdict::Degraded) {
        Verdict::Degraded
    } else {
        Verdict::Passed
    };
    Report { verdict, findings }
}

/// Whether there is a token.
fn credential(findings: &mut Vec<Finding>, party: Party, info: &Info) -> bool {
    let slot = party.slot();
    let subject = format!("token {slot}");
    let detail = info.detail.clone();
    match info.status {
        Status::Missing => {
            findings.push(failed(
                subject,
                format!("no credential `{slot}` is configured"),
                "give this connector a credential of that name",
            ));
            return false;
        }
        Status::Failing => {
            findings.push(Finding {
                subject,
                verdict: Verdict::Failed,
                message: format!("no token for {}", party.name()),
                hint: detail,
            });
            return false;
        }
        Status::Idle | Status::Ready => findings.push(passed(
            subject,
            detail.unwrap_or_else(|| format!("a token for {} was issued", party.name())),
        )),
    }
    permission(findings, party, &info.permissions);
    true
}

fn permission(findings: &mut Vec<Finding>, party: Party, present: &[String]) {
    let wanted = party.permission();
    let subject = format!("permission {wanted}");
    let found = party
        .sufficient_permissions()
        .iter()
        .find(|wanted| present.iter().any(|name| name.eq_ignore_ascii_case(wanted)));
    findings.push(match found {
        Some(found) => passed(subject, format!("the token names `{found}`")),
        // A token is issued without any permission, too. It may also be
        // unreadable, so this is advice: the steps below show what works.
        None => Finding {
            subject,
            verdict: Verdict::Degraded,
            message: if present.is_empty() {
                "the token names no permission at all".to_owned()
            } else {
                format!("the token names only: {}", present.join(", "))
            },
            hint: Some(format!(
                "add `{wanted}` ({}), grant admin consent and wait up to 10 minutes",
                party.permission_place()
            )),
        },
    });
}

fn find_service<S: Services>(
    findings: &mut Vec<Finding>,
    services: &S,
    settings: &Settings,
) -> Option<Address> {
    let graph = match discovery::graph(settings) {
        Ok(graph) => graph,
        Err(failure) => {
            findings.push(failed(
                "settings".to_owned(),
                text(&failure.error),
                "correct `graph-url`",
            ));
            return None;
        }
    };
    if settings.service_url.is_some() {
        return match discovery::discover(services, settings) {
            Ok(Service { address, .. }) => {
                findings.push(passed(
                    "discovery".to_owned(),
                    format!("none: the compliance service is set to `{}`", address.host),
                ));
                Some(address)
            }
            Err(failure) => {
                let hint = "correct `service-url`, or add its host to `service-hosts`";
                findings.push(failed("settings".to_owned(), text(&failure.error), hint));
                None
            }
        };
    }
    let probe = Probe::new(services, &graph);
    let result = discovery::discover(&probe, settings);
    way(findings, &graph, &probe);
    match result {
        Ok(service) => {
            findings.push(passed(
                "discovery".to_owned(),
                format!("the compliance service is at `{}`", service.address.host),
            ));
            Some(service.address)
        }
        Err(failure) => {
            push_unless_told(findings, "discovery", &failure, Party::Graph);
            None
        }
    }
}

fn ask_service<S: Services>(
    findings: &mut Vec<Finding>,
    services: &S,
    settings: &Settings,
    address: &Address,
) {
    let probe = Probe::new(services, address);
    let info = retrieval::server_info(&probe, settings);
    way(findings, address, &probe);
    match info {
        Ok(info) => {
            let product = info.product.or(info.vendor).unwrap_or_default();
            let version = info.api_version.unwrap_or_default();
            findings.push(passed(
                "compliance service".to_owned(),
                format!("it answers as `{product}`, interface version {version}"),
            ));
        }
        Err(failure) => {
            push_unless_told(findings, "compliance service", &failure, Party::Intune);
            return;
        }
    }
    let asked = match settings.version() {
        ServiceVersion::V3 => Asked::Guid(NOBODY.to_owned()),
        ServiceVersion::V2 => match crate::identifier::Mac::parse("000000000000") {
            Some(nobody) => Asked::Mac(nobody),
            None => return,
        },
    };
    match retrieval::ask(services, settings, &asked) {
        Ok(Outcome::Unknown) => findings.push(passed(
            "look-up".to_owned(),
            "a device that does not exist is answered as unknown".to_owned(),
        )),
        Ok(Outcome::Found(_) | Outcome::Ambiguous(_)) => findings.push(failed(
            "look-up".to_owned(),
            "a device that does not exist was found".to_owned(),
            "the service does not look at what it is asked for; do not use it",
        )),
        Err(failure) => push_unless_told(findings, "look-up", &failure, Party::Intune),
    }
}

/// Whether the inventory can be read.
fn read_devices<S: Services>(findings: &mut Vec<Finding>, services: &S, settings: &Settings) {
    match inventory::probe(services, settings) {
        Ok(()) => findings.push(passed(
            "inventory".to_owned(),
            "the list of devices can be read".to_owned(),
        )),
        Err(failure) => push_unless_told(findings, "inventory", &failure, Party::Devices),
    }
}

/// How far a request got on its way to a host.
fn way<S: Services>(findings: &mut Vec<Finding>, address: &Address, probe: &Probe<'_, S>) {
    let host = &address.host;
    let resolution = format!("name resolution {host}");
    let connection = format!("connection {host}");
    let tls = format!("TLS {host}");
    let fine = |subject: String| passed(subject, "works".to_owned());
    let Some(outcome) = probe.first.take() else {
        return;
    };
    match outcome {
        Way::Refused(HttpError::NameResolution(why)) => findings.push(failed(
            resolution,
            why,
            "check the gateway's DNS, and the name if it is not Microsoft's",
        )),
        Way::Refused(HttpError::Connect(why)) => {
            findings.push(fine(resolution));
            findings.push(failed(
                connection,
                why,
                "let the gateway's firewall and proxy pass https to this host",
            ));
        }
        Way::Refused(HttpError::Tls(why)) => {
            findings.push(fine(resolution));
            findings.push(fine(connection));
            findings.push(failed(
                tls,
                why,
                "a proxy may open TLS on the way: import its root certificate, or except this host",
            ));
        }
        Way::Refused(HttpError::Denied(why)) => {
            findings.push(failed(connection, why, "grant this connector the host"));
        }
        Way::Refused(HttpError::Timeout) => findings.push(failed(
            connection,
            "no answer in time".to_owned(),
            "try again, and check the way to this host",
        )),
        // Nothing was sent, or something else went wrong: no statement.
        Way::Refused(_) => {}
        Way::Answered => {
            findings.push(fine(resolution));
            findings.push(fine(tls));
        }
    }
}

/// A step failed. If the way to it did already, that says it all.
fn push_unless_told(findings: &mut Vec<Finding>, subject: &str, failure: &Failure, party: Party) {
    let told = findings.last().is_some_and(|finding| {
        finding.verdict == Verdict::Failed
            && ["name resolution ", "connection ", "TLS "]
                .iter()
                .any(|step| finding.subject.starts_with(step))
    });
    if !told {
        findings.push(Finding {
            subject: subject.to_owned(),
            verdict: Verdict::Failed,
            message: text(&failure.error),
            hint: hint(&failure.error, party),
        });
    }
}

fn hint(error: &Error, party: Party) -> Option<String> {
    let hint = match error {
        Error::Misconfigured(_) => {
            "check tenant and settings: the tenant must have Intune".to_owned()
        }
        Error::Unauthenticated(_) => format!("check the credential `{}`", party.slot()),
        Error::Forbidden(_) => format!(
            "add `{}` ({}), grant admin consent and wait up to 10 minutes",
            party.permission(),
            party.permission_place()
        ),
        Error::RateLimited(_) | Error::Unavailable(_) | Error::Timeout => {
            "try again later; Microsoft's service health page may know more".to_owned()
        }
        Error::BadResponse(_) => {
            "check that nothing on the way changes answers; else report this".to_owned()
        }
        Error::Unsupported(_) | Error::Other(_) => return None,
    };
    Some(hint)
}

fn text(error: &Error) -> String {
    match error {
        Error::Misconfigured(text)
        | Error::Unauthenticated(text)
        | Error::Forbidden(text)
        | Error::Unavailable(text)
        | Error::BadResponse(text)
        | Error::Unsupported(text)
        | Error::Other(text) => text.clone(),
        Error::RateLimited(Some(pause)) => {
            format!("asked to wait for {} s", pause.div_ceil(1000))
        }
        Error::RateLimited(None) => "asked to wait".to_owned(),
        Error::Timeout => "no answer in time".to_owned(),
    }
}

fn passed(subject: String, message: String) -> Finding {
    Finding {
        subject,
        verdict: Verdict::Passed,
        message,
        hint: None,
    }
}

fn failed(subject: String, message: String, hint: &str) -> Finding {
    Finding {
        subject,
        verdict: Verdict::Failed,
        message,
        hint: Some(hint.to_owned()),
    }
}

mod probe;
use probe::{Probe, Way};

#[cfg(test)]
mod tests;
