use portreeve_domain::{
    Enrollment, FailingCheck, Guid, Identifier, MacAddress, Ownership, Posture, Tristate,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Texts of every form, some of which repeat.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any::<String>(),
        2 => "[a-c]{3,5}",
        1 => "[0-9]{3,16}",
        1 => "[0-9a-f]{3,9}",
        1 => "[0-9A-F]{3,9}",
        1 => any::<u128>().prop_map(|bits| Guid::new(bits).to_string()),
        1 => any::<u128>().prop_map(|bits| Guid::new(bits).to_string().to_uppercase()),
        1 => "[a-z@]{1,5}@(one|two)\\.example",
    ]
}

fn short() -> impl Strategy<Value = Box<str>> {
    text().prop_map(String::into_boxed_str)
}

fn identifier() -> impl Strategy<Value = Identifier> {
    prop_oneof![
        any::<[u8; 6]>().prop_map(|octets| Identifier::Mac(MacAddress::new(octets))),
        any::<u128>().prop_map(|bits| Identifier::Guid(Guid::new(bits))),
        short().prop_map(Identifier::Serial),
        short().prop_map(Identifier::Imei),
        short().prop_map(Identifier::Meid),
        short().prop_map(Identifier::Udid),
        short().prop_map(Identifier::Hostname),
        short().prop_map(Identifier::User),
        (short(), short()).prop_map(|(kind, value)| Identifier::Other { kind, value }),
        short().prop_map(|value| Identifier::Other {
            kind: "entra-device-id".into(),
            value,
        }),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        any::<u64>(),
        (0..u64::MAX / 1_000).prop_map(|it| it * 1_000)
    ]
    .prop_map(Timestamp::from_millis)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        text().prop_map(Value::Text),
        time().prop_map(Value::Timestamp),
        vec(text(), 0..3).prop_map(Value::Texts),
    ]
}

fn tristate() -> impl Strategy<Value = Tristate> {
    select(vec![Tristate::Unknown, Tristate::No, Tristate::Yes])
}

fn compliance() -> impl Strategy<Value = Compliance> {
    use ComplianceState::{
        Compliant, Conflict, Failed, InGracePeriod, NonCompliant, NotEvaluated, Unknown,
    };
    let state = select(vec![
        Unknown,
        Compliant,
        NonCompliant,
        InGracePeriod,
        NotEvaluated,
        Conflict,
        Failed,
    ]);
    let check =
        (text(), option::of(text())).prop_map(|(code, message)| FailingCheck { code, message });
    (
        state,
        option::of(time()),
        option::of(time()),
        vec(check, 0..3),
    )
        .prop_map(|(state, evaluated_at, grace_until, failing)| Compliance {
            state,
            evaluated_at,
            grace_until,
            failing,
        })
}

fn user() -> impl Strategy<Value = User> {
    let some = || option::of(text());
    (some(), some(), some(), vec(text(), 0..3)).prop_map(
        |(id, principal_name, display_name, groups)| User {
            id,
            principal_name,
            display_name,
            groups,
        },
    )
}

fn os() -> impl Strategy<Value = OperatingSystem> {
    let some = || option::of(text());
    (text(), some(), some(), some()).prop_map(|(family, version, build, patch_level)| {
        OperatingSystem {
            family,
            version,
            build,
            patch_level,
        }
    })
}

fn states() -> impl Strategy<Value = (Enrollment, Ownership, Posture)> {
    use Enrollment::{Enrolled, NotEnrolled, Pending, Retired, Unknown};
    let enrollment = select(vec![Unknown, NotEnrolled, Pending, Enrolled, Retired]);
    let ownership = select(vec![
        Ownership::Unknown,
        Ownership::Corporate,
        Ownership::Personal,
        Ownership::Shared,
    ]);
    let posture = [(); 6].map(|()| tristate()).prop_map(|answers| {
        let [
            disk_encrypted,
            screen_lock,
            jailbroken,
            firewall,
            antivirus,
            secure_boot,
        ] = answers;
        Posture {
            disk_encrypted,
            screen_lock,
            jailbroken,
            firewall,
            antivirus,
            secure_boot,
        }
    });
    (enrollment, ownership, posture)
}

fn device() -> impl Strategy<Value = Device> {
    let names = (
        text(),
        vec(identifier(), 0..5),
        any::<bool>(),
        any::<bool>(),
    );
    let some = || option::of(text());
    let texts = (some(), some(), some());
    let times = (option::of(time()), option::of(time()));
    let attribute = (text(), value()).prop_map(|(name, value)| Attribute { name, value });
    (
        names,
        states(),
        compliance(),
        (option::of(user()), option::of(os())),
        texts,
        times,
        vec(attribute, 0..5),
    )
        .prop_map(
            |(names, states, compliance, (user, os), texts, times, attributes)| {
                let (key, mut ids, key_is_guid, name_is_hostname) = names;
                if let (true, Ok(guid)) = (key_is_guid, key.parse()) {
                    ids.push(Identifier::Guid(guid));
                }
                if let (true, Some(name)) = (name_is_hostname, &texts.2) {
                    ids.push(Identifier::Hostname(name.to_lowercase().into()));
                }
                Device {
                    key,
                    ids,
                    enrollment: states.0,
                    compliance,
                    ownership: states.1,
                    posture: states.2,
                    user,
                    os,
                    manufacturer: texts.0,
                    model: texts.1,
                    name: texts.2,
                    enrolled_at: times.0,
                    last_seen: times.1,
                    attributes,
                }
            },
        )
}

proptest! {
    #[test]
    fn what_was_packed_is_unpacked(devices in vec(device(), 1..4)) {
        let words = Words::default();
        // From the second round on, repeated texts are words.
        for round in 0..3 {
            for (number, device) in devices.iter().enumerate() {
                // Other devices with the same texts.
                let mut device = device.clone();
                device.key = format!("{}{round}{number}", device.key);
                let packed = pack(&device, &words);
                prop_assert_eq!(check(&packed, &words), Ok(()));
                let names = Names::of(&packed);
                prop_assert_eq!(names.key(), &encode_key(&device.key)[..]);
                let ids: Vec<_> = names.ids().map(|id| id.decode().unwrap()).collect();
                prop_assert_eq!(&ids, &device.ids);
                prop_assert_eq!(compliance_state(&packed), device.compliance.state);
                prop_assert_eq!(unpack(&packed, &words), Ok(device));
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read(mut bytes in vec(any::<u8>(), 0..200)) {
        let words = Words::restore(["one", "two"].map(str::to_owned));
        for version in [None, Some(FIRST_VERSION), Some(VERSION)] {
            if let (Some(version), Some(first)) = (version, bytes.first_mut()) {
                *first = version;
            }
            agree(&bytes, &words)?;
        }
    }

    #[test]
    fn damage_is_refused_or_reads_as_a_device(device in device(), at: prop::sample::Index, to: u8) {
        let words = Words::restore(["one", "two"].map(str::to_owned));
        let mut packed = pack(&device, &words);
        let at = at.index(packed.len());
        prop_assert!(unpack(&packed[..at], &words).is_err());
        packed[at] = to;
        agree(&packed, &words)?;
    }

    #[test]
    fn names_are_equal_as_bytes_if_they_are(one in identifier(), other in identifier()) {
        let (packed_one, packed_other) = (EncodedId::new(&one), EncodedId::new(&other));
        prop_assert_eq!(packed_one.as_packed() == packed_other.as_packed(), one == other);
        prop_assert_eq!(packed_one.as_packed().decode(), Ok(one));
    }
}

/// Checking and unpacking say the same, and what is read has all that was read
/// in its bytes.
fn agree(bytes: &[u8], words: &Words) -> Result<(), TestCaseError> {
    let read = unpack(bytes, words);
    prop_assert_eq!(
        check(bytes, words),
        read.as_ref().map(drop).map_err(|it| *it)
    );
    let _ = Names::of(bytes).ids().count();
    if let Ok(device) = read {
        let again = pack(&device, words);
        prop_assert_eq!(unpack(&again, words), Ok(device));
    }
    Ok(())
}

#[test]
fn other_forms_are_named() {
    let words = Words::default();
    assert_eq!(unpack(&[3], &words), Err(PackedError::Version(3)));
    assert_eq!(unpack(&[], &words), Err(PackedError::Damaged));
    let full = Words::restore(["windows".to_owned()]);
    let device = Device {
        os: Some(OperatingSystem {
            family: "windows".to_owned(),
            ..OperatingSystem::default()
        }),
        ..Device::default()
    };
    let packed = pack(&device, &full);
    assert_eq!(packed.len(), START_OF_NAMES + 3);
    assert_eq!(unpack(&packed, &words), Err(PackedError::UnknownWord(0)));
}

/// Devices that an earlier version stored stay readable, under their names.
#[test]
fn the_first_version_is_read() {
    let words = Words::restore(["contoso.com".to_owned()]);
    let device = Device {
        key: "3eeb9e62-cec9-4dd8-9dd6-74903695a62b".to_owned(),
        ids: vec![Identifier::Hostname("laptop-of-ada".into())],
        user: Some(User {
            principal_name: Some("ada@contoso.com".to_owned()),
            ..User::default()
        }),
        attributes: vec![
            Attribute {
                name: "vendor.a".to_owned(),
                value: Value::Integer(-3),
            },
            Attribute {
                name: "vendor.b".to_owned(),
                value: Value::Text("ada's laptop".to_owned()),
            },
        ],
        ..Device::default()
    };
    let now = pack(&device, &words);
    let mut first = vec![FIRST_VERSION];
    first.extend(&now[1..START_OF_NAMES]);
    super::names::push(&mut first, &device.key, &device.ids);
    // Lengths and forms of texts as the first version wrote them.
    first.extend(b"\x1eada\0");
    first.extend(b"\x02\x40vendor.a\x02\x05\x40vendor.b\x05\x60ada's laptop");
    assert!(now.len() < first.len());
    for packed in [&now, &first] {
        assert_eq!(check(packed, &words), Ok(()));
        assert_eq!(unpack(packed, &words).as_ref(), Ok(&device));
        assert_eq!(Names::of(packed).key(), &encode_key(&device.key)[..]);
        assert!(Names::of(packed).carries(EncodedId::new(&device.ids[0]).as_packed()));
    }
}
