//! How far the inventory of a source has come.

use portreeve_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// How far the inventory of a source has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryState {
    /// What is being read, or was read last.
    pub phase: Phase,
    /// The number of the full read; devices it sees carry it.
    pub epoch: u32,
    /// Where to go on, in the connector's own words.
    #[serde(default)]
    pub cursor: Option<String>,
    /// When this read began.
    #[serde(with = "millis")]
    pub started_at: Timestamp,
    /// When it ended, `None` while it goes on.
    #[serde(default, with = "optional_millis")]
    pub completed_at: Option<Timestamp>,
    /// Devices read so far.
    #[serde(default)]
    pub read: u64,
    /// Devices to expect, when the source says so.
    #[serde(default)]
    pub total: Option<u64>,
}

/// What an inventory read covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// All devices.
    Full,
    /// What changed since the last read.
    Delta,
}

impl InventoryState {
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Cannot fail: no map with other keys than text, no foreign `Serialize`.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(crate) fn decode(source: &str, bytes: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(bytes)
            .map_err(|error| StoreError::Damaged(format!("inventory state of `{source}`: {error}")))
    }
}

mod millis {
    use portreeve_domain::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.as_millis().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        u64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

mod optional_millis {
    use portreeve_domain::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(Timestamp::as_millis).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let millis = Option::<u64>::deserialize(deserializer)?;
        Ok(millis.map(Timestamp::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for completed_at in [None, Some(Timestamp::from_millis(7))] {
            let state = InventoryState {
                phase: Phase::Delta,
                epoch: 3,
                cursor: Some("next".to_owned()),
                started_at: Timestamp::from_millis(5),
                completed_at,
                read: 10,
                total: None,
            };
            assert_eq!(InventoryState::decode("s", &state.encode()), Ok(state));
        }
    }

    #[test]
    fn fields_of_a_later_version_are_passed_over() {
        let text = br#"{"phase":"full","epoch":1,"started_at":5,"colour":"blue"}"#;
        let state = InventoryState::decode("s", text).unwrap();
        assert_eq!(state.phase, Phase::Full);
        assert_eq!(state.cursor, None);
        for text in [
            "",
            "{}",
            "[]",
            r#"{"phase":"odd","epoch":1,"started_at":5}"#,
        ] {
            let error = InventoryState::decode("s", text.as_bytes()).unwrap_err();
            assert!(matches!(error, StoreError::Damaged(_)), "{text}");
        }
    }
}
