//! The header that a connection was recognised by.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::Roster;

/// The first `Authorization` of a connection that a client is configured with
/// as it is. A connection most often brings the same one again, which is then
/// compared and not digested.
///
/// It counts for one roster: with another one the client may be gone. Headers
/// that hold for a time only are not kept here.
#[derive(Default)]
pub(super) struct Recent(ArcSwapOption<Header>);

struct Header {
    roster: u64,
    bytes: Zeroizing<Box<[u8]>>,
    /// The client's place.
    client: usize,
}

impl Recent {
    /// The place of the client that this header is of. Takes no lock.
    pub(super) fn client(&self, roster: &Roster, header: &[u8]) -> Option<usize> {
        let known = self.0.load();
        let known = known.as_ref()?;
        (known.roster == roster.number() && is_same(&known.bytes, header)).then_some(known.client)
    }

    /// Keeps a header of a client, unless there is one: a connection of many
    /// clients is no reason to write with each request.
    pub(super) fn remember(&self, roster: &Roster, header: &[u8], client: usize) {
        let known = self.0.load();
        if known.as_ref().is_none_or(|it| it.roster != roster.number()) {
            self.0.store(Some(Arc::new(Header {
                roster: roster.number(),
                bytes: Zeroizing::new(header.into()),
                client,
            })));
        }
    }
}

/// Whether both are the same, in a time that tells nothing of how much is.
pub(crate) fn is_same(known: &[u8], header: &[u8]) -> bool {
    let (known_words, known_rest) = known.as_chunks();
    let (words, rest) = header.as_chunks();
    if known_words.len() != words.len() {
        return false;
    }
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    let words = known_words.iter().zip(words);
    let other = words.fold(0, |other, (known, given)| {
        other | (word(known) ^ word(given))
    });
    (known_rest.ct_eq(rest) & other.ct_eq(&0)).into()
}

impl fmt::Debug for Recent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same() {
        let header = b"Bearer 0123456789abcdef";
        for length in 0..header.len() {
            let known = &header[..length];
            assert!(is_same(known, known));
            assert!(!is_same(known, &header[..=length]));
            assert!(!is_same(&header[..=length], known));
            for place in 0..length {
                let mut other = known.to_vec();
                other[place] ^= 1;
                assert!(!is_same(known, &other), "{length} {place}");
            }
        }
    }
}
