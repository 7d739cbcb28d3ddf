use serde_json::Value;

use super::*;
use crate::device::{generated_guid, well_known};

fn directory(generated: u32) -> Directory {
    let mut directory = Directory::new(1_787_270_400_000);
    directory.generate(generated);
    for device in well_known::devices(1_787_270_400_000) {
        directory.add(device);
    }
    directory
}

fn read(directory: &Directory, query: &str) -> Value {
    let body = page(directory, "https://graph", query, false).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn query_of(next: &str) -> String {
    let (_, query) = next.split_once('?').unwrap();
    query.replace(' ', "%20")
}

#[test]
fn pages_hold_every_device_once_whatever_changes() {
    let mut directory = directory(95);
    let mut query = "$top=10&$select=id".to_owned();
    let mut ids: Vec<Uuid> = Vec::new();
    let mut step = 0;
    loop {
        let page = read(&directory, &query);
        for device in page["value"].as_array().unwrap() {
            assert_eq!(device.as_object().unwrap().len(), 1);
            ids.push(device["id"].as_str().unwrap().parse().unwrap());
        }
        let Some(next) = page["@odata.nextLink"].as_str() else {
            break;
        };
        assert!(next.starts_with(
            "https://graph/v1.0/deviceManagement/managedDevices?$top=10&$select=id&$skiptoken="
        ));
        query = query_of(next);
        // Behind the reader one goes and one comes, ahead one goes, and the last one read too.
        directory.remove(generated_guid(step));
        directory.add(Device::new(Uuid::from_u128(u128::from(step) + 1)));
        directory.remove(generated_guid(94 - step));
        directory.remove(*ids.last().unwrap());
        step += 1;
    }
    assert!(ids.is_sorted());
    for index in 20..80 {
        let listed = ids.iter().filter(|id| **id == generated_guid(index));
        assert_eq!(listed.count(), 1, "{index}");
    }
}

#[test]
fn some_properties_have_to_be_named() {
    let directory = directory(1);
    let page = read(&directory, "$top=1");
    let device = &page["value"][0];
    assert_eq!(device.as_object().unwrap().len(), ALL.len());
    assert_eq!(device["id"], generated_guid(0).to_string());
    assert_eq!(device["wiFiMacAddress"], "001B00000000");
    assert_eq!(device["ethernetMacAddress"], Value::Null);
    assert_eq!(device["complianceState"], "compliant");
    assert_eq!(device["lastSyncDateTime"], "2026-08-21T00:00:00Z");
    assert_eq!(device["jailBroken"], "Unknown");
    assert_eq!(device["deviceName"], "DESKTOP-0000000");
    assert_eq!(page["@odata.count"], directory.len());
    let page = read(&directory, "%24select=ethernetMacAddress,%20udid&$top=1");
    let device = page["value"][0].as_object().unwrap();
    assert_eq!(device.len(), 2);
    assert_eq!(device["ethernetMacAddress"], "001B00000001");
}

#[test]
fn words_for_each_well_known_device() {
    let directory = directory(0);
    let page = read(
        &directory,
        "$select=id,complianceState,managementState,complianceGracePeriodExpirationDateTime,jailBroken",
    );
    let of = |known: well_known::WellKnown, property: &str| {
        let devices = page["value"].as_array().unwrap();
        let id = known.guid.to_string();
        let device = devices.iter().find(|device| device["id"] == id.as_str());
        device.unwrap()[property].as_str().unwrap().to_owned()
    };
    assert_eq!(
        of(well_known::NON_COMPLIANT, "complianceState"),
        "noncompliant"
    );
    assert_eq!(of(well_known::IN_GRACE, "complianceState"), "inGracePeriod");
    assert_eq!(
        of(
            well_known::IN_GRACE,
            "complianceGracePeriodExpirationDateTime"
        ),
        "2026-08-24T00:00:00Z"
    );
    assert_eq!(
        of(well_known::NEVER_EVALUATED, "complianceState"),
        "unknown"
    );
    assert_eq!(of(well_known::RETIRED, "managementState"), "retireIssued");
    assert_eq!(of(well_known::COMPLIANT, "managementState"), "managed");
    assert_eq!(of(well_known::JAILBROKEN, "jailBroken"), "True");
}

#[test]
fn filters_and_refusals() {
    let directory = directory(100);
    let found = |query: &str| read(&directory, query)["value"].as_array().unwrap().len();
    assert_eq!(found("$filter=serialNumber%20eq%20'GEN-0000000042'"), 1);
    assert_eq!(found("$filter=deviceName%20eq%20'DESKTOP-0000002'"), 1);
    // One generated device reports each minute before the start.
    assert_eq!(
        found("$filter=lastSyncDateTime%20gt%202026-08-20T23:45:00Z"),
        15
    );
    assert_eq!(
        found("$filter=lastSyncDateTime+ge+2026-08-20T23:45:00Z"),
        16
    );
    let refused = |query: &str| page(&directory, "https://graph", query, false).unwrap_err();
    assert_eq!(refused("$select=id,mac"), Refused::Select("mac".to_owned()));
    assert_eq!(refused("$top=0"), Refused::Top("0".to_owned()));
    assert_eq!(refused("$top=x"), Refused::Top("x".to_owned()));
    assert_eq!(refused("$skiptoken=7"), Refused::SkipToken);
    assert!(matches!(
        refused("$filter=wiFiMacAddress eq 'x'"),
        Refused::Filter(_)
    ));
}

#[test]
fn a_page_of_one_serial_number() {
    let directory = directory(5);
    let body = page(
        &directory,
        "https://graph",
        "$select=serialNumber&$top=5",
        true,
    )
    .unwrap();
    let page: Value = serde_json::from_slice(&body).unwrap();
    for device in page["value"].as_array().unwrap() {
        assert_eq!(device["serialNumber"], "GEN-0000000000");
    }
}

#[test]
fn a_device_by_itself() {
    let known = directory(0).get(well_known::COMPLIANT.guid).unwrap();
    let body = device(&known, "https://graph", "$select=id,ethernetMacAddress").unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["id"], well_known::COMPLIANT.guid.to_string());
    assert_eq!(body["ethernetMacAddress"], "005056001101");
    assert!(
        body["@odata.context"]
            .as_str()
            .unwrap()
            .ends_with("/$entity")
    );
}

#[test]
#[expect(clippy::print_stderr, reason = "the figure is what it is for")]
fn a_page_in_the_middle_of_millions() {
    let directory = directory(5_000_000);
    let place = generated_guid(4_000_000);
    let query = format!("$skiptoken=LastDeviceId%3d%27{place}%27");
    let started = std::time::Instant::now();
    let page = page(&directory, "https://graph", &query, false).unwrap();
    eprintln!("a page of {} bytes in {:?}", page.len(), started.elapsed());
    assert!(page.len() > 1_000_000);
}

proptest::proptest! {
    #[test]
    fn any_query_is_read_or_refused(query in "(\\$select|\\$top|\\$filter|\\$skiptoken|[=&%' ,a-z0-9]){0,20}") {
        let directory = directory(3);
        if let Ok(body) = page(&directory, "https://graph", &query, false) {
            let page: Value = serde_json::from_slice(&body).unwrap();
            proptest::prop_assert!(page["value"].is_array());
        }
    }
}
