//! Intune's services for network access control: NAC 1.x in its ISE form (`StatelessNACService`)
//! and NAC 2.0 (`ComplianceRetrievalService`).

#[cfg(test)]
mod tests;
mod window;
mod xml;

use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use parking_lot::{Mutex, RwLock};
use uuid::Uuid;

use crate::device::{Compliance, Directory, Mac};
use window::Window;
use xml::{Key, Style};

/// Version of the ISE interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// `StatelessNACService`.
    V2,
    /// `ComplianceRetrievalService`.
    V3,
}

/// The identifiers that the list can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Criterion {
    Guid,
    Mac,
}

/// The devices and how they are answered for.
#[derive(Debug)]
pub(crate) struct ComplianceService {
    pub(crate) directory: RwLock<Directory>,
    pub(crate) rich: AtomicBool,
    pub(crate) omit_unknown: AtomicBool,
    pub(crate) grace_is_compliant: AtomicBool,
    window: Mutex<Window>,
}

/// Status and XML, or plain text for a refusal.
pub(crate) type Answer = Result<String, (StatusCode, String)>;

impl ComplianceService {
    pub(crate) fn new(directory: Directory) -> Self {
        Self {
            directory: RwLock::new(directory),
            rich: AtomicBool::new(false),
            omit_unknown: AtomicBool::new(false),
            grace_is_compliant: AtomicBool::new(true),
            window: Mutex::default(),
        }
    }

    /// Answers `mdminfo`; `query` is that of the URL.
    pub(crate) fn server_info(api: Api, query: &str) -> Answer {
        let asked = parameter(query, "ise_api_version");
        match (api, asked.as_deref()) {
            (Api::V2, None | Some("2")) | (Api::V3, None | Some("3")) => Ok(xml::server_info(api)),
            (_, Some(other)) => Err(refused(&format!(
                "ise_api_version '{other}' is not supported"
            ))),
        }
    }

    /// Answers a query for one device, or for all that are not compliant; `now` in milliseconds.
    pub(crate) fn devices(&self, api: Api, query: &str, now: i64) -> Answer {
        let style = Style {
            api,
            rich: self.rich.load(Ordering::Relaxed),
            grace_is_compliant: self.grace_is_compliant.load(Ordering::Relaxed),
        };
        let criterion = parameter(query, "querycriteria")
            .ok_or_else(|| refused("the parameter 'querycriteria' is missing"))?;
        let value =
            parameter(query, "value").ok_or_else(|| refused("the parameter 'value' is missing"))?;
        let directory = self.directory.read();
        let (key, device) = match criterion.as_str() {
            "guid" if api == Api::V3 => {
                let guid = Uuid::parse_str(&value)
                    .map_err(|_| refused(&format!("'{value}' is not a GUID")))?;
                (Key::Guid(guid), directory.get(guid))
            }
            "macaddress" => {
                let mac: Mac = value
                    .parse()
                    .map_err(|_| refused(&format!("'{value}' is not a MAC address")))?;
                (Key::Mac(mac), directory.find(mac))
            }
            "compliance" if value.eq_ignore_ascii_case("false") => {
                return self.non_compliant(style, query, now, &directory);
            }
            _ => {
                return Err(refused(&format!(
                    "querycriteria '{criterion}' is not supported"
                )));
            }
        };
        let omit = self.omit_unknown.load(Ordering::Relaxed);
        Ok(xml::single(style, key, device.as_ref(), omit))
    }

    fn non_compliant(&self, style: Style, query: &str, now: i64, directory: &Directory) -> Answer {
        let by = match parameter(query, "deviceidentifier").as_deref() {
            Some("guid") if style.api == Api::V3 => Criterion::Guid,
            None | Some("macaddress") => Criterion::Mac,
            Some(other) => {
                return Err(refused(&format!(
                    "deviceidentifier '{other}' is not supported"
                )));
            }
        };
        if !self.window.lock().admit(now) {
            let text = "the list is available for 60 minutes every 4 hours".to_owned();
            return Err((StatusCode::SERVICE_UNAVAILABLE, text));
        }
        let listed = directory.all().filter(|device| {
            device.registered
                && match device.compliance {
                    Compliance::NonCompliant => true,
                    Compliance::InGracePeriod { .. } => !style.grace_is_compliant,
                    Compliance::Compliant | Compliance::NotEvaluated => false,
                }
        });
        Ok(xml::list(style, by, listed))
    }
}

fn refused(text: &str) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, text.to_owned())
}

/// The first parameter of this name, compared without regard to case.
fn parameter(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.into_owned())
}
