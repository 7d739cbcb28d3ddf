//! `deviceCompliancePolicyStates` of a managed device: which policies it meets, and which of their
//! settings it does not.

use serde_json::{Value, json};

use crate::device::{Compliance, Device};

/// The states of one device, of two policies: one of what the device says about itself, and the
/// one that every tenant has.
pub(crate) fn policy_states(device: &Device, graph: &str) -> Value {
    let is_compliant = device.compliance == Compliance::Compliant;
    let state = if is_compliant {
        "compliant"
    } else {
        "nonCompliant"
    };
    let policy = match device.operating_system.as_str() {
        "iOS" => "IosCompliancePolicy",
        "macOS" => "MacOSCompliancePolicy",
        "Android" => "AndroidCompliancePolicy",
        _ => "Windows10CompliancePolicy",
    };
    let setting = |name: &str, shown: &str, meets: bool, error: Option<&str>| {
        json!({
            "setting": format!("{policy}.{name}"),
            "settingName": shown,
            "instanceDisplayName": null,
            "state": if meets { "compliant" } else { "nonCompliant" },
            "errorCode": 0,
            "errorDescription": error,
            "userId": null,
            "userName": null,
            "userEmail": null,
            "userPrincipalName": null,
            "currentValue": null,
            "sources": [],
        })
    };
    let settings = [
        setting(
            "StorageRequireEncryption",
            "Encryption",
            device.encrypted,
            None,
        ),
        setting(
            "SecurityBlockJailbrokenDevices",
            "Jailbroken devices",
            !device.jailbroken,
            None,
        ),
        setting("PasswordRequired", "Password", device.pin_lock, None),
        setting(
            "Rule",
            "Rule",
            is_compliant,
            device.failure_reason.as_deref(),
        ),
    ];
    let guid = device.guid;
    json!({
        "@odata.context": format!(
            "{graph}/v1.0/$metadata#deviceManagement/managedDevices('{guid}')/deviceCompliancePolicyStates"
        ),
        "value": [
            {
                "id": format!("{guid}_1"),
                "displayName": "Contoso baseline",
                "version": 3,
                "platformType": "all",
                "state": state,
                "settingCount": settings.len(),
                "settingStates": settings,
            },
            {
                "id": format!("{guid}_2"),
                "displayName": "Default Device Compliance Policy",
                "version": 1,
                "platformType": "all",
                "state": "compliant",
                "settingCount": 0,
                "settingStates": [],
            },
        ],
    })
}
