//! Bringing what a look-up says together with what the inventory said.
//!
//! Many sources say less when they are asked for one device. If that replaced
//! the whole record, facts would come and go with every refresh. But a fact that
//! a look-up usually speaks of and leaves out this time is gone at the source,
//! and must not live on here. So it is noted, source by source, what look-ups
//! speak of at all.

use std::collections::HashSet;

use parking_lot::RwLock;
use portreeve_domain::{Device, Enrollment, Identifier, Ownership, Tristate};

/// Attribute names and kinds of identifiers that are noted for one source. A
/// source with more has its look-ups taken as they are.
const MOST: usize = 1024;

/// What the look-ups of one source have ever spoken of.
#[derive(Debug, Default)]
pub(super) struct Spoken(RwLock<HashSet<Box<str>>>);

impl Spoken {
    /// Notes what a look-up says.
    pub(super) fn note(&self, device: &Device) {
        let said = said(device);
        let known = self.0.read();
        let new: Vec<Box<str>> = said
            .into_iter()
            .filter(|fact| !known.contains(*fact))
            .map(Box::from)
            .collect();
        drop(known);
        if !new.is_empty() {
            let mut known = self.0.write();
            let room = MOST.saturating_sub(known.len());
            known.extend(new.into_iter().take(room));
        }
    }

    /// Fills in what no look-up speaks of from what was said before.
    pub(super) fn fill(&self, device: &mut Device, before: Device) {
        let spoken = self.0.read();
        if spoken.len() >= MOST {
            return;
        }
        let silent = |fact: &str| !spoken.contains(fact);
        for id in before.ids {
            if !device.ids.contains(&id) && silent(&kind_of(&id)) {
                device.ids.push(id);
            }
        }
        if device.enrollment == Enrollment::Unknown && silent("enrollment") {
            device.enrollment = before.enrollment;
        }
        if device.ownership == Ownership::Unknown && silent("ownership") {
            device.ownership = before.ownership;
        }
        let (new, old) = (&mut device.posture, before.posture);
        for (fact, new, old) in [
            ("disk-encrypted", &mut new.disk_encrypted, old.disk_encrypted),
            ("screen-lock", &mut new.screen_lock, old.screen_lock),
            ("jailbroken", &mut new.jailbroken, old.jailbroken),
            ("firewall", &mut new.firewall, old.firewall),
            ("antivirus", &mut new.antivirus, old.antivirus),
            ("secure-boot", &mut new.secure_boot, old.secure_boot),
        ] {
            if *new == Tristate::Unknown && silent(fact) {
                *new = old;
            }
        }
        keep(&mut device.user, before.user, silent("user"));
        keep(&mut device.os, before.os, silent("os"));
        keep(&mut device.manufacturer, before.manufacturer, silent("manufacturer"));
        keep(&mut device.model, before.model, silent("model"));
        keep(&mut device.name, before.name, silent("name"));
        keep(&mut device.enrolled_at, before.enrolled_at, silent("enrolled-at"));
        keep(&mut device.last_seen, before.last_seen, silent("last-seen"));
        for attribute in before.attributes {
            if silent(&attribute.name) && device.attribute(&attribute.name).is_none() {
                device.attributes.push(attribute);
            }
        }
    }
}

fn keep<T>(new: &mut Option<T>, old: Option<T>, silent: bool) {
    if new.is_none() && silent {
        *new = old;
    }
}

/// A kind with a dot in front, so that it is no attribute's name.
fn kind_of(id: &Identifier) -> String {
    format!(".{}", id.kind())
}

/// The facts that a look-up speaks of. Its verdict on compliance is a whole: an
/// old reason does not go with a new state, so it is never filled in.
fn said(device: &Device) -> Vec<&str> {
    let posture = device.posture;
    let known = |tristate| tristate != Tristate::Unknown;
    let mut said: Vec<&str> = [
        ("enrollment", device.enrollment != Enrollment::Unknown),
        ("ownership", device.ownership != Ownership::Unknown),
        ("disk-encrypted", known(posture.disk_encrypted)),
        ("screen-lock", known(posture.screen_lock)),
        ("jailbroken", known(posture.jailbroken)),
        ("firewall", known(posture.firewall)),
        ("antivirus", known(posture.antivirus)),
        ("secure-boot", known(posture.secure_boot)),
        ("user", device.user.is_some()),
        ("os", device.os.is_some()),
        ("manufacturer", device.manufacturer.is_some()),
        ("model", device.model.is_some()),
        ("name", device.name.is_some()),
        ("enrolled-at", device.enrolled_at.is_some()),
        ("last-seen", device.last_seen.is_some()),
    ]
    .into_iter()
    .filter_map(|(fact, is_said)| is_said.then_some(fact))
    .collect();
    said.extend(device.attributes.iter().map(|attribute| attribute.name.as_str()));
    said
}

#[cfg(test)]
mod tests {
    use portreeve_domain::{Attribute, Compliance, ComplianceState, Posture, Value};

    use super::*;

    fn attribute(name: &str, value: &str) -> Attribute {
        Attribute {
            name: name.to_owned(),
            value: Value::Text(value.to_owned()),
        }
    }

    fn from_inventory() -> Device {
        Device {
            key: "k".to_owned(),
            ids: vec!["serial:a".parse().unwrap()],
            compliance: Compliance {
                state: ComplianceState::NonCompliant,
                ..Compliance::default()
            },
            posture: Posture {
                disk_encrypted: Tristate::No,
                firewall: Tristate::Yes,
                ..Posture::default()
            },
            name: Some("ada's".to_owned()),
            attributes: vec![attribute("x.a", "1"), attribute("x.reason", "old")],
            ..Device::default()
        }
    }

    #[test]
    fn a_look_up_does_not_wipe_out_what_only_the_inventory_says() {
        let spoken = Spoken::default();
        let mut found = Device {
            posture: Posture {
                disk_encrypted: Tristate::Yes,
                ..Posture::default()
            },
            attributes: vec![attribute("x.reason", "new")],
            ..Device::default()
        };
        spoken.note(&found);
        spoken.fill(&mut found, from_inventory());
        assert_eq!(found.posture.disk_encrypted, Tristate::Yes);
        assert_eq!(found.posture.firewall, Tristate::Yes);
        assert_eq!(found.name.as_deref(), Some("ada's"));
        assert_eq!(found.ids, from_inventory().ids);
        assert_eq!(found.compliance.state, ComplianceState::Unknown, "never filled in");
        let attributes = [attribute("x.reason", "new"), attribute("x.a", "1")];
        assert_eq!(found.attributes, attributes);
    }

    #[test]
    fn what_look_ups_speak_of_ends_when_they_leave_it_out() {
        let spoken = Spoken::default();
        spoken.note(&Device {
            name: Some("of another device".to_owned()),
            attributes: vec![attribute("x.reason", "of another device")],
            ..Device::default()
        });
        let mut found = Device::default();
        spoken.note(&found);
        spoken.fill(&mut found, from_inventory());
        assert_eq!(found.name, None);
        assert_eq!(found.attributes, [attribute("x.a", "1")]);
    }
}
