//! What becomes of each property.

use portreeve_plugin::device::{DeviceId, Enrollment, NamedId, Ownership};

use super::*;

#[test]
fn a_whole_device() {
    let device = device(
        r#""azureADDeviceId":"0A0B0C0D-0000-4000-8000-000000000001","azureADRegistered":true,
        "androidSecurityPatchLevel":null,"complianceState":"inGracePeriod",
        "complianceGracePeriodExpirationDateTime":"2026-08-24T00:00:00.1234567Z",
        "deviceCategoryDisplayName":"Unknown","deviceEnrollmentType":"windowsAzureADJoin",
        "deviceName":"DESKTOP-1","deviceRegistrationState":"registered","easActivated":false,
        "enrolledDateTime":"2025-01-02T03:04:05Z","enrollmentProfileName":"Standard",
        "ethernetMacAddress":"00155D010203","exchangeAccessState":"none",
        "exchangeLastSuccessfulSyncDateTime":"0001-01-01T00:00:00Z","imei":"","isEncrypted":true,
        "isSupervised":false,"jailBroken":"Unknown","lastSyncDateTime":"2026-08-20T22:00:00Z",
        "managedDeviceOwnerType":"company","managementAgent":"mdm",
        "managementCertificateExpirationDate":"2026-12-31T00:00:00Z","managementState":"managed",
        "manufacturer":"Contoso","meid":null,"model":"Laptop 7","operatingSystem":"Windows",
        "osVersion":"10.0.22631.3880","partnerReportedThreatState":"lowSeverity",
        "serialNumber":"PF2ABCDE","udid":null,"userDisplayName":"Ada L\u00f6w",
        "userId":"5d0f7a35-0000-4000-8000-000000000001","userPrincipalName":"ada@contoso.example",
        "wiFiMacAddress":"00155D010204","deviceHealthAttestationState":{"secureBoot":"Enabled",
        "bitLockerStatus":"On","codeIntegrity":""},"deviceActionResults":[{"a":[1.5]}]"#,
    );
    assert_eq!(device.key, GUID);
    assert_eq!(
        device.ids,
        [
            DeviceId::Guid(GUID.to_owned()),
            DeviceId::Serial("PF2ABCDE".to_owned()),
            DeviceId::Other(NamedId {
                kind: "entra-device-id".to_owned(),
                value: "0a0b0c0d-0000-4000-8000-000000000001".to_owned(),
            }),
            DeviceId::Mac("00:15:5d:01:02:04".to_owned()),
            DeviceId::Mac("00:15:5d:01:02:03".to_owned()),
            DeviceId::Hostname("DESKTOP-1".to_owned()),
        ]
    );
    assert_eq!(device.enrollment, Enrollment::Enrolled);
    assert_eq!(device.compliance.state, ComplianceState::InGracePeriod);
    assert_eq!(
        device.compliance.grace_until,
        Some(NOW + 3 * 86_400_000 + 123)
    );
    assert_eq!(device.ownership, Ownership::Corporate);
    assert_eq!(device.posture.disk_encrypted, Tristate::Yes);
    assert_eq!(device.posture.jailbroken, Tristate::Unknown);
    assert_eq!(device.posture.secure_boot, Tristate::Yes);
    let user = device.user.as_ref().unwrap();
    assert_eq!(user.display_name.as_deref(), Some("Ada Löw"));
    assert_eq!(user.principal_name.as_deref(), Some("ada@contoso.example"));
    let os = device.os.as_ref().unwrap();
    assert_eq!(os.family, "windows");
    assert_eq!(os.version.as_deref(), Some("10.0.22631.3880"));
    assert_eq!(device.last_seen, Some(NOW - 2 * 3_600_000));
    assert_eq!(device.enrolled_at, Some(1_735_787_045_000));
    let text = |text: &str| Value::Text(text.to_owned());
    let attributes: Vec<_> = device
        .attributes
        .into_iter()
        .map(|attribute| (attribute.name, attribute.value))
        .collect();
    assert_eq!(
        attributes,
        [
            ("intune.management-agent", text("mdm")),
            ("intune.enrollment-type", text("windowsAzureADJoin")),
            ("intune.enrollment-profile", text("Standard")),
            ("intune.registration-state", text("registered")),
            ("intune.partner-threat-state", text("lowSeverity")),
            ("intune.bitlocker-status", text("On")),
            ("intune.entra-registered", Value::Boolean(true)),
            ("intune.supervised", Value::Boolean(false)),
            ("intune.eas-activated", Value::Boolean(false)),
            (
                "intune.management-certificate-expires",
                Value::Timestamp(1_798_675_200_000)
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    );
}

#[test]
fn a_device_of_which_nothing_is_known() {
    for properties in [
        "",
        r#""complianceState":null,"deviceHealthAttestationState":null,"jailBroken":null"#,
        // Of other kinds than documented.
        r#""serialNumber":7,"isEncrypted":"x","model":{"a":[1,-2,3.5]},"lastSyncDateTime":-1"#,
    ] {
        let device = device(properties);
        assert_eq!(
            device.ids,
            [DeviceId::Guid(GUID.to_owned())],
            "{properties}"
        );
        assert_eq!(device.enrollment, Enrollment::Enrolled);
        assert_eq!(device.compliance.state, ComplianceState::Unknown);
        assert_eq!(device.posture.disk_encrypted, Tristate::Unknown);
        assert_eq!((device.user, device.os, device.model), (None, None, None));
        assert!(device.attributes.is_empty(), "{:?}", device.attributes);
    }
}

#[test]
fn words_of_graph() {
    use ComplianceState::{Compliant, Conflict, Failed, InGracePeriod, NonCompliant, Unknown};
    for (word, expected, kept) in [
        ("compliant", Compliant, false),
        ("noncompliant", NonCompliant, false),
        ("inGracePeriod", InGracePeriod, false),
        ("conflict", Conflict, false),
        ("error", Failed, false),
        ("unknown", Unknown, false),
        ("configManager", Unknown, true),
        ("wordOfTomorrow", Unknown, true),
    ] {
        let device = device(&format!(
            r#""complianceState":"{word}","complianceGracePeriodExpirationDateTime":"9999-12-31T23:59:59.9999999Z""#
        ));
        assert_eq!(device.compliance.state, expected, "{word}");
        assert_eq!(device.compliance.grace_until, None, "{word}");
        let attribute = attribute(&device, "intune.compliance-state");
        assert_eq!(attribute.is_some(), kept, "{word}");
    }
    for (word, expected) in [
        ("managed", Enrollment::Enrolled),
        ("retireFailed", Enrollment::Enrolled),
        ("wipeFailed", Enrollment::Enrolled),
        ("unhealthy", Enrollment::Enrolled),
        ("wipeCanceled", Enrollment::Enrolled),
        ("retireCanceled", Enrollment::Enrolled),
        ("retirePending", Enrollment::Retired),
        ("retireIssued", Enrollment::Retired),
        ("wipePending", Enrollment::Retired),
        ("wipeIssued", Enrollment::Retired),
        ("deletePending", Enrollment::Retired),
        ("discovered", Enrollment::NotEnrolled),
        ("unknownFutureValue", Enrollment::Unknown),
    ] {
        let device = device(&format!(r#""managementState":"{word}""#));
        assert_eq!(device.enrollment, expected, "{word}");
    }
    for (word, expected) in [
        ("company", Ownership::Corporate),
        ("personal", Ownership::Personal),
        ("unknown", Ownership::Unknown),
    ] {
        let device = device(&format!(r#""managedDeviceOwnerType":"{word}""#));
        assert_eq!(device.ownership, expected, "{word}");
    }
    for (word, expected) in [
        (r#""True""#, Tristate::Yes),
        (r#""true""#, Tristate::Yes),
        (r#""False""#, Tristate::No),
        (r#""FALSE""#, Tristate::No),
        (r#""Unknown""#, Tristate::Unknown),
        ("true", Tristate::Yes),
        ("null", Tristate::Unknown),
    ] {
        let device = device(&format!(r#""jailBroken":{word}"#));
        assert_eq!(device.posture.jailbroken, expected, "{word}");
    }
}

#[test]
fn names_that_name_no_computer() {
    let hostname = |os: &str, name: &str| {
        let device = device(&format!(
            r#""operatingSystem":"{os}","deviceName":"{name}""#
        ));
        device.ids.len() == 2
    };
    assert!(hostname("Windows", "DESKTOP-1"));
    assert!(hostname("macOS", "mac-1.contoso.example"));
    assert!(!hostname("macOS", "Ada's Mac"));
    assert!(!hostname("iOS", "iPhone"));
    assert!(!hostname("", "DESKTOP-1"));
}

#[test]
fn devices_without_an_id_are_left_out() {
    let body = format!(r#"{{"value":[{{}},{{"id":null}},{{"id":"7"}},{{"id":"{GUID}"}}]}}"#);
    let page = read_next(&Fake::new([ok(&body)]), None).unwrap();
    assert_eq!(page.upserts.len(), 1);
}
