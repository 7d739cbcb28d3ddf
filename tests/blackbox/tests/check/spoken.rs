//! Text with what differs from run to run taken out.

use portreeve_harness::Stand;

/// Puts words in the place of addresses, identifiers, times and digests.
pub(crate) fn spoken(text: &str, stand: &Stand) -> String {
    let tenant = &stand.tenant;
    let host = tenant.origin().trim_start_matches("https://");
    let folder = stand.directory().display().to_string();
    let text = text
        .replace(host, "127.0.0.1:PORT")
        .replace(&format!(":{}", tenant.unit_port()), ":PORT")
        .replace(&tenant.tenant_id().to_string(), "TENANT")
        .replace(&tenant.client_id().to_string(), "CLIENT")
        .replace(&folder, "FOLDER");
    let mut result = String::new();
    let mut word = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || character == '-' || character == ':' {
            word.push(character);
        } else {
            result.push_str(&named(&word));
            word.clear();
            result.push(character);
        }
    }
    result.push_str(&named(&word));
    result
}

fn named(word: &str) -> String {
    let bare = word.trim_end_matches(':');
    let hexadecimal = bare.chars().all(|digit| digit.is_ascii_hexdigit());
    let shape: String = bare
        .chars()
        .map(|character| {
            if character.is_ascii_digit() {
                '9'
            } else {
                character
            }
        })
        .collect();
    let end = word.get(bare.len()..).unwrap_or_default();
    let name = match (bare.len(), shape.as_str()) {
        (40 | 64, _) if hexadecimal => "DIGEST",
        (36, _) if bare.matches('-').count() == 4 => "GUID",
        (_, "9999-99-99") => "DAY",
        (_, "99:99:99Z") => "TIME",
        // A second more or less.
        (_, "9999") => "SECONDS",
        _ if matches!(bare, "119" | "120" | "121") => "SECONDS",
        _ => return word.to_owned(),
    };
    format!("{name}{end}")
}

#[test]
fn what_differs_is_taken_out() {
    for (word, expected) in [
        ("2026-11-28", "DAY"),
        ("10:00:00Z", "TIME"),
        ("3601", "SECONDS"),
        ("503", "503"),
        ("0ae1b2c3-0000-4000-8000-000000000000:", "GUID:"),
        ("AADSTS7000215:", "AADSTS7000215:"),
    ] {
        assert_eq!(named(word), expected);
    }
    assert_eq!(named(&"A".repeat(40)), "DIGEST");
}
