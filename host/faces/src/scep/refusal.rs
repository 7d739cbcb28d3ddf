//! How it is said that no certificate may be issued.

use axum::response::Response as AxumResponse;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use http_body_util::Full;
use portreeve_domain::scep::Refusal;

use crate::json::Json;
use crate::metrics::Outcome;
use crate::problem::{PROBLEM_JSON, Problem, ProblemKind};

/// A problem that says so, for whatever went wrong.
pub(crate) fn of(problem: &Problem, request: &str) -> Response<Full<Bytes>> {
    let status = problem.kind().status();
    // Headers are as everywhere; the body says one thing more.
    let mut response = problem.response(request, status);
    *response.body_mut() = Full::new(body(problem, request, status, None));
    response
}

/// The management system's own no, with its code.
pub(super) fn with_code(refusal: &Refusal, request: &str) -> AxumResponse {
    let problem = Problem::new(ProblemKind::Refused, refusal.to_string());
    let status = problem.kind().status();
    let body = body(&problem, request, status, Some(&refusal.code));
    let mut response = problem
        .response(request, status)
        .map(|_| axum::body::Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
    response.extensions_mut().insert(Outcome::Refused);
    response
}

fn body(problem: &Problem, request: &str, status: StatusCode, code: Option<&str>) -> Bytes {
    let mut json = Json::new();
    json.raw("{");
    problem.write_members(&mut json, request, status);
    json.raw(",\"approved\":false");
    if let Some(code) = code {
        json.raw(",\"code\":").text(code);
    }
    json.raw("}");
    json.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_went_wrong_nothing_is_approved() {
        let problem = Problem::malformed("`csr`: it is empty");
        let body = body(&problem, "r1", StatusCode::BAD_REQUEST, None);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["approved"], false);
        assert_eq!(body["type"], "urn:portreeve:problem:malformed-request");
        let refusal = Refusal {
            code: "ChallengeExpired".to_owned(),
            message: "late".to_owned(),
        };
        assert_eq!(with_code(&refusal, "r1").status(), StatusCode::FORBIDDEN);
    }
}
