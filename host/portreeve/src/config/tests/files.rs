use std::collections::BTreeMap;
use std::path::Path;

use insta::assert_snapshot;

use super::*;

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("/nowhere.toml"), &BTreeMap::new()).unwrap_err();
    assert_snapshot!(error, @r"
    error: cannot read `/nowhere.toml`: No such file or directory (os error 2)
    hint: name the configuration file with `--config PATH`
    ");
}

#[test]
fn included_files_are_merged_by_table() {
    let folder = Folder::new()
        .with(
            "main.toml",
            &format!("include = [\"conf.d/*.toml\"]\n{PLAIN}[connectors.a]\nplugin = \"x.wasm\"\n"),
        )
        .with(
            "conf.d/1.toml",
            "[connectors.a.settings]\ntenant = \"t\"\n[connectors.c]\nplugin = \"../x.wasm\"\n",
        )
        .with(
            "conf.d/2.toml",
            "[log]\nlevel = \"debug\"\n[connectors.b]\nplugin = \"../x.wasm\"\n",
        )
        .with("conf.d/ignored.txt", "nonsense")
        .with("x.wasm", "");
    let config = folder.load().unwrap();
    assert_eq!(config.connectors.names(), ["a", "c", "b"]);
    let settings = config.connectors.0[0].settings.to_json();
    assert_eq!(settings, serde_json::json!({"tenant": "t"}));
    assert_eq!(config.log.level.0, "debug");
}

#[test]
fn included_files_that_do_not_fit() {
    let folder = Folder::new()
        .with("main.toml", &format!("include = [\"conf.d/*.toml\", \"gone.toml\", \"***\"]\n{PLAIN}[log]\nlevel = \"info\"\n"))
        .with("conf.d/1.toml", "[log]\nlevel = \"debug\"\n")
        .with("conf.d/2.toml", "include = [\"x\"]\nbroken =\n")
        .with("conf.d/3.toml", "include = [\"x\"]\n");
    assert_snapshot!(folder.errors(), @r#"
    error: conf.d/1.toml:2:1: log.level: set twice
    hint: it is already set at main.toml:5:1
    error: conf.d/2.toml:2:9: string values must be quoted, expected literal string
    hint: this is not valid TOML, see https://toml.io
    error: conf.d/3.toml:1:1: include: an included file includes no others
    hint: add the pattern to `include` in the main file
    error: main.toml:1:29: include[1]: there is no file `gone.toml`
    hint: a relative path is relative to the file that names it
    error: main.toml:1:42: include[2]: `***` is no pattern: wildcards are either regular `*` or recursive `**`
    hint: write e.g. `"conf.d/*.toml"`
    "#);
    let folder = Folder::new().with("main.toml", "include = \"conf.d/*.toml\"\n");
    assert_snapshot!(folder.errors(), @r#"
    error: main.toml:1:11: include: expected an array, found a string
    hint: write it in brackets: `[…]`
    "#);
}

#[test]
fn lists_from_files() {
    let folder = Folder::new()
        .with(
            "main.toml",
            &format!("{PLAIN}[lists]\na = [\"x\"]\nb = {{ file = \"b.txt\" }}\n"),
        )
        .with(
            "b.txt",
            "# printers\n00:11:22:33:44:55  # ground floor\n\nserial:1\n",
        );
    let config = folder.load().unwrap();
    assert_eq!(config.lists[1].0, "b");
    assert_eq!(
        config.lists[1].1.members(),
        ["00:11:22:33:44:55", "serial:1"]
    );
    assert_snapshot!(errors("[lists]\na = 1\nb = { file = \"gone.txt\" }\n"), @r#"
    error: main.toml:4:5: lists.a: expected an array or `{ file = "PATH" }`, found an integer
    hint: write the members in brackets: `[…]`
    error: main.toml:5:14: lists.b.file: cannot read `gone.txt`: No such file or directory (os error 2)
    hint: a relative path is relative to the file that names it
    "#);
}
