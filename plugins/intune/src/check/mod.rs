//! Whether a tenant can be used, step by step, and what to do if it cannot.

pub(crate) mod code;
mod finding;
pub(crate) mod permission;
mod probe;

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
use code::Code;
use finding::{failed, passed};
use permission::Function;
use probe::{Probe, Way};

/// A device that no tenant has: these are not random enough to be given out.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// Tries everything that a look-up needs. A step whose ground is missing is not
/// tried; what is wrong with a token, the host has already told.
pub(crate) fn run<S: Services>(services: &S, settings: &Settings) -> Report {
    let mut findings = Vec::new();
    let wanted = settings.inventory == Inventory::Graph;
    let [graph, intune] = [Party::Graph, Party::Intune].map(|party| {
        let info = services.renew_credential(party.slot());
        credential(&mut findings, party, &info, settings)
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
    let mut report = report(findings);
    if !(graph && intune) {
        report.verdict = Verdict::Failed;
    }
    report
}

/// The report about settings that cannot be read at all.
pub(crate) fn unusable(problem: String) -> Report {
    report(vec![failed(
        Code::Settings,
        "settings",
        problem,
        "correct the settings of this connector".to_owned(),
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

/// Whether there is a token, and what it permits.
fn credential(findings: &mut Vec<Finding>, party: Party, info: &Info, settings: &Settings) -> bool {
    let slot = party.slot();
    match info.status {
        Status::Missing => {
            findings.push(failed(
                Code::CredentialMissing,
                &format!("token {slot}"),
                format!("no credential `{slot}` is configured"),
                "give this connector a credential of that name".to_owned(),
            ));
            return false;
        }
        Status::Failing => return false,
        Status::Idle | Status::Ready => {}
    }
    let is_on = |function: &Function| match function.name {
        "discovery" | "compliance" => true,
        "inventory" => settings.inventory == Inventory::Graph,
        "compliance details" => settings.compliance_details,
        _ => false,
    };
    findings.extend(permission::findings(slot, &info.permissions, is_on));
    true
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
                Code::Settings,
                "settings",
                text(&failure.error),
                "correct `graph-url`".to_owned(),
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
                let problem = text(&failure.error);
                findings.push(failed(Code::Settings, "settings", problem, hint.to_owned()));
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
            Code::FoundNobody,
            "look-up",
            "a device that does not exist was found".to_owned(),
            "the service does not look at what it is asked for; do not use it".to_owned(),
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
            Code::NameResolution,
            &resolution,
            why,
            "check the gateway's DNS, and the name if it is not Microsoft's".to_owned(),
        )),
        Way::Refused(HttpError::Connect(why)) => {
            findings.push(fine(resolution));
            findings.push(failed(
                Code::Connection,
                &connection,
                why,
                "let the gateway's firewall and proxy pass https to this host".to_owned(),
            ));
        }
        Way::Refused(HttpError::Tls(why)) => {
            findings.push(fine(resolution));
            findings.push(fine(connection));
            findings.push(failed(
                Code::Certificate,
                &tls,
                why,
                "if a firewall opens TLS on the way, add its root certificate to `trust`, or \
                 except this host"
                    .to_owned(),
            ));
        }
        Way::Refused(HttpError::Denied(why)) => {
            findings.push(failed(
                Code::NotGranted,
                &connection,
                why,
                "grant this connector the host in `egress`, and its network in \
                 `private-networks` if it is a private one"
                    .to_owned(),
            ));
        }
        Way::Refused(HttpError::Timeout) => findings.push(failed(
            Code::Timeout,
            &connection,
            "no answer in time".to_owned(),
            "try again, and check the way to this host".to_owned(),
        )),
        // Nothing was sent, or something else went wrong: no statement.
        Way::Refused(_) => {}
        Way::Answered => findings.extend([resolution, connection, tls].map(fine)),
    }
}

/// A step failed. If the way to it did already, that says it all.
fn push_unless_told(findings: &mut Vec<Finding>, subject: &str, failure: &Failure, party: Party) {
    let told = findings.last().is_some_and(|finding| {
        finding.verdict == Verdict::Failed
            && ["] name resolution ", "] connection ", "] TLS "]
                .iter()
                .any(|step| finding.subject.contains(step))
    });
    if !told {
        let code = code(failure, party);
        findings.push(failed(
            code,
            subject,
            text(&failure.error),
            advice(code, party),
        ));
    }
}

fn code(failure: &Failure, party: Party) -> Code {
    if let Some(code) = failure.code {
        return code;
    }
    match (&failure.error, party) {
        (Error::Misconfigured(_), _) => Code::NoLicence,
        (Error::Unauthenticated(_), Party::Graph | Party::Devices) => Code::GraphTokenRefused,
        (Error::Unauthenticated(_), Party::Intune | Party::Scep | Party::Revocation) => {
            Code::ServiceTokenRefused
        }
        (Error::Forbidden(_), Party::Graph) => Code::GraphForbidden,
        (Error::Forbidden(_), Party::Devices) => Code::DevicesForbidden,
        (Error::Forbidden(_), Party::Intune | Party::Scep | Party::Revocation) => {
            Code::ServiceForbidden
        }
        (Error::RateLimited(_), _) => Code::Busy,
        (Error::Unavailable(_), _) if failure.moved => Code::Moved,
        (Error::Unavailable(_), _) => Code::Unavailable,
        (Error::Timeout, _) => Code::Timeout,
        (Error::BadResponse(_), _) => Code::AnswerUnusable,
        (Error::Unsupported(_) | Error::Other(_), _) => Code::Other,
    }
}

fn advice(code: Code, party: Party) -> String {
    let grant = || {
        format!(
            "add `{}` ({}), grant admin consent and wait up to 10 minutes",
            party.permission(),
            party.permission_place()
        )
    };
    match code {
        Code::GraphForbidden | Code::DevicesForbidden | Code::ServiceForbidden => grant(),
        Code::DelegatedOnly => format!(
            "a delegated permission is of no use, because there is no user; {}",
            grant()
        ),
        Code::NoLicence => {
            "the tenant must have Intune: check the tenant in the token URL, and its licences"
                .to_owned()
        }
        Code::GraphTokenRefused => format!(
            "the scope of credential `{}` must be that of this Microsoft Graph, e.g. \
             `https://graph.microsoft.com/.default`",
            party.slot()
        ),
        Code::ServiceTokenRefused => format!(
            "the scope of credential `{}` must be `https://api.manage.microsoft.com//.default`, \
             with two slashes; or {}",
            party.slot(),
            grant()
        ),
        Code::NoToken => format!("see what the step `token {}` says", party.slot()),
        Code::ServiceElsewhere => {
            "if this host is Microsoft's, add it to `service-hosts`, `egress` and the `urls` of \
             credential `intune`; if not, tell Microsoft"
                .to_owned()
        }
        Code::Moved | Code::Busy | Code::Unavailable | Code::Timeout => {
            "try again later; Microsoft's service health page may know more".to_owned()
        }
        Code::AnswerUnusable => {
            "check that nothing on the way changes answers; else report this".to_owned()
        }
        _ => "look at the message and the log; if they do not help, report this".to_owned(),
    }
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

#[cfg(test)]
mod tests;
