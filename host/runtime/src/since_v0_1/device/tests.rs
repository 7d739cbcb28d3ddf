use super::*;
use crate::limits::LogLimits;

pub(in crate::since_v0_1) fn log() -> PluginLog {
    PluginLog::new("p", "i", LogLimits::default(), None)
}

pub(in crate::since_v0_1) fn device() -> wit::Device {
    wit::Device {
        key: "k1".to_owned(),
        ids: vec![wit::DeviceId::Mac("00-50-56-A4-89-5A".to_owned())],
        enrollment: wit::Enrollment::Enrolled,
        compliance: wit::Compliance {
            state: wit::ComplianceState::NonCompliant,
            evaluated_at: Some(7),
            grace_until: None,
            failing: vec![wit::FailingCheck {
                code: "bitlocker".to_owned(),
                message: None,
            }],
        },
        ownership: wit::Ownership::Corporate,
        posture: wit::Posture {
            disk_encrypted: wit::Tristate::No,
            screen_lock: wit::Tristate::Yes,
            jailbroken: wit::Tristate::Unknown,
            firewall: wit::Tristate::Unknown,
            antivirus: wit::Tristate::Unknown,
            secure_boot: wit::Tristate::Yes,
        },
        user: None,
        os: None,
        manufacturer: None,
        model: None,
        name: None,
        enrolled_at: None,
        last_seen: None,
        attributes: vec![attribute("a.b", wit::Value::Integer(3))],
    }
}

fn attribute(name: &str, value: wit::Value) -> wit::Attribute {
    wit::Attribute {
        name: name.to_owned(),
        value,
    }
}

#[track_caller]
fn refused(change: impl FnOnce(&mut wit::Device), expected: &str) {
    let mut device = device();
    change(&mut device);
    let error = device_from_wit(device, &log()).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_record_keeps_its_facts() {
    let device = device_from_wit(device(), &log()).unwrap();
    assert_eq!(device.ids, ["00:50:56:a4:89:5a".parse().unwrap()]);
    assert_eq!(
        device.compliance.state,
        domain::ComplianceState::NonCompliant
    );
    assert_eq!(
        device.compliance.evaluated_at,
        Some(Timestamp::from_millis(7))
    );
    assert_eq!(device.compliance.failing.len(), 1);
    assert_eq!(device.posture.disk_encrypted, domain::Tristate::No);
    assert_eq!(device.posture.secure_boot, domain::Tristate::Yes);
    assert_eq!(device.attribute("a.b"), Some(&domain::Value::Integer(3)));
}

#[test]
fn malformed_identifiers_are_left_out() {
    let mut device = device();
    device.ids.insert(0, wit::DeviceId::Mac("00:00".to_owned()));
    device.ids.push(wit::DeviceId::Guid("none".to_owned()));
    device.ids.push(wit::DeviceId::Serial("S1".to_owned()));
    let device = device_from_wit(device, &log()).unwrap();
    let kinds: Vec<_> = device.ids.iter().map(Identifier::kind).collect();
    assert_eq!(kinds, ["mac", "serial"]);
}

#[test]
fn records_out_of_bounds_are_refused_as_a_whole() {
    refused(|device| device.key.clear(), "no key");
    refused(
        |device| device.ids = vec![wit::DeviceId::Serial("s".to_owned()); MOST_IDS + 1],
        "too many identifiers",
    );
    refused(
        |device| device.attributes = vec![attribute("a", wit::Value::Boolean(true)); 1025],
        "too many attributes",
    );
    refused(
        |device| {
            let long = "n".repeat(LONGEST_NAME + 1);
            device.attributes = vec![attribute(&long, wit::Value::Boolean(true))];
        },
        "too long a name",
    );
    refused(
        |device| device.model = Some("m".repeat(RECORD_BYTES)),
        "too much text",
    );
    refused(
        |device| {
            let texts = wit::Value::Texts(vec![String::new(); MOST_TEXTS + 1]);
            device.attributes = vec![attribute("a", texts)];
        },
        "too many texts",
    );
}

#[test]
fn identifiers_survive_the_way_to_a_guest_and_back() {
    for text in [
        "00:50:56:a4:89:5a",
        "3eeb9e62-cec9-4dd8-9dd6-74903695a62b",
        "serial:C02XK0AAJGH5",
        "imei:352099001761481",
        "meid:A0000000002329",
        "udid:u",
        "hostname:pc1",
        "user:ada@example.com",
        "entra-device-id:x",
    ] {
        let id: Identifier = text.parse().unwrap();
        assert_eq!(id_from_wit(&id_to_wit(&id)).unwrap(), id);
    }
}
