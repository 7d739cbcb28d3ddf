//! `store`, `decisions` and `connector sync` where there is nothing to work on.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Folder, guest};

/// A gateway with nothing but a store.
fn folder() -> Folder {
    Folder::new("[server.plain]\nlisten = \"127.0.0.1:0\"\n[store]\ndirectory = \"data\"\n")
}

#[test]
fn without_a_store_nothing_is_done() {
    let folder = Folder::new("[server.plain]\nlisten = \"127.0.0.1:0\"\n");
    for arguments in [
        &["store", "verify"][..],
        &["store", "compact"],
        &["store", "backup", "copy"],
        &["store", "restore", "copy"],
        &["decisions"],
    ] {
        let said = folder.run(arguments);
        assert_eq!((said.code, &*said.stdout), (1, ""), "{arguments:?}");
        assert!(
            said.stderr.starts_with("error: the configuration has no "),
            "{}",
            said.stderr
        );
        assert!(
            said.stderr
                .ends_with("\nhint: add `[store]` with `directory = \"/var/lib/portreeve\"`\n"),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn a_store_that_was_never_made_is_not_made_by_looking() {
    let folder = folder();
    for arguments in [
        &["store", "verify"][..],
        &["store", "compact"],
        &["store", "backup", "copy"],
    ] {
        let said = folder.run(arguments);
        assert_eq!((said.code, &*said.stdout), (1, ""), "{arguments:?}");
        assert!(
            said.stderr.starts_with("error: there is no store at `")
                && said.stderr.contains("data/portreeve.redb`\nhint: "),
            "{}",
            said.stderr
        );
    }
    let said = folder.run(&["store", "restore", "copy"]);
    assert_eq!((said.code, &*said.stdout), (1, ""));
    assert_eq!(
        said.stderr,
        "error: there is no copy at `copy`\nhint: `portreeve store backup FILE` makes one\n"
    );
    // An empty log is no mistake.
    let said = folder.run(&["decisions"]);
    assert_eq!(
        (said.code, &*said.stdout, &*said.stderr),
        (0, "", ""),
        "nothing was decided"
    );
    assert!(!folder.path().join("data").exists());
}

#[test]
fn an_unknown_connector_is_named() {
    for (config, hint) in [
        ("", "add one as `[connectors.NAME]`".to_owned()),
        (
            "[connectors.contoso]\nplugin = \"PLUGIN\"\n",
            "did you mean `contoso`?".to_owned(),
        ),
    ] {
        let config = config.replace("PLUGIN", &guest("fixture-connector"));
        let folder = Folder::new(&format!(
            "[server.plain]\nlisten = \"127.0.0.1:0\"\n[store]\ndirectory = \"data\"\n{config}"
        ));
        let said = folder.run(&["connector", "sync", "contosso", "--json"]);
        assert_eq!((said.code, &*said.stdout), (1, ""));
        assert_eq!(
            said.stderr,
            format!("error: there is no connector `contosso` in the configuration\nhint: {hint}\n")
        );
        assert!(!folder.path().join("data").exists());
    }
}

#[test]
fn a_directory_that_cannot_be_used_keeps_the_gateway_from_starting() {
    let folder = folder().with("data", "a file in the way");
    let said = folder.run(&["serve"]);
    assert_eq!((said.code, &*said.stdout), (1, ""));
    assert!(
        said.stderr.contains("error: ") && said.stderr.contains("data"),
        "{}",
        said.stderr
    );
    // What is no store is not taken for one, and stays.
    let folder = self::folder();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).unwrap();
    let file = data.join("portreeve.redb");
    std::fs::write(&file, "these are somebody's notes").unwrap();
    let said = folder.run(&["serve"]);
    assert_eq!((said.code, &*said.stdout), (1, ""));
    assert!(
        said.stderr.contains("portreeve.redb") && said.stderr.contains("hint: "),
        "{}",
        said.stderr
    );
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "these are somebody's notes"
    );
}
