//! `mdminfo`: what ISE asks first, to find out how to go on.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use super::query::parameter;
use super::version::Version;
use super::xml::Xml;
use super::{IseSettings, reply};
use crate::faces::Faces;
use crate::metrics::Outcome;
use crate::problem::Problem;

/// `GET /ciscoise/mdminfo`
pub(super) async fn mdminfo(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let query = request.uri().query().unwrap_or_default();
    let version = Version::agreed(parameter(query, "ise_api_version")?.as_deref())?;
    Ok(reply(
        render(faces.ise.settings(), version),
        Outcome::Served,
    ))
}

fn render(settings: &IseSettings, version: Version) -> String {
    let mut xml = Xml::new("mdminfo");
    xml.number("api_version", version.number())
        .element("api_path", &version.api_path())
        .element("redirect_url", &settings.redirect_url)
        .number("query_max_size", settings.query_max_size as u64)
        .boolean("messaging_support", settings.messaging);
    if version > Version::V1 {
        xml.element("vendor", &settings.vendor)
            .element("product_name", &settings.product)
            .element("product_version", env!("CARGO_PKG_VERSION"));
    }
    xml.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let settings = IseSettings {
            redirect_url: "https://gw.example/enrol?a=1&b=2".to_owned(),
            ..IseSettings::default()
        };
        let version = env!("CARGO_PKG_VERSION");
        let one = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ise_api><name>mdminfo</name>\
            <api_version>1</api_version><api_path>/ciscoise/mdmapi/v1</api_path>\
            <redirect_url>https://gw.example/enrol?a=1&amp;b=2</redirect_url>\
            <query_max_size>1000</query_max_size><messaging_support>false</messaging_support>";
        let product = format!(
            "<vendor>Portreeve</vendor><product_name>Portreeve</product_name>\
             <product_version>{version}</product_version>"
        );
        for (version, number, product) in [
            (Version::V1, "1", ""),
            (Version::V2, "2", &*product),
            (Version::V3, "3", &*product),
        ] {
            let expected = one
                .replace("<api_version>1", &format!("<api_version>{number}"))
                .replace("mdmapi/v1", &format!("mdmapi/v{number}"));
            assert_eq!(
                render(&settings, version),
                format!("{expected}{product}</ise_api>\n")
            );
        }
    }
}
