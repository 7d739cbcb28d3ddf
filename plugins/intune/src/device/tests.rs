use super::*;

const GUID: &str = "ee9d3792-6859-4b71-93aa-56aba42581c5";

fn by_guid() -> Asked {
    Asked::Guid(GUID.to_owned())
}

fn by_mac() -> Asked {
    Asked::Mac(Mac::parse("F434F0A1E478").unwrap())
}

#[test]
fn compliance_and_grace() {
    let reason = || Some("BitLockerEnabled".to_owned());
    for (compliant, grace_until, expected) in [
        (Some(true), None, ComplianceState::Compliant),
        (Some(false), None, ComplianceState::NonCompliant),
        (None, None, ComplianceState::Unknown),
        (Some(false), Some(1), ComplianceState::InGracePeriod),
        (Some(true), Some(1), ComplianceState::InGracePeriod),
        (None, Some(1), ComplianceState::InGracePeriod),
    ] {
        let entry = Entry {
            compliant,
            grace_until,
            failure_reason: reason(),
            ..Entry::default()
        };
        let compliance = from_entry(entry, &by_guid()).compliance;
        assert_eq!(compliance.state, expected, "{compliant:?} {grace_until:?}");
        assert_eq!(compliance.grace_until, grace_until);
        let fails = expected != ComplianceState::Compliant;
        assert_eq!(compliance.failing.len(), usize::from(fails));
    }
}

#[test]
fn reasons_become_codes() {
    for (reason, remediation, code, message) in [
        (
            "BitLocker_Enabled",
            None,
            "bitlocker-enabled",
            "BitLocker_Enabled",
        ),
        ("no PIN", None, "failure-reason", "no PIN"),
        (
            "no PIN",
            Some("set one"),
            "failure-reason",
            "no PIN (set one)",
        ),
    ] {
        let entry = Entry {
            compliant: Some(false),
            failure_reason: Some(reason.to_owned()),
            remediation: remediation.map(str::to_owned),
            ..Entry::default()
        };
        assert_eq!(
            from_entry(entry, &by_guid()).compliance.failing,
            vec![FailingCheck {
                code: code.to_owned(),
                message: Some(message.to_owned()),
            }]
        );
    }
}

#[test]
fn keys_and_identifiers() {
    let mac = Mac::parse("005056A4895A").unwrap();
    let entry = || Entry {
        guids: vec![GUID.to_owned()],
        echoed_macs: vec!["f4:34:f0:a1:e4:78".to_owned()],
        listed_macs: vec![Mac::parse("F434F0A1E478").unwrap(), mac],
        serial: Some("S1".to_owned()),
        imei: Some("35 123456 789012 3".to_owned()),
        meid: Some("a0000012345678".to_owned()),
        udid: Some("u".to_owned()),
        ..Entry::default()
    };
    let ids = vec![
        DeviceId::Guid(GUID.to_owned()),
        DeviceId::Mac("f4:34:f0:a1:e4:78".to_owned()),
        DeviceId::Mac("00:50:56:a4:89:5a".to_owned()),
        DeviceId::Serial("S1".to_owned()),
        DeviceId::Imei("351234567890123".to_owned()),
        DeviceId::Meid("A0000012345678".to_owned()),
        DeviceId::Udid("u".to_owned()),
    ];
    for asked in [by_guid(), by_mac()] {
        let device = from_entry(entry(), &asked);
        assert_eq!(device.key, GUID);
        assert_eq!(device.ids, ids);
    }
    // Nothing but the question is known.
    let device = from_entry(Entry::default(), &by_mac());
    assert_eq!(device.key, "mac:f4:34:f0:a1:e4:78");
    assert_eq!(
        device.ids,
        vec![DeviceId::Mac("f4:34:f0:a1:e4:78".to_owned())]
    );
    // What is no IMEI or MEID is none.
    let odd = Entry {
        imei: Some("12".to_owned()),
        meid: Some("xyz".to_owned()),
        ..Entry::default()
    };
    assert_eq!(from_entry(odd, &by_guid()).ids.len(), 1);
}

#[test]
fn attributes_say_how_it_was_found() {
    let entry = Entry {
        others: vec![
            ("matched_by".to_owned(), "forged".to_owned()),
            ("Threat_State".to_owned(), "secured".to_owned()),
        ],
        ..Entry::default()
    };
    let named = |name: &str, value: &str| Attribute {
        name: name.to_owned(),
        value: Value::Text(value.to_owned()),
    };
    assert_eq!(
        from_entry(entry, &by_mac()).attributes,
        vec![
            named("intune.matched-by", "mac"),
            named("intune.threat-state", "secured"),
        ]
    );
}

#[test]
fn operating_systems() {
    for (os, model, version, expected) in [
        (None, None, None, None),
        (Some("Windows 11"), None, None, Some("windows")),
        (Some("iPadOS"), Some("iPhone"), None, Some("ipados")),
        (Some("AndroidEnterprise"), None, Some("14"), Some("android")),
        (Some("Amiga"), None, None, None),
        (Some("Amiga"), None, Some("3.1"), Some("unknown")),
        (None, Some("iPhone 15 Pro"), Some("17.4"), Some("ios")),
        (None, Some("iPad13,4"), None, Some("ipados")),
        (None, Some("MacBookPro18,3"), None, Some("macos")),
        (None, Some("Mac14,2"), None, Some("macos")),
        (None, Some("Mac mini"), None, Some("macos")),
        (None, Some("Machinery"), Some("1"), Some("unknown")),
        (
            None,
            Some("VMware"),
            Some("10.0.19043.2006"),
            Some("windows"),
        ),
        (None, None, Some("10.0.1"), Some("unknown")),
        (None, None, Some("17.4"), Some("unknown")),
    ] {
        let entry = Entry {
            os: os.map(str::to_owned),
            model: model.map(str::to_owned),
            os_version: version.map(str::to_owned),
            ..Entry::default()
        };
        let made = from_entry(entry, &by_guid()).os;
        assert_eq!(
            made.as_ref().map(|os| os.family.as_str()),
            expected,
            "{os:?} {model:?} {version:?}"
        );
        assert_eq!(made.and_then(|os| os.version).as_deref(), version);
    }
}

#[test]
fn posture() {
    let entry = Entry {
        disk_encrypted: Some(true),
        jailbroken: Some(false),
        ..Entry::default()
    };
    let posture = from_entry(entry, &by_guid()).posture;
    assert_eq!(posture.disk_encrypted, Tristate::Yes);
    assert_eq!(posture.jailbroken, Tristate::No);
    assert_eq!(posture.screen_lock, Tristate::Unknown);
}
