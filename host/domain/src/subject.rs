//! One question, with everything a decision may depend on.

use std::sync::Arc;

use crate::{Device, Identifier, Lists, MacAddress, Timestamp, View};

/// How the endpoint wants to connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Medium {
    /// Not said.
    #[default]
    Unknown,
    /// A cable.
    Wired,
    /// IEEE 802.11.
    Wireless,
    /// A tunnel.
    Vpn,
}

/// How the client authenticated the endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// Not said.
    #[default]
    Unknown,
    /// Not at all.
    None,
    /// By its interface address only.
    MacBypass,
    /// By a certificate.
    EapTls,
    /// By another method of IEEE 802.1X.
    EapOther,
    /// By a person at a portal.
    Web,
}

/// The connection that is being judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Connection {
    /// How the endpoint connects.
    pub medium: Medium,
    /// How it was authenticated.
    pub authentication: Authentication,
    /// The client that asks, by its configured name.
    pub client: Arc<str>,
    /// What that client may see. Policies do not see this.
    pub view: View,
    /// Switch, controller or gateway.
    pub nas: Option<String>,
    /// SSID, port or tunnel group.
    pub attachment: Option<String>,
    /// Where that is.
    pub location: Option<String>,
    /// The address that connected, when it is known.
    pub mac: Option<MacAddress>,
}

/// What asking one source came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceOutcome {
    /// It knows the device.
    Found,
    /// It says that it does not know the device.
    UnknownDevice,
    /// Several of its devices match.
    Ambiguous,
    /// It could not be asked.
    Failed,
    /// Not asked: another source answered first, or the operator said so.
    Skipped,
}

/// One source's part in the facts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceReport {
    /// Name of the connector instance.
    pub name: Arc<str>,
    /// What asking it came to.
    pub outcome: SourceOutcome,
    /// When the source said what is used here, `None` when nothing is.
    pub fetched_at: Option<Timestamp>,
    /// Older than the operator likes, served because nothing newer is at hand.
    pub stale: bool,
    /// Why it failed, for an administrator. Never a secret.
    pub detail: Option<Arc<str>>,
}

/// Why no device record is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Absence {
    /// Every source answered that it does not know the device.
    UnknownDevice,
    /// At least one source could not be asked.
    SourcesUnavailable,
    /// Several different devices match.
    Ambiguous,
}

/// What the sources know about the endpoint.
///
/// INVARIANT: "unknown", "not compliant" and "cannot tell" are three different
/// values here, and no conversion between them exists.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// A device record.
    Device(Arc<Device>),
    /// None, and why.
    Absent(Absence),
}

/// One request for a decision.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The time of the request; policies have no other clock.
    pub now: Timestamp,
    /// The connection that is being judged.
    pub connection: Arc<Connection>,
    /// The identifiers in the request, most trustworthy first.
    pub requested: Arc<[Identifier]>,
    /// What the sources know.
    pub finding: Finding,
    /// Every source that could have known, in the operator's order.
    pub sources: Vec<SourceReport>,
    /// The operator's lists.
    pub lists: Arc<Lists>,
}

impl Subject {
    /// The device record, if one is at hand.
    pub const fn device(&self) -> Option<&Arc<Device>> {
        match &self.finding {
            Finding::Device(device) => Some(device),
            Finding::Absent(_) => None,
        }
    }

    /// The reason when there is no device record.
    pub const fn absence(&self) -> Option<Absence> {
        match &self.finding {
            Finding::Device(_) => None,
            Finding::Absent(absence) => Some(*absence),
        }
    }
}
