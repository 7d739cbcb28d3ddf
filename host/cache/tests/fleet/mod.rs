//! Devices as large as real ones, computed from a number.

use portreeve_domain::{
    Attribute, Compliance, ComplianceState, Device, Enrollment, FailingCheck, Guid, Identifier,
    MacAddress, OperatingSystem, Ownership, Posture, Timestamp, Tristate, User, Value,
};

/// The first of January 2026.
const EPOCH: u64 = 1_767_225_600_000;

/// Numbers without a visible order (`SplitMix64`).
pub(crate) fn scramble(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The device's wireless address.
pub(crate) fn mac(number: u64) -> MacAddress {
    let [_, _, octets @ ..] = scramble(number).to_be_bytes();
    MacAddress::new(octets)
}

/// The GUID of the device.
pub(crate) fn guid(number: u64) -> Guid {
    guid_of(number, 0)
}

fn guid_of(number: u64, what: u64) -> Guid {
    let high = scramble(number ^ what << 56);
    Guid::new(u128::from(high) << 64 | u128::from(scramble(!high)))
}

struct Platform {
    family: &'static str,
    versions: &'static [&'static str],
    manufacturer: &'static str,
    models: &'static [&'static str],
    agent: &'static str,
    enrollment: &'static str,
}

const WINDOWS: Platform = Platform {
    family: "windows",
    versions: &["10.0.22631.3880", "10.0.26100.1742", "10.0.19045.4651"],
    manufacturer: "LENOVO",
    models: &["21CB009UGE", "20XW00A1GE", "21HM0000GE"],
    agent: "configurationManagerClientMdm",
    enrollment: "windowsAzureADJoin",
};

const MACOS: Platform = Platform {
    family: "macos",
    versions: &["14.5 (23F79)", "15.0.1 (24A348)"],
    manufacturer: "Apple",
    models: &["MacBook Pro", "MacBook Air"],
    agent: "mdm",
    enrollment: "appleBulkWithUser",
};

const IOS: Platform = Platform {
    family: "ios",
    versions: &["17.5.1", "18.0"],
    manufacturer: "Apple",
    models: &["iPhone 15", "iPhone 14", "iPhone SE"],
    agent: "mdm",
    enrollment: "appleUserEnrollment",
};

const ANDROID: Platform = Platform {
    family: "android",
    versions: &["14.0", "15.0"],
    manufacturer: "Google",
    models: &["Pixel 8", "Pixel 7a"],
    agent: "googleCloudDevicePolicyController",
    enrollment: "androidEnterpriseFullyManaged",
};

const FIRST: [&str; 8] = [
    "ada", "grace", "edsger", "barbara", "donald", "frances", "tony", "margaret",
];
const LAST: [&str; 8] = [
    "lovelace", "hopper", "dijkstra", "liskov", "knuth", "allen", "hoare", "hamilton",
];

fn pick(all: &[&'static str], number: u64) -> &'static str {
    let place = usize::try_from(number % all.len() as u64);
    let picked = place.ok().and_then(|place| all.get(place));
    picked.copied().unwrap_or_default()
}

/// A device of a tenant of Microsoft Intune.
pub(crate) fn device(number: u64) -> Device {
    let platform = match number % 4 {
        0 => WINDOWS,
        1 => MACOS,
        2 => IOS,
        _ => ANDROID,
    };
    let random = scramble(number);
    let mut ids = vec![
        Identifier::Guid(guid(number)),
        Identifier::Mac(mac(number)),
        Identifier::Serial(format!("C02{:09}", random % 1_000_000_000).into()),
    ];
    let udid = || {
        let text = format!("{:08X}-{:016X}", random >> 40, scramble(random));
        Identifier::Udid(text.into())
    };
    let imei = || Identifier::Imei(format!("35{:013}", random % 10_000_000_000_000).into());
    match platform.family {
        "windows" => ids.push(Identifier::Mac(mac(!number))),
        "macos" => ids.push(udid()),
        "ios" => ids.extend([udid(), imei()]),
        _ => ids.push(imei()),
    }
    let (first, last) = (pick(&FIRST, random), pick(&LAST, random >> 3));
    let person = random >> 6 & 0xffff;
    let text = |name: &str, value: &str| Attribute {
        name: format!("intune.{name}"),
        value: Value::Text(value.to_owned()),
    };
    Device {
        key: guid(number).to_string(),
        ids,
        enrollment: Enrollment::Enrolled,
        compliance: compliance(number),
        ownership: if number.is_multiple_of(3) {
            Ownership::Personal
        } else {
            Ownership::Corporate
        },
        posture: Posture {
            disk_encrypted: Tristate::Yes,
            jailbroken: Tristate::No,
            ..Posture::default()
        },
        user: Some(User {
            id: Some(guid_of(person, 1).to_string()),
            principal_name: Some(format!("{first}.{last}{person}@contoso.com")),
            display_name: Some(format!("{first} {last} {person}")),
            groups: Vec::new(),
        }),
        os: Some(OperatingSystem {
            family: platform.family.to_owned(),
            version: Some(pick(platform.versions, random).to_owned()),
            build: None,
            patch_level: None,
        }),
        manufacturer: Some(platform.manufacturer.to_owned()),
        model: Some(pick(platform.models, random).to_owned()),
        name: Some(format!("LAPTOP-{:07X}", random & 0xfff_ffff)),
        enrolled_at: Some(Timestamp::from_millis(EPOCH - random % 50_000_000 * 1_000)),
        last_seen: Some(Timestamp::from_millis(EPOCH + random % 30_000_000)),
        attributes: vec![
            text("management-agent", platform.agent),
            text("ownership", pick(&["company", "personal"], number)),
            text("enrollment-type", platform.enrollment),
            text("registration-state", "registered"),
            Attribute {
                name: "intune.entra-registered".to_owned(),
                value: Value::Boolean(true),
            },
            Attribute {
                name: "intune.management-certificate-expires".to_owned(),
                value: Value::Timestamp(Timestamp::from_millis(
                    EPOCH + random % 30_000_000 * 1_000,
                )),
            },
        ],
    }
}

fn compliance(number: u64) -> Compliance {
    let failing = |code: &str, message: &str| {
        vec![FailingCheck {
            code: code.to_owned(),
            message: Some(message.to_owned()),
        }]
    };
    match number % 20 {
        16 | 19 => Compliance {
            state: ComplianceState::NonCompliant,
            failing: failing("os-version", "operating system is too old"),
            ..Compliance::default()
        },
        17 => Compliance {
            state: ComplianceState::InGracePeriod,
            grace_until: Some(Timestamp::from_millis(EPOCH + number % 1_000_000)),
            failing: failing("restart-pending", "a restart is pending"),
            ..Compliance::default()
        },
        _ => Compliance {
            state: ComplianceState::Compliant,
            ..Compliance::default()
        },
    }
}

/// The same with all that Microsoft Graph says of it beyond that.
#[allow(dead_code, reason = "not all that include this file want it")]
pub(crate) fn full_device(number: u64) -> Device {
    let mut device = device(number);
    let random = scramble(number);
    device.ids.push(Identifier::Other {
        kind: "entra-device-id".into(),
        value: guid_of(number, 2).to_string().into(),
    });
    let name = device.name.clone().unwrap_or_default();
    if number % 4 < 2 {
        device
            .ids
            .push(Identifier::Hostname(name.to_lowercase().into()));
    }
    let user = device.user.clone().unwrap_or_default();
    let principal = user.principal_name.unwrap_or_default();
    let (local, _) = principal.split_once('@').unwrap_or_default();
    let os = device.os.clone().unwrap_or_default();
    let managed = format!(
        "{local}_{}_{}/{}/2025_{}:{:02} AM",
        os.family,
        1 + random % 12,
        1 + random % 28,
        1 + random % 12,
        random % 60,
    );
    for (name, value) in [
        ("managed-device-name", managed),
        (
            "eas-device-id",
            format!("{:032X}", guid_of(number, 3).bits()),
        ),
        (
            "device-category",
            "Laptops of the branch offices".to_owned(),
        ),
        ("partner-threat-state", "activated".to_owned()),
    ] {
        device.attributes.push(Attribute {
            name: format!("intune.{name}"),
            value: Value::Text(value),
        });
    }
    device
}
