//! What is asked for and read, against Graph's own metadata.

use std::collections::{BTreeMap, BTreeSet};

use portreeve_plugin::device::{Enrollment, Ownership};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::*;

const METADATA: &str = include_str!("managed-device.csdl.xml");

/// Names and types of properties, or names of an enumeration's members, by the
/// type they belong to.
fn types() -> BTreeMap<String, BTreeMap<String, String>> {
    let text = |tag: &BytesStart<'_>, name: &str| {
        let attribute = tag.try_get_attribute(name).unwrap();
        attribute.map(|it| it.value.into_owned())
    };
    let mut types = BTreeMap::<String, BTreeMap<String, String>>::new();
    let mut current = String::new();
    let mut reader = Reader::from_str(METADATA);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) => match tag.local_name().as_ref() {
                "EntityType" | "ComplexType" | "EnumType" => {
                    current = text(&tag, "Name").unwrap();
                }
                "Property" | "NavigationProperty" | "Member" => {
                    let kind = text(&tag, "Type").unwrap_or_default();
                    let members = types.entry(current.clone()).or_default();
                    members.insert(text(&tag, "Name").unwrap(), kind);
                }
                _ => {}
            },
            Event::Eof => return types,
            _ => {}
        }
    }
}

#[test]
fn every_property_that_is_asked_for_exists() {
    let types = types();
    let properties = &types["managedDevice"];
    let mut asked: Vec<&str> = SELECT.split(',').collect();
    for property in &asked {
        // The id is that of every entity.
        assert!(
            *property == "id" || properties.contains_key(*property),
            "{property}"
        );
    }
    // What is not asked for is left out on purpose.
    asked.extend([
        "activationLockBypassCode",
        "deviceActionResults",
        "deviceCategory",
        "deviceCompliancePolicyStates",
        "deviceConfigurationStates",
        "easActivationDateTime",
        "easDeviceId",
        "emailAddress",
        "freeStorageSpaceInBytes",
        "iccid",
        "logCollectionRequests",
        "managedDeviceName",
        "notes",
        "phoneNumber",
        "physicalMemoryInBytes",
        "remoteAssistanceSessionErrorDetails",
        "remoteAssistanceSessionUrl",
        "totalStorageSpaceInBytes",
        "users",
        "windowsProtectionState",
    ]);
    let asked: BTreeSet<&str> = asked.into_iter().collect();
    let new = properties
        .keys()
        .find(|property| !asked.contains(&***property));
    assert_eq!(new, None, "decide whether a policy could want it");
}

#[test]
fn nested_properties_exist() {
    let types = types();
    for (of, names) in [
        (
            "deviceHealthAttestationState",
            &[
                "secureBoot",
                "bitLockerStatus",
                "codeIntegrity",
                "bootDebugging",
                "operatingSystemKernelDebugging",
                "testSigning",
                "safeMode",
                "earlyLaunchAntiMalwareDriverProtection",
                "virtualSecureMode",
                "tpmVersion",
                "issuedDateTime",
            ][..],
        ),
        (
            "configurationManagerClientEnabledFeatures",
            &["compliancePolicy"],
        ),
        (
            "deviceCompliancePolicyState",
            &["displayName", "state", "settingStates"],
        ),
        (
            "deviceCompliancePolicySettingState",
            &["setting", "settingName", "state", "errorDescription"],
        ),
    ] {
        for name in names {
            assert!(types[of].contains_key(*name), "{of} {name}");
        }
    }
}

#[test]
fn every_member_of_an_enumeration_is_thought_of() {
    let types = types();
    for state in types["complianceState"].keys() {
        let told = device(&format!(r#""complianceState":"{state}""#));
        let is_unknown = told.compliance.state == ComplianceState::Unknown;
        assert_eq!(
            is_unknown,
            ["unknown", "configManager"].contains(&state.as_str()),
            "{state}"
        );
    }
    for state in types["managementState"].keys() {
        let told = device(&format!(r#""managementState":"{state}""#));
        let is_unknown = told.enrollment == Enrollment::Unknown;
        assert_eq!(is_unknown, state == "unknownFutureValue", "{state}");
    }
    for owner in types["managedDeviceOwnerType"].keys() {
        let told = device(&format!(r#""managedDeviceOwnerType":"{owner}""#));
        let is_unknown = told.ownership == Ownership::Unknown;
        assert_eq!(is_unknown, owner.starts_with("unknown"), "{owner}");
    }
    let states: Vec<&str> = types["complianceStatus"]
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        states,
        [
            "compliant",
            "conflict",
            "error",
            "nonCompliant",
            "notApplicable",
            "notAssigned",
            "remediated",
            "unknown",
        ]
    );
}
