//! A device in Kandji's words.

use portreeve_domain::{Identifier, Timestamp, User};
use serde::Serialize;

use crate::text::Rfc3339;
use crate::told::Told;

/// One member of Kandji's list of devices.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "this is Kandji's form")]
pub(super) struct View<'a> {
    device_id: String,
    device_name: Option<&'a str>,
    model: Option<&'a str>,
    serial_number: Option<&'a str>,
    mac_address: Option<String>,
    platform: Option<&'a str>,
    os_version: Option<&'a str>,
    last_check_in: Option<String>,
    first_enrollment: Option<String>,
    user: Option<UserView<'a>>,
    /// Under management.
    mdm_enabled: bool,
    /// The verdict. Products also look at the two below, which say nothing
    /// here.
    agent_installed: bool,
    is_missing: bool,
    is_removed: bool,
}

#[derive(Debug, Serialize)]
struct UserView<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    email: Option<&'a str>,
}

impl<'a> View<'a> {
    /// `asked` names what no source has a record of.
    pub(super) fn of(told: Told<'a>, asked: &Identifier) -> Self {
        let device = told.device();
        let os = device.and_then(|device| device.os.as_ref());
        let mac = asked.as_mac().or_else(|| told.macs().next());
        let moment = |moment: Timestamp| Rfc3339(moment).to_string();
        Self {
            device_id: told
                .guid()
                .map_or_else(|| asked.value(), |guid| guid.to_string()),
            device_name: device.and_then(|device| device.name.as_deref()),
            model: device.and_then(|device| device.model.as_deref()),
            serial_number: told.serial(),
            mac_address: mac.map(|mac| mac.to_string()),
            platform: os.map(|os| platform(&os.family)),
            os_version: os.and_then(|os| os.version.as_deref()),
            last_check_in: device.and_then(|device| device.last_seen).map(moment),
            first_enrollment: device.and_then(|device| device.enrolled_at).map(moment),
            user: device
                .and_then(|device| device.user.as_ref())
                .map(UserView::of),
            mdm_enabled: told.is_registered(),
            agent_installed: told.is_compliant(),
            is_missing: false,
            is_removed: false,
        }
    }
}

impl<'a> UserView<'a> {
    fn of(user: &'a User) -> Self {
        Self {
            id: user.id.as_deref(),
            name: user.display_name.as_deref(),
            email: user.principal_name.as_deref(),
        }
    }
}

/// Kandji's own words for what Apple makes; for all else, ours.
fn platform(family: &str) -> &str {
    match family {
        "macos" => "Mac",
        "ios" => "iPhone",
        "ipados" => "iPad",
        "tvos" => "AppleTV",
        other => other,
    }
}
