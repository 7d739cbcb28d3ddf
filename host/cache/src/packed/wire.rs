//! Numbers and slices of bytes.

use smallvec::SmallVec;

use super::PackedError;

/// Where packed bytes go.
pub(crate) trait Sink {
    fn push_byte(&mut self, byte: u8);
    fn push_slice(&mut self, bytes: &[u8]);

    /// Seven bits a byte, lowest first, the eighth says that more follow.
    fn push_varint(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                self.push_byte(low);
                return;
            }
            self.push_byte(low | 0x80);
        }
    }
}

impl Sink for Vec<u8> {
    fn push_byte(&mut self, byte: u8) {
        self.push(byte);
    }

    fn push_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl<const SIZE: usize> Sink for SmallVec<[u8; SIZE]>
where
    [u8; SIZE]: smallvec::Array<Item = u8>,
{
    fn push_byte(&mut self, byte: u8) {
        self.push(byte);
    }

    fn push_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// What is left to read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn byte(&mut self) -> Result<u8, PackedError> {
        let (byte, rest) = self.0.split_first().ok_or(PackedError::Damaged)?;
        self.0 = rest;
        Ok(*byte)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], PackedError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(PackedError::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], PackedError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(PackedError::Damaged)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// Only the shortest form of a number is one: equal devices are to have
    /// equal bytes.
    pub(crate) fn varint(&mut self) -> Result<u64, PackedError> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits || (byte == 0 && shift > 0) {
                return Err(PackedError::Damaged);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(PackedError::Damaged)
    }

    pub(crate) fn length(&mut self) -> Result<usize, PackedError> {
        usize::try_from(self.varint()?).map_err(|_| PackedError::Damaged)
    }

    /// The bytes that were read since `before`.
    pub(crate) fn since(self, before: Self) -> &'a [u8] {
        before
            .0
            .get(..before.0.len() - self.0.len())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<u64, PackedError> {
        Reader(bytes).varint()
    }

    #[test]
    fn numbers_have_one_form() {
        for (bytes, expected) in [
            (&[0][..], Ok(0)),
            (&[0x7f], Ok(127)),
            (&[0x80, 1], Ok(128)),
            (&[0x80, 0], Err(PackedError::Damaged)),
            (&[0x80], Err(PackedError::Damaged)),
            (&[], Err(PackedError::Damaged)),
            (&[0xff; 11], Err(PackedError::Damaged)),
        ] {
            assert_eq!(read(bytes), expected, "{bytes:?}");
        }
        let mut most = [0xff; 10];
        most[9] = 1;
        assert_eq!(read(&most), Ok(u64::MAX));
        most[9] = 2;
        assert_eq!(read(&most), Err(PackedError::Damaged));
    }

    proptest! {
        #[test]
        fn numbers_come_back(number: u64) {
            let mut bytes = Vec::new();
            bytes.push_varint(number);
            prop_assert_eq!(read(&bytes), Ok(number));
        }
    }
}
