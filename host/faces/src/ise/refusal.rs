//! Errors as XML. Cisco's description of the API knows 200 only.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::Full;

use super::XML;
use super::xml::Xml;
use crate::problem::Problem;

/// A problem in this face's form, with the headers that every problem has.
/// `request` is the request's name.
pub(crate) fn refusal(problem: &Problem, request: &str) -> Response<Full<Bytes>> {
    let status = problem.kind().status();
    let mut response = problem.response(request, status);
    let wait = response.headers().get(RETRY_AFTER);
    let wait = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
    let body = render(problem, request, status, wait);
    response.headers_mut().insert(CONTENT_TYPE, XML);
    *response.body_mut() = Full::new(Bytes::from(body));
    response
}

fn render(problem: &Problem, request: &str, status: StatusCode, wait: Option<u64>) -> String {
    let mut xml = Xml::new("error");
    xml.number("status", u64::from(status.as_u16()))
        .element("type", problem.kind().uri())
        .element("title", problem.kind().title())
        .element("failure_reason", problem.detail());
    if let Some(wait) = wait {
        xml.number("server_busy_wait_seconds", wait);
    }
    xml.element("instance", &format!("urn:portreeve:request:{request}"));
    xml.finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clients::Challenges;
    use crate::problem::ProblemKind;

    #[test]
    fn problems() {
        let problem = Problem::new(ProblemKind::CannotTell, "source `a`: 1 < 2");
        let response = refusal(&problem.retry_after(Duration::from_millis(1_500)), "r");
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(
            response.headers()["content-type"],
            "application/xml; charset=utf-8"
        );
        let problem = Problem::new(ProblemKind::CannotTell, "source `a`: 1 < 2");
        assert_eq!(
            render(&problem, "r", StatusCode::SERVICE_UNAVAILABLE, Some(2)),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ise_api><name>error</name><status>503</status>\
             <type>urn:portreeve:problem:cannot-tell</type><title>The sources could not be asked</title>\
             <failure_reason>source `a`: 1 &lt; 2</failure_reason>\
             <server_busy_wait_seconds>2</server_busy_wait_seconds>\
             <instance>urn:portreeve:request:r</instance></ise_api>\n"
        );
        let problem = Problem::new(ProblemKind::NotAuthenticated, "no");
        let possible = Challenges {
            basic: true,
            bearer: false,
        };
        let response = refusal(&problem.challenges(possible), "r");
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Basic "), "{challenge}");
    }
}
