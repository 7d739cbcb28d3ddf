//! The recorded shapes of answers.

use super::*;
use crate::device::{Device, well_known};

const EPOCH: i64 = 1_800_000_000_000;
const V3_ROOT: &str = r#"<ise_api xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns="http://schemas.datacontract.org/2004/07/Microsoft.Intune.ResourceAccess.ComplianceRetrievalService.Model">"#;

fn service() -> ComplianceService {
    let mut directory = Directory::new(EPOCH);
    for device in well_known::devices(EPOCH) {
        directory.add(device);
    }
    let mut vmware = Device::new("ee9d3792-6859-4b71-93aa-56aba42581c5".parse().unwrap());
    vmware.wifi_mac = Some("005056A4895A".parse().unwrap());
    vmware.compliance = Compliance::NonCompliant;
    vmware.pin_lock = false;
    vmware.model = "VMware <Virtual> Platform".to_owned();
    vmware.serial_number = "VMware-422461a80090e4c2".to_owned();
    vmware.os_version = "10.0.19043.2006".to_owned();
    directory.add(vmware);
    ComplianceService::new(directory)
}

fn ask(service: &ComplianceService, api: Api, query: &str) -> String {
    service.devices(api, query, EPOCH).expect("an answer")
}

fn by_guid(known: well_known::WellKnown) -> String {
    format!(
        "paging=0&querycriteria=guid&value={}&filter=all",
        known.guid
    )
}

#[test]
fn one_device_by_guid_v3() {
    let guid = "ee9d3792-6859-4b71-93aa-56aba42581c5";
    assert_eq!(
        ask(
            &service(),
            Api::V3,
            &format!("paging=0&querycriteria=guid&value={guid}&filter=all")
        ),
        format!(
            "{V3_ROOT}<name>attributes</name><api_version>3</api_version><deviceList><device><guid>{guid}</guid><Attributes><guid>{guid}</guid><register_status>true</register_status><Compliance><status>false</status></Compliance></Attributes></device></deviceList></ise_api>"
        )
    );
}

#[test]
fn one_device_by_mac_v3() {
    let answer = ask(
        &service(),
        Api::V3,
        "querycriteria=macaddress&value=005056a4895a",
    );
    assert!(answer.contains("<device><macaddress>005056A4895A</macaddress><Attributes><macaddress>005056A4895A</macaddress><register_status>true</register_status>"), "{answer}");
}

#[test]
fn one_device_by_mac_v2() {
    assert_eq!(
        ask(
            &service(),
            Api::V2,
            "paging=0&querycriteria=macaddress&value=005056A4895A&filter=all"
        ),
        "<ise_api><name>attributes</name><api_version>2</api_version><paging_info>0</paging_info><deviceList><device><attributes><register_status>true</register_status><compliance><status>false</status></compliance><pin_lock_on>false</pin_lock_on><model>VMware &lt;Virtual&gt; Platform</model><udid/><serial_number>VMware-422461a80090e4c2</serial_number><os_version>10.0.19043.2006</os_version></attributes></device></deviceList></ise_api>"
    );
}

#[test]
fn unknown_and_retired_are_not_registered() {
    let service = service();
    for known in [well_known::UNKNOWN, well_known::RETIRED] {
        let guid = known.guid;
        let answer = ask(&service, Api::V3, &by_guid(known));
        assert!(answer.contains(&format!("<device><guid>{guid}</guid><Attributes><guid>{guid}</guid><register_status>false</register_status></Attributes></device>")), "{answer}");
        let mac = ask(
            &service,
            Api::V2,
            &format!("querycriteria=macaddress&value={}", known.mac),
        );
        assert!(mac.contains("<attributes><register_status>false</register_status></attributes>"));
    }
    service.omit_unknown.store(true, Ordering::Relaxed);
    let answer = ask(&service, Api::V3, &by_guid(well_known::UNKNOWN));
    assert!(answer.contains("<deviceList></deviceList>"), "{answer}");
}

#[test]
fn status_of_each_state() {
    let service = service();
    let status = |known| {
        let answer = ask(&service, Api::V3, &by_guid(known));
        let (_, rest) = answer.split_once("<status>")?;
        Some(rest.split_once("</status>").unwrap().0.to_owned())
    };
    assert_eq!(status(well_known::COMPLIANT).as_deref(), Some("true"));
    assert_eq!(status(well_known::NON_COMPLIANT).as_deref(), Some("false"));
    assert_eq!(status(well_known::IN_GRACE).as_deref(), Some("true"));
    assert_eq!(status(well_known::NEVER_EVALUATED), None);
    service.grace_is_compliant.store(false, Ordering::Relaxed);
    assert_eq!(status(well_known::IN_GRACE).as_deref(), Some("false"));
}

#[test]
fn rich_answers_name_every_fact() {
    let service = service();
    service.rich.store(true, Ordering::Relaxed);
    let grace = ask(&service, Api::V3, &by_guid(well_known::IN_GRACE));
    let expires = EPOCH + 3 * 24 * 3_600_000;
    for part in [
        "<Compliance><status>true</status><failure_reason>a required update is missing</failure_reason></Compliance>".to_owned(),
        "<disk_encryption_on>true</disk_encryption_on><pin_lock_on>true</pin_lock_on><jail_broken>false</jail_broken>".to_owned(),
        "<manufacturer>Contoso</manufacturer><model>Laptop 7</model>".to_owned(),
        format!("<lastCheckinTimeStamp>{}</lastCheckinTimeStamp>", EPOCH - 30 * 60_000),
        format!("<macaddresses>{}</macaddresses>", well_known::IN_GRACE.mac),
        "<operating_system>Windows</operating_system>".to_owned(),
        format!("<grace_period_expiration>{expires}</grace_period_expiration>"),
    ] {
        assert!(grace.contains(&part), "{part} in {grace}");
    }
    let phone = ask(&service, Api::V3, &by_guid(well_known::JAILBROKEN));
    assert!(phone.contains("<jail_broken>true</jail_broken>"));
    assert!(phone.contains("<imei>") && phone.contains("<udid>"));
    assert!(!phone.contains("grace_period_expiration"));
}

#[test]
fn the_list_holds_exactly_the_non_compliant() {
    let service = service();
    service.directory.write().generate(40);
    let query = "paging=0&querycriteria=compliance&value=false&deviceidentifier=guid&filter=all";
    let list = ask(&service, Api::V3, query);
    assert!(list.contains("<api_version>3</api_version><paging_info>0</paging_info><deviceList>"));
    // One well-known, one added here, and two of every twenty generated.
    assert_eq!(list.matches("<device>").count(), 2 + 4);
    assert!(!list.contains("<status>true</status>"));
    let macs = ask(
        &service,
        Api::V3,
        "querycriteria=compliance&value=false&deviceidentifier=macaddress",
    );
    // The first twenty generated devices are Windows laptops with two addresses.
    assert_eq!(macs.matches("<device><macaddress>").count(), 2 + 4 + 2);

    let refused = service
        .devices(Api::V3, query, EPOCH + 61 * 60_000)
        .unwrap_err();
    assert_eq!(refused.0, StatusCode::SERVICE_UNAVAILABLE);
    // One device may be asked for at any time.
    assert!(
        service
            .devices(
                Api::V3,
                &by_guid(well_known::COMPLIANT),
                EPOCH + 61 * 60_000
            )
            .is_ok()
    );
}

#[test]
fn wrong_queries() {
    let service = service();
    for (api, query) in [
        (Api::V3, ""),
        (Api::V3, "querycriteria=guid"),
        (Api::V3, "querycriteria=guid&value=42"),
        (
            Api::V2,
            "querycriteria=guid&value=ee9d3792-6859-4b71-93aa-56aba42581c5",
        ),
        (Api::V3, "querycriteria=macaddress&value=00:50:56:a4:89:5a"),
        (Api::V3, "querycriteria=compliance&value=true"),
        (
            Api::V3,
            "querycriteria=compliance&value=false&deviceidentifier=udid",
        ),
        (Api::V3, "querycriteria=username&value=x"),
    ] {
        let refused = service.devices(api, query, EPOCH).unwrap_err();
        assert_eq!(refused.0, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[test]
fn server_info_of_both_generations() {
    let v2 = ComplianceService::server_info(Api::V2, "ise_api_version=2").unwrap();
    assert_eq!(
        v2,
        "<ise_api><name>mdminfo</name><api_version>2</api_version><api_path>/StatelessNacService/ciscodeviceinfo/mdm/api</api_path><redirect_url>https://portal.manage.microsoft.com/networkaccesscontrol/index</redirect_url><query_max_size>100</query_max_size><messaging_support>false</messaging_support><vendor>Microsoft</vendor><product_name>Microsoft Intune</product_name><product_version>5.0</product_version></ise_api>"
    );
    let v3 = ComplianceService::server_info(Api::V3, "ise_api_version=3").unwrap();
    assert!(v3.starts_with(V3_ROOT));
    assert!(v3.contains("<api_path>/TrafficGateway/TrafficRoutingService/ResourceAccess/ComplianceRetrievalService/cisco</api_path>"));
    assert!(ComplianceService::server_info(Api::V3, "ise_api_version=9").is_err());
}
