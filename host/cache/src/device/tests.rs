use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};

use portreeve_domain::{Compliance, ComplianceState, Identifier, MacAddress, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::packed::{Names, PackedError};

const SOURCE: SourceId = SourceId(0);
const GUID: &str = "3eeb9e62-cec9-4dd8-9dd6-74903695a62b";
const OTHER_GUID: &str = "11111111-cec9-4dd8-9dd6-74903695a62b";
const MAC: &str = "00:50:56:a4:89:5a";
const OTHER_MAC: &str = "00:50:56:a4:89:5b";

fn cache() -> DeviceCache {
    DeviceCache::new(CacheSettings::default())
}

fn ids(texts: &[&str]) -> Vec<Identifier> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn device(key: &str, texts: &[&str]) -> Device {
    Device {
        key: key.to_owned(),
        ids: ids(texts),
        ..Device::default()
    }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// What a look-up says, in one word: a record's key, or how there is none.
fn word(remembered: &Remembered<()>) -> String {
    match remembered {
        Remembered::Found(record) => record.key(),
        Remembered::Unknown { fetched_at } => format!("unknown at {}", fetched_at.as_millis()),
        Remembered::Ambiguous => "ambiguous".to_owned(),
        Remembered::Absent => "absent".to_owned(),
    }
}

#[track_caller]
fn check(cache: &DeviceCache, asked: &[&str], expected: &str) {
    assert_eq!(
        word(&cache.find(SOURCE, &ids(asked))),
        expected,
        "{asked:?}"
    );
}

#[test]
fn any_identifier_finds_the_record() {
    let cache = cache();
    cache.insert(SOURCE, &device("a", &[GUID, MAC, "serial:x"]), at(1));
    for asked in [GUID, MAC, "serial:x", "0050.56A4.895A"] {
        check(&cache, &[asked], "a");
    }
    check(&cache, &["serial:y"], "absent");
    check(&cache, &[], "absent");
    let elsewhere = cache.find(SourceId(1), &ids(&[MAC]));
    assert_eq!(word(&elsewhere), "absent");
}

#[test]
fn the_better_identifier_decides() {
    let cache = cache();
    cache.insert(SOURCE, &device("a", &[GUID]), at(1));
    cache.insert(SOURCE, &device("b", &[MAC, "hostname:b"]), at(1));
    cache.insert(SOURCE, &device("c", &[OTHER_MAC]), at(1));
    check(&cache, &[GUID, MAC], "a");
    check(&cache, &[MAC, GUID], "a");
    check(&cache, &[OTHER_MAC, "hostname:b"], "c");
    check(&cache, &[MAC, OTHER_MAC], "ambiguous");
    check(&cache, &[MAC, OTHER_MAC, GUID], "a");
    // The GUID is not known, and nothing says that it is not this device's.
    check(&cache, &[OTHER_GUID, MAC], "b");
}

#[test]
fn a_shared_docking_station_does_not_lend_its_verdict() {
    let cache = cache();
    cache.insert(SOURCE, &device("a", &[GUID, "serial:a", MAC]), at(1));
    check(&cache, &[OTHER_GUID, MAC], "absent");
    check(&cache, &["serial:b", MAC], "absent");
    check(&cache, &["serial:a", MAC], "a");
    // A device has several addresses and may have two IMEIs.
    check(&cache, &[OTHER_MAC, MAC], "a");
    check(&cache, &["imei:352099001761481", MAC], "a");
}

#[test]
fn the_last_answer_wins() {
    let cache = cache();
    cache.insert(SOURCE, &device("a", &[GUID, MAC]), at(1));
    cache.insert(SOURCE, &device("b", &[MAC]), at(2));
    check(&cache, &[MAC], "b");
    check(&cache, &[GUID], "a");
    // What moved away does not go when its former owner does.
    assert!(cache.remove(SOURCE, "a"));
    check(&cache, &[MAC], "b");
    check(&cache, &[GUID], "absent");
    assert!(!cache.remove(SOURCE, "a"));
    assert_eq!(cache.len(), 1);
}

#[test]
fn identifiers_that_were_lost_are_forgotten() {
    let cache = cache();
    cache.insert(SOURCE, &device("a", &[GUID, MAC]), at(1));
    cache.insert(SOURCE, &device("a", &[GUID, OTHER_MAC]), at(2));
    check(&cache, &[MAC], "absent");
    check(&cache, &[OTHER_MAC], "a");
    assert_eq!(cache.len(), 1);
}

#[test]
fn equal_content_keeps_its_generation() {
    let cache = cache();
    let first = cache.insert(SOURCE, &device("a", &[MAC]), at(1));
    let second = cache.insert(SOURCE, &device("a", &[MAC]), at(2));
    assert!(first.is(&second));
    assert_eq!(first.generation(), second.generation());
    assert_eq!(second.fetched_at(), at(2));
    let changed = Device {
        compliance: Compliance {
            state: ComplianceState::Compliant,
            ..Compliance::default()
        },
        ..device("a", &[MAC])
    };
    assert_eq!(cache.device(&second), device("a", &[MAC]));
    let third = cache.insert(SOURCE, &changed, at(3));
    assert_ne!(second.generation(), third.generation());
    assert_eq!(second.identity(), third.identity());
}

#[test]
fn unknown_is_remembered_until_somebody_knows_it() {
    let cache = cache();
    cache.insert_unknown(SOURCE, &ids(&[MAC]), at(5));
    cache.insert_unknown(SOURCE, &ids(&[GUID]), at(3));
    check(&cache, &[MAC], "unknown at 5");
    check(&cache, &[MAC, GUID], "unknown at 3");
    check(&cache, &[MAC, OTHER_MAC], "absent");
    cache.insert(SOURCE, &device("a", &[MAC]), at(6));
    check(&cache, &[GUID, MAC], "a");
    cache.remove(SOURCE, "a");
    check(&cache, &[MAC], "absent");
}

#[test]
fn a_record_goes_when_its_source_knows_it_no_more() {
    let cache = cache();
    cache.insert(SOURCE, &device("a", &[GUID, MAC]), at(1));
    cache.insert(SOURCE, &device("b", &[OTHER_MAC]), at(1));
    cache.insert_unknown(SOURCE, &ids(&[GUID, MAC]), at(2));
    check(&cache, &[MAC], "unknown at 2");
    check(&cache, &[OTHER_MAC], "b");
    assert_eq!(cache.len(), 1);
}

fn random_device(number: u64) -> Device {
    let octets = number.to_be_bytes();
    let mac = MacAddress::new(octets[2..].try_into().unwrap());
    Device {
        key: format!("key-{number}"),
        ids: vec![Identifier::Mac(mac)],
        ..Device::default()
    }
}

fn weight(device: &Device) -> usize {
    let packed = packed::pack(device, &Words::default());
    record::weight(packed.len(), Names::of(&packed))
}

#[test]
fn a_storm_stays_within_the_bounds() {
    let settings = CacheSettings {
        max_devices: 500,
        max_bytes: 200 * weight(&random_device(u64::MAX >> 16)),
        max_attached_bytes: 0,
        max_unknown: 64,
        max_verdicts: 0,
    };
    let hasher = RandomState::new();
    for max_bytes in [usize::MAX, settings.max_bytes] {
        let cache: DeviceCache = DeviceCache::new(CacheSettings {
            max_bytes,
            ..settings
        });
        for number in 0_u64..20_000 {
            let device = random_device(hasher.hash_one(number) >> 16);
            let stranger = random_device(hasher.hash_one((number, 0)) >> 16);
            cache.insert_unknown(SOURCE, &stranger.ids, at(number));
            cache.insert(SOURCE, &device, at(number));
            assert!(matches!(
                cache.find(SOURCE, &device.ids),
                Remembered::Found(_)
            ));
            let statistics = cache.statistics();
            assert!(statistics.devices <= settings.max_devices);
            assert!(statistics.bytes <= max_bytes);
            assert!(statistics.unknown <= settings.max_unknown);
        }
        let statistics = cache.statistics();
        assert!(statistics.devices > 190, "{statistics:?}");
        assert_eq!(statistics.evictions + statistics.devices as u64, 20_000);
        // Nothing of what left is still in the index.
        let found = (0_u64..20_000)
            .map(|number| random_device(hasher.hash_one(number) >> 16))
            .filter(|device| matches!(cache.find(SOURCE, &device.ids), Remembered::Found(_)))
            .count();
        assert_eq!(found, statistics.devices);
    }
}

#[test]
fn what_is_asked_for_survives_a_storm() {
    let cache: DeviceCache = DeviceCache::new(CacheSettings {
        max_devices: 100,
        ..CacheSettings::default()
    });
    cache.insert(SOURCE, &device("a", &[GUID]), at(1));
    for number in 0..10_000 {
        cache.insert(SOURCE, &random_device(number), at(2));
        check(&cache, &[GUID], "a");
    }
}

#[test]
fn one_giant_does_not_drive_out_everyone() {
    let cache: DeviceCache = DeviceCache::new(CacheSettings {
        max_bytes: 10_000,
        ..CacheSettings::default()
    });
    cache.insert(SOURCE, &device("a", &[GUID]), at(1));
    cache.insert(SOURCE, &device("b", &[MAC]), at(1));
    let giant = Device {
        name: Some("x".repeat(10_000)),
        ..device("b", &[MAC])
    };
    let record = cache.insert(SOURCE, &giant, at(2));
    assert_eq!(record.key(), "b");
    check(&cache, &[GUID], "a");
    // Nor is the old content of the giant still served.
    check(&cache, &[MAC], "absent");
    assert_eq!(cache.len(), 1);
}

#[test]
fn readers_find_a_device_while_it_changes() {
    let cache = cache();
    let stop = std::sync::atomic::AtomicBool::new(false);
    cache.insert(SOURCE, &device("a", &[MAC, OTHER_MAC]), at(1));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let asked = ids(&[OTHER_MAC, MAC]);
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(word(&cache.find(SOURCE, &asked)), "a");
            }
        });
        for number in 0..20_000 {
            let changed = Device {
                name: Some(number.to_string()),
                ..device("a", &[MAC, OTHER_MAC])
            };
            cache.insert(SOURCE, &changed, at(number));
            cache.insert(SOURCE, &random_device(number), at(number));
        }
        stop.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}

#[test]
fn packed_devices_come_back_as_they_were() {
    let first = cache();
    let devices: Vec<_> = (0..50).map(random_device).collect();
    for device in &devices {
        first.insert(SOURCE, device, at(7));
    }
    let words = Arc::new(Words::restore(first.words().since(0)));
    let second: DeviceCache = DeviceCache::with_words(CacheSettings::default(), words);
    second.reserve(50);
    for record in first.records() {
        let packed = record.packed();
        let again = second.insert_packed(record.source(), packed, record.fetched_at());
        assert_eq!(again.unwrap().packed(), packed);
    }
    for device in &devices {
        let Remembered::Found(record) = second.find(SOURCE, &device.ids) else {
            panic!("{device:?} is lost");
        };
        assert_eq!(record.fetched_at(), at(7));
        assert_eq!(record.compliance_state(), device.compliance.state);
        assert_eq!(second.device(&record), *device);
        assert_eq!(record.identifiers().collect::<Vec<_>>(), device.ids);
        // What the source says again is no change.
        assert!(second.insert(SOURCE, device, at(8)).is(&record));
        assert_eq!(record.fetched_at(), at(8));
    }
}

#[test]
fn records_may_change_threads() {
    let cache = cache();
    cache.insert(SOURCE, &device("a", &[MAC]), at(1));
    let Remembered::Found(record) = cache.find(SOURCE, &ids(&[MAC])) else {
        panic!("it is there");
    };
    let kept = record.clone().detach();
    // A lent record outlives its place in the cache, too.
    cache.remove(SOURCE, "a");
    let keys = std::thread::scope(|scope| {
        let there = scope.spawn(move || record.key());
        (there.join().unwrap(), kept.key())
    });
    assert_eq!(keys, ("a".to_owned(), "a".to_owned()));
}

#[test]
fn damaged_packed_devices_are_refused() {
    let cache = cache();
    let packed = packed::pack(&device("a", &[GUID, MAC]), cache.words());
    for length in 0..packed.len() {
        let refused = cache.insert_packed(SOURCE, &packed[..length], at(1));
        assert_eq!(refused.unwrap_err(), PackedError::Damaged, "{length}");
    }
    assert!(cache.is_empty());
    check(&cache, &[MAC], "absent");
    cache.insert_packed(SOURCE, &packed, at(1)).unwrap();
    check(&cache, &[MAC], "a");
}

#[test]
fn what_became_a_word_meanwhile_is_no_change() {
    let cache = cache();
    let of_model = |number: u64| Device {
        model: Some("Framework 13".to_owned()),
        ..random_device(number)
    };
    let first = cache.insert(SOURCE, &of_model(0), at(1));
    for number in 1..10 {
        cache.insert(SOURCE, &of_model(number), at(1));
    }
    assert_eq!(cache.words().since(0), ["Framework 13"]);
    let again = cache.insert(SOURCE, &of_model(0), at(2));
    assert!(again.is(&first));
    assert_ne!(packed::pack(&of_model(0), cache.words()), again.packed());
}

#[test]
fn every_record_is_swept_once() {
    let cache = cache();
    for number in 0..10_000 {
        let source = SourceId(u16::from(number % 3 == 0));
        cache.insert(source, &random_device(number), at(1));
    }
    cache.remove(SourceId(1), "key-9");
    let keys: BTreeSet<String> = cache.records().map(|record| record.key()).collect();
    assert_eq!(keys.len(), 9_999);
    let mut seen = 0;
    cache.for_each(SourceId(1), |record| {
        assert_eq!(record.source(), SourceId(1));
        seen += 1;
        // A full read forgets what it did not see: no lock is in the way.
        cache.remove(SourceId(1), &record.key());
    });
    assert_eq!((seen, cache.len()), (3_333, 6_666));
}

/// An attachment of so many bytes.
#[derive(Debug, PartialEq)]
struct Bulk(usize);

impl Weighed for Bulk {
    fn bytes(&self) -> usize {
        self.0
    }
}

fn attaching(max_attached_bytes: usize) -> DeviceCache<Bulk> {
    DeviceCache::new(CacheSettings {
        max_attached_bytes,
        max_devices: 100,
        ..CacheSettings::default()
    })
}

fn attached(record: &Record<Bulk>) -> Option<usize> {
    record.attached().as_ref().map(|bulk| bulk.0)
}

#[test]
fn attachments_go_with_the_content() {
    let cache = attaching(1_000);
    let record = cache.insert(SOURCE, &device("a", &[MAC]), at(1));
    assert_eq!(attached(&record), None);
    assert!(cache.attach(&record, Arc::new(Bulk(10))));
    assert!(cache.attach(&record, Arc::new(Bulk(30))));
    assert_eq!(
        (attached(&record), cache.statistics().attached_bytes),
        (Some(30), 30)
    );
    let same = cache.insert(SOURCE, &device("a", &[MAC]), at(2));
    assert_eq!(attached(&same), Some(30));
    let changed = cache.insert(SOURCE, &device("a", &[OTHER_MAC]), at(3));
    assert_eq!(
        (attached(&changed), cache.statistics().attached_bytes),
        (None, 0)
    );
    // The old content is nobody's any more.
    assert!(!cache.attach(&record, Arc::new(Bulk(10))));
    assert!(cache.attach(&changed, Arc::new(Bulk(10))));
    cache.remove(SOURCE, "a");
    assert_eq!(
        (attached(&changed), cache.statistics().attached_bytes),
        (None, 0)
    );
    assert!(!cache.attach(&changed, Arc::new(Bulk(10))));
}

#[test]
fn attachments_stay_within_their_bound() {
    let cache = attaching(100);
    let records: Vec<_> = (0..50)
        .map(|number| cache.insert(SOURCE, &random_device(number), at(1)))
        .collect();
    assert!(!cache.attach(&records[0], Arc::new(Bulk(101))));
    assert!(cache.attach(&records[0], Arc::new(Bulk(10))));
    for record in &records[1..] {
        // Used again and again, so it is spared.
        assert_eq!(attached(&records[0]), Some(10));
        assert!(cache.attach(record, Arc::new(Bulk(10))));
        assert!(cache.statistics().attached_bytes <= 100);
    }
    assert_eq!(cache.statistics().attached_bytes, 100);
    let kept = records
        .iter()
        .filter(|record| record.attached().is_some())
        .count();
    assert_eq!(kept, 10);
    // One that needs all the room gets it.
    assert!(cache.attach(&records[7], Arc::new(Bulk(100))));
    assert_eq!(cache.statistics().attached_bytes, 100);
    // What leaves by eviction takes its attachment along.
    for number in 50..400 {
        cache.insert(SOURCE, &random_device(number), at(1));
    }
    assert_eq!(cache.statistics().attached_bytes, 0);
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, BTreeSet<u8>, u8),
    Unknown(BTreeSet<u8>),
    Remove(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let names = || proptest::collection::btree_set(0_u8..12, 1..4);
    prop_oneof![
        4 => (0_u8..6, names(), 0_u8..3).prop_map(|(key, names, content)| Step::Insert(key, names, content)),
        1 => names().prop_map(Step::Unknown),
        1 => (0_u8..6).prop_map(Step::Remove),
    ]
}

fn name(number: u8) -> Identifier {
    Identifier::of_kind("x-name", &number.to_string()).unwrap()
}

proptest! {
    /// The same as two plain maps: who has a name, and which names a record has.
    #[test]
    fn it_is_what_was_said_last(steps in proptest::collection::vec(step(), 0..60)) {
        let cache = cache();
        let mut owner: BTreeMap<u8, u8> = BTreeMap::new();
        let mut records: BTreeSet<u8> = BTreeSet::new();
        let mut unknown: BTreeSet<u8> = BTreeSet::new();
        for step in steps {
            match step {
                Step::Insert(key, names, content) => {
                    let device = Device {
                        key: key.to_string(),
                        ids: names.iter().copied().map(name).collect(),
                        name: Some(content.to_string()),
                        ..Device::default()
                    };
                    cache.insert(SOURCE, &device, at(1));
                    owner.retain(|_, owner| *owner != key);
                    owner.extend(names.iter().map(|name| (*name, key)));
                    unknown.retain(|name| !names.contains(name));
                    records.insert(key);
                }
                Step::Unknown(names) => {
                    let asked: Vec<_> = names.iter().copied().map(name).collect();
                    cache.insert_unknown(SOURCE, &asked, at(1));
                    for gone in names.iter().filter_map(|name| owner.get(name).copied()).collect::<Vec<_>>() {
                        owner.retain(|_, owner| *owner != gone);
                        records.remove(&gone);
                    }
                    unknown.extend(names);
                }
                Step::Remove(key) => {
                    prop_assert_eq!(cache.remove(SOURCE, &key.to_string()), records.remove(&key));
                    owner.retain(|_, owner| *owner != key);
                }
            }
            prop_assert_eq!(cache.len(), records.len());
            for number in 0..12 {
                let expected = match owner.get(&number) {
                    Some(key) => key.to_string(),
                    None if unknown.contains(&number) => "unknown at 1".to_owned(),
                    None => "absent".to_owned(),
                };
                prop_assert_eq!(word(&cache.find(SOURCE, &[name(number)])), expected);
            }
        }
    }
}

/// Fills a cache of at most three devices with these, by key and identifiers.
fn restored(devices: &[(&str, &[&str])]) -> DeviceCache {
    let cache = DeviceCache::new(CacheSettings {
        max_devices: 3,
        ..CacheSettings::default()
    });
    let packed: Vec<Vec<u8>> = devices
        .iter()
        .map(|(key, texts)| packed::pack(&device(key, texts), cache.words()))
        .collect();
    let restoring = cache.restore(devices.len());
    for some in packed.chunks(2) {
        let some = some.iter().map(|packed| (SOURCE, packed.as_slice(), at(1)));
        restoring.insert(some).unwrap();
    }
    drop(restoring);
    cache
}

#[test]
fn a_cache_that_was_filled_finds_by_every_name() {
    let cache = restored(&[("a", &[GUID, MAC, "serial:x"]), ("b", &[OTHER_MAC])]);
    for (asked, expected) in [
        (GUID, "a"),
        (MAC, "a"),
        ("serial:x", "a"),
        (OTHER_MAC, "b"),
        (OTHER_GUID, "absent"),
    ] {
        check(&cache, &[asked], expected);
    }
    // What comes later goes the usual way.
    cache.insert(SOURCE, &device("c", &[MAC]), at(2));
    check(&cache, &[MAC], "c");
    check(&cache, &[GUID], "a");
    cache.remove(SOURCE, "b");
    check(&cache, &[OTHER_MAC], "absent");
}

#[test]
fn filling_keeps_to_the_bounds_and_to_what_came_last() {
    // The same address twice, and the same device with another one.
    let cache = restored(&[("a", &[MAC]), ("b", &[MAC]), ("b", &[OTHER_MAC])]);
    check(&cache, &[OTHER_MAC], "b");
    assert_ne!(
        word(&cache.find(SOURCE, &ids(&[MAC]))),
        "b",
        "it has lost this address"
    );
    // Nobody is found who had to leave.
    let macs: Vec<String> = (0..9)
        .map(|last| format!("00:50:56:00:00:0{last}"))
        .collect();
    let names: Vec<[&str; 1]> = macs.iter().map(|mac| [mac.as_str()]).collect();
    let devices: Vec<(&str, &[&str])> = names.iter().map(|it| (it[0], &it[..])).collect();
    let cache = restored(&devices);
    let found = macs.iter().filter(|mac| {
        matches!(
            cache.find(SOURCE, &ids(&[mac.as_str()])),
            Remembered::Found(_)
        )
    });
    assert_eq!((found.count(), cache.len()), (3, 3));
}

#[test]
fn damage_ends_the_filling() {
    let cache = cache();
    let restoring = cache.restore(1);
    let refused = restoring.insert([(SOURCE, &[0xff_u8][..], at(1))].into_iter());
    assert!(matches!(refused, Err(PackedError::Version(0xff))));
}
