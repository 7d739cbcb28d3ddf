//! When a server wants to be asked again.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header::RETRY_AFTER};

/// Nobody has to wait longer than this because a server says so.
const LONGEST: Duration = Duration::from_hours(24);

/// The waiting time of a `Retry-After` header (RFC 9110, 10.2.3): seconds, with or without a
/// fraction, or an HTTP date, seen from `now`. `None` if it is absent or means nothing.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let decimal = value
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let wait = if decimal {
        Duration::try_from_secs_f64(value.parse().ok()?).unwrap_or(LONGEST)
    } else {
        // A date that has passed means "now".
        httpdate::parse_http_date(value)
            .ok()?
            .duration_since(now)
            .unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn now() -> SystemTime {
        httpdate::parse_http_date("Sat, 01 Aug 2026 10:00:00 GMT").unwrap()
    }

    fn check(value: &str, expected: Option<f64>) {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
        let expected = expected.map(Duration::from_secs_f64);
        assert_eq!(retry_after(&headers, now()), expected, "{value}");
    }

    #[test]
    fn three_forms() {
        check("120", Some(120.0));
        check(" 0 ", Some(0.0));
        check("1.5", Some(1.5));
        check("Sat, 01 Aug 2026 10:00:30 GMT", Some(30.0));
        check("Sat, 01 Aug 2026 09:00:00 GMT", Some(0.0));
        assert_eq!(retry_after(&HeaderMap::new(), now()), None);
    }

    #[test]
    fn nonsense_is_absence_and_giants_are_cut() {
        check("soon", None);
        check("-5", None);
        check("inf", None);
        check("", None);
        check("1.2.3", None);
        check("99999999999999999999999", Some(86_400.0));
    }

    proptest! {
        #[test]
        fn never_panics(value in "[ -~]{0,40}") {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(&value).unwrap())]);
            prop_assert!(retry_after(&headers, now()).is_none_or(|wait| wait <= LONGEST));
        }
    }
}
