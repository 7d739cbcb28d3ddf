use std::fs;

use super::*;

fn guest(name: &str, folders: Vec<PathBuf>) -> Guest {
    Guest {
        name: name.to_owned(),
        library: name.to_owned(),
        recipe: serde_json::from_str(r#"{"kind":"policy"}"#).unwrap(),
        folders,
    }
}

#[test]
fn recipes() {
    let recipe: Recipe = serde_json::from_str(r#"{"kind":"connector"}"#).unwrap();
    assert_eq!(recipe.kind, Kind::Connector);
    assert_eq!(recipe.target, "wasm32-unknown-unknown");
    assert!(!recipe.any_import);
    for wrong in [
        "{}",
        r#"{"kind":"else"}"#,
        r#"{"kind":"policy","anyimport":true}"#,
    ] {
        assert!(serde_json::from_str::<Recipe>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn guests_are_chosen_by_name() {
    let all = || vec![guest("a", Vec::new()), guest("b", Vec::new())];
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(chosen(all(), &[]).unwrap().len(), 2);
    assert_eq!(chosen(all(), &names(&["b"])).unwrap()[0].name, "b");
    let error = chosen(all(), &names(&["b", "c"])).unwrap_err();
    assert_eq!(error.to_string(), "there is no guest `c`; there are: a, b");
}

#[test]
fn every_guest_of_this_workspace_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guests = find(&root.canonicalize().unwrap()).unwrap();
    let intune = guests.iter().find(|guest| guest.name == "intune").unwrap();
    let folders: Vec<_> = intune
        .folders
        .iter()
        .map(|folder| folder.file_name().unwrap().to_str().unwrap())
        .collect();
    // Its own and that of the SDK.
    assert_eq!(folders, ["intune", "sdk"]);
}

#[test]
fn anything_that_changes_changes_the_digest() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let package = root.join("plugins").join("one");
    for folder in [
        package.join("src"),
        package.join("target"),
        root.join("wit"),
    ] {
        fs::create_dir_all(folder).unwrap();
    }
    let write = |path: &str, content: &str| fs::write(root.join(path), content).unwrap();
    write("plugins/Cargo.toml", "");
    write("plugins/one/src/lib.rs", "a");
    write("wit/w.wit", "w");
    let toolchain = Toolchain::of_version("1");
    let guest = guest("one", vec![package]);
    let digest = || digest::of(root, &guest, &toolchain).unwrap();
    let mut known = vec![digest()];
    assert_eq!(digest(), known[0]);
    write("plugins/one/target/left-over", "x");
    assert_eq!(digest(), known[0]);
    let changes: [(&str, &str); 5] = [
        ("plugins/one/src/lib.rs", "b"),
        ("plugins/one/src/more.rs", ""),
        ("plugins/Cargo.toml", "[workspace]"),
        ("plugins/Cargo.lock", "version = 4"),
        ("wit/w.wit", "v"),
    ];
    for (path, content) in changes {
        write(path, content);
        let now = digest();
        assert!(!known.contains(&now), "{path}");
        known.push(now);
    }
    let other = digest::of(root, &guest, &Toolchain::of_version("2")).unwrap();
    assert!(!known.contains(&other));
}

#[test]
fn worlds_bound_what_a_guest_may_import() {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let imports = |kind: Kind| component::imports_of_world(&wit, kind.world()).unwrap();
    let http = "portreeve:host/http@0.1.0";
    assert!(imports(Kind::Connector).contains(http));
    assert!(!imports(Kind::Policy).contains(http));
    assert!(imports(Kind::Policy).contains("portreeve:facts/facts@0.1.0"));
    assert!(
        imports(Kind::Policy)
            .iter()
            .all(|name| !name.starts_with("wasi:"))
    );
}
