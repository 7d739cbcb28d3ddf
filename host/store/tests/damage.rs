//! A torn or rotten file: it opens with everything in it, or is refused.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "functions of a test fail loudly"
)]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use portreeve_domain::Timestamp;
use portreeve_store::{Batch, DeviceRow, OpenError, Store, StoreSettings};

const ROWS: u32 = 400;

fn settings() -> StoreSettings {
    StoreSettings {
        cache_bytes: 1 << 20,
    }
}

/// The content of a store, closed properly or as a crash leaves it.
fn content(path: &Path, clean: bool) -> Vec<u8> {
    let store = Store::open(path, &settings()).unwrap();
    for part in 0..4 {
        let mut batch = Batch::default();
        batch.set_words(part, vec![format!("word {part}")]);
        for number in part * ROWS / 4..(part + 1) * ROWS / 4 {
            batch.put_device(&DeviceRow {
                source: if number % 2 == 0 { "intune" } else { "jamf" },
                key: &format!("key {number}"),
                fetched_at: Timestamp::from_millis(1),
                epoch: 1,
                device: number.to_string().as_bytes(),
            });
        }
        batch.put_document("plugin", &format!("k{part}"), vec![9; 2_000], None);
        store.commit(&batch).unwrap();
    }
    if clean {
        drop(store);
        return fs::read(path).unwrap();
    }
    fs::read(path).unwrap()
}

/// Whether everything can be read. Anything but all of it is a failed test.
fn opens_whole(path: &Path, content: &[u8], what: &str) -> bool {
    fs::write(path, content).unwrap();
    let store = match Store::open(path, &settings()) {
        Ok(store) => store,
        Err(OpenError::Damaged { .. } | OpenError::NotAStore { .. }) => return false,
        Err(error) => panic!("{what}: {error}"),
    };
    let mut rows = 0;
    store
        .read_devices(&mut |row| {
            let number = row.key.strip_prefix("key ").unwrap();
            assert_eq!(row.device, number.as_bytes(), "{what}");
            rows += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(rows, ROWS, "{what}");
    assert_eq!(store.words().unwrap().len(), 4, "{what}");
    let keys = store.document_keys("plugin", "", None, Timestamp::default());
    assert_eq!(keys.unwrap().keys.len(), 4, "{what}");
    // What opens can be written.
    let mut batch = Batch::default();
    batch.put_document("plugin", "more", vec![1; 5_000], None);
    store.commit(&batch).unwrap();
    true
}

/// Numbers without a pattern, the same in each run.
fn scattered(seed: u64) -> impl Iterator<Item = usize> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).unwrap()
    })
}

#[test]
fn a_truncated_file_is_whole_or_refused() {
    for clean in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let content = content(&path, clean);
        assert!(opens_whole(&path, &content, "untouched"));
        let lengths = (0..content.len())
            .step_by(4_096)
            .chain([1, 9, 511, content.len() - 1]);
        let mut refused = 0;
        for length in lengths {
            let what = format!("clean {clean}, cut at {length} of {}", content.len());
            refused += u32::from(!opens_whole(&path, &content[..length], &what));
        }
        assert!(refused > 10, "{refused}");
    }
}

#[test]
fn flipped_and_lost_bytes_are_noticed() {
    for clean in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let content = content(&path, clean);
        let mut refused = 0;
        for position in scattered(7).take(300).map(|number| number % content.len()) {
            let mut content = content.clone();
            content[position] ^= 1 << (position % 8);
            let what = format!("clean {clean}, bit flipped in byte {position}");
            refused += u32::from(!opens_whole(&path, &content, &what));
        }
        for start in (0..content.len()).step_by(4_096) {
            let mut content = content.clone();
            let end = content.len().min(start + 4_096);
            content[start..end].fill(0);
            let what = format!("clean {clean}, page lost at {start}");
            refused += u32::from(!opens_whole(&path, &content, &what));
        }
        assert!(refused > 10, "{refused}");
    }
}

#[test]
fn a_damaged_head_is_noticed() {
    // The byte that names the commit in force is as it was: after a crash one
    // flipped bit there names the commit before, which is whole as well.
    const NAMES_THE_COMMIT: usize = 9;
    for clean in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let content = content(&path, clean);
        // Even ones of a closed file, odd ones of a crashed one: 320 files are
        // enough.
        for position in (usize::from(!clean)..320).step_by(2) {
            if position == NAMES_THE_COMMIT {
                continue;
            }
            let mut content = content.clone();
            let mask = [0x01, 0x80, 0xff][position % 3];
            content[position] ^= mask;
            let what = format!("clean {clean}, {mask:#x} on byte {position}");
            opens_whole(&path, &content, &what);
        }
    }
}
