//! Which attributes ISE wants of a device.

/// One attribute that may be left out. The names are ISE's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    DiskEncryption,
    PinLock,
    JailBroken,
    Manufacturer,
    Model,
    Imei,
    Meid,
    Udid,
    SerialNumber,
    OsVersion,
    PhoneNumber,
    MacAddresses,
}

/// A set of attributes. Registration and compliance are in every answer, and so
/// are the GUID and the last contact in those of version 3: ISE needs them
/// whatever it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Filter(u16);

impl Filter {
    pub(super) const ALL: Self = Self(u16::MAX);

    /// Reads `all`, or names joined by `+`, which form decoding makes a space.
    /// Names that are not known here are left out, as every server does: later
    /// versions add some.
    pub(super) fn read(text: &str) -> Self {
        let mut names = text.split(['+', ' ']).filter(|name| !name.is_empty());
        let mut set = 0;
        let mut is_empty = true;
        for name in names.by_ref() {
            if name.eq_ignore_ascii_case("all") {
                return Self::ALL;
            }
            is_empty = false;
            set |= field(name).map_or(0, Field::bit);
        }
        if is_empty { Self::ALL } else { Self(set) }
    }

    pub(super) const fn wants(self, field: Field) -> bool {
        self.0 & field.bit() != 0
    }
}

impl Field {
    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

fn field(name: &str) -> Option<Field> {
    let name = name.to_ascii_lowercase();
    Some(match name.as_str() {
        "disk_encryption_on" => Field::DiskEncryption,
        "pin_lock_on" => Field::PinLock,
        "jail_broken" => Field::JailBroken,
        "manufacturer" => Field::Manufacturer,
        "model" => Field::Model,
        "imei" => Field::Imei,
        "meid" => Field::Meid,
        "udid" => Field::Udid,
        "serial_number" => Field::SerialNumber,
        "os_version" => Field::OsVersion,
        "phone_number" => Field::PhoneNumber,
        "macaddresses" => Field::MacAddresses,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [(Field, &str); 12] = [
        (Field::DiskEncryption, "disk_encryption_on"),
        (Field::PinLock, "pin_lock_on"),
        (Field::JailBroken, "jail_broken"),
        (Field::Manufacturer, "manufacturer"),
        (Field::Model, "model"),
        (Field::Imei, "imei"),
        (Field::Meid, "meid"),
        (Field::Udid, "udid"),
        (Field::SerialNumber, "serial_number"),
        (Field::OsVersion, "os_version"),
        (Field::PhoneNumber, "phone_number"),
        (Field::MacAddresses, "macaddresses"),
    ];

    #[test]
    fn names() {
        for (text, expected) in [
            ("all", None),
            ("ALL", None),
            ("", None),
            (" + ", None),
            ("model+all", None),
            ("model", Some(vec!["model"])),
            ("imei+meid", Some(vec!["imei", "meid"])),
            (
                "register_status compliance_status  os_version",
                Some(vec!["os_version"]),
            ),
            ("compliance+nonsense", Some(vec![])),
            ("Model+macAddresses", Some(vec!["model", "macaddresses"])),
        ] {
            let filter = Filter::read(text);
            for (field, name) in FIELDS {
                let wanted = expected.as_ref().is_none_or(|names| names.contains(&name));
                assert_eq!(filter.wants(field), wanted, "{text}: {name}");
            }
        }
    }

    #[test]
    fn every_field_has_a_name() {
        for (field, name) in FIELDS {
            assert_eq!(super::field(name), Some(field));
        }
    }
}
