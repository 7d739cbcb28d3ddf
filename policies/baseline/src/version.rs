//! Versions of operating systems: numbers with dots, compared one by one.

use serde::de;

/// The most numbers that a minimum may have. More of them in a device's
/// version cannot change the answer.
const PARTS: usize = 6;

/// A version, missing numbers being zero: `17.5` equals `17.5.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    numbers: [u32; PARTS],
}

/// What a version text says, with how many numbers it has.
#[derive(Clone, Copy)]
struct Parsed {
    version: Version,
    length: usize,
}

impl Version {
    /// Reads a minimum: dotted numbers and nothing else.
    pub(crate) fn minimum(text: &str) -> Option<Self> {
        let parsed = parse(text)?;
        let numbers_only = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        (numbers_only && text.split('.').count() <= PARTS).then_some(parsed.version)
    }

    /// The version of a device. `None` when the text does not start with a
    /// number.
    ///
    /// Windows may come as `10.0` with the build `22631.3447` apart from it, or
    /// as `10.0.22631` with that build; both give `10.0.22631.3447`. The builds
    /// of other systems are no part of their version.
    pub(crate) fn of_device(family: &str, version: &str, build: Option<&str>) -> Option<Self> {
        let parsed = parse(version)?;
        let build = build.filter(|_| family == "windows").and_then(parse);
        Some(build.map_or(parsed.version, |build| joined(parsed, build)))
    }
}

/// Reads the numbers at the start of a text. What follows them must not look
/// like a part of a number: `14.5 (23F79)` is a version, `14b2` is none.
fn parse(text: &str) -> Option<Parsed> {
    let text = text.trim_ascii();
    let end = text
        .bytes()
        .position(|byte| !(byte.is_ascii_digit() || byte == b'.'))
        .unwrap_or(text.len());
    let (numbers, rest) = text.split_at_checked(end)?;
    if rest
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric())
    {
        return None;
    }
    let mut version = Version {
        numbers: [0; PARTS],
    };
    let mut length = 0;
    let mut slots = version.numbers.iter_mut();
    for part in numbers.split('.') {
        if part.is_empty() {
            return None;
        }
        if let Some(slot) = slots.next() {
            *slot = number(part);
            length += 1;
        }
    }
    Some(Parsed { version, length })
}

/// The value of decimal digits, at most `u32::MAX`.
fn number(digits: &str) -> u32 {
    digits.bytes().fold(0, |value: u32, digit| {
        value
            .saturating_mul(10)
            .saturating_add(u32::from(digit.wrapping_sub(b'0')))
    })
}

fn joined(version: Parsed, build: Parsed) -> Version {
    let numbers = version.version.numbers;
    let own = numbers.get(..version.length).unwrap_or_default();
    let extra = build
        .version
        .numbers
        .get(..build.length)
        .unwrap_or_default();
    if extra.starts_with(own) {
        return build.version;
    }
    let extra = match (own.split_last(), extra.split_first()) {
        // `10.0.22631` and `22631.3447`.
        (Some((last, _)), Some((first, rest))) if own.len() > 2 => {
            if last == first {
                rest
            } else {
                &[]
            }
        }
        _ => extra,
    };
    let mut joined = Version {
        numbers: [0; PARTS],
    };
    for (slot, number) in joined.numbers.iter_mut().zip(own.iter().chain(extra)) {
        *slot = *number;
    }
    joined
}

/// A minimum as the operator writes it.
#[derive(Clone, Debug)]
pub(crate) struct Minimum {
    /// For messages.
    pub(crate) text: String,
    /// For comparing.
    pub(crate) version: Version,
}

impl<'de> de::Deserialize<'de> for Minimum {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let version = Version::minimum(&text).ok_or_else(|| {
            de::Error::custom("a minimum version has one to six numbers with dots, e.g. `17.5`")
        })?;
        Ok(Self { text, version })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_enough(family: &str, version: &str, build: Option<&str>, minimum: &str) -> Option<bool> {
        let minimum = Version::minimum(minimum).unwrap();
        Version::of_device(family, version, build).map(|version| version >= minimum)
    }

    #[test]
    fn versions_are_compared_number_by_number() {
        for (version, minimum, expected) in [
            ("17.5", "17.5", Some(true)),
            ("17.5.0", "17.5", Some(true)),
            ("17.5", "17.5.0", Some(true)),
            ("17.5", "17.5.1", Some(false)),
            ("17.10", "17.9", Some(true)),
            ("9", "10", Some(false)),
            ("10.0.22631.3447", "10.0.22631", Some(true)),
            ("10.0.19045.4291", "10.0.22631", Some(false)),
            ("14.5 (23F79)", "14.5", Some(true)),
            ("14.5 (23F79)", "14.6", Some(false)),
            ("14-beta", "14", Some(true)),
            (" 14.1\n", "14.1", Some(true)),
            ("014.01", "14.1", Some(true)),
            ("1.2.3.4.5.6.7.8", "1.2.3.4.5.6", Some(true)),
            ("1.2.3.4.5.5.9.9", "1.2.3.4.5.6", Some(false)),
            ("99999999999999999999", "4294967295", Some(true)),
            ("", "1", None),
            ("unknown", "1", None),
            ("14b2", "14", None),
            ("v14", "14", None),
            ("14..5", "14", None),
            ("14.", "14", None),
            (".5", "0", None),
            ("-1", "0", None),
        ] {
            assert_eq!(
                is_enough("ios", version, None, minimum),
                expected,
                "{version} {minimum}"
            );
        }
    }

    #[test]
    fn a_build_counts_for_windows_only() {
        for (family, version, build, minimum, expected) in [
            (
                "windows",
                "10.0",
                Some("22631.3447"),
                "10.0.22631.3000",
                true,
            ),
            (
                "windows",
                "10.0",
                Some("22631.2000"),
                "10.0.22631.3000",
                false,
            ),
            ("windows", "10.0", None, "10.0.22631", false),
            (
                "windows",
                "10.0.22631",
                Some("22631.3447"),
                "10.0.22631.3000",
                true,
            ),
            (
                "windows",
                "10.0.22631",
                Some("10.0.22631.3447"),
                "10.0.22631.3000",
                true,
            ),
            // Another scheme of builds says nothing about the fourth number.
            (
                "windows",
                "10.0.22631",
                Some("26100"),
                "10.0.22631.1",
                false,
            ),
            ("windows", "10.0", Some("23H2"), "10.0.1", false),
            ("macos", "14.5", Some("23"), "14.5.1", false),
            ("android", "14", Some("20240501"), "14.1", false),
        ] {
            assert_eq!(
                is_enough(family, version, build, minimum),
                Some(expected),
                "{family} {version} {build:?} {minimum}"
            );
        }
    }

    #[test]
    fn a_minimum_is_numbers_only() {
        for text in [
            "",
            "14 ",
            "14.x",
            "1.2.3.4.5.6.7",
            "14.",
            "14 (23F79)",
            "-1",
        ] {
            assert_eq!(Version::minimum(text), None, "{text}");
        }
        assert!(Version::minimum("1.2.3.4.5.6").is_some());
    }

    proptest! {
        #[test]
        fn never_panics(family in "windows|ios", version in ".*", build in proptest::option::of(".*")) {
            let _ = Version::of_device(&family, &version, build.as_deref());
            let _ = Version::minimum(&version);
        }

        #[test]
        fn a_later_version_is_never_less(
            numbers in proptest::collection::vec(0_u32..5000, 1..7),
            position in 0_usize..6,
        ) {
            let text = |numbers: &[u32]| {
                numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
            };
            let mut later = numbers.clone();
            let position = position % later.len();
            later[position] += 1;
            prop_assert_eq!(is_enough("ios", &text(&later), None, &text(&numbers)), Some(true));
            prop_assert_eq!(is_enough("ios", &text(&numbers), None, &text(&later)), Some(false));
        }
    }
}
