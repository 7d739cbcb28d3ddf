use insta::assert_snapshot;

use crate::support::{Folder, guest};

const PLAIN: &str = "[server.plain]\nlisten = \"127.0.0.1:0\"\n";

fn with_policy(settings: &str) -> Folder {
    let plugin = guest("baseline");
    Folder::new(&format!(
        "{PLAIN}
[policies.baseline]
plugin = \"{plugin}\"

[policies.baseline.settings]
{settings}
"
    ))
}

#[test]
fn errors_name_file_line_and_column() {
    let said = Folder::new("[server.plain]\nlisten = \"8080\"\n[log]\nformat = \"jsn\"\n")
        .run(&["check-config"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    assert_snapshot!(said.stderr, @r#"
    error: portreeve.toml:2:10: server.plain.listen: `8080` is no address to listen on: invalid socket address syntax
    hint: write an IP address and a port, e.g. `"0.0.0.0:8443"` or `"[::]:8443"`
    error: portreeve.toml:4:10: log.format: `jsn` is none of `text`, `json`
    hint: did you mean `json`?
    "#);
}

#[test]
fn settings_are_checked_by_the_plugin() {
    let said = with_policy("no-such-setting = 1").run(&["check-config"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    let shown = said.stderr.replace(&guest("baseline"), "baseline.wasm");
    assert_snapshot!(shown, @r"
    error: portreeve.toml:8:19: policies.baseline.settings.no-such-setting: unknown setting
    hint: `portreeve plugin inspect baseline.wasm` shows the settings it takes
    ");
}

#[test]
fn a_component_in_the_wrong_place() {
    let plugin = guest("intune");
    let folder = Folder::new(&format!("{PLAIN}[policies.a]\nplugin = \"{plugin}\"\n"));
    let said = folder.run(&["check-config"]);
    assert_eq!(said.code, 1);
    let shown = said.stderr.replace(&plugin, "intune.wasm");
    assert_snapshot!(shown, @r"
    error: portreeve.toml:4:10: policies.a.plugin: `intune.wasm` is a connector, not a policy
    hint: a connector belongs under `[connectors.NAME]`
    ");
}

#[test]
fn a_file_that_is_no_component() {
    let folder = Folder::new(&format!("{PLAIN}[policies.a]\nplugin = \"x.wasm\"\n"));
    let said = folder.with("x.wasm", "nothing").run(&["check-config"]);
    assert_eq!(said.code, 1);
    assert!(
        said.stderr.starts_with(
            "error: portreeve.toml:4:10: policies.a.plugin: `x.wasm`: not a component"
        ),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr
            .contains("\nhint: a plugin is a WebAssembly component")
    );
}

#[test]
fn a_connector_without_its_credentials() {
    let plugin = guest("intune");
    let folder = Folder::new(&format!(
        "{PLAIN}
[connectors.contoso]
plugin = \"{plugin}\"

[connectors.contoso.credentials.grph]
kind = \"basic\"
urls = [\"https://graph.microsoft.com/\"]
username = \"x\"
password = {{ file = \"secret\" }}
"
    ))
    .with("secret", "hunter2");
    let said = folder.run(&["check-config"]);
    assert_eq!(said.code, 1);
    assert_snapshot!(said.stderr, @r"
    error: portreeve.toml:4:13: connectors.contoso: credential `graph` is missing: Application in Microsoft Entra that may read service principals, to find the compliance service, devices if there is to be an inventory, and act on them if that is wanted. Scope `https://graph.microsoft.com/.default`.
    hint: add `[connectors.contoso.credentials.graph]`
    error: portreeve.toml:4:13: connectors.contoso: credential `intune` is missing: The same application, for Intune itself. Scope `https://api.manage.microsoft.com//.default`, with both slashes. The permission scep_challenge_provider is for certificate requests only.
    hint: add `[connectors.contoso.credentials.intune]`
    error: portreeve.toml:7:33: connectors.contoso.credentials.grph: the plugin knows no credential `grph`
    hint: did you mean `graph`?
    ");
}

#[test]
fn the_effective_configuration_comes_as_toml_and_json() {
    let folder = with_policy("");
    let said = folder.run(&["check-config"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stdout.contains("[policies.baseline]"),
        "{}",
        said.stdout
    );
    assert_snapshot!(said.stderr, @r"
    warning: there are no `clients`, so nobody may ask
    hint: add `[clients.NAME]`
    warning: there are no `connectors`, so no device is known
    hint: add `[connectors.NAME]`
    ");

    let said = folder.run(&["check-config", "--json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let document: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(document["chain"]["verdict-ttl"], "1m");
    assert_eq!(document["policies"]["baseline"]["on-error"], "deny");
}
