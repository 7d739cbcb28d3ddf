use insta::assert_snapshot;

use crate::support::{portreeve, run};

fn help(arguments: &[&str]) -> String {
    let said = run(portreeve(arguments).arg("--help").env("COLUMNS", "100"));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    // Clap ends lines with spaces where a text is empty.
    let lines: Vec<&str> = said.stdout.lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[test]
fn help_reads_well() {
    assert_snapshot!(help(&[]), @"");
    assert_snapshot!(help(&["serve"]), @"");
    assert_snapshot!(help(&["check-config"]), @"");
    assert_snapshot!(help(&["lookup"]), @"");
    assert_snapshot!(help(&["connector", "check"]), @"");
    assert_snapshot!(help(&["plugin", "inspect"]), @"");
    assert_snapshot!(help(&["completions"]), @"");
}

#[test]
fn wrong_usage_ends_with_two() {
    for arguments in [
        &["serves"][..],
        &["lookup"],
        &["lookup", "00:50:56:a4:89"],
        &["lookup", "00:50:56:a4:89:5a", "--user", "me"],
        &["plugin"],
        &[],
    ] {
        let said = run(&mut portreeve(arguments));
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{arguments:?}");
    }
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = run(&mut portreeve(&["completions", shell]));
        assert_eq!(said.code, 0, "{shell}");
        assert!(said.stdout.contains("check-config"), "{shell}");
    }
}

#[test]
fn no_colour_but_on_a_terminal() {
    let said = run(&mut portreeve(&["serve", "--config", "/nowhere.toml"]));
    assert_eq!(said.code, 1);
    assert_snapshot!(said.stderr, @"");
}
