//! Loading a component that the configuration names.

use portreeve_runtime::{InstanceError, LoadError, Plugin, PluginKind, Runtime};

use crate::config::{ExistingFile, Located, Problem, Problems, Settings, nearest};

/// Reads, checks and compiles the component.
pub(super) async fn load(
    file: &Located<ExistingFile>,
    kind: PluginKind,
    runtime: &Runtime,
) -> Result<Plugin, Problem> {
    let path = file.value.path();
    let shown = path.display();
    let component = tokio::fs::read(path)
        .await
        .map_err(|error| Problem::with(file, format!("cannot read `{shown}`: {error}")))?;
    let plugin = runtime.load(&component).await.map_err(|error| {
        Problem::with(file, format!("`{shown}`: {error}")).hint(load_advice(&error))
    })?;
    if plugin.kind() == kind {
        return Ok(plugin);
    }
    let (found, wanted) = (plugin.kind().as_str(), kind.as_str());
    Err(
        Problem::with(file, format!("`{shown}` is a {found}, not a {wanted}")).hint(match kind {
            PluginKind::Connector => "a policy belongs under `[policies.NAME]`",
            PluginKind::Policy => "a connector belongs under `[connectors.NAME]`",
        }),
    )
}

/// What an operator can do about a component that cannot be used.
pub(crate) fn load_advice(error: &LoadError) -> &'static str {
    match error {
        LoadError::TooLarge { .. } => "raise `max-component` under `[plugins]` if this is meant",
        LoadError::Malformed(_) => {
            "a plugin is a WebAssembly component, not a core module; was the file copied whole?"
        }
        LoadError::NoPlugin { .. } => {
            "the plugin may be made for another version of Portreeve; ask its vendor"
        }
        LoadError::BothKinds => "a component is a connector or a policy; ask its vendor",
        LoadError::ForbiddenImports { .. } => {
            "the plugin must be built without these imports; ask its vendor"
        }
        LoadError::Incompatible(_) | LoadError::Describe(_) | LoadError::Description(_) => {
            "this is a mistake in the plugin; ask its vendor"
        }
    }
}

/// Settings that do not fit, each where it is written.
pub(super) fn instance_problems(
    name: &Located<String>,
    file: &Located<ExistingFile>,
    settings: &Settings,
    plugin: &Plugin,
    error: InstanceError,
) -> Problems {
    match error {
        InstanceError::Settings(found) => {
            let hint = format!(
                "`portreeve plugin inspect {}` shows the settings it takes",
                file.value.path().display()
            );
            let found = found.iter().map(|problem| {
                let located = settings.problem(&problem.pointer, &problem.message);
                match meant(&problem.pointer, plugin) {
                    Some(near) => located.hint(format!("did you mean `{near}`?")),
                    None => located.hint(hint.as_str()),
                }
            });
            Problems(found.collect())
        }
        error @ (InstanceError::WrongKind { .. } | InstanceError::Failed(_)) => {
            Problem::with(name, error.to_string())
                .hint("this is a mistake in the plugin, or `limits` are too tight for it")
                .into()
        }
    }
}

/// The setting that a word the plugin does not know was probably meant to be.
fn meant(pointer: &str, plugin: &Plugin) -> Option<String> {
    let name = pointer.strip_prefix('/')?;
    let properties = plugin.descriptor().config_schema.get("properties")?;
    let known: Vec<&str> = properties.as_object()?.keys().map(String::as_str).collect();
    let near = nearest(name, &known)?;
    (near != name).then(|| near.to_owned())
}
