use std::sync::Arc;

use portreeve_domain::{
    Absence, Answer, Decision, Device, Enrollment, Finding, OperatingSystem, Origin, Outcome,
    Posture, Remediation, Verdict,
};

use super::*;

const GUID: &str = "ee9d3792-6859-4b71-93aa-56aba42581c5";
const MAC: &str = "00:50:56:a4:89:5a";

fn answer(finding: Finding, verdict: Verdict) -> Answer {
    let mut decision = Decision::because(verdict, "os-too-old", "the system is <old>");
    decision.remediation.push(Remediation {
        code: "update".to_owned(),
        message: "update it".to_owned(),
        url: None,
    });
    Answer {
        outcome: Outcome::Decided(Arc::new(decision)),
        finding,
        sources: Vec::new(),
        policy: None,
        origin: Origin::Cached,
        at: Timestamp::default(),
    }
}

fn device() -> Device {
    Device {
        ids: vec![
            GUID.parse().unwrap(),
            MAC.parse().unwrap(),
            "serial:S1".parse().unwrap(),
        ],
        enrollment: Enrollment::Enrolled,
        posture: Posture {
            screen_lock: Tristate::No,
            ..Posture::default()
        },
        os: Some(OperatingSystem {
            version: Some("10.0".to_owned()),
            ..OperatingSystem::default()
        }),
        model: Some("A & B".to_owned()),
        last_seen: Some(Timestamp::from_millis(1_795_243_651_250)),
        ..Device::default()
    }
}

fn found(verdict: Verdict) -> Answer {
    answer(Finding::Device(Arc::new(device())), verdict)
}

fn told(answer: &Answer) -> Told<'_> {
    let Outcome::Decided(decision) = &answer.outcome else {
        panic!("{answer:?}");
    };
    Told {
        decision,
        finding: &answer.finding,
        sources: &answer.sources,
    }
}

#[track_caller]
fn check(service: Service, asked: &str, answer: &Answer, expected: &str) {
    let asked = asked.parse().unwrap();
    let written = single(service, &asked, told(answer));
    let root = match service {
        Service::V2 => {
            "<ise_api><name>attributes</name><api_version>2</api_version><paging_info>0</paging_info>"
        }
        Service::V3 => &format!("{V3_ROOT}<name>attributes</name><api_version>3</api_version>"),
    };
    assert_eq!(
        written,
        format!("{root}<deviceList><device>{expected}</device></deviceList></ise_api>")
    );
}

#[test]
fn the_newer_service() {
    check(
        Service::V3,
        GUID,
        &found(Verdict::Permit),
        "<guid>ee9d3792-6859-4b71-93aa-56aba42581c5</guid><Attributes>\
         <guid>ee9d3792-6859-4b71-93aa-56aba42581c5</guid><register_status>true</register_status>\
         <Compliance><status>true</status></Compliance></Attributes>",
    );
    check(
        Service::V3,
        MAC,
        &found(Verdict::Restrict),
        "<macaddress>005056A4895A</macaddress><Attributes><macaddress>005056A4895A</macaddress>\
         <guid>ee9d3792-6859-4b71-93aa-56aba42581c5</guid><register_status>true</register_status>\
         <Compliance><status>false</status><failure_reason>the system is &lt;old&gt;</failure_reason>\
         <remediation>update it</remediation></Compliance></Attributes>",
    );
}

#[test]
fn the_older_service() {
    check(
        Service::V2,
        MAC,
        &found(Verdict::Permit),
        "<attributes><register_status>true</register_status><compliance><status>true</status>\
         </compliance><pin_lock_on>false</pin_lock_on><model>A &amp; B</model><udid/>\
         <serial_number>S1</serial_number><os_version>10.0</os_version></attributes>",
    );
}

#[test]
fn what_is_not_registered() {
    let unknown = answer(Finding::Absent(Absence::UnknownDevice), Verdict::Deny);
    let retired = Device {
        enrollment: Enrollment::Retired,
        ..device()
    };
    let retired = answer(Finding::Device(Arc::new(retired)), Verdict::Deny);
    // On somebody's list of exceptions: still no management system knows it.
    let excepted = answer(Finding::Absent(Absence::UnknownDevice), Verdict::Permit);
    for answer in [&unknown, &retired, &excepted] {
        check(
            Service::V2,
            MAC,
            answer,
            "<attributes><register_status>false</register_status></attributes>",
        );
        let mac = MAC.parse().unwrap();
        let flat = serde_json::to_value(Flat::of(&mac, told(answer))).unwrap();
        assert_eq!(
            (&flat["isManaged"], &flat["complianceState"]),
            (&false.into(), &().into())
        );
    }
    check(
        Service::V3,
        GUID,
        &unknown,
        "<guid>ee9d3792-6859-4b71-93aa-56aba42581c5</guid><Attributes>\
         <guid>ee9d3792-6859-4b71-93aa-56aba42581c5</guid><register_status>false</register_status>\
         </Attributes>",
    );
}

/// A denial because sources contradict each other is not the word for an
/// unknown device.
#[test]
fn ambiguous_is_not_unknown() {
    let ambiguous = answer(Finding::Absent(Absence::Ambiguous), Verdict::Deny);
    check(
        Service::V3,
        MAC,
        &ambiguous,
        "<macaddress>005056A4895A</macaddress><Attributes><macaddress>005056A4895A</macaddress>\
         <register_status>true</register_status><Compliance><status>false</status>\
         <failure_reason>the system is &lt;old&gt;</failure_reason>\
         <remediation>update it</remediation></Compliance></Attributes>",
    );
}

#[test]
fn flat() {
    let answer = found(Verdict::Permit);
    let flat = serde_json::to_value(Flat::of(&MAC.parse().unwrap(), told(&answer))).unwrap();
    assert_eq!(
        flat,
        serde_json::json!({
            "isManaged": true,
            "complianceState": true,
            "macAddress": "005056A4895A",
            "serialNumber": "S1",
            "imei": null,
            "udid": null,
            "meid": null,
            "osVersion": "10.0",
            "model": "A & B",
            "manufacturer": null,
            "azureDeviceId": null,
            "deviceOwner": null,
            "lastContactTimeUtc": "11/21/2026 06:47:31",
        })
    );
}

#[test]
fn server_info() {
    assert!(information(Service::V2).starts_with(
        "<ise_api><name>mdminfo</name><api_version>2</api_version>\
         <api_path>/intune/StatelessNACService/ciscodeviceinfo/mdm/api</api_path>"
    ));
    assert!(
        information(Service::V3)
            .contains("<api_path>/intune/ComplianceRetrievalService/cisco</api_path>")
    );
}

#[test]
fn a_list_is_around_its_devices() {
    let (start, end) = list_around(Service::V3);
    assert_eq!(
        start,
        format!(
            "{V3_ROOT}<name>attributes</name><api_version>3</api_version>\
             <paging_info>0</paging_info><deviceList>"
        )
    );
    assert_eq!(end, "</deviceList></ise_api>");
}
