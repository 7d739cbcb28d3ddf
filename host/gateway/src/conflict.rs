//! Whether two sources speak of the same endpoint.

use portreeve_domain::{Device, Identifier};

/// Whether two records cannot be one device: both name its hardware, and no
/// hardware name is common.
///
/// Only numbers that belong to the hardware count. GUIDs do not: each
/// management system gives its own. Interface addresses do not either, for
/// docks and adapters are shared.
pub(crate) fn contradict(one: &Device, other: &Device) -> bool {
    let kinds = [is_serial, is_imei, is_udid];
    let mut comparable = false;
    for kind in kinds {
        let mine: Vec<&Identifier> = one.ids.iter().filter(|id| kind(id)).collect();
        let mut theirs = other.ids.iter().filter(|id| kind(id)).peekable();
        if mine.is_empty() || theirs.peek().is_none() {
            continue;
        }
        comparable = true;
        if theirs.any(|id| mine.contains(&id)) {
            return false;
        }
    }
    comparable
}

/// Whether a record that a less trustworthy identifier led to is not that of
/// the device the client named.
///
/// A GUID comes from a certificate. Who shows one and has the interface address
/// of a device that does not carry it shares a docking station with that device,
/// or copied its address; either way its compliance says nothing about him.
pub(crate) fn is_another(carries: impl Fn(&Identifier) -> bool, asked: &[Identifier]) -> bool {
    let mut guids = asked
        .iter()
        .filter(|id| matches!(id, Identifier::Guid(_)))
        .peekable();
    guids.peek().is_some() && !guids.any(carries)
}

fn is_serial(id: &Identifier) -> bool {
    matches!(id, Identifier::Serial(_))
}

fn is_imei(id: &Identifier) -> bool {
    matches!(id, Identifier::Imei(_) | Identifier::Meid(_))
}

fn is_udid(id: &Identifier) -> bool {
    matches!(id, Identifier::Udid(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(ids: &[&str]) -> Device {
        let ids = ids.iter().map(|text| text.parse().unwrap()).collect();
        Device {
            ids,
            ..Device::default()
        }
    }

    #[track_caller]
    fn check(one: &[&str], other: &[&str], expected: bool) {
        assert_eq!(contradict(&device(one), &device(other)), expected);
        assert_eq!(contradict(&device(other), &device(one)), expected);
    }

    #[test]
    fn a_docking_station_lends_nobody_its_device() {
        const MINE: &str = "3eeb9e62-cec9-4dd8-9dd6-74903695a62b";
        const OTHER: &str = "00000000-cec9-4dd8-9dd6-74903695a62b";
        const DOCK: &str = "00:50:56:a4:89:5a";
        for (record, asked, expected) in [
            (&[MINE, DOCK][..], &[MINE, DOCK][..], false),
            (&[OTHER, DOCK], &[MINE, DOCK], true),
            (&[OTHER, DOCK], &[DOCK], false),
            (&[DOCK], &[MINE, DOCK], true),
            (&[DOCK], &[DOCK], false),
        ] {
            let asked = device(asked).ids;
            let record = device(record);
            assert_eq!(is_another(|id| record.ids.contains(id), &asked), expected);
        }
    }

    #[test]
    fn hardware_numbers_decide() {
        check(&[], &[], false);
        check(&["serial:a"], &["serial:a"], false);
        check(&["serial:a"], &["serial:b"], true);
        check(&["serial:a"], &["udid:b"], false);
        check(&["serial:a", "udid:x"], &["serial:b", "udid:x"], false);
        check(&["00:50:56:a4:89:5a"], &["00:50:56:a4:89:5b"], false);
    }
}
