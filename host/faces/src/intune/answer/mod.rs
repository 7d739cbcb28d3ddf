//! What the compliance services answer, in the forms in which products know
//! Intune's: XML as Cisco defined it, and flat JSON.

use portreeve_domain::{Identifier, MacAddress, Timestamp, Tristate};
use serde::Serialize;

use super::path::{RETRIEVAL, STATELESS, Service};
use super::xml::Xml;
use crate::text::Rfc3339;
use crate::told::Told;

/// How the newer service begins its answers.
const V3_ROOT: &str = "<ise_api xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" \
     xmlns=\"http://schemas.datacontract.org/2004/07/Microsoft.Intune.ResourceAccess.ComplianceRetrievalService.Model\">";
const END: &str = "</ise_api>";
/// Where Intune sends users; there is no enrolment here.
const PORTAL: &str = "https://portal.manage.microsoft.com/networkaccesscontrol/index";

/// The answer of `mdminfo`.
pub(super) fn information(service: Service) -> String {
    let (version, path) = match service {
        Service::V2 => ("2", format!("/intune/{STATELESS}/ciscodeviceinfo/mdm/api")),
        Service::V3 => ("3", format!("/intune/{RETRIEVAL}/cisco")),
    };
    document(service, |xml| {
        xml.text("name", "mdminfo")
            .text("api_version", version)
            .text("api_path", &path)
            .text("redirect_url", PORTAL)
            .text("query_max_size", "100")
            .flag("messaging_support", false)
            .text("vendor", "Portreeve")
            .text("product_name", "Portreeve")
            .text("product_version", env!("CARGO_PKG_VERSION"));
    })
}

/// The answer about one device.
pub(super) fn single(service: Service, asked: &Identifier, told: Told<'_>) -> String {
    document(service, |xml| {
        write_head(xml, service);
        if service == Service::V2 {
            xml.text("paging_info", "0");
        }
        xml.element("deviceList", |xml| write_device(xml, service, asked, told));
    })
}

/// What stands before and behind the devices of a list.
pub(super) fn list_around(service: Service) -> (String, String) {
    let mut start = Xml::default();
    start.raw(root(service));
    write_head(&mut start, service);
    start.text("paging_info", "0").raw("<deviceList>");
    (start.into_text(), format!("</deviceList>{END}"))
}

fn write_head(xml: &mut Xml, service: Service) {
    let version = match service {
        Service::V2 => "2",
        Service::V3 => "3",
    };
    xml.text("name", "attributes").text("api_version", version);
}

fn document(service: Service, write: impl FnOnce(&mut Xml)) -> String {
    let mut xml = Xml::default();
    xml.raw(root(service));
    write(&mut xml);
    xml.raw(END);
    xml.into_text()
}

const fn root(service: Service) -> &'static str {
    match service {
        Service::V2 => "<ise_api>",
        Service::V3 => V3_ROOT,
    }
}

/// One device, named as it was asked for. One that no source knows is there,
/// too, as not registered and without a word about compliance.
pub(super) fn write_device(xml: &mut Xml, service: Service, named: &Identifier, told: Told<'_>) {
    let (attributes, compliance) = match service {
        Service::V2 => ("attributes", "compliance"),
        Service::V3 => ("Attributes", "Compliance"),
    };
    xml.element("device", |xml| {
        if service == Service::V3 {
            write_name(xml, named);
        }
        xml.element(attributes, |xml| {
            if service == Service::V3 {
                write_name(xml, named);
                let by_guid = matches!(named, Identifier::Guid(_));
                if let (false, Some(guid)) = (by_guid, told.guid()) {
                    xml.text("guid", &guid.to_string());
                }
            }
            xml.flag("register_status", told.is_registered());
            if told.is_registered() {
                xml.element(compliance, |xml| write_compliance(xml, told));
                if service == Service::V2 {
                    write_facts(xml, told);
                }
            }
        });
    });
}

fn write_name(xml: &mut Xml, named: &Identifier) {
    match named {
        Identifier::Guid(guid) => xml.text("guid", &guid.to_string()),
        Identifier::Mac(mac) => xml.text("macaddress", &plain(*mac)),
        other => xml.text(other.kind(), &other.value()),
    };
}

fn write_compliance(xml: &mut Xml, told: Told<'_>) {
    xml.flag("status", told.is_compliant());
    if told.is_compliant() {
        return;
    }
    if let Some(reason) = told.reason() {
        xml.text("failure_reason", &reason.message);
    }
    if let Some(help) = told.remediation() {
        xml.text("remediation", &help.message);
    }
}

/// What the older service adds.
fn write_facts(xml: &mut Xml, told: Told<'_>) {
    let Some(device) = told.device() else {
        return;
    };
    if device.posture.screen_lock != Tristate::Unknown {
        xml.flag("pin_lock_on", device.posture.screen_lock == Tristate::Yes);
    }
    let version = device.os.as_ref().and_then(|os| os.version.as_deref());
    xml.text("model", device.model.as_deref().unwrap_or_default())
        .text("udid", told.udid().unwrap_or_default())
        .text("serial_number", told.serial().unwrap_or_default())
        .text("os_version", version.unwrap_or_default());
}

/// An address as Intune writes it.
fn plain(mac: MacAddress) -> String {
    let written = mac.to_string().to_ascii_uppercase();
    written
        .chars()
        .filter(|character| *character != ':')
        .collect()
}

/// A device as flat JSON. One that no source knows is not managed, and nothing
/// else is said of it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Flat<'a> {
    is_managed: bool,
    compliance_state: Option<bool>,
    mac_address: Option<String>,
    serial_number: Option<&'a str>,
    imei: Option<&'a str>,
    udid: Option<&'a str>,
    meid: Option<&'a str>,
    os_version: Option<&'a str>,
    model: Option<&'a str>,
    manufacturer: Option<&'a str>,
    azure_device_id: Option<&'a str>,
    device_owner: Option<&'a str>,
    last_contact_time_utc: Option<String>,
}

impl<'a> Flat<'a> {
    pub(super) fn of(asked: &Identifier, told: Told<'a>) -> Self {
        let mac = asked.as_mac().or_else(|| told.macs().next());
        let named = Self {
            mac_address: mac.map(plain),
            ..Self::default()
        };
        if !told.is_registered() {
            return named;
        }
        let judged = Self {
            is_managed: true,
            compliance_state: Some(told.is_compliant()),
            ..named
        };
        let Some(device) = told.device() else {
            return judged;
        };
        Self {
            serial_number: told.serial(),
            imei: told.imei(),
            udid: told.udid(),
            meid: told.meid(),
            os_version: device.os.as_ref().and_then(|os| os.version.as_deref()),
            model: device.model.as_deref(),
            manufacturer: device.manufacturer.as_deref(),
            azure_device_id: told.other("entra-device-id"),
            device_owner: device
                .user
                .as_ref()
                .and_then(|user| user.principal_name.as_deref()),
            last_contact_time_utc: device.last_seen.map(us_moment),
            ..judged
        }
    }
}

/// `MM/DD/YYYY HH:MM:SS`, UTC.
fn us_moment(moment: Timestamp) -> String {
    let text = Rfc3339(moment).to_string();
    let part = |range| text.get(range).unwrap_or_default();
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    format!("{month}/{day}/{year} {}", part(11..19))
}

#[cfg(test)]
mod tests;
