//! `portreeve store`: looking after what is kept over restarts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use portreeve_cache::packed::{Words, check};
use portreeve_store::{DeviceRow, Store, StoreSettings};
use reqwest::Method;
use serde_json::json;

use super::control::Control;
use crate::cli::{StoreArguments, StoreCommand};
use crate::config::{Config, Problem, Problems};
use crate::{assemble, output};

/// A copy of a large store takes a while.
const BACKUP_TIMEOUT: Duration = Duration::from_hours(1);

/// Runs one of the commands.
pub(super) fn run(
    config: &Config,
    command: &StoreCommand,
    arguments: &StoreArguments,
) -> anyhow::Result<ExitCode> {
    let Some(store) = &config.store else {
        let problem = Problem::nowhere("the configuration has no store");
        return Err(Problems::from(
            problem.hint("add `[store]` with `directory = \"/var/lib/portreeve\"`"),
        )
        .into());
    };
    let path = store.directory.0.join(portreeve_store::FILE_NAME);
    match command {
        StoreCommand::Verify { .. } => verify(&path, arguments.json),
        StoreCommand::Backup { file, .. } => {
            super::block_on(back_up(config, &path, file, arguments.json))?
        }
        StoreCommand::Restore { file, .. } => {
            restore(file, &store.directory.0, &path, arguments.json)
        }
        StoreCommand::Compact { .. } => compact(&path, arguments.json),
    }
}

fn verify(path: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    existing(path)?;
    let report = portreeve_store::verify(path, &mut Checker::default().check());
    let report = report.map_err(|error| explain(&error))?;
    if as_json {
        let devices: serde_json::Map<_, _> = report
            .devices
            .iter()
            .map(|(source, count)| (source.clone(), json!(count)))
            .collect();
        output::json(&json!({
            "path": path,
            "schema": report.schema,
            "repaired": report.repaired,
            "bytes": report.file_bytes,
            "words": report.words,
            "devices": devices,
            "documents": report.documents,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format!(
        "`{}` is sound: schema {}, {} bytes",
        path.display(),
        report.schema,
        report.file_bytes
    ))?;
    if report.repaired {
        output::line("it was not closed in order; everything acknowledged is there")?;
    }
    for (source, count) in &report.devices {
        output::line(format!("{count} devices of `{source}`"))?;
    }
    output::line(format!("{} documents of plugins", report.documents))?;
    Ok(ExitCode::SUCCESS)
}

async fn back_up(
    config: &Config,
    path: &Path,
    file: &Path,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let file = absolute(file)?;
    if let Some(control) = Control::connect(config).await? {
        let body = json!({ "path": file });
        let route = "/v1/admin/store/backup";
        control
            .ask(Method::POST, route, Some(&body), BACKUP_TIMEOUT)
            .await?;
    } else {
        existing(path)?;
        let store = Store::open(path, &StoreSettings::default());
        let store = store.map_err(|error| explain(&error))?;
        portreeve_store::backup(&store, &file).map_err(|error| explain(&error))?;
    }
    if as_json {
        output::json(&json!({ "path": file }))?;
    } else {
        output::line(format!("copied to `{}`", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn restore(file: &Path, directory: &Path, path: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    if !file.is_file() {
        let problem = Problem::nowhere(format!("there is no copy at `{}`", file.display()));
        let hint = "`portreeve store backup FILE` makes one";
        return Err(Problems::from(problem.hint(hint)).into());
    }
    // On a new machine there is nothing yet.
    assemble::private_folder(directory)?;
    let restored = portreeve_store::restore(file, path, &mut Checker::default().check());
    let (report, before) = restored.map_err(|error| explain(&error))?;
    let devices: u64 = report.devices.iter().map(|(_, count)| count).sum();
    if as_json {
        output::json(&json!({ "path": path, "devices": devices, "before": before }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format!(
        "`{}` is in place, with {devices} devices",
        path.display()
    ))?;
    if let Some(before) = before {
        output::line(format!("what was there before is `{}`", before.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn compact(path: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    existing(path)?;
    let compacted = portreeve_store::compact(path).map_err(|error| explain(&error))?;
    let (before, after) = (compacted.before, compacted.after);
    if as_json {
        output::json(&json!({ "path": path, "before": before, "after": after }))?;
    } else {
        output::line(format!("{before} bytes before, {after} bytes now"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn existing(path: &Path) -> Result<(), Problems> {
    if path.exists() {
        return Ok(());
    }
    let problem = Problem::nowhere(format!("there is no store at `{}`", path.display()));
    Err(problem
        .hint("it is made when the gateway starts; see `directory` in `[store]`")
        .into())
}

fn absolute(file: &Path) -> anyhow::Result<PathBuf> {
    Ok(std::path::absolute(file)?)
}

/// Checks packed devices with the words of the same store.
#[derive(Default)]
struct Checker(Option<Words>);

impl Checker {
    fn check(mut self) -> impl FnMut(&[String], &DeviceRow<'_>) -> Result<(), String> {
        move |words, row| {
            let restored = || Words::restore(words.iter().cloned());
            let words = self.0.get_or_insert_with(restored);
            check(row.device, words).map_err(|error| error.to_string())
        }
    }
}

/// An error of the store, which brings its hint along.
pub(crate) fn explain(error: &impl std::fmt::Display) -> Problems {
    let text = error.to_string();
    let (message, hint) = match text.split_once("\nhint: ") {
        Some((message, hint)) => (message, Some(hint)),
        None => (text.as_str(), None),
    };
    let problem = Problem::nowhere(message);
    match hint {
        Some(hint) => problem.hint(hint).into(),
        None => problem.into(),
    }
}
