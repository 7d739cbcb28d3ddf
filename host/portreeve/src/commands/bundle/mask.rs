//! What must not leave the house.

use std::borrow::Cow;

use portreeve_egress::Secret;

/// Shorter secrets would take innocent words along.
const SHORTEST_SECRET: usize = 4;

/// Takes secrets out of texts, and who and what was asked about if that is wanted.
#[derive(Debug)]
pub(super) struct Mask {
    secrets: Vec<Secret>,
    identifiers: bool,
}

impl Mask {
    /// `identifiers` says whether names of endpoints and users are taken out as well.
    pub(super) fn new(secrets: &[Secret], identifiers: bool) -> Self {
        let secrets = secrets
            .iter()
            .filter(|secret| secret.expose().len() >= SHORTEST_SECRET);
        Self {
            secrets: secrets.cloned().collect(),
            identifiers,
        }
    }

    /// The text without them.
    pub(super) fn text(&self, text: &str) -> String {
        let mut text = Cow::Borrowed(text);
        for secret in &self.secrets {
            // As it is, and as it stands in JSON and TOML.
            let escaped = serde_json::to_string(secret.expose()).unwrap_or_default();
            for form in [secret.expose(), escaped.trim_matches('"')] {
                if text.contains(form) {
                    text = Cow::Owned(text.replace(form, "[redacted]"));
                }
            }
        }
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines() {
            lines.push(if is_digest(line) {
                format!(
                    "{} = \"[redacted]\"",
                    line.split('=').next().unwrap_or_default().trim_end()
                )
            } else if self.identifiers {
                without_identifiers(line)
            } else {
                line.to_owned()
            });
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

/// Whether a line of TOML holds what a password could be guessed from.
fn is_digest(line: &str) -> bool {
    line.split_once('=').is_some_and(|(key, _)| {
        let key = key.trim();
        key == "hash" || key.ends_with("-hash")
    })
}

/// A line with interface addresses and mail addresses taken out.
fn without_identifiers(line: &str) -> String {
    let belongs = |character: char| {
        character.is_alphanumeric() || matches!(character, '-' | ':' | '.' | '@' | '_' | '+')
    };
    let mut result = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest
            .find(|character| !belongs(character))
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        result.push_str(masked(word));
        let next = after.find(belongs).unwrap_or(after.len());
        let (between, after) = after.split_at(next);
        result.push_str(between);
        rest = after;
    }
    result
}

fn masked(word: &str) -> &str {
    let bare = word.trim_matches(|character: char| !character.is_alphanumeric());
    if bare.contains('@') {
        return "[user]";
    }
    // In its usual spellings; twelve digits without any separator are as often something else,
    // but then something without which a bundle is of use too.
    let digits = bare
        .chars()
        .filter(|character| !matches!(character, ':' | '-' | '.'));
    let hexadecimal = digits.clone().all(|digit| digit.is_ascii_hexdigit());
    if hexadecimal && digits.count() == 12 {
        return "[mac]";
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_taken_out() {
        for (line, expected) in [
            ("mac=00:50:56:00:01:01, x", "mac=[mac], x"),
            ("\"00-50-56-00-01-01\"", "\"[mac]\""),
            ("0050.5600.0101", "[mac]"),
            ("005056000101", "[mac]"),
            (
                "user ada@contoso.example logged on",
                "user [user] logged on",
            ),
            ("2026-11-28T10:00:00Z info", "2026-11-28T10:00:00Z info"),
            (
                "https://login.example/0ae1b2c3-0000-4000-8000-000000000000/x",
                "https://login.example/0ae1b2c3-0000-4000-8000-000000000000/x",
            ),
        ] {
            assert_eq!(without_identifiers(line), expected);
        }
    }

    #[test]
    fn secrets_are_taken_out_in_every_form() {
        let secrets = [Secret::new("pass\"word"), Secret::new("abc")];
        let mask = Mask::new(&secrets, false);
        assert_eq!(
            mask.text("a pass\"word, \"pass\\\"word\", abc\npassword-hash = \"$argon2\"\n"),
            "a [redacted], \"[redacted]\", abc\npassword-hash = \"[redacted]\"\n"
        );
        assert_eq!(mask.text("00:50:56:00:01:01"), "00:50:56:00:01:01\n");
    }
}
