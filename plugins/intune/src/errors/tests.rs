use portreeve_plugin::http::Header;

use super::*;

/// 2020-08-18T12:51:51Z, the time of the sample in `mdm-protocols.md` 4.7.
const NOW: u64 = 1_597_755_111_000;

fn response(status: u16, retry_after: Option<&str>, body: &str) -> Response {
    Response {
        status,
        headers: retry_after
            .map(|value| Header {
                name: "retry-after".to_owned(),
                value: value.to_owned(),
            })
            .into_iter()
            .collect(),
        body: body.as_bytes().to_vec(),
    }
}

#[test]
fn pauses_in_every_form() {
    for (value, expected) in [
        (None, None),
        (Some("2.128"), Some(2128)),
        (Some("120"), Some(120_000)),
        (Some(" 0 "), Some(0)),
        (Some("Tue, 18 Aug 2020 12:52:21 GMT"), Some(30_000)),
        (Some("Tue, 18 Aug 2020 12:00:00 GMT"), Some(0)),
        (
            Some("Fri, 18 Aug 2090 12:00:00 GMT"),
            Some(LONGEST_PAUSE_MS),
        ),
        (Some("1e30"), None),
        (Some("999999999"), Some(LONGEST_PAUSE_MS)),
        (Some("-1"), None),
        (Some("inf"), None),
        (Some("NaN"), None),
        (Some("soon"), None),
        (Some(""), None),
    ] {
        for status in [429, 503] {
            let failure = from_status(Party::Intune, &response(status, value, ""), NOW);
            assert_eq!(
                failure,
                Failure::new(Error::RateLimited(expected)),
                "{value:?}"
            );
        }
    }
}

fn check_status(party: Party, status: u16, body: &str, expected: &str, moved: bool) {
    let failure = from_status(party, &response(status, None, body), NOW);
    let shown = format!("{:?}", failure.error);
    assert!(shown.starts_with(expected), "{status}: {shown}");
    assert_eq!(failure.moved, moved, "{status}: {shown}");
}

#[test]
fn every_status_has_a_meaning() {
    check_status(Party::Intune, 301, "", "Error::BadResponse", true);
    check_status(Party::Intune, 307, "", "Error::BadResponse", true);
    check_status(Party::Intune, 400, "", "Error::BadResponse", false);
    check_status(Party::Intune, 401, "", "Error::Unauthenticated", false);
    check_status(Party::Intune, 403, "", "Error::Forbidden", false);
    check_status(Party::Intune, 404, "", "Error::Unavailable", true);
    check_status(Party::Intune, 410, "", "Error::Unavailable", true);
    check_status(Party::Intune, 418, "", "Error::BadResponse", false);
    check_status(Party::Intune, 500, "", "Error::Unavailable", false);
    check_status(Party::Intune, 502, "<html>", "Error::Unavailable", false);
    check_status(Party::Intune, 504, "", "Error::Unavailable", false);
    check_status(Party::Intune, 204, "", "Error::BadResponse", false);
    check_status(Party::Intune, 999, "", "Error::BadResponse", false);
}

fn text(error: &Error) -> String {
    match error {
        Error::Forbidden(text) | Error::Unauthenticated(text) | Error::Unavailable(text) => {
            text.clone()
        }
        other => format!("{other:?}"),
    }
}

fn check_text(party: Party, status: u16, body: &str, expected: &str) {
    let failure = from_status(party, &response(status, None, body), NOW);
    assert_eq!(text(&failure.error), expected);
}

#[test]
fn a_missing_permission_is_named() {
    check_text(
        Party::Graph,
        403,
        r#"{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation.","innerError":{"date":"2026-08-01T10:00:00"}}}"#,
        "missing permission `Application.Read.All` (Microsoft Graph, application permission): \
         Authorization_RequestDenied: Insufficient privileges to complete the operation.",
    );
    check_text(
        Party::Graph,
        403,
        r#"{"error":{"code":"Forbidden","message":"{\"ErrorCode\":\"Forbidden\",\"Message\":\"{\\r\\n  \\\"_version\\\": 3,\\r\\n  \\\"Message\\\": \\\"Application is not authorized to perform this operation. Application must have one of the following scopes: DeviceManagementManagedDevices.Read.All, DeviceManagementManagedDevices.ReadWrite.All - Operation ID (for customer support): 1 - Activity ID: 2 - Url: https://fef.msud01.manage.microsoft.com/\\\",\\r\\n  \\\"CustomApiErrorPhrase\\\": \\\"\\\",\\r\\n  \\\"RetryAfter\\\": null}\",\"Target\":null}"}}"#,
        "missing permission, one of `DeviceManagementManagedDevices.Read.All, \
         DeviceManagementManagedDevices.ReadWrite.All` (Microsoft Graph, application permission)",
    );
    check_text(
        Party::Intune,
        403,
        r#"{"Message":"The call is in app only context but does not have application permissions configured"}"#,
        "missing permission `get_device_compliance` (Intune, application permission); \
         only a delegated one was granted",
    );
    check_text(
        Party::Intune,
        403,
        r#"{"Message":"Application must have one of the following scopes: get_device_compliance - Operation ID: 1"}"#,
        "missing permission `get_device_compliance` (Intune, application permission)",
    );
    check_text(
        Party::Intune,
        403,
        "<html>",
        "missing permission `get_device_compliance` (Intune, application permission)",
    );
}

#[test]
fn what_was_told_is_passed_on() {
    check_text(
        Party::Graph,
        401,
        r#"{"error":{"code":"InvalidAuthenticationToken","message":"Access token has expired or is not yet valid."}}"#,
        "Microsoft Graph answered 401: InvalidAuthenticationToken: Access token has expired or is not yet valid.",
    );
    check_text(
        Party::Graph,
        500,
        r#"{"error":"server_error","error_description":"line\r\nbreak"}"#,
        "Microsoft Graph answered 500: line  break",
    );
    check_text(
        Party::Graph,
        500,
        r#"{"error":{"code":"UnknownError"}}"#,
        "Microsoft Graph answered 500: UnknownError",
    );
}

#[test]
fn nesting_ends_somewhere() {
    let mut body = "\"deep\"".to_owned();
    for _ in 0..12 {
        body = serde_json::json!({ "message": body }).to_string();
    }
    assert_eq!(told(body.as_bytes()), None);
}

#[test]
fn long_texts_are_cut() {
    let cut = shortened(&"ä".repeat(1000));
    assert_eq!(cut.chars().count(), LONGEST_TEXT + 1);
    assert!(cut.ends_with('…'));
    assert_eq!(shortened("short\u{7}"), "short");
}

#[test]
fn what_the_host_says_is_told_apart() {
    for (error, expected, moved) in [
        (HttpError::Denied("x".into()), "Error::Misconfigured", false),
        (
            HttpError::NameResolution("x".into()),
            "Error::Unavailable",
            true,
        ),
        (HttpError::Connect("x".into()), "Error::Unavailable", true),
        (HttpError::Tls("x".into()), "Error::Unavailable", false),
        (HttpError::Timeout, "Error::Timeout", false),
        (HttpError::TooLarge(9), "Error::BadResponse", false),
        (HttpError::Busy, "Error::Unavailable", false),
        (
            HttpError::CredentialRefused("x".into()),
            "Error::Unauthenticated",
            false,
        ),
        (
            HttpError::CredentialUnavailable("x".into()),
            "Error::Unavailable",
            false,
        ),
        (HttpError::InvalidRequest("x".into()), "Error::Other", false),
        (HttpError::Other("x".into()), "Error::Other", false),
    ] {
        let failure = from_http(Party::Intune, error);
        let shown = format!("{:?}", failure.error);
        assert!(shown.starts_with(expected), "{shown}");
        assert_eq!(failure.moved, moved, "{shown}");
    }
    assert_eq!(
        from_http(
            Party::Graph,
            HttpError::CredentialRefused("new secret needed".into())
        )
        .error,
        Error::Unauthenticated("new secret needed".to_owned())
    );
}
