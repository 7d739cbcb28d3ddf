use proptest::prelude::*;

use super::*;

/// The literal samples of `mdm-protocols.md` 3.3.
const INFO_V2: &str = "<ise_api><name>mdminfo</name><api_version>2</api_version><api_path>/StatelessNacService/ciscodeviceinfo/mdm/api</api_path><redirect_url>https://portal.manage.microsoft.com/networkaccesscontrol/index</redirect_url><query_max_size>100</query_max_size><messaging_support>false</messaging_support><vendor>Microsoft</vendor><product_name>Microsoft Intune</product_name><product_version>5.0</product_version></ise_api>";
const BY_MAC_V2: &str = "<ise_api><name>attributes</name><api_version>2</api_version><paging_info>0</paging_info><deviceList><device><attributes><register_status>true</register_status><compliance><status>false</status></compliance><pin_lock_on>false</pin_lock_on><model>VMware Virtual Platform</model><udid/><serial_number>VMware-422461a80090e4c2-0e2c2f2ba2eefe60</serial_number><os_version>10.0.19043.2006</os_version></attributes></device></deviceList></ise_api>";
const BY_GUID_V3: &str = r#"<ise_api xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns="http://schemas.datacontract.org/2004/07/Microsoft.Intune.ResourceAccess.ComplianceRetrievalService.Model"><name>attributes</name><api_version>3</api_version><deviceList><device><guid>ee9d3792-6859-4b71-93aa-56aba42581c5</guid><Attributes><guid>ee9d3792-6859-4b71-93aa-56aba42581c5</guid><register_status>true</register_status><Compliance><status>false</status></Compliance></Attributes></device></deviceList></ise_api>"#;

const GUID: &str = "ee9d3792-6859-4b71-93aa-56aba42581c5";

fn only(document: &str) -> Entry {
    let mut entries = read(document.as_bytes()).unwrap();
    assert_eq!(entries.len(), 1, "{document}");
    entries.remove(0)
}

#[test]
fn by_address_version_2() {
    assert_eq!(
        only(BY_MAC_V2),
        Entry {
            registered: Some(true),
            compliant: Some(false),
            screen_lock: Some(false),
            model: Some("VMware Virtual Platform".to_owned()),
            serial: Some("VMware-422461a80090e4c2-0e2c2f2ba2eefe60".to_owned()),
            os_version: Some("10.0.19043.2006".to_owned()),
            ..Entry::default()
        }
    );
}

#[test]
fn by_guid_version_3() {
    assert_eq!(
        only(BY_GUID_V3),
        Entry {
            guids: vec![GUID.to_owned()],
            registered: Some(true),
            compliant: Some(false),
            ..Entry::default()
        }
    );
}

#[test]
fn server_info() {
    let expected = |version: &str| ServerInfo {
        api_version: Some(version.to_owned()),
        vendor: Some("Microsoft".to_owned()),
        product: Some("Microsoft Intune".to_owned()),
    };
    assert_eq!(read_server_info(INFO_V2.as_bytes()), Ok(expected("2")));
    let v3 = INFO_V2.replace("<api_version>2", "<api_version>3").replace(
        "<ise_api>",
        r#"<ise_api xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns="http://schemas.datacontract.org/2004/07/x">"#,
    );
    assert_eq!(read_server_info(v3.as_bytes()), Ok(expected("3")));
}

/// The form with everything in it, `nac-protocols.md` 1.4.
#[test]
fn everything_that_can_be_said() {
    let entry = only(
        "<ISE_API><deviceList><device><macaddress>F434F0A1E478</macaddress><ATTRIBUTES>\
         <Register_Status>TRUE</Register_Status>\
         <compliance><status>false</status><failure_reason>BitLocker &amp; PIN</failure_reason>\
         <remediation>Switch it on</remediation></compliance>\
         <disk_encryption_on>true</disk_encryption_on><pin_lock_on>Yes</pin_lock_on><jail_broken>0</jail_broken>\
         <manufacturer>Contoso</manufacturer><model>One</model><imei>123456789012345</imei><meid>A0000012345678</meid>\
         <udid>u-1</udid><serial_number>S1</serial_number><os_version>14.2</os_version><operating_system>macOS</operating_system>\
         <phone_number>+49 1</phone_number><lastCheckinTimeStamp>1621571561000</lastCheckinTimeStamp>\
         <guid>EE9D3792-6859-4B71-93AA-56ABA42581C5</guid><macaddresses>F434F0A1E478,005056A4895A, x</macaddresses>\
         <grace_period_expiration>1621571562000</grace_period_expiration><Threat_State>secured</Threat_State>\
         </ATTRIBUTES></device></deviceList></ISE_API>",
    );
    let mac = |text: &str| Mac::parse(text).unwrap();
    assert_eq!(
        entry,
        Entry {
            guids: vec![GUID.to_owned()],
            echoed_macs: vec!["f4:34:f0:a1:e4:78".to_owned()],
            listed_macs: vec![mac("F434F0A1E478"), mac("005056A4895A")],
            registered: Some(true),
            compliant: Some(false),
            failure_reason: Some("BitLocker & PIN".to_owned()),
            remediation: Some("Switch it on".to_owned()),
            grace_until: Some(1_621_571_562_000),
            disk_encrypted: Some(true),
            screen_lock: Some(true),
            jailbroken: Some(false),
            manufacturer: Some("Contoso".to_owned()),
            model: Some("One".to_owned()),
            serial: Some("S1".to_owned()),
            imei: Some("123456789012345".to_owned()),
            meid: Some("A0000012345678".to_owned()),
            udid: Some("u-1".to_owned()),
            os: Some("macOS".to_owned()),
            os_version: Some("14.2".to_owned()),
            last_check_in: Some(1_621_571_561_000),
            others: vec![("threat_state".to_owned(), "secured".to_owned())],
        }
    );
}

#[test]
fn no_device_and_no_answer_are_told_apart() {
    for (document, expected) in [
        (
            "<ise_api><name>attributes</name><deviceList/></ise_api>",
            Ok(0),
        ),
        ("<ise_api><deviceList></deviceList></ise_api>", Ok(0)),
        ("<ise_api><name>attributes</name></ise_api>", Ok(0)),
        (
            "<ise_api><deviceList><device/></deviceList></ise_api>",
            Ok(1),
        ),
        ("<ise_api/>", Err(Problem::NoList)),
        (
            "<ise_api><error>busy</error></ise_api>",
            Err(Problem::NoList),
        ),
        (
            "<html><body/></html>",
            Err(Problem::Root("html".to_owned())),
        ),
    ] {
        let read = read(document.as_bytes()).map(|entries| entries.len());
        assert_eq!(read, expected, "{document}");
    }
    assert!(matches!(read(b""), Err(Problem::Xml(_))));
    assert!(matches!(
        read(b"{\"isManaged\":true}"),
        Err(Problem::Xml(_))
    ));
}

fn listed(identifiers: &str) -> Entry {
    only(&format!(
        "<ise_api><deviceList><device>{identifiers}</device></deviceList></ise_api>"
    ))
}

fn check_about(asked: &Asked, identifiers: &[&str], expected: Result<usize, &str>) {
    let entries = identifiers.iter().map(|one| listed(one)).collect();
    let kept = about(asked, entries);
    match (&kept, expected) {
        (Ok(kept), Ok(expected)) => assert_eq!(kept.len(), expected, "{identifiers:?}"),
        (Err(Problem::OtherDevice { answered, .. }), Err(expected)) => {
            assert_eq!(answered, expected, "{identifiers:?}");
        }
        _ => panic!("{identifiers:?}: {kept:?}"),
    }
}

#[test]
fn the_echo_must_be_what_was_asked_for() {
    let by_guid = Asked::Guid(GUID.to_owned());
    let by_mac = Asked::Mac(Mac::parse("F434F0A1E478").unwrap());
    let own = format!("<guid>{GUID}</guid>");
    let other = "<guid>00000000-6859-4b71-93aa-56aba42581c5</guid>";
    check_about(&by_guid, &[], Ok(0));
    check_about(&by_guid, &[&own], Ok(1));
    check_about(&by_guid, &[&own.to_uppercase()], Ok(1));
    check_about(&by_guid, &["<model>x</model>"], Ok(1));
    check_about(
        &by_guid,
        &[other],
        Err("00000000-6859-4b71-93aa-56aba42581c5"),
    );
    check_about(&by_guid, &["<guid>nonsense</guid>"], Err("nonsense"));
    check_about(&by_guid, &[other, &own], Ok(1));
    // Both places count.
    check_about(
        &by_guid,
        &[&format!("{own}<attributes>{other}</attributes>")],
        Err("00000000-6859-4b71-93aa-56aba42581c5"),
    );
    check_about(
        &by_mac,
        &["<macaddress>f4:34:f0:a1:e4:78</macaddress>"],
        Ok(1),
    );
    check_about(
        &by_mac,
        &["<mac>F434F0A1E479</mac>"],
        Err("f4:34:f0:a1:e4:79"),
    );
    check_about(&by_mac, &["<mac>nonsense</mac>"], Err("nonsense"));
    check_about(&by_mac, &["<mac/>"], Ok(1));
    // A GUID is no echo of an address, but a fact.
    check_about(&by_mac, &[&own], Ok(1));
}

#[test]
fn what_is_not_understood_is_bounded() {
    let many: Vec<String> = (0..100)
        .map(|n| format!("<x{n}>{}</x{n}>", "y".repeat(1000)))
        .collect();
    let entry = listed(&many.concat());
    assert_eq!(entry.others.len(), MAX_OTHERS);
    assert!(
        entry
            .others
            .iter()
            .all(|(_, value)| value.len() == MAX_OTHER_LENGTH)
    );
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("<ise_api>".to_owned()), Just("</ise_api>".to_owned()),
                Just("<deviceList>".to_owned()), Just("</deviceList>".to_owned()),
                Just("<device>".to_owned()), Just("</device>".to_owned()),
                Just("<Attributes>".to_owned()), Just("</Attributes>".to_owned()),
                "<(guid|macaddress|macaddresses|lastCheckinTimeStamp|register_status)>[ -~äß]{0,20}</(guid|macaddress|macaddresses|lastCheckinTimeStamp|register_status)>",
                "[ -~\u{0}-\u{ff}]{0,10}",
            ],
            0..32,
        )
    ) {
        let document = pieces.concat();
        let _ = read(document.as_bytes());
        let _ = read(format!("<ise_api><deviceList><device>{document}</device></deviceList></ise_api>").as_bytes());
    }
}
