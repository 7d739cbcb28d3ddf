//! Devices in the three versions of the answer.

use portreeve_domain::{
    Attribute, Decision, Device, Enrollment, Identifier, OperatingSystem, Posture, Remediation,
    Timestamp, Tristate, Value, Verdict,
};

use crate::ise::device::Entry;
use crate::ise::filter::Filter;
use crate::ise::version::Version;
use crate::ise::xml::Xml;

const GUID: &str = "3eeb9e62-cec9-4dd8-9dd6-74903695a62b";
const MAC: &str = "00:50:56:a4:89:5a";

fn device(ids: &[&str]) -> Device {
    Device {
        key: "42".to_owned(),
        ids: ids.iter().map(|id| id.parse().unwrap()).collect(),
        enrollment: Enrollment::Enrolled,
        ..Device::default()
    }
}

fn rich() -> Device {
    Device {
        posture: Posture {
            disk_encrypted: Tristate::Yes,
            screen_lock: Tristate::No,
            ..Posture::default()
        },
        os: Some(OperatingSystem {
            family: "ios".to_owned(),
            version: Some("17.4".to_owned()),
            ..OperatingSystem::default()
        }),
        manufacturer: Some("A & B".to_owned()),
        model: Some("One\nTwo".to_owned()),
        last_seen: Some(Timestamp::from_millis(1_621_571_561_000)),
        attributes: vec![
            Attribute {
                name: "contoso.model-number".to_owned(),
                value: Value::Integer(1),
            },
            Attribute {
                name: "contoso.phone-number".to_owned(),
                value: Value::Text("+49 1".to_owned()),
            },
        ],
        ..device(&[
            GUID,
            MAC,
            "00:50:56:a4:89:5b",
            "imei:352099001761481",
            "meid:A0000000002329",
            "udid:u",
            "serial:s",
        ])
    }
}

fn denied() -> Decision {
    let mut decision = Decision::because(Verdict::Deny, "os-too-old", "17.4 is older than 18");
    decision.reasons.push(portreeve_domain::Reason {
        code: "not-encrypted".to_owned(),
        message: String::new(),
        facts: Vec::new(),
    });
    decision.remediation.push(Remediation {
        code: "update".to_owned(),
        message: "Update it".to_owned(),
        url: Some("https://help.example/?a=1&b=2".to_owned()),
    });
    decision
}

fn permitted() -> Decision {
    Decision::because(Verdict::Permit, "meets-baseline", "all is well")
}

/// The `<device>` for a question, without what all of them begin with.
fn written(
    asked: &str,
    device: Option<&Device>,
    decision: &Decision,
    version: Version,
    filter: &str,
) -> String {
    let asked: Identifier = asked.parse().unwrap();
    let mut xml = Xml::new("x");
    let before = "<name>x</name>";
    let entry = Entry::of_question(&asked, device, decision, version);
    entry.write(&mut xml, version, Filter::read(filter));
    let xml = xml.finish();
    let (_, rest) = xml.split_once(before).unwrap();
    rest.strip_suffix("</ise_api>\n").unwrap().to_owned()
}

const COMPLIANT: &str =
    "<register_status>true</register_status><compliance><status>true</status></compliance>";
const NOT_COMPLIANT: &str = "<register_status>true</register_status><compliance><status>false</status>\
    <failure_reason>17.4 is older than 18; not-encrypted</failure_reason>\
    <remediation>Update it https://help.example/?a=1&amp;b=2</remediation></compliance>";
const FACTS: &str = "<disk_encryption_on>true</disk_encryption_on><pin_lock_on>false</pin_lock_on>\
    <manufacturer>A &amp; B</manufacturer><model>One Two</model><imei>352099001761481</imei>\
    <meid>A0000000002329</meid><udid>u</udid><serial_number>s</serial_number>\
    <os_version>17.4</os_version><phone_number>+49 1</phone_number>";
const SINCE_3: &str = "<lastCheckinTimeStamp>1621571561000</lastCheckinTimeStamp>\
    <guid>3eeb9e62-cec9-4dd8-9dd6-74903695a62b</guid>\
    <macaddresses>005056A4895A,005056A4895B</macaddresses>";

#[test]
fn versions() {
    let device = rich();
    let by_mac = "<device><macaddress>005056A4895A</macaddress><attributes>";
    for (version, decision, expected) in [
        (
            Version::V1,
            denied(),
            format!("{by_mac}{NOT_COMPLIANT}{FACTS}</attributes></device>"),
        ),
        (
            Version::V2,
            permitted(),
            format!("{by_mac}{COMPLIANT}{FACTS}</attributes></device>"),
        ),
        (
            Version::V3,
            permitted(),
            format!("{by_mac}{COMPLIANT}{FACTS}{SINCE_3}</attributes></device>"),
        ),
    ] {
        let written = written(MAC, Some(&device), &decision, version, "all");
        assert_eq!(written, expected);
    }
}

#[test]
fn a_device_is_called_as_it_was_asked_for() {
    let device = rich();
    let named = |asked: &str, version| {
        let written = written(asked, Some(&device), &permitted(), version, "none");
        let start = written.strip_prefix("<device>").unwrap();
        start.split_once("<attributes>").unwrap().0.to_owned()
    };
    let guid = format!("<guid>{GUID}</guid>");
    let mac = "<macaddress>005056A4895A</macaddress>".to_owned();
    for (asked, version, expected) in [
        (MAC, Version::V2, &mac),
        (MAC, Version::V3, &mac),
        (GUID, Version::V3, &guid),
        (GUID, Version::V2, &guid),
        ("udid:u", Version::V2, &mac),
        ("udid:u", Version::V3, &mac),
        ("serial:s", Version::V3, &mac),
        ("hostname:laptop", Version::V3, &guid),
        ("hostname:laptop", Version::V2, &mac),
    ] {
        assert_eq!(&named(asked, version), expected, "{asked} {version:?}");
    }
    // The second address of a device is a name of it, too.
    assert_eq!(
        named("00:50:56:a4:89:5b", Version::V3),
        "<macaddress>005056A4895B</macaddress>"
    );
}

#[test]
fn filters() {
    let device = rich();
    for (filter, version, expected) in [
        ("none", Version::V2, String::new()),
        (
            "register_status+compliance_status",
            Version::V2,
            String::new(),
        ),
        (
            "os_version+pin_lock_on",
            Version::V2,
            "<pin_lock_on>false</pin_lock_on><os_version>17.4</os_version>".to_owned(),
        ),
        // ISE needs these two in version 3 whatever it asks for.
        (
            "imei",
            Version::V3,
            format!(
                "<imei>352099001761481</imei>{}",
                SINCE_3.split_once("<macaddresses>").unwrap().0
            ),
        ),
    ] {
        let written = written(MAC, Some(&device), &permitted(), version, filter);
        let expected = format!(
            "<device><macaddress>005056A4895A</macaddress><attributes>{COMPLIANT}{expected}</attributes></device>"
        );
        assert_eq!(written, expected, "{filter}");
    }
}

#[test]
fn what_is_not_known_is_not_said() {
    let device = device(&["serial:s"]);
    let read = |version| written("serial:s", Some(&device), &permitted(), version, "all");
    let expected = format!(
        "<device><attributes>{COMPLIANT}<serial_number>s</serial_number></attributes></device>"
    );
    assert_eq!(read(Version::V2), expected);
    assert_eq!(read(Version::V3), expected);
}

#[test]
fn registration() {
    for (enrollment, expected) in [
        (Enrollment::Enrolled, true),
        (Enrollment::Unknown, true),
        (Enrollment::NotEnrolled, false),
        (Enrollment::Pending, false),
        (Enrollment::Retired, false),
    ] {
        let device = Device {
            enrollment,
            ..device(&[MAC])
        };
        let written = written(MAC, Some(&device), &permitted(), Version::V3, "all");
        let expected = format!("<register_status>{expected}</register_status>");
        assert!(written.contains(&expected), "{written}");
    }
}

#[test]
fn verdicts() {
    for (verdict, expected) in [
        (Verdict::Permit, true),
        (Verdict::Restrict, false),
        (Verdict::Deny, false),
    ] {
        let decision = Decision::because(verdict, "x", "y");
        let written = written(MAC, None, &decision, Version::V3, "all");
        let expected = format!("<compliance><status>{expected}</status>");
        assert!(written.contains(&expected), "{written}");
    }
}

/// As when the sources contradict each other and the policy denies that.
#[test]
fn what_was_judged_without_facts() {
    let decision = Decision::because(Verdict::Deny, "ambiguous", "two devices have this address");
    let expected = "<device><macaddress>005056A4895A</macaddress><attributes>\
        <register_status>true</register_status><compliance><status>false</status>\
        <failure_reason>two devices have this address</failure_reason>\
        <remediation></remediation></compliance></attributes></device>";
    assert_eq!(written(MAC, None, &decision, Version::V3, "all"), expected);
}

#[test]
fn five_addresses_and_the_one_asked_for_among_them() {
    let macs: Vec<String> = (0..9)
        .map(|last| format!("00:50:56:00:00:0{last}"))
        .collect();
    let macs: Vec<&str> = macs.iter().map(String::as_str).collect();
    let device = device(&macs);
    let written = written(macs[8], Some(&device), &permitted(), Version::V3, "all");
    let expected = "<macaddresses>005056000008,005056000000,005056000001,005056000002,005056000003</macaddresses>";
    assert!(written.contains(expected), "{written}");
}
