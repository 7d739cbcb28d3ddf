//! `docs/configuration.md` is true.

use super::*;

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    fs::read_to_string(path).unwrap()
}

/// The example of RFC 8037, appendix A.2.
const JWKS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// Everything that the examples name.
fn folder() -> Folder {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    Folder::new()
        .with("server.pem", &certificate)
        .with("server.key", &key)
        .with("nac-ca.pem", &certificate)
        .with("extra-ca.pem", &certificate)
        .with("plugins/intune.wasm", "")
        .with(
            "plugins/intune.forms.toml",
            include_str!("../../../../../plugins/intune/forms.toml"),
        )
        .with("plugins/jamf.wasm", "")
        .with("policies/baseline.wasm", "")
        .with("printers.txt", "")
        .with("credentials/rest-key", "three")
        .with("credentials/graph-secret", "x")
        .with("graph-secret", "x")
        .with("metrics-key", "metrics")
        .with("jwks.json", JWKS)
        .with("jamf-password", "x")
        .with("proxy-password", "x")
        .with("forescout-secret", "forescout")
        .with("rest-key", "two")
}

fn load(example: &str) -> Config {
    let listener = if example.contains("[server") {
        ""
    } else {
        PLAIN
    };
    let folder = folder();
    let example = example.replace("/etc/portreeve/", "");
    // A key of the root has to stand before all tables.
    let folder = folder.with("main.toml", &format!("{example}\n{listener}"));
    let credentials = folder.0.path().join("credentials");
    let environment = BTreeMap::from([
        ("PORTREEVE_REST_KEY", "one"),
        ("RADIUS_PASSWORD", "x"),
        ("JAMF_TENANT", "x"),
        ("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap()),
    ]);
    folder
        .load_in(&environment)
        .unwrap_or_else(|error| panic!("{error}\nin:\n{example}"))
}

#[test]
fn every_example_can_be_loaded() {
    let document = document();
    let blocks = document.split("```toml\n").skip(1);
    let examples: Vec<&str> = blocks
        .map(|block| block.split("```").next().unwrap())
        .collect();
    assert!(examples.len() >= 10);
    for example in examples {
        load(example);
    }
}

/// The rows of its tables as section, key and default.
fn rows(document: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut rows = Vec::new();
    for line in document.lines() {
        if let Some(heading) = line.strip_prefix('#') {
            section = heading
                .trim_start_matches('#')
                .trim()
                .trim_matches(['`', '[', ']'])
                .to_owned();
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, key, default, _, _] = cells.as_slice()
            && let Some(key) = key.strip_prefix('`')
        {
            let key = key.trim_end_matches('`').to_owned();
            rows.push((section.clone(), key, (*default).to_owned()));
        }
    }
    rows
}

fn shown(config: &Config) -> toml::Table {
    config.to_toml().unwrap().parse().unwrap()
}

fn find<'a>(table: &'a toml::Table, section: &str) -> Option<&'a toml::Table> {
    let section = section
        .replace("connectors.NAME", "connectors.contoso")
        .replace("policies.NAME", "policies.baseline")
        .replace("quarantine.NAME", "quarantine.isolate")
        .replace("chains.NAME", "chains.guests")
        .replace("clients.NAME", "clients.radius")
        .replace("SLOT", "graph");
    section
        .split('.')
        .try_fold(table, |table, key| table.get(key)?.as_table())
}

#[test]
fn every_default_is_the_real_one() {
    let document = document();
    let first = document.split("```toml\n").nth(1).unwrap();
    let first = first.split("```").next().unwrap();
    // Sections that are there only when they are wanted.
    let wanted = "[store]\ndirectory = \"x\"\n[pxgrid]\n[quarantine.isolate]\n[chains.guests]\npolicies = ['baseline']\nmedia = ['wireless']\n[connectors.contoso.inventory]\n";
    let config = shown(&load(&format!("{first}\n{wanted}")));
    let mut compared = 0;
    for (section, key, default) in rows(&document) {
        let Some(expected) = default.strip_prefix('`').map(|text| text.trim_matches('`')) else {
            continue;
        };
        if section.ends_with("SLOT") {
            continue;
        }
        let actual = find(&config, &section)
            .and_then(|table| table.get(&key))
            .unwrap_or_else(|| panic!("no `{key}` in `{section}`"));
        let actual = match actual {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        assert_eq!(actual, expected, "{section}.{key}");
        compared += 1;
    }
    assert!(compared > 40, "{compared}");
}

#[test]
fn every_key_is_there() {
    let document = document();
    let rows = rows(&document);
    let blocks = document.split("```toml\n").skip(1);
    let known = |section: &str, key: &str| rows.iter().any(|row| row.0 == section && row.1 == key);
    for block in blocks {
        let config = shown(&load(block.split("```").next().unwrap()));
        check_keys(&config, "", &known);
    }
}

/// Looks up every value of `table`, the operator's own names taken out.
fn check_keys(table: &toml::Table, section: &str, known: &dyn Fn(&str, &str) -> bool) {
    for (key, value) in table {
        let inner = match section {
            "chains" | "clients" | "connectors" | "policies" | "quarantine" | "trust" => {
                format!("{section}.NAME")
            }
            "" => key.clone(),
            "connectors.NAME.credentials" => format!("{section}.SLOT"),
            _ => format!("{section}.{key}"),
        };
        let operators_own = inner == "lists" || inner.ends_with(".settings");
        match value {
            toml::Value::Table(_) if operators_own || known(section, key) => {}
            toml::Value::Table(table) => check_keys(table, &inner, known),
            _ => assert!(
                known(section, key),
                "`{key}` of `{section}` is not described"
            ),
        }
    }
}
