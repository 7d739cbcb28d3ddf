//! A piece of configuration to paste.

use std::fmt::Write;
use std::path::Path;

use portreeve_runtime::{CredentialSlot, Descriptor, Inspection, PluginKind};
use serde_json::Value;

/// The configuration a plugin needs at least, `None` for what is no plugin.
pub(super) fn snippet(file: &Path, inspection: &Inspection) -> Option<String> {
    let descriptor = inspection.descriptor.as_ref().ok()?;
    let kind = inspection.kind?;
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = write(&mut text, file, kind, descriptor);
    Some(text)
}

fn write(
    text: &mut String,
    file: &Path,
    kind: PluginKind,
    descriptor: &Descriptor,
) -> std::fmt::Result {
    let name = instance_name(&descriptor.id);
    let table = match kind {
        PluginKind::Connector => format!("connectors.{name}"),
        PluginKind::Policy => format!("policies.{name}"),
    };
    writeln!(text, "[{table}]")?;
    writeln!(text, "plugin = {}", quoted(&file.display().to_string()))?;
    if kind == PluginKind::Connector {
        let hosts: Vec<String> = descriptor.egress.iter().map(|host| quoted(host)).collect();
        writeln!(text, "egress = [{}]", hosts.join(", "))?;
    }
    settings(text, &table, &descriptor.config_schema)?;
    for slot in &descriptor.credentials {
        credential(text, &table, slot)?;
    }
    Ok(())
}

/// Required settings are there, the others stand in comments.
fn settings(text: &mut String, table: &str, schema: &Value) -> std::fmt::Result {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return Ok(());
    };
    if properties.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n[{table}.settings]")?;
    for (name, property) in properties {
        let comment = if is_required(schema, name) { "" } else { "# " };
        let key = key(name);
        writeln!(text, "{comment}{key} = {}", example(property))?;
    }
    Ok(())
}

pub(super) fn is_required(schema: &Value, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|required| required.iter().any(|key| key == name))
}

/// The default, the first of several words, or something of the right type.
fn example(property: &Value) -> String {
    let first = |key: &str| property.get(key).and_then(|values| values.get(0));
    let candidates = [
        property.get("default"),
        property.get("const"),
        first("enum"),
        first("examples"),
    ];
    let given = candidates.into_iter().flatten().next();
    if let Some(text) = given.and_then(inline) {
        return text;
    }
    match property.get("type").and_then(Value::as_str) {
        Some("boolean") => "false".to_owned(),
        Some("integer" | "number") => "0".to_owned(),
        Some("array") => "[]".to_owned(),
        Some("object") => "{}".to_owned(),
        _ => "\"…\"".to_owned(),
    }
}

/// A JSON value on one line of TOML.
fn inline(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(quoted(text)),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(inline).collect();
            items.map(|items| format!("[{}]", items.join(", ")))
        }
        Value::Object(entries) => {
            let entries: Option<Vec<String>> = entries
                .iter()
                .map(|(name, value)| Some(format!("{} = {}", key(name), inline(value)?)))
                .collect();
            entries.map(|entries| match entries.as_slice() {
                [] => "{}".to_owned(),
                entries => format!("{{ {} }}", entries.join(", ")),
            })
        }
    }
}

fn credential(text: &mut String, table: &str, slot: &CredentialSlot) -> std::fmt::Result {
    let comment = if slot.optional { "# " } else { "" };
    let kind = slot.kinds.first().map_or("bearer", String::as_str);
    let mut lines = vec![
        format!("[{table}.credentials.{}]", key(&slot.name)),
        format!("kind = {}", quoted(kind)),
    ];
    if kind != "hmac" {
        lines.push("urls = [\"https://…/\"]".to_owned());
    }
    let secret = "secret = { file = \"…\" }";
    let rest: &[&str] = match kind {
        "oauth2-client-secret" => &TOKEN_LINES,
        "oauth2-client-certificate" => &CERTIFICATE_LINES,
        "basic" => &["username = \"…\"", "password = { file = \"…\" }"],
        "header" => &["header = \"…\"", secret],
        _ => &[secret],
    };
    lines.extend(rest.iter().map(|line| (*line).to_owned()));
    writeln!(text, "\n# {}", slot.description)?;
    if !slot.permissions.is_empty() {
        writeln!(text, "# permissions: {}", slot.permissions.join(", "))?;
    }
    lines
        .iter()
        .try_for_each(|line| writeln!(text, "{comment}{line}"))
}

const TOKEN_LINES: [&str; 4] = [
    "token-url = \"https://…/token\"",
    "client-id = \"…\"",
    "scope = \"…\"",
    "secret = { file = \"…\" }",
];

const CERTIFICATE_LINES: [&str; 5] = [
    "token-url = \"https://…/token\"",
    "client-id = \"…\"",
    "scope = \"…\"",
    "certificate = \"….pfx\"",
    "password = { file = \"…\" }",
];

/// The last label of the plugin's name, as the operator would call it.
fn instance_name(id: &str) -> String {
    let label = id.rsplit(['.', '/']).next().unwrap_or(id);
    key(label)
}

/// A key of TOML, in quotes where it has to be.
fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if bare { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "com.example.intune".to_owned(),
            version: "1.0.0".to_owned(),
            display_name: "Intune".to_owned(),
            vendor: None,
            license: None,
            homepage: None,
            config_schema: json!({
                "type": "object",
                "required": ["tenant-id"],
                "properties": {
                    "tenant-id": {"type": "string"},
                    "cloud": {"enum": ["global", "china"]},
                    "odd key": {"default": {"a": [1, true]}},
                },
            }),
            egress: vec!["graph.microsoft.com".to_owned()],
            credentials: vec![
                CredentialSlot {
                    name: "graph".to_owned(),
                    description: "Application in Entra".to_owned(),
                    kinds: vec!["oauth2-client-certificate".to_owned()],
                    permissions: vec!["Application.Read.All".to_owned()],
                    optional: false,
                },
                CredentialSlot {
                    name: "hook".to_owned(),
                    description: "Signs".to_owned(),
                    kinds: vec!["hmac".to_owned()],
                    permissions: Vec::new(),
                    optional: true,
                },
            ],
        }
    }

    #[test]
    fn what_is_printed_can_be_pasted() {
        let mut text = String::new();
        let file = Path::new("plugins/intune.wasm");
        write(&mut text, file, PluginKind::Connector, &descriptor()).unwrap();
        assert_snapshot!(text, @r#"
    [connectors.intune]
    plugin = "plugins/intune.wasm"
    egress = ["graph.microsoft.com"]

    [connectors.intune.settings]
    # cloud = "global"
    # "odd key" = { a = [1, true] }
    tenant-id = "…"

    # Application in Entra
    # permissions: Application.Read.All
    [connectors.intune.credentials.graph]
    kind = "oauth2-client-certificate"
    urls = ["https://…/"]
    token-url = "https://…/token"
    client-id = "…"
    scope = "…"
    certificate = "….pfx"
    password = { file = "…" }

    # Signs
    # [connectors.intune.credentials.hook]
    # kind = "hmac"
    # secret = { file = "…" }
    "#);
        let uncommented = text.replace("# [", "[").replace("# kind", "kind");
        assert!(uncommented.parse::<toml::Table>().is_ok(), "{uncommented}");
    }
}
