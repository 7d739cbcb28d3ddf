use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;

fn index() -> (Index<Arc<u64>>, IndexWriter<Arc<u64>>) {
    Index::new(Positions::Tag)
}

/// Entries with one position and different tags.
fn at(position: u64, tag: u64) -> Address {
    Address {
        tag: NonZeroU64::new(tag + 1).unwrap(),
        position,
    }
}

fn value(index: &Index<Arc<u64>>, address: Address) -> Option<u64> {
    index.get(address).as_deref().copied()
}

#[test]
fn tags_that_share_a_position_are_told_apart() {
    let (index, mut writer) = index();
    // Copies ask for positions by tag: small tags are all at one place.
    let address = |tag: u64| index.address(NonZeroU64::new(tag + 1).unwrap());
    for tag in 0..100 {
        index.put(&mut writer, address(tag), Arc::new(tag));
    }
    for tag in 0..100 {
        assert_eq!(value(&index, address(tag)), Some(tag));
    }
    assert_eq!(value(&index, address(100)), None);
}

#[test]
fn uses_are_noted_until_they_are_taken() {
    let (index, mut writer) = index();
    let address = at(3, 3);
    assert!(!index.take_use(address));
    index.put(&mut writer, address, Arc::new(1));
    assert_eq!(writer.peek(address).as_deref(), Some(&1));
    assert!(!index.take_use(address));
    assert_eq!(value(&index, address), Some(1));
    // A use is one of the place: the next entry has it.
    index.put(&mut writer, address, Arc::new(2));
    assert!(index.take_use(address));
    assert!(!index.take_use(address));
    assert_eq!(value(&index, address), Some(2));
}

#[test]
fn tombstones_do_not_make_it_grow() {
    let (index, mut writer) = index();
    let slots = index.segments[0].load().slots();
    for number in 0..10_000 {
        let entry = Arc::new(number);
        index.put(&mut writer, at(5, number), Arc::clone(&entry));
        assert_eq!(value(&index, at(5, number)), Some(number));
        writer.remove(at(5, number), &entry);
    }
    assert_eq!(index.segments[0].load().slots(), slots);
    assert_eq!((writer.segments[0].live, writer.segments[0].used), (0, 1));
}

#[test]
fn what_was_reserved_is_not_copied() {
    let hasher = RandomState::new();
    let (index, mut writer) = index();
    let address = |key: u64| index.address_of_digest(hasher.hash_one(key));
    for key in 0..10 {
        index.put(&mut writer, address(key), Arc::new(key));
    }
    index.reserve(&mut writer, 100_000);
    let before: Vec<_> = index.segments.iter().map(ArcSwap::load_full).collect();
    for key in 10..95_000 {
        index.put(&mut writer, address(key), Arc::new(key));
    }
    let same = |(before, after): (&Arc<_>, &ArcSwap<_>)| Arc::ptr_eq(before, &after.load());
    let kept = before
        .iter()
        .zip(&index.segments)
        .filter(|it| same(*it))
        .count();
    assert!(kept > before.len() * 9 / 10, "{kept}");
    assert_eq!(value(&index, address(7)), Some(7));
}

#[test]
fn readers_never_miss_what_stays_nor_take_what_is_not_theirs() {
    let hasher = RandomState::new();
    let (index, mut writer) = index();
    // Few places, so that slots change hands all the time.
    let address = |key: u64| {
        let tag = ((hasher.hash_one(key) >> 8) % 64) << 55 | key << 1 | 1;
        index.address(NonZeroU64::new(tag).unwrap())
    };
    for key in 0..1_000 {
        index.put(&mut writer, address(key), Arc::new(key));
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        for key in 0..1_000 {
                            assert_eq!(value(&index, address(key)), Some(key));
                        }
                        for key in 1_000..1_500 {
                            let found = value(&index, address(key));
                            assert!(found.is_none_or(|found| found == key));
                        }
                    }
                })
            })
            .collect();
        for step in 0..200_000 {
            let key = 1_000 + step % 500;
            let entry = Arc::new(key);
            index.put(&mut writer, address(key), Arc::clone(&entry));
            if step % 3 != 0 {
                writer.remove(address(key), &entry);
            }
            // What stays may be replaced.
            index.put(&mut writer, address(step % 1_000), Arc::new(step % 1_000));
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

proptest! {
    #[test]
    fn it_is_a_map(operations in proptest::collection::vec((any::<bool>(), 0_u64..40, any::<u64>()), 0..400)) {
        // Few positions, so that keys collide all the time.
        let (index, mut writer) = index();
        let address = |key: u64| index.address(NonZeroU64::new(((key % 5) << 40) | (key + 1)).unwrap());
        let mut model: HashMap<u64, Arc<u64>> = HashMap::new();
        for (put, key, number) in operations {
            if put {
                let entry = Arc::new(number);
                index.put(&mut writer, address(key), Arc::clone(&entry));
                model.insert(key, entry);
            } else if let Some(entry) = model.remove(&key) {
                writer.remove(address(key), &Arc::new(*entry));
                prop_assert_eq!(value(&index, address(key)), Some(*entry));
                writer.remove(address(key), &entry);
            }
            for key in 0..40 {
                prop_assert_eq!(value(&index, address(key)), model.get(&key).map(|entry| **entry));
            }
        }
    }
}
