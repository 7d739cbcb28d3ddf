//! The face for products that ask Jamf Pro: the classic API under
//! `/JSSResource/`, as `PacketFence`'s provisioners `jamf` and `jamfCloud` do.
//!
//! Jamf keeps computers and mobile devices apart, and so does this: by what a
//! device runs. One whose system is not known is found as either. Whoever asks
//! for the other kind hears 404, which is also the word for an unknown device,
//! and asks again.
//!
//! The classic API takes Basic authentication; newer clients get themselves a
//! token first.

mod device;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::header::CACHE_CONTROL;
use portreeve_domain::{Identifier, Timestamp};
use serde::Serialize;

use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};
use crate::text::{Rfc3339, one_line};
use crate::token::Purpose;
use crate::told::{Told, tell};
use device::Inventory;

/// Tokens of Jamf Pro live as long by default.
const LIFETIME: Duration = Duration::from_mins(30);

/// What there is here.
pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new()
        .route("/JSSResource/{inventory}/{criterion}/{value}", get(find))
        .route("/api/v1/auth/token", post(token))
}

async fn find(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path((inventory, criterion, value)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let inventory = Inventory::of(&inventory)?;
    let identifier = asked(&criterion, &value)?;
    tell(&faces, &caller, vec![identifier], |told| {
        render(inventory, told)
    })
    .await
}

fn render(inventory: Inventory, told: Told<'_>) -> Result<Response, Problem> {
    if told.is_unknown() {
        let detail = "every source was asked and none knows a device of this identifier";
        return Err(Problem::new(ProblemKind::UnknownDevice, detail));
    }
    if !inventory.holds(told) {
        let detail = "the device is of the other kind; ask for it there";
        return Err(Problem::new(ProblemKind::UnknownDevice, detail));
    }
    let view = inventory.view(told);
    Ok(([(CACHE_CONTROL, "no-store")], Json(view)).into_response())
}

/// The device that a path asks about.
pub(crate) fn asked(criterion: &str, value: &str) -> Result<Identifier, Problem> {
    let kind = match criterion {
        "macaddress" => "mac",
        "serialnumber" => "serial",
        "udid" => "udid",
        other => {
            let other = one_line(other, 64);
            let detail = format!(
                "`{other}` in the path is not taken here, expected `macaddress`, `serialnumber` or `udid`"
            );
            return Err(Problem::malformed(detail));
        }
    };
    Identifier::of_kind(kind, value)
        .map_err(|error| Problem::malformed(format!("the {criterion} in the path: {error}")))
}

/// What is told along with a token.
#[derive(Debug, Serialize)]
struct Granted<'a> {
    token: &'a str,
    /// What Jamf says.
    expires: String,
    /// What `PacketFence` looks for.
    expires_in: u64,
}

async fn token(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let now = Timestamp::now();
    let token = faces
        .tokens
        .issue(&caller.client, Purpose::Jamf, now, LIFETIME)?;
    let granted = Granted {
        token: &token,
        expires: Rfc3339(now.plus(LIFETIME)).to_string(),
        expires_in: LIFETIME.as_secs(),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(granted)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (criterion, value, expected) in [
            ("macaddress", "00:50:56:a4:89:5a", Ok("00:50:56:a4:89:5a")),
            ("macaddress", "005056A4895A", Ok("00:50:56:a4:89:5a")),
            ("serialnumber", "C02XK0AAJGH5", Ok("serial:C02XK0AAJGH5")),
            ("udid", "x-1", Ok("udid:x-1")),
            (
                "macaddress",
                "ada",
                Err("the macaddress in the path: `ada` is no MAC address"),
            ),
            ("name", "ada", Err("`name` in the path is not taken here")),
        ] {
            let read = asked(criterion, value).map(|identifier| identifier.to_string());
            match (&read, expected) {
                (Ok(read), Ok(expected)) => assert_eq!(read, expected),
                (Err(problem), Err(expected)) => {
                    assert!(problem.detail().starts_with(expected), "{problem:?}");
                }
                _ => panic!("{criterion} {value}: {read:?}"),
            }
        }
    }
}
