//! The texts that many devices share: names of attributes, models, versions.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;

/// Enough for the models and versions of any fleet; more would be texts that
/// are not shared.
const MOST_WORDS: usize = 65_536;
const LONGEST_WORD: usize = 64;
/// Shorter ones gain nothing.
const SHORTEST_WORD: usize = 3;
/// Words that are allocated together.
const PART: usize = 256;
/// A text becomes a word once so many devices had it.
const ENOUGH_DEVICES: u64 = 4;
/// Texts that are watched for becoming words.
const WATCHED: usize = 16_384;

/// A dictionary that only grows, so that a word's number means the same text
/// for ever. Numbers are read without locks.
///
/// A text becomes a word when several devices had it lately: what only one
/// device has would fill the dictionary and gain nothing.
#[derive(Debug)]
pub struct Words {
    parts: Box<[OnceLock<Part>]>,
    count: AtomicUsize,
    numbers: RwLock<HashMap<Arc<str>, u32>>,
    watched: Box<[AtomicU64]>,
    hasher: RandomState,
}

type Part = Box<[OnceLock<Arc<str>>]>;

impl Words {
    /// The words of an earlier process, in order of their numbers.
    ///
    /// Those beyond the bound are left out: what refers to them is refused.
    pub fn restore(words: impl IntoIterator<Item = String>) -> Self {
        let restored = Self::default();
        let mut numbers = restored.numbers.write();
        for word in words {
            restored.add(&mut numbers, &word);
        }
        drop(numbers);
        restored
    }

    /// Words known. Their numbers are the smaller ones.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether no word is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The word of that number.
    pub fn get(&self, number: usize) -> Option<&str> {
        let part = self.parts.get(number / PART)?.get()?;
        part.get(number % PART)?.get().map(|word| &**word)
    }

    /// All words from that number on, in order.
    pub fn since(&self, number: usize) -> Vec<String> {
        (number..self.len())
            .map_while(|number| self.get(number).map(str::to_owned))
            .collect()
    }

    /// The number of a text, which may become a word by being asked for.
    /// `device` is any number that tells devices apart.
    pub(crate) fn number_for(&self, text: &str, device: u64) -> Option<u32> {
        if !(SHORTEST_WORD..=LONGEST_WORD).contains(&text.len()) {
            return None;
        }
        if let Some(number) = self.numbers.read().get(text) {
            return Some(*number);
        }
        if self.len() >= MOST_WORDS || !self.is_shared(text, device) {
            return None;
        }
        let mut numbers = self.numbers.write();
        if let Some(number) = numbers.get(text) {
            return Some(*number);
        }
        self.add(&mut numbers, text)
    }

    fn add(&self, numbers: &mut HashMap<Arc<str>, u32>, text: &str) -> Option<u32> {
        let count = self.count.load(Ordering::Relaxed);
        let number = u32::try_from(count).ok()?;
        let part = self.parts.get(count / PART)?;
        let part = part.get_or_init(|| (0..PART).map(|_| OnceLock::new()).collect());
        let text: Arc<str> = text.into();
        part.get(count % PART)?.set(Arc::clone(&text)).ok()?;
        numbers.entry(text).or_insert(number);
        self.count.store(count + 1, Ordering::Release);
        Some(number)
    }

    /// Notes that a device has this text, and says whether enough had it.
    ///
    /// Each place watches one text: its hash, the last device that had it, and
    /// how many did. Another text wears it down before it takes the place. Two
    /// threads may overwrite each other's note; nothing depends on it.
    fn is_shared(&self, text: &str, device: u64) -> bool {
        const TEXT: u64 = !0 << 32;
        const DEVICE: u64 = 0xffff_ff00;
        const COUNT: u64 = 0xff;
        let hash = self.hasher.hash_one(text);
        let device = self.hasher.hash_one(device) & DEVICE;
        let place = usize::try_from(hash % WATCHED as u64).unwrap_or(0);
        let Some(place) = self.watched.get(place) else {
            return false;
        };
        let note = place.load(Ordering::Relaxed);
        let count = note & COUNT;
        let next = if note & TEXT == hash & TEXT && count > 0 {
            if note & DEVICE == device {
                return false;
            }
            count + 1
        } else if count > 1 {
            place.store(note - 1, Ordering::Relaxed);
            return false;
        } else {
            1
        };
        place.store(hash & TEXT | device | next, Ordering::Relaxed);
        next >= ENOUGH_DEVICES
    }
}

impl Default for Words {
    fn default() -> Self {
        Self {
            parts: (0..MOST_WORDS / PART).map(|_| OnceLock::new()).collect(),
            count: AtomicUsize::new(0),
            numbers: RwLock::default(),
            watched: (0..WATCHED).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The word's number once enough devices had it.
    fn learn(words: &Words, text: &str) -> Option<u32> {
        let numbers = (0..ENOUGH_DEVICES).map(|device| words.number_for(text, device));
        numbers.last().flatten()
    }

    #[test]
    fn what_several_devices_have_becomes_a_word() {
        let words = Words::default();
        for _ in 0..10 {
            assert_eq!(words.number_for("of one device", 7), None);
        }
        assert!(words.is_empty());
        assert_eq!(learn(&words, "of many"), Some(0));
        assert_eq!(words.number_for("of many", 7), Some(0));
        assert_eq!(words.get(0), Some("of many"));
        assert_eq!(words.get(1), None);
        assert_eq!(learn(&words, "no"), None);
        assert_eq!(learn(&words, &"x".repeat(65)), None);
    }

    #[test]
    fn a_stream_of_unique_texts_does_not_hide_what_is_shared() {
        let words = Words::default();
        for device in 0..20_000 {
            words.number_for(&format!("unique to {device}"), device);
            words.number_for("shared", device);
        }
        assert_eq!(words.since(0), ["shared"]);
    }

    #[test]
    fn numbers_outlive_the_process() {
        let words = Words::default();
        learn(&words, "one");
        learn(&words, "two");
        let restored = Words::restore(words.since(0));
        assert_eq!(learn(&restored, "three"), Some(2));
        assert_eq!(restored.number_for("two", 1), Some(1));
        assert_eq!(restored.since(1), ["two", "three"]);
    }

    #[test]
    fn it_is_bounded() {
        let words = Words::restore((0..70_000).map(|number| format!("word {number}")));
        assert_eq!(words.len(), MOST_WORDS);
        assert_eq!(learn(&words, "one more"), None);
        assert_eq!(words.number_for("word 65535", 1), Some(65_535));
        assert_eq!(words.number_for("word 65536", 1), None);
    }
}
