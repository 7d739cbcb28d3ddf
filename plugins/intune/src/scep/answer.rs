//! What Intune says about a request or a notification.
//!
//! The status is 200 in any case; what counts is the code.

use serde_json::Value;

use crate::errors::shortened;

/// A yes or a no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Success,
    Refusal { code: String, message: String },
}

/// An answer that is neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("the answer is no JSON: {0}")]
    NotJson(String),
    #[error("the answer has no `code`")]
    NoCode,
}

/// All codes of `IntuneScepServiceException.ErrorCode` but `Success`.
const CODES: &[&str] = &[
    "Unknown",
    "CertificateRequestDecodingFailed",
    "ChallengePasswordMissing",
    "ChallengeDeserializationError",
    "ChallengeDecryptionError",
    "ChallengeDecodingError",
    "ChallengeInvalidTimestamp",
    "ChallengeExpired",
    "SubjectNameMissing",
    "SubjectNameMismatch",
    "SubjectAltNameMissing",
    "SubjectAltNameMismatch",
    "KeyUsageMismatch",
    "KeyLengthMismatch",
    "EnhancedKeyUsageMissing",
    "EnhancedKeyUsageMismatch",
    "AadKeyIdentifierListMissing",
    "RegisteredKeyMismatch",
    "SigningCertThumbprintMismatch",
    "ScepProfileNoLongerTargetedToTheClient",
    "SignatureValidationFailed",
    "BadCertificateRequestIdInChallenge",
    "BadDeviceIdInChallenge",
    "BadUserIdInChallenge",
];

/// Reads an answer. A code that Microsoft's library does not know is `Unknown`,
/// as it is there, and so is a success without the text that belongs to it.
pub(super) fn read(body: &[u8]) -> Result<Answer, Problem> {
    let answer: Value =
        serde_json::from_slice(body).map_err(|error| Problem::NotJson(error.to_string()))?;
    let code = answer
        .get("code")
        .and_then(Value::as_str)
        .ok_or(Problem::NoCode)?;
    let description = answer.get("errorDescription").and_then(Value::as_str);
    let unknown = |message: String| Answer::Refusal {
        code: "Unknown".to_owned(),
        message,
    };
    Ok(match (code, description) {
        ("Success", Some(_)) => Answer::Success,
        ("Success", None) => {
            unknown("`Success` without the text `errorDescription` is no success".to_owned())
        }
        (known, description) if CODES.contains(&known) => Answer::Refusal {
            code: known.to_owned(),
            message: description.map(shortened).unwrap_or_default(),
        },
        (other, description) => unknown(
            format!(
                "code `{}` {}",
                shortened(other),
                description.map(shortened).unwrap_or_default()
            )
            .trim()
            .to_owned(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: &str, message: &str) -> Answer {
        Answer::Refusal {
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn only_success_is_a_yes() {
        for (body, expected) in [
            (
                r#"{"code":"Success","errorDescription":""}"#,
                Answer::Success,
            ),
            (
                r#"{"@odata.context":"x","code":"Success","errorDescription":"fine"}"#,
                Answer::Success,
            ),
            (
                r#"{"code":"ChallengeExpired","errorDescription":"late\n"}"#,
                refusal("ChallengeExpired", "late"),
            ),
            (
                r#"{"code":"ChallengeExpired"}"#,
                refusal("ChallengeExpired", ""),
            ),
            (
                r#"{"code":"success","errorDescription":""}"#,
                refusal("Unknown", "code `success`"),
            ),
            (
                r#"{"code":"Brandnew","errorDescription":"x"}"#,
                refusal("Unknown", "code `Brandnew` x"),
            ),
            (r#"{"code":""}"#, refusal("Unknown", "code ``")),
        ] {
            assert_eq!(read(body.as_bytes()), Ok(expected), "{body}");
        }
        for body in [
            r#"{"code":"Success","errorDescription":null}"#,
            r#"{"code":"Success","errorDescription":7}"#,
            r#"{"code":"Success"}"#,
        ] {
            let answer = read(body.as_bytes()).unwrap();
            assert!(
                matches!(&answer, Answer::Refusal { code, .. } if code == "Unknown"),
                "{body}: {answer:?}"
            );
        }
    }

    #[test]
    fn what_says_neither_is_a_problem() {
        for body in [
            "{}",
            r#"{"code":null}"#,
            r#"{"code":1}"#,
            "[]",
            "\"Success\"",
        ] {
            assert_eq!(read(body.as_bytes()), Err(Problem::NoCode), "{body}");
        }
        for body in ["", "Success", "{code:'Success'}", "<html>"] {
            assert!(
                matches!(read(body.as_bytes()), Err(Problem::NotJson(_))),
                "{body}"
            );
        }
    }

    #[test]
    fn every_code_of_the_library_is_told_as_it_is() {
        assert_eq!(CODES.len(), 24);
        for code in CODES {
            let body = serde_json::json!({ "code": code, "errorDescription": "" }).to_string();
            assert_eq!(read(body.as_bytes()), Ok(refusal(code, "")));
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_but_success_is_a_success(body in proptest::collection::vec(proptest::num::u8::ANY, 0..80), code in ".{0,20}") {
            let _ = read(&body);
            let body = serde_json::json!({ "code": code, "errorDescription": "" }).to_string();
            let answer = read(body.as_bytes());
            proptest::prop_assert_eq!(answer == Ok(Answer::Success), code == "Success");
        }
    }
}
