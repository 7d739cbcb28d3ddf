//! Text in bits: letters that are frequent in names of people, devices, models
//! and versions take four or five, rare ones up to eleven.
//!
//! The code is a complete prefix code (Huffman's, in canonical order), so all
//! bytes mean something and nothing has to be checked. It is fixed, for it is
//! in stores: another one would be another version of the packed form.

use std::fmt;

use smallvec::SmallVec;

/// The printable letters of ASCII by the number of bits that they take.
/// Weighted by hand after lists of names, host names, models and versions.
const LETTERS: [(u32, &[u8]); 8] = [
    (4, b"aeinr"),
    (5, b" .lost"),
    (6, b"-012345_bcdghkmuy"),
    (7, b"/6789:ACDLMPSTfjpvw"),
    (8, b"@BEFGHIJKNORWz"),
    (9, b"'(),UVXZx"),
    (10, b"QYq"),
    (LONGEST, b"!\"#$%&*+;<=>?[\\]^`{|}~"),
];

/// Bits of the longest code.
const LONGEST: u32 = 11;

/// The code of each letter, and how many bits it has. None of other bytes.
static CODES: [(u32, u32); 128] = TABLES.0;
/// The letter that begins with these bits, and how many of them it takes.
static BEGINNINGS: [(u8, u32); 1 << LONGEST] = TABLES.1;

type Tables = ([(u32, u32); 128], [(u8, u32); 1 << LONGEST]);

const TABLES: Tables = tables();

#[expect(
    clippy::indexing_slicing,
    reason = "computed by the compiler, which refuses places that there are not"
)]
const fn tables() -> Tables {
    let mut codes = [(0, 0); 128];
    let mut beginnings = [(0, 0); 1 << LONGEST];
    // The next code, in as many bits as the longest has.
    let mut next = 0;
    let mut row = 0;
    while row < LETTERS.len() {
        let (bits, letters) = LETTERS[row];
        let mut place = 0;
        while place < letters.len() {
            let letter = letters[place];
            codes[letter as usize] = (next >> (LONGEST - bits), bits);
            let end = next + (1 << (LONGEST - bits));
            while next < end {
                beginnings[next as usize] = (letter, bits);
                next += 1;
            }
            place += 1;
        }
        row += 1;
    }
    assert!(next == 1 << LONGEST, "the code is complete");
    (codes, beginnings)
}

/// The text in fewer bytes than it has, if it is one of these letters.
pub(super) fn encode(text: &str) -> Option<SmallVec<[u8; 64]>> {
    let mut bytes = SmallVec::new();
    let (mut waiting, mut count) = (0_u32, 0);
    for letter in text.bytes() {
        let (code, bits) = CODES.get(usize::from(letter)).copied()?;
        if bits == 0 || bytes.len() >= text.len() {
            return None;
        }
        waiting = waiting << bits | code;
        count += bits;
        while count >= 8 {
            count -= 8;
            bytes.push(low(waiting >> count));
        }
    }
    if count > 0 {
        // Ones begin the longest codes, so no letter is made of them.
        bytes.push(low(waiting << (8 - count) | 0xff >> count));
    }
    (bytes.len() < text.len()).then_some(bytes)
}

/// Writes the text that was encoded.
pub(super) fn decode(bytes: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let mut bytes = bytes.iter();
    let (mut waiting, mut count) = (0_u32, 0);
    loop {
        while count < LONGEST
            && let Some(byte) = bytes.next()
        {
            waiting = waiting << 8 | u32::from(*byte);
            count += 8;
        }
        let shifted = match LONGEST.checked_sub(count) {
            Some(missing) => waiting << missing | ((1 << missing) - 1),
            None => waiting >> (count - LONGEST),
        };
        let place = usize::try_from(shifted & ((1 << LONGEST) - 1)).map_err(|_| fmt::Error)?;
        let (letter, bits) = BEGINNINGS.get(place).copied().ok_or(fmt::Error)?;
        if bits > count {
            return Ok(());
        }
        count -= bits;
        out.write_char(char::from(letter))?;
    }
}

const fn low(bits: u32) -> u8 {
    let [low, ..] = bits.to_le_bytes();
    low
}

/// Letters that were encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letters<'a>(pub(super) &'a [u8]);

impl fmt::Display for Letters<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        decode(self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, size: Option<usize>) {
        let encoded = encode(text);
        assert_eq!(encoded.as_ref().map(SmallVec::len), size, "{text}");
        if let Some(encoded) = encoded {
            assert_eq!(Letters(&encoded).to_string(), text);
        }
    }

    #[test]
    fn names_are_shorter() {
        check("ada.lovelace12345", Some(12));
        check("Grace Hopper", Some(9));
        check("LAPTOP-1A2B3C4", Some(12));
        check("grace_Windows_5/15/2018_1:31 PM", Some(23));
        check("a", None);
        check("", None);
        check("~~~~~~~~~~~~", None);
        check("größe der Scheibe", None);
    }

    /// What is in stores stays readable.
    #[test]
    fn the_code_is_fixed() {
        let letters: Vec<u8> = (b' '..=b'~').collect();
        let known = LETTERS.iter().flat_map(|(_, letters)| letters.iter());
        let mut known: Vec<u8> = known.copied().collect();
        known.sort_unstable();
        assert_eq!(known, letters);
        let encoded = encode("ada.lovelace 0123").unwrap();
        let known = [10, 129, 108, 111, 49, 96, 82, 42, 134, 40, 228];
        assert_eq!(encoded[..], known);
    }

    proptest! {
        #[test]
        fn texts_come_back(text in "[ -~]{0,80}") {
            if let Some(encoded) = encode(&text) {
                prop_assert!(encoded.len() < text.len());
                prop_assert_eq!(Letters(&encoded).to_string(), text);
            }
        }

        #[test]
        fn all_bytes_are_letters(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let text = Letters(&bytes).to_string();
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}
