use insta::assert_snapshot;

use crate::support::{guest, portreeve, run};

#[test]
fn a_connector_is_shown_with_what_it_wants() {
    let said = run(portreeve(&["plugin", "inspect"]).arg(guest("intune")));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    for expected in [
        "\n  kind      connector\n",
        "\nImports\n",
        "  portreeve:host/http@0.1.0\n",
        "\nExports\n",
        "  portreeve:connector/lookup@0.1.0\n",
        "\nWants to reach\n",
        "\nWants credentials\n",
        "\nSettings\n",
        "\n[connectors.intune]\n",
    ] {
        assert!(
            said.stdout.contains(expected),
            "{expected}: {}",
            said.stdout
        );
    }
}

#[test]
fn a_policy_is_shown_as_json() {
    let said = run(portreeve(&["plugin", "inspect", "--json"]).arg(guest("baseline")));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let document: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(document["kind"], "policy");
    assert_eq!(document["forbidden-imports"], serde_json::json!([]));
    assert_eq!(document["refused"], serde_json::Value::Null);
    assert!(document["descriptor"]["config-schema"].is_object());
    let snippet = document["configuration"].as_str().unwrap();
    assert!(snippet.starts_with("[policies.baseline]\n"), "{snippet}");
    toml::from_str::<toml::Table>(snippet).unwrap();
}

#[test]
fn a_policy_that_wants_the_network_is_refused_by_name() {
    let path = guest("fixture-wasi-policy");
    let said = run(portreeve(&["plugin", "inspect"]).arg(&path));
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("not allowed"), "{}", said.stdout);
    assert!(
        said.stderr.contains("may not import `wasi:"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_file_that_is_not_there() {
    let said = run(&mut portreeve(&["plugin", "inspect", "/nowhere.wasm"]));
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    assert_snapshot!(said.stderr, @r"
    error: cannot read `/nowhere.wasm`: No such file or directory (os error 2)
    hint: name a component, a `.wasm` file
    ");
}
