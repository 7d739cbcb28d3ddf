//! The little of `$filter` that is understood: comparisons of four properties, joined by `and`.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::device::Slot;

/// What a list is reduced to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter(Vec<Condition>);

#[derive(Debug, PartialEq, Eq)]
enum Condition {
    LastSync(Comparison, i64),
    Text(Field, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Greater,
    AtLeast,
    Less,
    AtMost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    EntraDeviceId,
    DeviceName,
    SerialNumber,
}

/// It is not understood. (The real service ignores some of these and lists everything.)
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid filter clause: '{0}'")]
pub(super) struct NotUnderstood(String);

impl Filter {
    /// Reads the decoded text.
    pub(super) fn parse(text: &str) -> Result<Self, NotUnderstood> {
        text.split(" and ")
            .map(|clause| condition(clause.trim()).ok_or_else(|| NotUnderstood(clause.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether it lets a device pass. Time comes first, as nothing is computed for it.
    pub(super) fn passes(&self, slot: Slot<'_>) -> bool {
        let (times, texts): (Vec<_>, Vec<_>) = self
            .0
            .iter()
            .partition(|condition| matches!(condition, Condition::LastSync(..)));
        times
            .into_iter()
            .chain(texts)
            .all(|condition| match condition {
                Condition::LastSync(comparison, time) => {
                    comparison.holds(slot.last_check_in(), *time)
                }
                Condition::Text(field, value) => {
                    let device = slot.device();
                    match field {
                        Field::EntraDeviceId => device.entra_id().to_string() == *value,
                        Field::DeviceName => device.display_name() == *value,
                        Field::SerialNumber => device.serial_number == *value,
                    }
                }
            })
    }
}

impl Comparison {
    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
        }
    }
}

fn condition(clause: &str) -> Option<Condition> {
    let mut words = clause.splitn(3, ' ');
    let (name, operator, value) = (words.next()?, words.next()?, words.next()?.trim());
    let comparison = match operator {
        "eq" => Comparison::Equal,
        "gt" => Comparison::Greater,
        "ge" => Comparison::AtLeast,
        "lt" => Comparison::Less,
        "le" => Comparison::AtMost,
        _ => return None,
    };
    let field = match name {
        "lastSyncDateTime" => {
            let time = OffsetDateTime::parse(value, &Rfc3339).ok()?;
            let time = i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()?;
            return Some(Condition::LastSync(comparison, time));
        }
        "azureADDeviceId" => Field::EntraDeviceId,
        "deviceName" => Field::DeviceName,
        "serialNumber" => Field::SerialNumber,
        _ => return None,
    };
    let quoted = value.strip_prefix('\'')?.strip_suffix('\'')?;
    (comparison == Comparison::Equal).then(|| Condition::Text(field, quoted.replace("''", "'")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;

    #[test]
    fn clauses() {
        let mut device = Device::new(uuid::Uuid::from_u128(7));
        device.serial_number = "O'Neill 1".to_owned();
        device.name = Some("DESKTOP-1".to_owned());
        device.last_check_in = 1_000;
        for (filter, expected) in [
            ("serialNumber eq 'O''Neill 1'", Some(true)),
            ("serialNumber eq 'other'", Some(false)),
            ("deviceName eq 'DESKTOP-1'", Some(true)),
            (
                "azureADDeviceId eq 'e0000000-0000-0000-0000-000000000007'",
                Some(true),
            ),
            ("lastSyncDateTime gt 1970-01-01T00:00:00Z", Some(true)),
            ("lastSyncDateTime gt 1970-01-01T00:00:01Z", Some(false)),
            ("lastSyncDateTime ge 1970-01-01T00:00:01Z", Some(true)),
            ("lastSyncDateTime lt 1970-01-01T00:00:01Z", Some(false)),
            ("lastSyncDateTime le 1970-01-01T00:00:01Z", Some(true)),
            (
                "lastSyncDateTime gt 1970-01-01T00:00:00Z and deviceName eq 'x'",
                Some(false),
            ),
            ("wiFiMacAddress eq '005056A4895A'", None),
            ("deviceName gt 'a'", None),
            ("deviceName eq DESKTOP-1", None),
            ("lastSyncDateTime gt yesterday", None),
            ("", None),
        ] {
            let passes = Filter::parse(filter).map(|filter| filter.passes(Slot::Added(&device)));
            assert_eq!(passes.ok(), expected, "{filter}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_filter_is_read_or_refused(text in ".{0,60}", words in "(deviceName|eq|and|lastSyncDateTime|gt|'| ){0,12}") {
            let _ = (Filter::parse(&text), Filter::parse(&words));
        }
    }
}
