//! The power is cut anywhere: what was acknowledged is there, in whole batches.

use proptest::prelude::*;

use super::disk::{PowerCut, PowerCutDisk};
use super::{generation, open_on, stored_generation};
use crate::{Store, StoreSettings};

/// The content of a store that was closed properly.
fn closed_store(generations: u32) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = Store::open(&path, &StoreSettings::default()).unwrap();
    for number in 1..=generations {
        store.commit(&generation(number)).unwrap();
    }
    drop(store);
    std::fs::read(path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn nothing_acknowledged_is_lost(
        before in 0..3_u32,
        operations in 1..400_u64,
        arriving in prop::collection::vec(any::<bool>(), 1..200),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let content = closed_store(before);
        std::fs::write(&path, &content).unwrap();
        let disk = PowerCut::new(content, operations);
        let cache_bytes = 1 << 20;
        let opening = crate::file::Opening {
            cache_bytes,
            disk: std::sync::Arc::new(PowerCutDisk(disk.clone())),
        };
        let mut acknowledged = before;
        // The power may be gone before the store is even open.
        if let Ok(store) = Store::open_as(&path, opening) {
            while !disk.is_cut() && store.commit(&generation(acknowledged + 1)).is_ok() {
                acknowledged += 1;
            }
        }
        let mut sectors = arriving.iter().copied().cycle();
        std::fs::write(&path, disk.image(|| sectors.next().unwrap())).unwrap();

        let store = Store::open(&path, &StoreSettings::default()).unwrap();
        let stored = stored_generation(&store);
        prop_assert!(stored == acknowledged || stored == acknowledged + 1, "{stored}");
        store.commit(&generation(stored + 1)).unwrap();
        drop(store);
        let store = open_on(&path, std::sync::Arc::new(crate::file::FromFile));
        prop_assert_eq!(stored_generation(&store), stored + 1);
    }
}
