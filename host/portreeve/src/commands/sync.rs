//! `portreeve connector sync`: reads a source's inventory now and shows how far
//! it is.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use portreeve_gateway::inventory::{Inventory, InventorySource, Progress};
use portreeve_gateway::{Memory, Source, SourcePicture};
use prometheus::Registry;
use reqwest::Method;
use serde_json::{Value, json};

use super::control::Control;
use crate::cli::ConnectorSync;
use crate::config::{Config, ConnectorConfig, Problem, Problems};
use crate::{assemble, output};

/// How often the bar moves.
const GLANCE: Duration = Duration::from_millis(200);
/// A read of a large fleet that is asked to slow down takes hours.
const LONGEST: Duration = Duration::from_hours(24);

/// Asks the gateway that runs, or reads in this process when none does.
pub(super) fn run(config: &Config, command: &ConnectorSync) -> anyhow::Result<ExitCode> {
    let Some(connector) = config.connectors.get(&command.name) else {
        return Err(super::connector::unknown(&command.name, &config.connectors.names()).into());
    };
    let result = super::block_on(async {
        match Control::connect(config).await? {
            Some(control) => through_gateway(&control, command).await,
            None => in_this_process(config, connector, command).await,
        }
    })??;
    if command.json {
        output::json(&result)?;
    } else {
        let number = |key: &str| result.get(key).and_then(Value::as_u64).unwrap_or(0);
        output::line(format!(
            "connector `{}`: {} devices read, {} gone, {} in a second",
            command.name,
            number("read"),
            number("removed"),
            result
                .get("devices_per_second")
                .and_then(Value::as_f64)
                .unwrap_or(0.0)
                .round(),
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn through_gateway(control: &Control, command: &ConnectorSync) -> anyhow::Result<Value> {
    let route = format!("/v1/admin/connectors/{}/sync", command.name);
    let asked = format!("{route}?full={}", command.full);
    let run = control.ask(Method::POST, &asked, None, LONGEST);
    tokio::pin!(run);
    let bar = bar(command.json);
    loop {
        tokio::select! {
            done = &mut run => {
                bar.finish_and_clear();
                return done;
            }
            () = tokio::time::sleep(GLANCE) => {
                let seen = control.ask(Method::GET, &route, None, Duration::from_secs(10)).await?;
                let number = |key: &str| seen.get(key).and_then(Value::as_u64);
                show(&bar, number("read").unwrap_or(0), number("total"));
            }
        }
    }
}

async fn in_this_process(
    config: &Config,
    connector: &ConnectorConfig,
    command: &ConnectorSync,
) -> anyhow::Result<Value> {
    if config.store.is_none() {
        let problem =
            Problem::nowhere("what is read would be forgotten at once: there is no store");
        return Err(Problems::from(problem.hint(
            "add `[store]` with `directory = \"/var/lib/portreeve\"`, then start the gateway or try again",
        ))
        .into());
    }
    let runtime = assemble::runtime(config)?;
    let store = assemble::store(config)?;
    let loaded = assemble::connector(connector, &runtime, store.as_ref()).await?;
    let (source, warnings) = loaded;
    output::warnings(&warnings)?;
    let source: Arc<dyn Source> = Arc::new(source);
    let kept = assemble::memory(config, store)?;
    let inventory = InventorySource {
        switched_on: true,
        name: command.name.as_str().into(),
        picture: Arc::new(picture(&kept.memory, &command.name)?),
        source,
        settings: assemble::inventory_settings(connector, true),
    };
    let inventory = Inventory::start(vec![inventory], &Registry::new())?;
    let progress = inventory.progress(&command.name)?;
    let ticket = inventory.request_sync(&command.name, command.full)?;
    let bar = bar(command.json);
    let run = ticket.ended();
    tokio::pin!(run);
    let ended = loop {
        tokio::select! {
            ended = &mut run => break ended,
            () = tokio::time::sleep(GLANCE) => {
                let progress = progress.borrow();
                show(&bar, progress.read, progress.total);
            }
        }
    };
    bar.finish_and_clear();
    let result = document(&progress.borrow());
    inventory.shutdown().await;
    kept.close().await;
    ended?;
    Ok(result)
}

fn picture(memory: &Arc<Memory>, name: &str) -> anyhow::Result<SourcePicture> {
    SourcePicture::new(memory, name)
        .ok_or_else(|| anyhow::anyhow!("the memory knows no source `{name}`"))
}

fn document(progress: &Progress) -> Value {
    json!({
        "read": progress.read,
        "total": progress.total,
        "removed": progress.removed,
        "pages": progress.pages,
        "devices_per_second": progress.devices_per_second.round(),
    })
}

/// Drawn on stderr, and only if that is a terminal.
fn bar(is_hidden: bool) -> ProgressBar {
    let bar = ProgressBar::no_length();
    if is_hidden {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let template = "{spinner} {pos} devices, {per_sec}, {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, read: u64, total: Option<u64>) {
    if let Some(total) = total.filter(|_| bar.length().is_none()) {
        let template = "{bar:30} {pos}/{len} devices, {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_length(total);
    }
    bar.set_position(read);
}
