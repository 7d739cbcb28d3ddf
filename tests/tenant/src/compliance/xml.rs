//! The XML that the compliance services answer with, literally as recorded.

use std::fmt::Write;

use quick_xml::escape::escape;
use uuid::Uuid;

use super::{Api, Criterion};
use crate::device::{Compliance, Device, Mac};

const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
const MODEL: &str = "http://schemas.datacontract.org/2004/07/Microsoft.Intune.ResourceAccess.ComplianceRetrievalService.Model";

/// How the answer names a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Guid(Uuid),
    Mac(Mac),
}

/// Choices about the answer that the real service does not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) api: Api,
    /// Adds the attributes of the generic ISE interface.
    pub(super) rich: bool,
    /// Whether a device in its grace period has the status `true`.
    pub(super) grace_is_compliant: bool,
}

struct Xml(String);

impl Xml {
    fn open(&mut self, name: &str) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "<{name}>");
    }

    fn close(&mut self, name: &str) {
        let _ = write!(self.0, "</{name}>");
    }

    fn text(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            let _ = write!(self.0, "<{name}/>");
        } else {
            let _ = write!(self.0, "<{name}>{}</{name}>", escape(value));
        }
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.text(name, if value { "true" } else { "false" });
    }

    fn maybe(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }
}

fn root(api: Api) -> Xml {
    Xml(match api {
        Api::V2 => "<ise_api>".to_owned(),
        Api::V3 => format!(r#"<ise_api xmlns:i="{INSTANCE}" xmlns="{MODEL}">"#),
    })
}

/// The answer of `mdminfo`.
pub(super) fn server_info(api: Api) -> String {
    let mut xml = root(api);
    let (version, path) = match api {
        Api::V2 => ("2", "/StatelessNacService/ciscodeviceinfo/mdm/api"),
        Api::V3 => (
            "3",
            "/TrafficGateway/TrafficRoutingService/ResourceAccess/ComplianceRetrievalService/cisco",
        ),
    };
    xml.text("name", "mdminfo");
    xml.text("api_version", version);
    xml.text("api_path", path);
    xml.text(
        "redirect_url",
        "https://portal.manage.microsoft.com/networkaccesscontrol/index",
    );
    xml.text("query_max_size", "100");
    xml.flag("messaging_support", false);
    xml.text("vendor", "Microsoft");
    xml.text("product_name", "Microsoft Intune");
    xml.text("product_version", "5.0");
    xml.close("ise_api");
    xml.0
}

/// Begins an answer about devices; `list` when it is for all that are not compliant.
fn attributes(api: Api, list: bool) -> Xml {
    let mut xml = root(api);
    xml.text("name", "attributes");
    xml.text("api_version", if api == Api::V2 { "2" } else { "3" });
    if list || api == Api::V2 {
        xml.text("paging_info", "0");
    }
    xml.open("deviceList");
    xml
}

fn finish(mut xml: Xml) -> String {
    xml.close("deviceList");
    xml.close("ise_api");
    xml.0
}

/// The answer about one device that was asked for with `key`; without a record it says
/// "not registered", and with `omit_unknown` nothing at all.
pub(super) fn single(
    style: Style,
    key: Key,
    device: Option<&Device>,
    omit_unknown: bool,
) -> String {
    let mut xml = attributes(style.api, false);
    match device.filter(|device| device.registered) {
        Some(device) => write_device(&mut xml, style, key, Some(device)),
        None if omit_unknown => {}
        None => write_device(&mut xml, style, key, None),
    }
    finish(xml)
}

/// The list of devices that are not compliant, by id or by address.
pub(super) fn list(style: Style, by: Criterion, devices: impl Iterator<Item = Device>) -> String {
    let mut xml = attributes(style.api, true);
    for device in devices {
        match by {
            Criterion::Guid => write_device(&mut xml, style, Key::Guid(device.guid), Some(&device)),
            Criterion::Mac => {
                for mac in device.macs() {
                    write_device(&mut xml, style, Key::Mac(mac), Some(&device));
                }
            }
        }
    }
    finish(xml)
}

fn write_device(xml: &mut Xml, style: Style, key: Key, device: Option<&Device>) {
    let (attributes, compliance) = match style.api {
        Api::V2 => ("attributes", "compliance"),
        Api::V3 => ("Attributes", "Compliance"),
    };
    xml.open("device");
    if style.api == Api::V3 {
        write_key(xml, key);
    }
    xml.open(attributes);
    if style.api == Api::V3 {
        write_key(xml, key);
    }
    xml.flag("register_status", device.is_some());
    if let Some(device) = device {
        write_compliance(xml, style, compliance, device);
        if style.rich {
            write_rich(xml, device);
        } else if style.api == Api::V2 {
            write_v2(xml, device);
        }
    }
    xml.close(attributes);
    xml.close("device");
}

fn write_key(xml: &mut Xml, key: Key) {
    match key {
        Key::Guid(guid) => xml.text("guid", &guid.to_string()),
        Key::Mac(mac) => xml.text("macaddress", &mac.to_string()),
    }
}

fn write_compliance(xml: &mut Xml, style: Style, name: &str, device: &Device) {
    let status = match device.compliance {
        Compliance::Compliant => true,
        Compliance::NonCompliant => false,
        Compliance::InGracePeriod { .. } => style.grace_is_compliant,
        // Nothing was evaluated, so there is nothing to say.
        Compliance::NotEvaluated => return,
    };
    xml.open(name);
    xml.flag("status", status);
    if style.rich {
        xml.maybe("failure_reason", device.failure_reason.as_deref());
    }
    xml.close(name);
}

/// What the old service adds by itself.
fn write_v2(xml: &mut Xml, device: &Device) {
    xml.flag("pin_lock_on", device.pin_lock);
    xml.text("model", &device.model);
    xml.text("udid", device.udid.as_deref().unwrap_or_default());
    xml.text("serial_number", &device.serial_number);
    xml.text("os_version", &device.os_version);
}

/// The attributes of the ISE MDM interface (`nac-protocols.md` 1.4); the last two are our own.
fn write_rich(xml: &mut Xml, device: &Device) {
    xml.flag("disk_encryption_on", device.encrypted);
    xml.flag("pin_lock_on", device.pin_lock);
    xml.flag("jail_broken", device.jailbroken);
    xml.text("manufacturer", &device.manufacturer);
    xml.text("model", &device.model);
    xml.maybe("imei", device.imei.as_deref());
    xml.maybe("meid", device.meid.as_deref());
    xml.maybe("udid", device.udid.as_deref());
    xml.text("serial_number", &device.serial_number);
    xml.text("os_version", &device.os_version);
    xml.text("lastCheckinTimeStamp", &device.last_check_in.to_string());
    let macs: Vec<String> = device.macs().map(|mac| mac.to_string()).collect();
    xml.text("macaddresses", &macs.join(","));
    xml.text("operating_system", &device.operating_system);
    if let Compliance::InGracePeriod { expires } = device.compliance {
        xml.text("grace_period_expiration", &expires.to_string());
    }
}
