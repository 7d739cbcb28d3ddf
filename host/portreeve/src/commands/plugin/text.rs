//! An inspection for people.

use std::fmt::Write;
use std::io;
use std::path::Path;

use portreeve_runtime::{Descriptor, Inspection};
use serde_json::Value;

use super::snippet;
use crate::output::{self, BAD, HEADING, styled};

pub(super) fn print(file: &Path, inspection: &Inspection) -> io::Result<()> {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = write(&mut text, file, inspection);
    output::line(text.trim_end())
}

fn write(text: &mut String, file: &Path, inspection: &Inspection) -> std::fmt::Result {
    let descriptor = inspection.descriptor.as_ref();
    match descriptor {
        Ok(descriptor) => {
            let title = format!("{} {}", descriptor.display_name, descriptor.version);
            writeln!(text, "{}", styled(HEADING, title))?;
            entry(text, "id", &descriptor.id)?;
            for (label, value) in [
                ("vendor", &descriptor.vendor),
                ("license", &descriptor.license),
                ("homepage", &descriptor.homepage),
            ] {
                if let Some(value) = value {
                    entry(text, label, value)?;
                }
            }
        }
        Err(_) => writeln!(text, "{}", styled(HEADING, file.display()))?,
    }
    let kind = inspection
        .kind
        .map_or("unknown", portreeve_runtime::PluginKind::as_str);
    entry(text, "kind", kind)?;
    entry(text, "size", &bytes(inspection.size as u64))?;
    entry(text, "sha256", &inspection.digest)?;
    if let Some(memory) = inspection.initial_memory {
        entry(text, "memory", &format!("{} at the start", bytes(memory)))?;
    }
    let imports = inspection.imports.iter().map(|import| {
        if inspection.forbidden_imports.contains(import) {
            format!("{import}  {}", styled(BAD, "not allowed"))
        } else {
            import.clone()
        }
    });
    list(text, "Imports", imports)?;
    list(text, "Exports", inspection.exports.iter().cloned())?;
    if let Ok(descriptor) = descriptor {
        wishes(text, descriptor)?;
    }
    if let Some(snippet) = snippet::snippet(file, inspection) {
        writeln!(text, "\n{}", styled(HEADING, "Configuration to start from"))?;
        text.push('\n');
        text.push_str(&snippet);
    }
    Ok(())
}

fn wishes(text: &mut String, descriptor: &Descriptor) -> std::fmt::Result {
    list(text, "Wants to reach", descriptor.egress.iter().cloned())?;
    let credentials = descriptor.credentials.iter().map(|slot| {
        let optional = if slot.optional { " (optional)" } else { "" };
        let mut shown = format!("{}{optional}: {}", slot.name, slot.description);
        let _ = write!(shown, "\n      kinds: {}", slot.kinds.join(", "));
        if !slot.permissions.is_empty() {
            let _ = write!(
                shown,
                "\n      permissions: {}",
                slot.permissions.join(", ")
            );
        }
        shown
    });
    list(text, "Wants credentials", credentials)?;
    list(text, "Settings", settings(&descriptor.config_schema))
}

/// One line for each top-level setting.
fn settings(schema: &Value) -> Vec<String> {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return Vec::new();
    };
    properties
        .iter()
        .map(|(name, property)| {
            let kind = property.get("type").and_then(Value::as_str);
            let kind = kind.unwrap_or("any");
            let required = if snippet::is_required(schema, name) {
                ", required"
            } else {
                ""
            };
            let default = property
                .get("default")
                .map_or_else(String::new, |default| format!(", default {default}"));
            let description = property.get("description").and_then(Value::as_str);
            let description =
                description.map_or_else(String::new, |description| format!(": {description}"));
            format!("{name} ({kind}{required}{default}){description}")
        })
        .collect()
}

fn entry(text: &mut String, label: &str, value: &str) -> std::fmt::Result {
    writeln!(text, "  {label:<9} {value}")
}

fn list(
    text: &mut String,
    heading: &str,
    items: impl IntoIterator<Item = String>,
) -> std::fmt::Result {
    writeln!(text, "\n{}", styled(HEADING, heading))?;
    let mut items = items.into_iter().peekable();
    if items.peek().is_none() {
        return writeln!(text, "  nothing");
    }
    items.try_for_each(|item| writeln!(text, "  {item}"))
}

/// With one digit after the point, in the greatest unit that fits.
fn bytes(number: u64) -> String {
    for (unit, name) in [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if number >= unit {
            let tenths = u128::from(number) * 10 / u128::from(unit);
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
    }
    format!("{number} B")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_read_well() {
        for (number, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (1 << 20, "1.0 MiB"),
            (u64::MAX, "17179869183.9 GiB"),
        ] {
            assert_eq!(bytes(number), expected);
        }
    }

    #[test]
    fn settings_are_listed_with_what_the_schema_says() {
        let schema = json!({
            "required": ["tenant-id"],
            "properties": {
                "tenant-id": {"type": "string", "description": "Directory (tenant) ID"},
                "retries": {"type": "integer", "default": 2},
                "extra": {},
            },
        });
        assert_eq!(
            settings(&schema),
            [
                "extra (any)",
                "retries (integer, default 2)",
                "tenant-id (string, required): Directory (tenant) ID",
            ]
        );
    }
}
