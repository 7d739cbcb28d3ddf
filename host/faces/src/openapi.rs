//! The description of the REST face.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

/// The REST face as an OpenAPI 3.1 document, as served at `/openapi.json`.
pub const OPENAPI: &str = include_str!("../openapi.json");

pub(crate) async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_of_this_version() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
