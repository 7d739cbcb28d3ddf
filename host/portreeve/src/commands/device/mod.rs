//! `portreeve device`: what the sources know about devices.

mod show;
mod table;

use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Method;
use serde_json::Value;

use super::control::Control;
use crate::cli::{DeviceChoice, DeviceCommand, DeviceFormat};
use crate::config::{Config, Problem, Problems};
use crate::output;

/// How long the gateway may take for a page, whose verdicts policies may have to
/// make.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a table shows, if nothing is said.
const COLUMNS: &str =
    "source,name,type,compliance,verdict,os.version,mac,user.principal-name,last-seen";

/// Runs one of the commands.
pub(super) fn run(config: &Config, command: &DeviceCommand) -> anyhow::Result<ExitCode> {
    match command {
        DeviceCommand::List {
            choice,
            limit,
            json,
        } => list(config, choice, *limit, *json),
        DeviceCommand::Show {
            identifier, json, ..
        } => show(config, identifier, *json),
        DeviceCommand::Export {
            file,
            choice,
            format,
            incomplete,
        } => export(config, choice, file.as_deref(), *format, *incomplete),
    }
}

fn list(
    config: &Config,
    choice: &DeviceChoice,
    limit: u32,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let limit = limit.to_string();
    let fields = choice.fields.as_deref().unwrap_or(COLUMNS);
    let mut more = vec![("limit", &*limit)];
    if !json || choice.fields.is_some() {
        more.push(("fields", fields));
    }
    let path = path(choice, &more);
    let answer = super::block_on(async {
        let control = control(config).await?;
        control.ask(Method::GET, &path, None, PATIENCE).await
    })??;
    if json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let devices = members(&answer, "devices");
    let columns: Vec<&str> = fields.split(',').map(str::trim).collect();
    for line in table::lines(&columns, devices) {
        output::line(line)?;
    }
    let total = answer.get("total").and_then(Value::as_u64).unwrap_or(0);
    output::line(format!("{} of {total} records", devices.len()))?;
    for source in members(&answer, "sources") {
        if let Some(detail) = source.get("detail").and_then(Value::as_str) {
            let name = source.get("name").and_then(Value::as_str).unwrap_or("?");
            output::note(&format!("source `{name}` is incomplete: {detail}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(config: &Config, identifier: &str, json: bool) -> anyhow::Result<ExitCode> {
    let segment: String = url::form_urlencoded::byte_serialize(identifier.as_bytes()).collect();
    // What is written there is for forms, where `+` is a space.
    let path = format!("/v1/devices/{}?detail=all", segment.replace('+', "%20"));
    let answer = super::block_on(async {
        let control = control(config).await?;
        control.ask(Method::GET, &path, None, PATIENCE).await
    })??;
    if json {
        output::json(&answer)?;
    } else {
        for line in show::lines(&answer) {
            output::line(line)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn export(
    config: &Config,
    choice: &DeviceChoice,
    file: Option<&Path>,
    format: DeviceFormat,
    incomplete: bool,
) -> anyhow::Result<ExitCode> {
    let format = match format {
        DeviceFormat::Csv => "csv",
        DeviceFormat::Jsonl => "jsonl",
    };
    let mut more = vec![("format", format)];
    more.extend(choice.fields.as_deref().map(|fields| ("fields", fields)));
    if incomplete {
        more.push(("incomplete", "allow"));
    }
    let path = path(choice, &more);
    super::block_on(async {
        let control = control(config).await?;
        match file {
            Some(file) => {
                let made = std::fs::File::create_new(file);
                let made = made.with_context(|| format!("cannot make `{}`", file.display()))?;
                let mut made = BufWriter::new(made);
                let copied = control.copy(&path, &mut made, PATIENCE).await;
                let copied = copied.and_then(|()| Ok(made.flush()?));
                if copied.is_err() {
                    // Half a file would be taken for all devices.
                    let _ = std::fs::remove_file(file);
                }
                copied
            }
            None => {
                control
                    .copy(&path, &mut io::stdout().lock(), PATIENCE)
                    .await
            }
        }
    })??;
    Ok(ExitCode::SUCCESS)
}

fn path(choice: &DeviceChoice, more: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [
        ("q", &choice.words),
        ("filter", &choice.filter),
        ("source", &choice.source),
        ("sort", &choice.sort),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.extend_pairs(more);
    format!("/v1/devices?{}", query.finish())
}

async fn control(config: &Config) -> anyhow::Result<Control> {
    let control = Control::connect(config).await?;
    control.ok_or_else(|| {
        let problem = Problem::nowhere("no gateway runs with this configuration");
        let hint = "start it with `portreeve serve`; it is reached through `[store]`";
        Problems::from(problem.hint(hint)).into()
    })
}

fn members<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    let members = answer.get(name).and_then(Value::as_array);
    members.map(Vec::as_slice).unwrap_or_default()
}
