//! Connector for Microsoft Intune.

use portreeve_plugin::connector::{Check, Error, Lookup, Outcome, Report, Verdict};
use portreeve_plugin::device::{Device, DeviceId};
use portreeve_plugin::{ConfigProblem, Descriptor, Plugin};

struct Intune;

impl Plugin for Intune {
    fn describe() -> Descriptor {
        Descriptor {
            id: "dev.portreeve.intune".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            display_name: "Microsoft Intune".to_owned(),
            vendor: None,
            license: None,
            homepage: None,
            config_schema: "{}".to_owned(),
            egress: Vec::new(),
            credentials: Vec::new(),
        }
    }

    fn validate_config(_document: String) -> Result<(), Vec<ConfigProblem>> {
        Ok(())
    }
}

impl Check for Intune {
    fn run() -> Report {
        Report {
            verdict: Verdict::Failed,
            findings: Vec::new(),
        }
    }
}

impl Lookup for Intune {
    fn find(_ids: Vec<DeviceId>) -> Result<Outcome, Error> {
        Err(Error::Unsupported("not there yet".to_owned()))
    }

    fn read(_key: String) -> Result<Option<Device>, Error> {
        Err(Error::Unsupported("not there yet".to_owned()))
    }
}

portreeve_plugin::export_connector!(Intune);
