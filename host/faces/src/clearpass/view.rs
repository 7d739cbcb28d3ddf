//! An answer as a flat object.

use portreeve_domain::{
    Device, Identifier, ObligationKind, Ownership, Posture, Timestamp, Tristate, User,
};
use serde::Serialize;

use crate::problem::whole_seconds;
use crate::rest::{compliance_word, enrollment_word};
use crate::text::Rfc3339;
use crate::told::Told;

/// All of it is text. What is not known is empty.
#[derive(Debug, Default, Serialize)]
pub(super) struct View {
    verdict: &'static str,
    known: &'static str,
    registered: &'static str,
    compliant: &'static str,
    reason: String,
    reason_text: String,
    remediation: String,
    remediation_url: String,
    vlan: String,
    role: String,
    acl: String,
    sgt: String,
    session_timeout: String,
    redirect: String,
    radius: String,
    other: String,
    source: String,
    source_compliance: &'static str,
    enrollment: &'static str,
    stale: &'static str,
    fetched_at: String,
    last_seen: String,
    enrolled_at: String,
    mac: String,
    guid: String,
    serial: String,
    imei: String,
    name: String,
    user: String,
    user_name: String,
    ownership: &'static str,
    manufacturer: String,
    model: String,
    os: String,
    os_version: String,
    disk_encrypted: &'static str,
    screen_lock: &'static str,
    jailbroken: &'static str,
    firewall: &'static str,
    antivirus: &'static str,
    secure_boot: &'static str,
}

impl View {
    pub(super) fn of(told: Told<'_>) -> Self {
        let mut view = Self {
            verdict: told.decision.verdict.as_str(),
            known: yes_or_no(told.device().is_some()),
            registered: yes_or_no(told.is_registered()),
            compliant: yes_or_no(told.is_compliant()),
            stale: yes_or_no(told.source().is_some_and(|source| source.stale)),
            ..Self::default()
        };
        if let Some(reason) = told.reason() {
            view.reason.clone_from(&reason.code);
            view.reason_text.clone_from(&reason.message);
        }
        if let Some(help) = told.remediation() {
            view.remediation.clone_from(&help.message);
            view.remediation_url = help.url.clone().unwrap_or_default();
        }
        if let Some(source) = told.source() {
            view.source = source.name.to_string();
            view.fetched_at = moment(source.fetched_at);
        }
        for obligation in &told.decision.obligations {
            view.oblige(&obligation.kind);
        }
        if let Some(device) = told.device() {
            view.describe(device);
        }
        view
    }

    /// Every obligation has a name here, so that none is lost on the way.
    fn oblige(&mut self, kind: &ObligationKind) {
        match kind {
            ObligationKind::Vlan(vlan) => self.vlan.clone_from(vlan),
            ObligationKind::Acl(acl) => self.acl.clone_from(acl),
            ObligationKind::Sgt(sgt) => self.sgt = sgt.to_string(),
            ObligationKind::Role(role) => self.role.clone_from(role),
            ObligationKind::SessionTimeout(span) => {
                self.session_timeout = whole_seconds(*span).to_string();
            }
            ObligationKind::Redirect(url) => self.redirect.clone_from(url),
            ObligationKind::Radius { name, value } => add(&mut self.radius, name, value),
            ObligationKind::Other { name, value } => add(&mut self.other, name, value),
            // About a running session; this answer is about one that begins.
            ObligationKind::ChangeOfAuthorization => {}
        }
    }

    fn describe(&mut self, device: &Device) {
        self.source_compliance = compliance_word(device.compliance.state);
        self.enrollment = enrollment_word(device.enrollment);
        self.last_seen = moment(device.last_seen);
        self.enrolled_at = moment(device.enrolled_at);
        for identifier in &device.ids {
            let place = match identifier {
                Identifier::Mac(_) => &mut self.mac,
                Identifier::Guid(_) => &mut self.guid,
                Identifier::Serial(_) => &mut self.serial,
                Identifier::Imei(_) => &mut self.imei,
                _ => continue,
            };
            // The first of a kind is the best.
            if place.is_empty() {
                *place = identifier.value();
            }
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        self.name = text(&device.name);
        self.manufacturer = text(&device.manufacturer);
        self.model = text(&device.model);
        self.ownership = ownership(device.ownership);
        if let Some(User {
            principal_name,
            display_name,
            ..
        }) = &device.user
        {
            self.user = text(principal_name);
            self.user_name = text(display_name);
        }
        if let Some(os) = &device.os {
            self.os.clone_from(&os.family);
            self.os_version = text(&os.version);
        }
        self.posture(device.posture);
    }

    fn posture(&mut self, posture: Posture) {
        self.disk_encrypted = tristate(posture.disk_encrypted);
        self.screen_lock = tristate(posture.screen_lock);
        self.jailbroken = tristate(posture.jailbroken);
        self.firewall = tristate(posture.firewall);
        self.antivirus = tristate(posture.antivirus);
        self.secure_boot = tristate(posture.secure_boot);
    }
}

/// `name=value`, behind what is there already.
fn add(list: &mut String, name: &str, value: &str) {
    let separator = if list.is_empty() { "" } else { "; " };
    list.extend([separator, name, "=", value]);
}

fn moment(moment: Option<Timestamp>) -> String {
    moment.map_or_else(String::new, |moment| Rfc3339(moment).to_string())
}

const fn yes_or_no(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

const fn tristate(value: Tristate) -> &'static str {
    match value {
        Tristate::Unknown => "",
        Tristate::No => "false",
        Tristate::Yes => "true",
    }
}

const fn ownership(ownership: Ownership) -> &'static str {
    match ownership {
        Ownership::Unknown => "",
        Ownership::Corporate => "corporate",
        Ownership::Personal => "personal",
        Ownership::Shared => "shared",
    }
}
