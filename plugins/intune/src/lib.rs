//! Connector for Microsoft Intune.
//!
//! It asks Intune's compliance retrieval service (NAC 2.0) about single devices,
//! by the device's Intune id or by a MAC address. Where that service is for a
//! tenant is discovered through Microsoft Graph. Both want a token, which the
//! host adds: this component never sees one.
//!
//! The parts: `discovery` finds the service, `retrieval` asks it, `answer` reads
//! what it says and `device` makes a device record of it, `check` tries all of
//! that for an administrator, `inventory` reads the whole fleet from Graph, `scep`
//! asks about certificate requests and tells what became of them, `actions` acts
//! on devices through Graph,
//! `errors` says what a failure means. Everything but
//! this file talks to its host through the trait in `services`, so it runs in
//! plain tests as well.

mod actions;
mod address;
mod answer;
mod check;
mod device;
mod discovery;
mod errors;
mod host;
mod identifier;
mod inventory;
mod retrieval;
mod scep;
mod services;
mod settings;
mod xml;

use portreeve_plugin::connector::actions::{Action, Guest as Actions, Ticket};
use portreeve_plugin::connector::inventory::{Guest as Inventory, Page, SyncError};
use portreeve_plugin::connector::{Check, Error, Lookup, Outcome, Report};
use portreeve_plugin::device::{Device, DeviceId};
use portreeve_plugin::scep::requests::{Failed, Guest as Scep, Issued, Request, Verdict};
use portreeve_plugin::scep::revocations::{Guest as Revocations, Outcome as Revoked, Revocation};
use portreeve_plugin::{ConfigProblem, CredentialSlot, Descriptor, Plugin, log};

use errors::Party;
use host::Host;
use settings::Settings;

struct Intune;

impl Plugin for Intune {
    fn describe() -> Descriptor {
        Descriptor {
            id: "dev.portreeve.intune".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            display_name: "Microsoft Intune".to_owned(),
            vendor: Some("Portreeve".to_owned()),
            license: Some(env!("CARGO_PKG_LICENSE").to_owned()),
            homepage: None,
            config_schema: settings::SCHEMA.to_owned(),
            egress: vec![
                "graph.microsoft.com".to_owned(),
                "*.manage.microsoft.com".to_owned(),
            ],
            credentials: vec![
                slot(
                    Party::Graph,
                    "Application in Microsoft Entra that may read service principals, to find the \
                     compliance service, devices if there is to be an inventory, and act on them \
                     if that is wanted. Scope `https://graph.microsoft.com/.default`.",
                    &[Party::Graph, Party::Devices],
                ),
                slot(
                    Party::Intune,
                    "The same application, for Intune itself. Scope \
                     `https://api.manage.microsoft.com//.default`, with both slashes. The \
                     permission scep_challenge_provider is for certificate requests only.",
                    &[Party::Intune, Party::Scep],
                ),
            ],
        }
    }

    fn validate_config(document: String) -> Result<(), Vec<ConfigProblem>> {
        Settings::parse(&document).map(|_| ())
    }
}

impl Check for Intune {
    fn run() -> Report {
        log::report_panics();
        match Host::settings() {
            Ok(settings) => check::run(&Host, &settings),
            Err(problem) => check::unusable(problem),
        }
    }
}

impl Lookup for Intune {
    fn find(ids: Vec<DeviceId>) -> Result<Outcome, Error> {
        log::report_panics();
        let settings = Host::settings().map_err(Error::Misconfigured)?;
        retrieval::find(&Host, &settings, &ids)
    }

    fn read(key: String) -> Result<Option<Device>, Error> {
        log::report_panics();
        let settings = Host::settings().map_err(Error::Misconfigured)?;
        retrieval::read(&Host, &settings, &key)
    }
}

impl Inventory for Intune {
    fn next_page(cursor: Option<String>, limit: u32) -> Result<Page, SyncError> {
        log::report_panics();
        let settings =
            Host::settings().map_err(|problem| SyncError::Failed(Error::Misconfigured(problem)))?;
        inventory::next_page(&Host, &settings, cursor.as_deref(), limit)
    }
}

impl Actions for Intune {
    fn supported(device: String) -> Result<Vec<String>, Error> {
        log::report_panics();
        Ok(actions::supported(&Host, &device))
    }

    fn start(device: String, action: Action, key: String) -> Result<Ticket, Error> {
        log::report_panics();
        let settings = Host::settings().map_err(Error::Misconfigured)?;
        actions::start(&Host, &settings, &device, action, &key)
    }

    fn status(device: String, ticket: String) -> Result<Ticket, Error> {
        log::report_panics();
        let settings = Host::settings().map_err(Error::Misconfigured)?;
        actions::status(&Host, &settings, &device, &ticket)
    }
}

impl Scep for Intune {
    fn validate(request: Request) -> Result<Verdict, Error> {
        log::report_panics();
        let settings = Host::settings().map_err(Error::Misconfigured)?;
        scep::validate(&Host, &settings, &request)
    }

    fn notify_success(request: Request, issued: Issued) -> Result<(), Error> {
        log::report_panics();
        let settings = Host::settings().map_err(Error::Misconfigured)?;
        scep::notify_success(&Host, &settings, &request, &issued)
    }

    fn notify_failure(request: Request, failed: Failed) -> Result<(), Error> {
        log::report_panics();
        let settings = Host::settings().map_err(Error::Misconfigured)?;
        scep::notify_failure(&Host, &settings, &request, &failed)
    }
}

impl Revocations for Intune {
    fn pending(limit: u32, issuer: Option<String>) -> Result<Vec<Revocation>, Error> {
        log::report_panics();
        let settings = Host::settings().map_err(Error::Misconfigured)?;
        scep::pending(&Host, &settings, limit, issuer.as_deref())
    }

    fn report(outcomes: Vec<Revoked>) -> Result<(), Error> {
        log::report_panics();
        let settings = Host::settings().map_err(Error::Misconfigured)?;
        scep::report(&Host, &settings, &outcomes)
    }
}

fn slot(party: Party, description: &str, rights: &[Party]) -> CredentialSlot {
    CredentialSlot {
        name: party.slot().to_owned(),
        description: description.to_owned(),
        kinds: ["oauth2-client-certificate", "oauth2-client-secret"]
            .map(str::to_owned)
            .to_vec(),
        permissions: rights
            .iter()
            .map(|party| party.permission().to_owned())
            .collect(),
        optional: false,
    }
}

portreeve_plugin::export_connector!(Intune);
portreeve_plugin::export_inventory!(Intune);
portreeve_plugin::export_actions!(Intune);
portreeve_plugin::export_scep!(Intune);
portreeve_plugin::export_revocations!(Intune);
