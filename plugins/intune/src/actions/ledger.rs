//! What was started already, in the state that the host keeps over restarts.
//!
//! An action is written down before its request is sent and again when Graph
//! has taken it on, so that the same key never starts it twice, wherever the
//! gateway stopped in between. Entries are small and share values: the host
//! bounds keys and bytes.

use portreeve_plugin::connector::Error;

use super::Acting;

/// Values that share all entries.
const SHELVES: u128 = 256;
/// How long a key is remembered.
const KEPT_MS: u64 = 7 * 86_400_000;
/// Entries of one value; all of them fit into what the host keeps.
const MOST: usize = 350;
/// Digest, time, state.
const ENTRY: usize = 16 + 8 + 1;
/// How often another call may be quicker in changing the same value.
const TRIES: usize = 16;

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: it is written down as begun now.
    New,
    /// It was begun at this time, and whether Graph got it nobody knows.
    Begun(u64),
    /// Graph has taken it on, at this time.
    Sent(u64),
}

/// One key at one device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry(u128);

impl Entry {
    pub(crate) fn new(device: &str, key: &str) -> Self {
        // FNV-1a (Fowler, Noll, Vo) with 128 bits. Keys are made by the gateway;
        // nobody chooses them to collide.
        let bytes = device.bytes().chain([0]).chain(key.bytes());
        Self(bytes.fold(
            0x6C62_272E_07BB_0142_62B8_2175_6295_C58D_u128,
            |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013B),
        ))
    }

    /// Writes it down as begun, unless it is there.
    pub(crate) fn begin<S: Acting>(self, services: &S) -> Result<Known, Error> {
        let now = services.now_ms();
        self.change(services, |rows| {
            if let Some(row) = rows.iter().find(|row| row.digest == self.0) {
                return Ok((row.known(), false));
            }
            if rows.len() >= MOST {
                // To forget one would be to do it twice.
                return Err(Error::RateLimited(Some(3_600_000)));
            }
            rows.push(Row {
                digest: self.0,
                at: now,
                sent: false,
            });
            Ok((Known::New, true))
        })
    }

    /// Writes down that Graph has taken it on.
    pub(crate) fn sent<S: Acting>(self, services: &S, at: u64) -> Result<(), Error> {
        self.change(services, |rows| {
            rows.retain(|row| row.digest != self.0);
            rows.push(Row {
                digest: self.0,
                at,
                sent: true,
            });
            Ok(((), true))
        })
    }

    /// Strikes it out: Graph has surely not taken it on.
    pub(crate) fn strike<S: Acting>(self, services: &S) -> Result<(), Error> {
        self.change(services, |rows| {
            let before = rows.len();
            rows.retain(|row| row.digest != self.0);
            Ok(((), rows.len() < before))
        })
    }

    fn change<S: Acting, T>(
        self,
        services: &S,
        mut change: impl FnMut(&mut Vec<Row>) -> Result<(T, bool), Error>,
    ) -> Result<T, Error> {
        let place = format!("actions/{:02x}", self.0 % SHELVES);
        let unkept = |problem: String| {
            Error::Unavailable(format!(
                "what was started cannot be written down: {problem}"
            ))
        };
        for _ in 0..TRIES {
            let (value, version) = services.versioned(&place).map_err(unkept)?;
            let mut rows = read(&value);
            let oldest = services.now_ms().saturating_sub(KEPT_MS);
            rows.retain(|row| row.at >= oldest);
            let (result, changed) = change(&mut rows)?;
            if !changed {
                return Ok(result);
            }
            let written = services.replace(&place, &write(&rows), version, KEPT_MS);
            if written.map_err(unkept)? {
                return Ok(result);
            }
        }
        Err(unkept("others are changing it all the time".to_owned()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    digest: u128,
    /// Milliseconds since the epoch.
    at: u64,
    sent: bool,
}

impl Row {
    const fn known(self) -> Known {
        if self.sent {
            Known::Sent(self.at)
        } else {
            Known::Begun(self.at)
        }
    }
}

/// What cannot be read is left out: there is no other version of this yet.
fn read(value: &[u8]) -> Vec<Row> {
    let rows = value.chunks_exact(ENTRY).filter_map(|entry| {
        let (digest, rest) = entry.split_first_chunk::<16>()?;
        let (at, sent) = rest.split_first_chunk::<8>()?;
        Some(Row {
            digest: u128::from_be_bytes(*digest),
            at: u64::from_be_bytes(*at),
            sent: *sent.first()? == 1,
        })
    });
    rows.collect()
}

fn write(rows: &[Row]) -> Vec<u8> {
    let mut value = Vec::with_capacity(rows.len() * ENTRY);
    for row in rows {
        value.extend_from_slice(&row.digest.to_be_bytes());
        value.extend_from_slice(&row.at.to_be_bytes());
        value.push(u8::from(row.sent));
    }
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::Stand;
    use super::*;
    use crate::services::fake::NOW;

    #[test]
    fn a_key_is_known_until_it_is_struck_out_or_old() {
        let stand = Stand::default();
        let entry = Entry::new("device", "1");
        assert_eq!(entry.begin(&stand), Ok(Known::New));
        assert_eq!(entry.begin(&stand), Ok(Known::Begun(NOW)));
        assert_eq!(Entry::new("device", "2").begin(&stand), Ok(Known::New));
        assert_eq!(Entry::new("other", "1").begin(&stand), Ok(Known::New));
        entry.sent(&stand, NOW + 5).unwrap();
        assert_eq!(entry.begin(&stand), Ok(Known::Sent(NOW + 5)));
        entry.strike(&stand).unwrap();
        assert_eq!(entry.begin(&stand), Ok(Known::New));
        stand.fake.ahead.set(KEPT_MS + 1);
        assert_eq!(entry.begin(&stand), Ok(Known::New));
    }

    #[test]
    fn nothing_is_started_that_cannot_be_written_down() {
        let stand = Stand::default();
        stand.conflicts.set(3);
        assert_eq!(Entry::new("device", "1").begin(&stand), Ok(Known::New));
        stand.conflicts.set(usize::MAX);
        let refused = Entry::new("device", "2").begin(&stand);
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    }

    #[test]
    fn a_full_shelf_refuses() {
        let stand = Stand::default();
        let shelf = |entry: Entry| entry.0 % SHELVES;
        let first = Entry::new("device", "0");
        let mut same = (1..)
            .map(|number| Entry::new("device", &number.to_string()))
            .filter(|entry| shelf(*entry) == shelf(first));
        for _ in 0..MOST {
            assert_eq!(same.next().unwrap().begin(&stand), Ok(Known::New));
        }
        let refused = first.begin(&stand);
        assert!(matches!(refused, Err(Error::RateLimited(Some(_)))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(value: Vec<u8>) {
            let rows = read(&value);
            prop_assert_eq!(read(&write(&rows)), rows);
        }
    }
}
