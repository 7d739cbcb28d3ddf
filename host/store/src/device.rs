//! Rows of devices.

use portreeve_domain::Timestamp;

use crate::error::StoreError;

/// Bytes before the device: the time and the epoch.
const HEADER: usize = 12;

/// One device as one source described it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceRow<'a> {
    /// Name of the connector instance.
    pub source: &'a str,
    /// The source's own key of the device.
    pub key: &'a str,
    /// When the source said so.
    pub fetched_at: Timestamp,
    /// The inventory read that saw the device last.
    pub epoch: u32,
    /// The device, in an encoding that the store does not know.
    pub device: &'a [u8],
}

impl<'a> DeviceRow<'a> {
    /// The value under the row's key.
    pub(crate) fn encode(&self) -> Box<[u8]> {
        let mut value = Vec::with_capacity(HEADER + self.device.len());
        value.extend_from_slice(&self.fetched_at.as_millis().to_le_bytes());
        value.extend_from_slice(&self.epoch.to_le_bytes());
        value.extend_from_slice(self.device);
        value.into_boxed_slice()
    }

    pub(crate) fn decode(
        source: &'a str,
        key: &'a str,
        value: &'a [u8],
    ) -> Result<Self, StoreError> {
        let header = value
            .split_first_chunk()
            .and_then(|(at, rest)| Some((at, rest.split_first_chunk()?)));
        let Some((fetched_at, (epoch, device))) = header else {
            let detail = format!("device `{key}` of `{source}` has {} bytes", value.len());
            return Err(StoreError::Damaged(detail));
        };
        Ok(Self {
            source,
            key,
            fetched_at: Timestamp::from_millis(u64::from_le_bytes(*fetched_at)),
            epoch: u32::from_le_bytes(*epoch),
            device,
        })
    }
}

/// Version 0 had no epoch; 0 is one that no inventory read has.
pub(crate) fn from_version_0(value: &[u8], row: &mut Vec<u8>) -> Result<(), StoreError> {
    let Some((fetched_at, device)) = value.split_first_chunk::<8>() else {
        let detail = format!("a device of version 0 has {} bytes", value.len());
        return Err(StoreError::Damaged(detail));
    };
    row.clear();
    row.extend_from_slice(fetched_at);
    row.extend_from_slice(&0_u32.to_le_bytes());
    row.extend_from_slice(device);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let row = DeviceRow {
            source: "intune",
            key: "k",
            fetched_at: Timestamp::from_millis(u64::MAX - 1),
            epoch: u32::MAX,
            device: b"",
        };
        assert_eq!(DeviceRow::decode("intune", "k", &row.encode()), Ok(row));
    }

    #[test]
    fn short_rows_are_damage() {
        for length in 0..HEADER {
            let error = DeviceRow::decode("s", "k", &vec![0; length]).unwrap_err();
            assert!(matches!(error, StoreError::Damaged(_)), "{length}");
        }
        let mut row = vec![1, 2, 3];
        assert!(from_version_0(&[0; 7], &mut row).is_err());
        from_version_0(&[9; 10], &mut row).unwrap();
        assert_eq!(row, [9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 9, 9]);
    }
}
