//! Whether the token at hand allows an action, said before anything is sent.

use portreeve_plugin::connector::Error;
use portreeve_plugin::connector::credentials::Status;

use super::Acting;
use super::kind::Kind;
use crate::errors::Party;

/// The permissions that the token at hand names; gets one if there is none.
/// Empty when that cannot be told.
pub(super) fn present<S: Acting>(services: &S) -> Vec<String> {
    let slot = Party::Devices.slot();
    let info = services.credential(slot);
    if info.status == Status::Idle {
        return services.renew_credential(slot).permissions;
    }
    info.permissions
}

/// The same, after another look if something is missing: it may have been
/// granted since.
pub(super) fn newest<S: Acting>(services: &S) -> Vec<String> {
    let present = present(services);
    let is_missing = |kind: &Kind| obstacle(kind, &present).is_some();
    if !super::kind::ALL.iter().any(is_missing) {
        return present;
    }
    services.renew_credential(Party::Devices.slot()).permissions
}

/// Why the permissions are not enough, if they are not. A token that cannot be
/// read says nothing: then Graph has to say it.
pub(super) fn obstacle(kind: &Kind, present: &[String]) -> Option<String> {
    let names = |wanted: &&&str| present.iter().any(|name| name.eq_ignore_ascii_case(wanted));
    if present.is_empty() || kind.permissions.iter().any(|it| names(&it)) {
        return None;
    }
    let wanted: Vec<String> = kind
        .permissions
        .iter()
        .map(|it| format!("`{it}`"))
        .collect();
    Some(format!(
        "missing permission {} (Microsoft Graph, application permission); the token names only: \
         {}; grant it with admin consent and wait up to 10 minutes",
        wanted.join(" or "),
        present.join(", ")
    ))
}

/// Refuses what the token does not allow, also not a new one: it may have been
/// granted since.
pub(super) fn expect<S: Acting>(services: &S, kind: &Kind) -> Result<(), Error> {
    if obstacle(kind, &present(services)).is_none() {
        return Ok(());
    }
    let renewed = services.renew_credential(Party::Devices.slot());
    match obstacle(kind, &renewed.permissions) {
        Some(obstacle) => Err(Error::Forbidden(obstacle)),
        None => Ok(()),
    }
}
