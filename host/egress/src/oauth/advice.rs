//! Entra's error codes in words for an administrator.

use std::{collections::HashMap, sync::LazyLock};

use serde::Deserialize;

use super::TokenErrorKind;
use crate::examination::code;

/// One row of `advice.json`; the codes are those of Microsoft's public list of AADSTS errors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    codes: Vec<u64>,
    /// The code of the finding, a section of `docs/findings.md`.
    pub(super) finding: String,
    pub(super) kind: TokenErrorKind,
    pub(super) advice: String,
}

#[expect(
    clippy::expect_used,
    reason = "the table is part of the program and read by a test"
)]
static TABLE: LazyLock<Vec<Row>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("advice.json")).expect("advice.json is a table of advice")
});

static BY_CODE: LazyLock<HashMap<u64, &'static Row>> = LazyLock::new(|| {
    TABLE
        .iter()
        .flat_map(|row| row.codes.iter().map(move |code| (*code, row)))
        .collect()
});

/// The row for a code, e.g. 7000215.
pub(super) fn for_code(code: u64) -> Option<&'static Row> {
    BY_CODE.get(&code).copied()
}

/// What to say about the standard error words of RFC 6749, section 5.2, where no code is known.
pub(super) fn for_word(error: &str) -> (TokenErrorKind, &'static str, &'static str) {
    match error {
        "invalid_client" => (
            TokenErrorKind::Refused,
            code::CREDENTIAL_REFUSED,
            "the identity provider does not accept client ID and secret or certificate; check both",
        ),
        "unauthorized_client" | "invalid_grant" => (
            TokenErrorKind::Refused,
            code::CLIENT_NOT_ALLOWED,
            "the identity provider does not let this client have a token; check its registration and consent",
        ),
        "invalid_scope" | "invalid_resource" | "invalid_target" => (
            TokenErrorKind::Misconfigured,
            code::SCOPE_NOT_KNOWN,
            "the identity provider does not know the scope; check the token audience",
        ),
        "unsupported_grant_type" => (
            TokenErrorKind::Misconfigured,
            code::GRANT_NOT_SUPPORTED,
            "the token URL does not support client credentials; check the token URL",
        ),
        "temporarily_unavailable" | "server_error" => (
            TokenErrorKind::Unavailable,
            code::LOGIN_BUSY,
            "the identity provider has a passing failure; Portreeve waits and asks again",
        ),
        _ => (
            TokenErrorKind::Misconfigured,
            code::TOKEN_REQUEST_REFUSED,
            "the identity provider did not accept the request; check token URL, client ID and scope",
        ),
    }
}

/// The codes of all findings that the two tables lead to.
#[cfg(test)]
pub(crate) fn findings() -> impl Iterator<Item = &'static str> {
    let words = [
        "invalid_client",
        "invalid_grant",
        "invalid_scope",
        "unsupported_grant_type",
        "server_error",
        "",
    ];
    TABLE
        .iter()
        .map(|row| row.finding.as_str())
        .chain(words.map(|word| for_word(word).1))
}

/// The rows with their Entra codes.
#[cfg(test)]
pub(crate) fn codes() -> impl Iterator<Item = (&'static str, u64)> {
    TABLE.iter().flat_map(|row| {
        row.codes
            .iter()
            .map(move |code| (row.finding.as_str(), *code))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_has_two_rows() {
        assert_eq!(
            TABLE.iter().map(|row| row.codes.len()).sum::<usize>(),
            BY_CODE.len()
        );
        assert_eq!(BY_CODE.len(), 57, "all rows of the advice table");
    }

    #[test]
    fn only_passing_failures_are_worth_another_try() {
        for code in [90033, 90006, 90024, 90090, 50033, 90012, 90055, 50196] {
            assert_eq!(for_code(code).unwrap().kind, TokenErrorKind::Unavailable);
        }
        let others = TABLE
            .iter()
            .filter(|row| row.kind == TokenErrorKind::Unavailable)
            .count();
        assert_eq!(others, 2);
    }
}
