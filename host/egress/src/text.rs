//! Foreign text made fit for a log line.

use time::OffsetDateTime;

/// Longest foreign text that is passed on, in characters.
const MAX_FOREIGN: usize = 300;

/// Text from a server: control characters become spaces, and its length is bounded.
pub(crate) fn foreign(text: &str) -> String {
    let mut kept: String = text
        .chars()
        .take(MAX_FOREIGN)
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    if text.chars().nth(MAX_FOREIGN).is_some() {
        kept.push('…');
    }
    kept
}

/// The day of a time, as `2026-08-01`.
pub(crate) fn day(time: OffsetDateTime) -> String {
    time.date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_on_one_short_line() {
        assert_eq!(foreign("a\r\nb\u{1b}[31m"), "a  b [31m");
        assert_eq!(foreign(&"x".repeat(1000)).chars().count(), MAX_FOREIGN + 1);
    }
}
