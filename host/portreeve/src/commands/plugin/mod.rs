//! `portreeve plugin inspect`

mod snippet;
mod text;

use std::path::Path;
use std::process::ExitCode;

use portreeve_runtime::{Descriptor, Inspection, LoadError, Runtime, RuntimeSettings};
use serde_json::{Value, json};

use crate::assemble::load_advice;
use crate::cli::PluginInspect;
use crate::config::{Problem, Problems};
use crate::output;

/// Shows what a component is and wants. One that cannot be used is shown as
/// far as possible, then the reason is the error.
pub(super) fn inspect(command: &PluginInspect) -> anyhow::Result<ExitCode> {
    let shown = command.file.display();
    let component = std::fs::read(&command.file).map_err(|error| {
        Problems::from(
            Problem::nowhere(format!("cannot read `{shown}`: {error}"))
                .hint("name a component, a `.wasm` file"),
        )
    })?;
    let refused = |error: &LoadError| {
        let problem = Problem::nowhere(format!("`{shown}` cannot be used: {error}"));
        Problems::from(problem.hint(load_advice(error)))
    };
    let runtime = Runtime::new(&RuntimeSettings::default())?;
    let inspected = super::block_on(runtime.inspect(&component))?;
    let inspection = inspected.map_err(|error| refused(&error))?;
    if command.json {
        output::json(&document(&command.file, &inspection))?;
    } else {
        text::print(&command.file, &inspection)?;
    }
    match &inspection.refused {
        None => Ok(ExitCode::SUCCESS),
        Some(error) => Err(refused(error).into()),
    }
}

fn document(file: &Path, inspection: &Inspection) -> Value {
    let descriptor = inspection.descriptor.as_ref().ok();
    json!({
        "file": file.display().to_string(),
        "size": inspection.size,
        "sha256": inspection.digest,
        "kind": inspection.kind.map(portreeve_runtime::PluginKind::as_str),
        "imports": inspection.imports,
        "forbidden-imports": inspection.forbidden_imports,
        "exports": inspection.exports,
        "initial-memory": inspection.initial_memory,
        "descriptor": descriptor.map(describe),
        "refused": inspection.refused.as_ref().map(ToString::to_string),
        "configuration": snippet::snippet(file, inspection),
    })
}

fn describe(descriptor: &Descriptor) -> Value {
    let credentials = descriptor.credentials.iter().map(|slot| {
        json!({
            "name": slot.name,
            "description": slot.description,
            "kinds": slot.kinds,
            "permissions": slot.permissions,
            "optional": slot.optional,
        })
    });
    json!({
        "id": descriptor.id,
        "version": descriptor.version,
        "display-name": descriptor.display_name,
        "vendor": descriptor.vendor,
        "license": descriptor.license,
        "homepage": descriptor.homepage,
        "config-schema": descriptor.config_schema,
        "egress": descriptor.egress,
        "credentials": credentials.collect::<Vec<_>>(),
    })
}
