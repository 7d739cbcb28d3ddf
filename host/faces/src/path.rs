//! Where a request belongs, by its path.

use std::borrow::Cow;

use http::{Method, Uri};
use percent_encoding::percent_decode_str;

use crate::clients::Face;
use crate::inventory;
use crate::metrics::Area;
use crate::problem::Problem;

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// `GET /v1/devices/{identifier}`; as written, not decoded.
    Device(&'a str),
    /// `POST /v1/decisions`
    Decision,
    /// `POST /radius/authorize` or `/radius/post-auth`
    Radius,
    /// Everything that is not asked in the moment somebody connects.
    Other,
}

impl<'a> Route<'a> {
    pub(crate) fn of(method: &Method, path: &'a str) -> Self {
        match *method {
            Method::GET => match path.strip_prefix("/v1/devices/") {
                Some(segment) if !segment.is_empty() && !segment.contains('/') => {
                    Self::Device(segment)
                }
                _ => Self::Other,
            },
            Method::POST => match path {
                "/v1/decisions" => Self::Decision,
                "/radius/authorize" | "/radius/post-auth" => Self::Radius,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// Who may use what a URI names.
pub(crate) fn area_of(uri: &Uri) -> Area {
    let is_page = inventory::is_page(uri.query()) && uri.path().starts_with("/v1/devices/");
    if is_page {
        Area::Face(Face::Inventory)
    } else {
        area(uri.path())
    }
}

fn is_about_actions(path: &str) -> bool {
    let of_device = path
        .strip_prefix("/v1/devices/")
        .and_then(|rest| rest.split_once('/'));
    path == "/v1/actions"
        || path.starts_with("/v1/actions/")
        || of_device.is_some_and(|(_, what)| what == "actions")
}

/// Who may use a path. What does not exist belongs to its surroundings, so that
/// nobody learns without a right what there is.
fn area(path: &str) -> Area {
    // Why a decision is what it is shows facts that its client may not see.
    let is_explanation = path.starts_with("/v1/decisions/") && path.ends_with("/explanation");
    if path.starts_with("/v1/admin/") || path == "/v1/admin" || is_explanation {
        Area::Face(Face::Admin)
    } else if is_about_actions(path) {
        Area::Face(Face::Actions)
    } else if path == "/v1/devices" {
        Area::Face(Face::Inventory)
    } else if path.starts_with("/v1/scep/") || path == "/v1/scep" {
        Area::Face(Face::Scep)
    } else if path.starts_with("/v1/") {
        Area::Face(Face::Rest)
    } else if path.starts_with("/radius/") {
        Area::Face(Face::Radius)
    } else if path.starts_with("/ciscoise/") {
        Area::Face(Face::Ise)
    } else if path.starts_with("/pxgrid/") {
        Area::Face(Face::Pxgrid)
    } else if path.starts_with("/intune/") {
        Area::Face(Face::Intune)
    } else if path.starts_with("/api/v1/devices") {
        Area::Face(Face::Kandji)
    } else if path.starts_with("/JSSResource/") || path.starts_with("/api/v1/auth/") {
        Area::Face(Face::Jamf)
    } else if path.starts_with("/clearpass/") {
        Area::Face(Face::Clearpass)
    } else if path == "/metrics" {
        Area::Face(Face::Metrics)
    } else if path == "/healthz" || path == "/readyz" {
        Area::Health
    } else {
        Area::Common
    }
}

/// Decodes a path segment (RFC 3986, section 2.1).
pub(crate) fn decode(segment: &str) -> Result<Cow<'_, str>, Problem> {
    percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| Problem::malformed("the path is no UTF-8 after percent-decoding"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes() {
        for (method, path, expected) in [
            (Method::GET, "/v1/devices/x", Route::Device("x")),
            (Method::GET, "/v1/devices/", Route::Other),
            (Method::GET, "/v1/devices/x/y", Route::Other),
            (Method::POST, "/v1/devices/x", Route::Other),
            (Method::POST, "/v1/decisions", Route::Decision),
            (Method::POST, "/v1/decisions/", Route::Other),
            (Method::GET, "/v1/decisions", Route::Other),
            (Method::POST, "/radius/authorize", Route::Radius),
            (Method::POST, "/radius/post-auth", Route::Radius),
            (Method::PUT, "/radius/post-auth", Route::Other),
        ] {
            assert_eq!(Route::of(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn nothing_is_open_by_accident() {
        for (path, expected) in [
            ("/v1/devices/x", Area::Face(Face::Rest)),
            ("/v1/actions", Area::Face(Face::Actions)),
            ("/v1/actions/jobs/1", Area::Face(Face::Actions)),
            ("/v1/actionsmith", Area::Face(Face::Rest)),
            ("/v1/devices/x/actions", Area::Face(Face::Actions)),
            ("/v1/devices/x/y/actions", Area::Face(Face::Rest)),
            ("/v1/devices", Area::Face(Face::Inventory)),
            ("/v1/devices?detail=all", Area::Face(Face::Inventory)),
            ("/v1/devices/x?detail=all", Area::Face(Face::Inventory)),
            ("/v1/devices/x?q=1", Area::Face(Face::Rest)),
            ("/v1/devicesx?detail=all", Area::Face(Face::Rest)),
            ("/v1/admin/clients", Area::Face(Face::Admin)),
            ("/v1/decisions/x/explanation", Area::Face(Face::Admin)),
            ("/v1/decisions/batch", Area::Face(Face::Rest)),
            ("/v1/administrators", Area::Face(Face::Rest)),
            ("/radius/anything", Area::Face(Face::Radius)),
            ("/ciscoise/mdminfo", Area::Face(Face::Ise)),
            ("/pxgrid/control/version", Area::Face(Face::Pxgrid)),
            ("/intune/graph/v1.0/x", Area::Face(Face::Intune)),
            ("/api/v1/devices/", Area::Face(Face::Kandji)),
            ("/api/v1/auth/token", Area::Face(Face::Jamf)),
            ("/JSSResource/computers", Area::Face(Face::Jamf)),
            ("/clearpass/devices/x", Area::Face(Face::Clearpass)),
            ("/v1/scep/validate", Area::Face(Face::Scep)),
            ("/v1/scepticism", Area::Face(Face::Rest)),
            ("/metrics", Area::Face(Face::Metrics)),
            ("/metrics/", Area::Common),
            ("/healthz", Area::Health),
            ("/healthz/../v1/devices/x", Area::Common),
            ("/readyz", Area::Health),
            ("/openapi.json", Area::Common),
            ("/", Area::Common),
            ("*", Area::Common),
        ] {
            assert_eq!(area_of(&path.parse().unwrap()), expected, "{path}");
        }
    }

    #[test]
    fn segments() {
        assert_eq!(decode("00%3A50%3a56").unwrap(), "00:50:56");
        assert_eq!(decode("a%2Fb").unwrap(), "a/b");
        assert_eq!(decode("100%").unwrap(), "100%");
        assert!(decode("%ff").is_err());
    }
}
