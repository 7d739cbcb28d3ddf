//! The face for products that ask Kandji: `GET /api/v1/devices`, as
//! `PacketFence`'s provisioner `kandji` does.
//!
//! | answer | what `PacketFence` makes of it |
//! | --- | --- |
//! | a list of one device | compliant if its agent is installed and it is neither missing nor removed |
//! | an empty list | not managed |
//! | any other status than 200 | a failure of communication: no word about the device |

mod device;

use std::sync::Arc;

use axum::extract::{Extension, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::CACHE_CONTROL;
use portreeve_domain::Identifier;
use url::form_urlencoded;

use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::Problem;
use crate::text::one_line;
use crate::told::{Told, tell};

/// What there is here.
pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new()
        .route("/api/v1/devices", get(devices))
        .route("/api/v1/devices/", get(devices))
}

async fn devices(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let identifier = asked(query.unwrap_or_default().as_bytes())?;
    let identifiers = vec![identifier.clone()];
    tell(&faces, &caller, identifiers, |told| {
        Ok(render(told, &identifier))
    })
    .await
}

fn render(told: Told<'_>, asked: &Identifier) -> Response {
    let found = (!told.is_unknown()).then(|| device::View::of(told, asked));
    let list: Vec<_> = found.into_iter().collect();
    ([(CACHE_CONTROL, "no-store")], Json(list)).into_response()
}

/// The device that a query asks about. Other filters are Kandji's, and would
/// list more than one device.
pub(crate) fn asked(query: &[u8]) -> Result<Identifier, Problem> {
    let mut asked = None;
    for (name, value) in form_urlencoded::parse(query) {
        let identifier = match &*name {
            "mac_address" => Identifier::of_kind("mac", &value),
            "serial_number" => Identifier::of_kind("serial", &value),
            // How much of a list is wanted; this one is never longer.
            "limit" | "offset" => continue,
            other => {
                let other = one_line(other, 64);
                let detail = format!("`{other}` is not taken here, expected `mac_address`");
                return Err(Problem::malformed(detail));
            }
        };
        let identifier =
            identifier.map_err(|error| Problem::malformed(format!("`{name}`: {error}")))?;
        if asked.replace(identifier).is_some() {
            let detail = "expected one of `mac_address` and `serial_number`, found several";
            return Err(Problem::malformed(detail));
        }
    }
    let missing = "expected `mac_address` in the query; all devices are not listed here";
    asked.ok_or_else(|| Problem::malformed(missing))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(query: &str, expected: Result<&str, &str>) {
        let read = asked(query.as_bytes());
        let read = read.map(|identifier| identifier.to_string());
        match (&read, expected) {
            (Ok(read), Ok(expected)) => assert_eq!(read, expected),
            (Err(problem), Err(expected)) => {
                assert!(problem.detail().starts_with(expected), "{problem:?}");
            }
            _ => panic!("{query}: {read:?}"),
        }
    }

    #[test]
    fn queries() {
        // As `PacketFence` writes it.
        check("mac_address=00:50:56:a4:89:5a", Ok("00:50:56:a4:89:5a"));
        check(
            "mac_address=00%3A50%3A56%3AA4%3A89%3A5A&limit=300",
            Ok("00:50:56:a4:89:5a"),
        );
        check("serial_number=C02XK0AAJGH5", Ok("serial:C02XK0AAJGH5"));
        check("", Err("expected `mac_address` in the query"));
        check("limit=10", Err("expected `mac_address` in the query"));
        check("mac_address=", Err("`mac_address`: `` is no MAC address"));
        check("mac_address=x", Err("`mac_address`: `x` is no MAC address"));
        check(
            "mac_address=005056a4895a&mac_address=005056a4895a",
            Err("expected one of `mac_address` and `serial_number`"),
        );
        check("platform=Mac", Err("`platform` is not taken here"));
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Err(problem) = asked(&query) {
                prop_assert!(problem.detail().len() < 600);
            }
        }
    }
}
