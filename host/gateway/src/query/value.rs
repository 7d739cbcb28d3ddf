//! Values of facts, and comparing them with what was written.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::time::Duration;

use portreeve_domain::{MacAddress, Timestamp};
use portreeve_store::decisions::parse_time;

use super::Operator;

/// The value of a fact about one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactValue<'a> {
    /// The source does not say.
    Absent,
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A point in time.
    Moment(Timestamp),
    /// Text that is not empty.
    Text(Cow<'a, str>),
    /// Several texts, one at least.
    Texts(Vec<Cow<'a, str>>),
}

impl FactValue<'_> {
    /// The order for lists: absent is last, several texts are where their first
    /// is. Values of different kinds have some order.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Boolean(one), Self::Boolean(other)) => one.cmp(other),
            (Self::Integer(one), Self::Integer(other)) => one.cmp(other),
            (Self::Moment(one), Self::Moment(other)) => one.cmp(other),
            _ => match (self.first_text(), other.first_text()) {
                (Some(one), Some(other)) => natural(one, other),
                _ => self.class().cmp(&other.class()),
            },
        }
    }

    /// The same without borrowing.
    pub fn into_owned(self) -> FactValue<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Absent => FactValue::Absent,
            Self::Boolean(value) => FactValue::Boolean(value),
            Self::Integer(value) => FactValue::Integer(value),
            Self::Moment(at) => FactValue::Moment(at),
            Self::Text(text) => FactValue::Text(own(text)),
            Self::Texts(texts) => FactValue::Texts(texts.into_iter().map(own).collect()),
        }
    }

    fn first_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Texts(texts) => texts.first().map(|text| &**text),
            _ => None,
        }
    }

    const fn class(&self) -> u8 {
        match self {
            Self::Boolean(_) => 0,
            Self::Integer(_) => 1,
            Self::Moment(_) => 2,
            Self::Text(_) | Self::Texts(_) => 3,
            Self::Absent => 4,
        }
    }
}

/// A value as it was written, in all forms that it can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// In lower case.
    text: Box<str>,
    boolean: Option<bool>,
    integer: Option<i64>,
    moment: Option<Timestamp>,
    /// Whether addresses are compared by their digits only.
    is_digits: bool,
}

impl Literal {
    pub(super) fn new(written: &str, now: Timestamp) -> Self {
        let text = written.to_lowercase();
        Self {
            boolean: boolean(&text),
            integer: text.parse().ok(),
            moment: moment(written, now),
            text: text.into(),
            is_digits: false,
        }
    }

    /// For interface addresses, in any spelling or only a part of one.
    pub(super) fn of_address(written: &str, now: Timestamp) -> Self {
        Self {
            text: digits(written).into(),
            is_digits: true,
            ..Self::new(written, now)
        }
    }

    pub(super) fn is_address(written: &str) -> bool {
        written.parse::<MacAddress>().is_ok()
    }

    pub(super) const fn boolean(&self) -> Option<bool> {
        self.boolean
    }

    pub(super) const fn moment(&self) -> Option<Timestamp> {
        self.moment
    }

    /// Whether a value is like this. [`Operator::NotEqual`] is the caller's.
    pub(super) fn compare(&self, value: &FactValue<'_>, operator: Operator) -> bool {
        match value {
            FactValue::Absent => false,
            FactValue::Boolean(value) => self
                .boolean
                .is_some_and(|it| in_order(value.cmp(&it), operator)),
            FactValue::Integer(value) => self
                .integer
                .is_some_and(|it| in_order(value.cmp(&it), operator)),
            FactValue::Moment(value) => self
                .moment
                .is_some_and(|it| in_order(value.cmp(&it), operator)),
            FactValue::Text(text) => self.compare_text(text, operator),
            FactValue::Texts(texts) => texts.iter().any(|it| self.compare_text(it, operator)),
        }
    }

    fn compare_text(&self, text: &str, operator: Operator) -> bool {
        let text = if self.is_digits {
            Cow::Owned(digits(text))
        } else {
            lower(text)
        };
        match operator {
            Operator::Equal => *text == *self.text,
            Operator::Contains => text.contains(&*self.text),
            Operator::StartsWith => text.starts_with(&*self.text),
            _ => in_order(natural(&text, &self.text), operator),
        }
    }
}

const fn in_order(order: Ordering, operator: Operator) -> bool {
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Contains | Operator::StartsWith => false,
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "yes" => Some(true),
        "false" | "no" => Some(false),
        _ => None,
    }
}

/// RFC 3339, a date, `now`, or how long ago, e.g. `-30d`.
fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    if text == "now" {
        return Some(now);
    }
    if let Some(ago) = text.strip_prefix('-') {
        let unit = match ago.chars().last()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 24 * 3600,
            _ => return None,
        };
        let number: u64 = ago.get(..ago.len() - 1)?.parse().ok()?;
        let ago = Duration::from_secs(number.checked_mul(unit)?);
        let ago = u64::try_from(ago.as_millis()).ok()?;
        return Some(Timestamp::from_millis(now.as_millis().saturating_sub(ago)));
    }
    if text.len() == 10 {
        return parse_time(&format!("{text}T00:00:00Z")).ok();
    }
    parse_time(text).ok()
}

/// The hexadecimal digits of an address, whatever is between them.
pub(super) fn digits(address: &str) -> String {
    let digits = address.chars().filter(|it| !matches!(it, ':' | '-' | '.'));
    digits.map(|digit| digit.to_ascii_lowercase()).collect()
}

/// In lower case; without a copy if it is so already.
pub(super) fn lower(text: &str) -> Cow<'_, str> {
    let is_lower = text
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_lower {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

/// Text in the order of people: without regard to case, numbers as numbers. So
/// `10.0.9` comes before `10.0.19045`, and `10.0` before `10.0.1`.
pub(super) fn natural(one: &str, other: &str) -> Ordering {
    let (one, other) = (lower(one), lower(other));
    let (mut left, mut right) = (one.as_bytes(), other.as_bytes());
    loop {
        match (left.first(), right.first()) {
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let (a, b) = (number(&mut left), number(&mut right));
                // Without leading zeros, the longer number is the greater.
                match a.len().cmp(&b.len()).then_with(|| a.cmp(b)) {
                    Ordering::Equal => {}
                    order => return order,
                }
            }
            (Some(a), Some(b)) if a == b => {
                left = left.get(1..).unwrap_or_default();
                right = right.get(1..).unwrap_or_default();
            }
            (a, b) => return a.cmp(&b),
        }
    }
}

/// Takes a number off the front, without its leading zeros.
fn number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    let (number, rest) = text.split_at(end.unwrap_or(text.len()));
    *text = rest;
    let start = number.iter().position(|byte| *byte != b'0');
    number
        .get(start.unwrap_or(number.len())..)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_in_the_order_of_people() {
        for (one, other, expected) in [
            ("10.0.9", "10.0.19045", Ordering::Less),
            ("10.0", "10.0.1", Ordering::Less),
            ("10.0.19045.2006", "10.0.19045", Ordering::Greater),
            ("2026-09-01", "2026-10-01", Ordering::Less),
            ("ADA's", "ada's", Ordering::Equal),
            ("007", "7", Ordering::Equal),
            ("a10", "a9", Ordering::Greater),
            ("", "0", Ordering::Less),
        ] {
            assert_eq!(natural(one, other), expected, "{one} {other}");
            assert_eq!(natural(other, one), expected.reverse(), "{other} {one}");
        }
    }

    #[test]
    fn moments() {
        let now = parse_time("2026-11-28T12:00:00Z").unwrap();
        for (text, expected) in [
            ("-1d", Some("2026-11-27T12:00:00Z")),
            ("-90s", Some("2026-11-28T11:58:30Z")),
            ("now", Some("2026-11-28T12:00:00Z")),
            ("2026-11-01", Some("2026-11-01T00:00:00Z")),
            ("2026-11-01T08:00:00+01:00", Some("2026-11-01T07:00:00Z")),
            ("-1w", None),
            ("-", None),
            ("-99999999999999999999d", None),
            ("2026-13-01", None),
            ("soon", None),
        ] {
            let expected = expected.map(|it| parse_time(it).unwrap());
            assert_eq!(moment(text, now), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_order_is_one(one in "[0-9a.]{0,8}", two in "[0-9a.]{0,8}", three in "[0-9a.]{0,8}") {
            prop_assert_eq!(natural(&one, &two), natural(&two, &one).reverse());
            if natural(&one, &two).is_le() && natural(&two, &three).is_le() {
                prop_assert!(natural(&one, &three).is_le());
            }
        }

        #[test]
        fn nothing_panics(text in any::<String>()) {
            let now = Timestamp::from_millis(1);
            let _ = Literal::new(&text, now).compare(&FactValue::Text(text.into()), Operator::Less);
        }
    }
}
