//! How pxGrid describes an endpoint: the same in lists, single answers and
//! messages of [`ENDPOINT_TOPIC`](super::ENDPOINT_TOPIC).

use portreeve_domain::{Device, Identifier, MacAddress, Outcome, Tristate, Verdict};
use serde::{Deserialize, Serialize};

use crate::text::Rfc3339;
use crate::told;

/// One endpoint in pxGrid's members. What is not known is left out, so that
/// nobody takes it for "no".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Endpoint {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mac_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) registered: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compliant: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_encrypted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jail_broken: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pin_locked: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manufacturer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imei: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    udid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_manager: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sync_time: Option<String>,
}

impl Endpoint {
    /// A device by its first address, as the source `manager` describes it.
    pub(crate) fn of(device: &Device, manager: &str, outcome: Option<&Outcome>) -> Self {
        let first = |wanted: fn(&Identifier) -> bool| {
            let found = device.ids.iter().find(|id| wanted(id));
            found.map(Identifier::value)
        };
        Self {
            mac_address: device.ids.iter().find_map(Identifier::as_mac).map(spell),
            os_version: device.os.as_ref().map(|os| match &os.version {
                Some(version) => format!("{} {version}", os_name(&os.family)),
                None => os_name(&os.family).to_owned(),
            }),
            registered: Some(is_registered(device)),
            compliant: outcome.and_then(is_compliant),
            disk_encrypted: known(device.posture.disk_encrypted),
            jail_broken: known(device.posture.jailbroken),
            pin_locked: known(device.posture.screen_lock),
            model: device.model.clone(),
            manufacturer: device.manufacturer.clone(),
            imei: first(|id| matches!(id, Identifier::Imei(_))),
            meid: first(|id| matches!(id, Identifier::Meid(_))),
            udid: first(|id| matches!(id, Identifier::Udid(_))),
            serial_number: first(|id| matches!(id, Identifier::Serial(_))),
            location: None,
            device_manager: Some(manager.to_owned()),
            last_sync_time: device
                .last_seen
                .map(|moment| String::from_utf8_lossy(&Rfc3339(moment).to_bytes()).into_owned()),
        }
    }

    /// A device once for each of its addresses, by which clients know it. One
    /// without an address is there once.
    pub(crate) fn each(device: &Device, manager: &str, outcome: Option<&Outcome>) -> Vec<Self> {
        let endpoint = Self::of(device, manager, outcome);
        let macs = device.ids.iter().filter_map(Identifier::as_mac);
        let mut each: Vec<Self> = macs.map(|mac| endpoint.clone().by(mac)).collect();
        if each.is_empty() {
            each.push(endpoint);
        }
        each
    }

    /// An endpoint that nothing is known about, or no more than a decision.
    pub(crate) fn unknown(
        identifiers: &[Identifier],
        registered: Option<bool>,
        outcome: Option<&Outcome>,
    ) -> Self {
        Self {
            mac_address: identifiers.iter().find_map(Identifier::as_mac).map(spell),
            registered,
            compliant: outcome.and_then(is_compliant),
            ..Self::default()
        }
    }

    /// The same endpoint by the address that it was asked for.
    #[must_use]
    pub(super) fn by(mut self, mac: MacAddress) -> Self {
        self.mac_address = Some(spell(mac));
        self
    }

    /// As JSON on one line.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // Texts and truth values always become JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Whether it has every value that `filter` has. Text has no case here.
    pub(super) fn fits(&self, filter: &Self) -> bool {
        let text = |own: &Option<String>, wanted: &Option<String>| match (own, wanted) {
            (_, None) => true,
            (Some(own), Some(wanted)) => own.eq_ignore_ascii_case(wanted),
            (None, Some(_)) => false,
        };
        let truth = |own: Option<bool>, wanted: Option<bool>| wanted.is_none() || own == wanted;
        text(&self.mac_address, &filter.mac_address)
            && text(&self.os_version, &filter.os_version)
            && truth(self.registered, filter.registered)
            && truth(self.compliant, filter.compliant)
            && truth(self.disk_encrypted, filter.disk_encrypted)
            && truth(self.jail_broken, filter.jail_broken)
            && truth(self.pin_locked, filter.pin_locked)
            && text(&self.model, &filter.model)
            && text(&self.manufacturer, &filter.manufacturer)
            && text(&self.imei, &filter.imei)
            && text(&self.meid, &filter.meid)
            && text(&self.udid, &filter.udid)
            && text(&self.serial_number, &filter.serial_number)
            && text(&self.location, &filter.location)
            && text(&self.device_manager, &filter.device_manager)
            && text(&self.last_sync_time, &filter.last_sync_time)
    }
}

/// pxGrid's spelling, the only one that some clients take.
pub(super) fn spell(mac: MacAddress) -> String {
    mac.to_string().to_ascii_uppercase()
}

/// Under management, or nobody says that it is not.
pub(super) const fn is_registered(device: &Device) -> bool {
    told::is_under_management(device.enrollment)
}

/// Only `permit` is compliant; `None` when the gateway cannot tell.
fn is_compliant(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Outcome::Decided(decision) => Some(decision.verdict == Verdict::Permit),
        Outcome::CannotTell(_) => None,
    }
}

const fn known(state: Tristate) -> Option<bool> {
    match state {
        Tristate::Unknown => None,
        Tristate::No => Some(false),
        Tristate::Yes => Some(true),
    }
}

/// As its vendor spells it.
fn os_name(family: &str) -> &str {
    match family {
        "windows" => "Windows",
        "macos" => "macOS",
        "ios" => "iOS",
        "ipados" => "iPadOS",
        "android" => "Android",
        "linux" => "Linux",
        "chromeos" => "ChromeOS",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_domain::{
        Absence, CannotTell, Decision, Enrollment, OperatingSystem, Posture, Timestamp,
    };
    use std::sync::Arc;
    use std::time::Duration;

    fn decided(verdict: Verdict) -> Outcome {
        Outcome::Decided(Arc::new(Decision::because(verdict, "x", "y")))
    }

    fn device() -> Device {
        let ids = ["00:50:56:0a:0b:01", "imei:352099001761481", "serial:C02\"X"];
        Device {
            ids: ids.iter().map(|id| id.parse().unwrap()).collect(),
            enrollment: Enrollment::Enrolled,
            posture: Posture {
                disk_encrypted: Tristate::Yes,
                jailbroken: Tristate::No,
                ..Posture::default()
            },
            os: Some(OperatingSystem {
                family: "windows".to_owned(),
                version: Some("10.0.22631".to_owned()),
                ..OperatingSystem::default()
            }),
            model: Some("Latitude\n7440".to_owned()),
            last_seen: Some(Timestamp::from_millis(1_795_243_651_250)),
            ..Device::default()
        }
    }

    #[test]
    fn an_endpoint_in_pxgrids_words() {
        let endpoint = Endpoint::of(&device(), "contoso", Some(&decided(Verdict::Permit)));
        let text = String::from_utf8(endpoint.to_json()).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"macAddress":"00:50:56:0A:0B:01","osVersion":"Windows 10.0.22631","#,
                r#""registered":true,"compliant":true,"diskEncrypted":true,"jailBroken":false,"#,
                r#""model":"Latitude\n7440","imei":"352099001761481","serialNumber":"C02\"X","#,
                r#""deviceManager":"contoso","lastSyncTime":"2026-11-21T06:47:31.250Z"}"#,
            )
        );
        assert_eq!(serde_json::from_str::<Endpoint>(&text).unwrap(), endpoint);
    }

    #[test]
    fn a_device_is_there_by_each_address() {
        let mut device = device();
        let addresses = |device: &Device| -> Vec<Option<String>> {
            let each = Endpoint::each(device, "contoso", None).into_iter();
            each.map(|endpoint| endpoint.mac_address).collect()
        };
        device.ids.push("00:50:56:0a:0b:02".parse().unwrap());
        let both = ["00:50:56:0A:0B:01", "00:50:56:0A:0B:02"];
        assert_eq!(addresses(&device), both.map(|mac| Some(mac.to_owned())));
        device.ids.clear();
        assert_eq!(addresses(&device), [None]);
    }

    #[test]
    fn compliance_is_the_verdict_and_never_guessed() {
        let missing = CannotTell {
            absence: Absence::SourcesUnavailable,
            detail: "down".into(),
            retry_after: Duration::from_secs(1),
        };
        for (outcome, expected) in [
            (decided(Verdict::Permit), Some(true)),
            (decided(Verdict::Restrict), Some(false)),
            (decided(Verdict::Deny), Some(false)),
            (Outcome::CannotTell(missing), None),
        ] {
            let endpoint = Endpoint::of(&device(), "contoso", Some(&outcome));
            assert_eq!(endpoint.compliant, expected, "{outcome:?}");
        }
    }

    #[test]
    fn registration_is_the_enrolment() {
        for (enrollment, expected) in [
            (Enrollment::Unknown, true),
            (Enrollment::Enrolled, true),
            (Enrollment::NotEnrolled, false),
            (Enrollment::Pending, false),
            (Enrollment::Retired, false),
        ] {
            let device = Device {
                enrollment,
                ..device()
            };
            assert_eq!(is_registered(&device), expected, "{enrollment:?}");
        }
    }

    #[test]
    fn filters() {
        let endpoint = Endpoint::of(&device(), "contoso", Some(&decided(Verdict::Deny)));
        for (filter, expected) in [
            ("{}", true),
            (r#"{"macAddress":"00:50:56:0a:0b:01"}"#, true),
            (r#"{"macAddress":"00:50:56:0a:0b:02"}"#, false),
            (r#"{"compliant":false,"registered":true}"#, true),
            (r#"{"compliant":true}"#, false),
            // Not known is neither.
            (r#"{"pinLocked":false}"#, false),
            (r#"{"udid":"x"}"#, false),
            (r#"{"deviceManager":"CONTOSO"}"#, true),
        ] {
            let filter_read = serde_json::from_str(filter).unwrap();
            assert_eq!(endpoint.fits(&filter_read), expected, "{filter}");
        }
        assert!(serde_json::from_str::<Endpoint>(r#"{"user":"x"}"#).is_err());
    }
}
