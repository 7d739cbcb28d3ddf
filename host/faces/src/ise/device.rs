//! A device as ISE reads it.

use portreeve_domain::{
    Decision, Device, Enrollment, Guid, Identifier, MacAddress, Tristate, Value, Verdict,
};

use super::filter::{Field, Filter};
use super::version::Version;
use super::xml::Xml;
use crate::text::one_line;

/// Addresses that an answer holds at most (Cisco, ISE MDM API v3).
const MOST_ADDRESSES: usize = 5;
/// Bytes of a reason or a remediation.
const LONGEST_TEXT: usize = 1_000;
/// Bytes of any other text about a device.
const LONGEST_VALUE: usize = 256;

/// What a device is called in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Name {
    MacAddress(MacAddress),
    Guid(Guid),
}

/// One device of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// `None` when it has neither an address nor a GUID.
    pub(super) name: Option<Name>,
    /// `None` when a policy decided without facts.
    pub(super) device: Option<&'a Device>,
    pub(super) decision: &'a Decision,
}

impl<'a> Entry<'a> {
    /// The answer to a question for one device: it is called as it was asked
    /// for, where that is possible.
    pub(super) fn of_question(
        asked: &Identifier,
        device: Option<&'a Device>,
        decision: &'a Decision,
        version: Version,
    ) -> Self {
        let name = match asked {
            Identifier::Mac(mac) => Some(Name::MacAddress(*mac)),
            Identifier::Guid(guid) => Some(Name::Guid(*guid)),
            _ => device.and_then(|device| {
                let mac = macs(device).next().map(Name::MacAddress);
                let guid = guid(device).map(Name::Guid);
                match version {
                    Version::V3 if matches!(asked, Identifier::Hostname(_)) => guid.or(mac),
                    Version::V3 => mac.or(guid),
                    Version::V1 | Version::V2 => mac,
                }
            }),
        };
        Self {
            name,
            device,
            decision,
        }
    }

    /// Writes `<device>`.
    pub(super) fn write(&self, xml: &mut Xml, version: Version, filter: Filter) {
        xml.raw("<device>");
        match self.name {
            Some(Name::MacAddress(mac)) => {
                xml.element("macaddress", &plain(mac));
            }
            Some(Name::Guid(guid)) => {
                xml.element("guid", &guid.to_string());
            }
            None => {}
        }
        xml.raw("<attributes>");
        // What a policy judged without facts is not said to be unregistered:
        // that is the word for what no source knows.
        xml.boolean("register_status", self.device.is_none_or(is_registered));
        write_compliance(xml, self.decision);
        if let Some(device) = self.device {
            write_posture(xml, device, filter);
            write_description(xml, device, filter);
            if version == Version::V3 {
                self.write_version_3(xml, device, filter);
            }
        }
        xml.raw("</attributes></device>");
    }

    fn write_version_3(&self, xml: &mut Xml, device: &Device, filter: Filter) {
        if let Some(seen) = device.last_seen {
            xml.number("lastCheckinTimeStamp", seen.as_millis());
        }
        let asked = match self.name {
            Some(Name::Guid(guid)) => Some(guid),
            _ => None,
        };
        if let Some(guid) = asked.or_else(|| guid(device)) {
            xml.element("guid", &guid.to_string());
        }
        if filter.wants(Field::MacAddresses) {
            let asked = match self.name {
                Some(Name::MacAddress(mac)) => Some(mac),
                _ => None,
            };
            let others = macs(device).filter(|mac| Some(*mac) != asked);
            let addresses: Vec<String> = asked
                .into_iter()
                .chain(others)
                .take(MOST_ADDRESSES)
                .map(plain)
                .collect();
            if !addresses.is_empty() {
                xml.element("macaddresses", &addresses.join(","));
            }
        }
    }
}

/// Under management, or a source that does not say so knows it all the same.
fn is_registered(device: &Device) -> bool {
    matches!(
        device.enrollment,
        Enrollment::Enrolled | Enrollment::Unknown
    )
}

pub(super) fn macs(device: &Device) -> impl Iterator<Item = MacAddress> {
    device.ids.iter().filter_map(Identifier::as_mac)
}

pub(super) fn guid(device: &Device) -> Option<Guid> {
    device.ids.iter().find_map(|id| match id {
        Identifier::Guid(guid) => Some(*guid),
        _ => None,
    })
}

/// Twelve digits, as ISE writes an address itself.
fn plain(mac: MacAddress) -> String {
    let octets = mac.octets();
    let number = octets
        .iter()
        .fold(0_u64, |all, octet| all << 8 | u64::from(*octet));
    format!("{number:012X}")
}

fn write_compliance(xml: &mut Xml, decision: &Decision) {
    let compliant = decision.verdict == Verdict::Permit;
    xml.raw("<compliance>").boolean("status", compliant);
    if !compliant {
        let reasons = decision.reasons.iter();
        let reasons = reasons.map(|reason| match reason.message.as_str() {
            "" => reason.code.as_str(),
            message => message,
        });
        let reasons: Vec<&str> = reasons.collect();
        xml.element(
            "failure_reason",
            &one_line(&reasons.join("; "), LONGEST_TEXT),
        );
        let remediation = decision.remediation.iter().map(|help| match &help.url {
            Some(url) => format!("{} {url}", help.message),
            None => help.message.clone(),
        });
        let remediation: Vec<String> = remediation.collect();
        xml.element(
            "remediation",
            &one_line(&remediation.join("; "), LONGEST_TEXT),
        );
    }
    xml.raw("</compliance>");
}

/// What a source does not say is left out: ISE then knows nothing, either.
fn write_posture(xml: &mut Xml, device: &Device, filter: Filter) {
    let posture = device.posture;
    for (field, name, value) in [
        (
            Field::DiskEncryption,
            "disk_encryption_on",
            posture.disk_encrypted,
        ),
        (Field::PinLock, "pin_lock_on", posture.screen_lock),
        (Field::JailBroken, "jail_broken", posture.jailbroken),
    ] {
        if filter.wants(field) && value != Tristate::Unknown {
            xml.boolean(name, value == Tristate::Yes);
        }
    }
}

fn write_description(xml: &mut Xml, device: &Device, filter: Filter) {
    let named = |is: fn(&Identifier) -> bool| {
        let found = device.ids.iter().find(|id| is(id));
        found.map(Identifier::value)
    };
    let os = device.os.as_ref();
    for (field, name, value) in [
        (
            Field::Manufacturer,
            "manufacturer",
            device.manufacturer.clone(),
        ),
        (Field::Model, "model", device.model.clone()),
        (
            Field::Imei,
            "imei",
            named(|id| matches!(id, Identifier::Imei(_))),
        ),
        (
            Field::Meid,
            "meid",
            named(|id| matches!(id, Identifier::Meid(_))),
        ),
        (
            Field::Udid,
            "udid",
            named(|id| matches!(id, Identifier::Udid(_))),
        ),
        (
            Field::SerialNumber,
            "serial_number",
            named(|id| matches!(id, Identifier::Serial(_))),
        ),
        (
            Field::OsVersion,
            "os_version",
            os.and_then(|os| os.version.clone()),
        ),
        (
            Field::PhoneNumber,
            "phone_number",
            phone_number(device).map(str::to_owned),
        ),
    ] {
        if filter.wants(field) {
            let value = value.map(|value| one_line(&value, LONGEST_VALUE));
            xml.optional(name, value.as_deref());
        }
    }
}

/// The attribute `SOURCE.phone-number`, whatever the source is called.
fn phone_number(device: &Device) -> Option<&str> {
    let found = device
        .attributes
        .iter()
        .find(|attribute| attribute.name.ends_with(".phone-number"))?;
    match &found.value {
        Value::Text(number) => Some(number),
        _ => None,
    }
}
