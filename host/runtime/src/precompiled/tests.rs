use super::*;

/// An empty component: magic number, version 13, layer 1.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

struct Fixture {
    folder: tempfile::TempDir,
    engine: Engine,
}

impl Fixture {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            engine: Engine::default(),
        }
    }

    fn cache(&self) -> CompiledCache {
        CompiledCache::open(&self.folder.path().join("compiled"), &self.engine).unwrap()
    }

    fn stored(&self) -> (CompiledCache, PathBuf) {
        let cache = self.cache();
        cache.store("digest", &Component::new(&self.engine, EMPTY).unwrap());
        let path = cache.path("digest");
        (cache, path)
    }

    fn loads(&self, cache: &CompiledCache) -> bool {
        cache.load(&self.engine, "digest").is_some()
    }
}

fn change(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut content = fs::read(path).unwrap();
    how(&mut content);
    fs::write(path, content).unwrap();
}

#[test]
fn what_was_stored_is_loaded_after_a_restart() {
    let fixture = Fixture::new();
    let (cache, _) = fixture.stored();
    assert!(fixture.loads(&cache));
    assert!(fixture.loads(&fixture.cache()));
    assert!(cache.load(&fixture.engine, "other").is_none());
}

#[test]
fn every_damaged_byte_is_noticed() {
    let fixture = Fixture::new();
    let (cache, path) = fixture.stored();
    let size = fs::read(&path).unwrap().len();
    for position in [0, TAG_BYTES - 1, TAG_BYTES, size / 2, size - 1] {
        change(&path, |content| content[position] ^= 1);
        assert!(!fixture.loads(&cache), "byte {position}");
        change(&path, |content| content[position] ^= 1);
    }
    assert!(fixture.loads(&cache));
}

#[test]
fn truncated_files_are_noticed() {
    let fixture = Fixture::new();
    let (cache, path) = fixture.stored();
    let size = fs::read(&path).unwrap().len();
    for length in [size - 1, TAG_BYTES, TAG_BYTES - 1, 0] {
        change(&path, |content| content.truncate(length));
        assert!(!fixture.loads(&cache), "{length} bytes");
    }
}

#[test]
fn another_components_code_is_not_taken() {
    let fixture = Fixture::new();
    let (cache, path) = fixture.stored();
    fs::rename(&path, cache.path("other")).unwrap();
    assert!(cache.load(&fixture.engine, "other").is_none());
}

#[test]
fn code_from_another_key_is_not_taken() {
    let fixture = Fixture::new();
    let (_, path) = fixture.stored();
    fs::remove_file(path.with_file_name(KEY_FILE)).unwrap();
    assert!(!fixture.loads(&fixture.cache()));
}

#[test]
fn foreign_code_is_not_taken() {
    let fixture = Fixture::new();
    let (cache, path) = fixture.stored();
    let foreign = Component::new(&fixture.engine, EMPTY).unwrap();
    fs::write(&path, foreign.serialize().unwrap()).unwrap();
    assert!(!fixture.loads(&cache));
}

#[test]
fn code_for_another_engine_is_not_even_looked_at() {
    let fixture = Fixture::new();
    let (_, path) = fixture.stored();
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true);
    let engine = Engine::new(&config).unwrap();
    let cache = CompiledCache::open(path.parent().unwrap(), &engine).unwrap();
    assert_ne!(cache.path("digest"), path);
    assert!(cache.load(&engine, "digest").is_none());
}

#[test]
fn key_and_folder_are_private() {
    let fixture = Fixture::new();
    let (_, path) = fixture.stored();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_file_name(KEY_FILE)), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[test]
fn a_key_or_folder_that_others_can_reach_is_refused() {
    let fixture = Fixture::new();
    let (_, path) = fixture.stored();
    let folder = path.parent().unwrap();
    let key = path.with_file_name(KEY_FILE);
    for (path, mode, kept) in [(key.as_path(), 0o644, 0o600), (folder, 0o770, 0o700)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let error = CompiledCache::open(folder, &fixture.engine).unwrap_err();
        assert!(error.to_string().contains("lets others in"), "{error}");
        fs::set_permissions(path, fs::Permissions::from_mode(kept)).unwrap();
    }
}

#[test]
fn the_folder_does_not_grow_for_ever() {
    let fixture = Fixture::new();
    let cache = fixture.cache();
    let component = Component::new(&fixture.engine, EMPTY).unwrap();
    for number in 0..MOST_FILES + 5 {
        cache.store(&format!("digest{number}"), &component);
    }
    let entries = fs::read_dir(&cache.folder).unwrap();
    assert_eq!(entries.count(), MOST_FILES + 1, "the files and the key");
}
