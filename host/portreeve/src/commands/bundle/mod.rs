//! `portreeve support-bundle`: what somebody who is to help needs to know, in one file.

mod mask;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use portreeve_domain::Timestamp;
use portreeve_runtime::Runtime;
use portreeve_store::decisions::{DIRECTORY_NAME, Filter, Found, Reader};
use reqwest::Method;
use serde_json::{Value, json};

use super::control::Control;
use crate::cli::SupportBundle;
use crate::config::{Config, Problem, Problems};
use crate::{assemble, output};
use mask::Mask;

const README: &str = "\
What `portreeve support-bundle` found. Secrets are not in it; look through it before you send it
away all the same. Interface and mail addresses read `[mac]` and `[user]` unless it was made with
`--with-identifiers`.

versions.json       program, system
configuration.toml  what is in force, with all defaults
plugins.json        digest and description of each plugin
checks/             what `portreeve connector check` says of each connector
gateway/            what the gateway that runs says of itself, if one runs
decisions.json      how many decisions there were in the last day, by verdict
log.txt             the end of the log that was named with `--log-file`
";

/// How long the gateway that runs may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest line of a log that is taken over, in bytes.
const LONGEST_LINE: usize = 16 << 10;

/// The members by name.
type Members = BTreeMap<String, String>;

/// Collects everything and writes the archive.
pub(super) fn run(config: &Config, command: &SupportBundle) -> anyhow::Result<ExitCode> {
    let mut members = Members::new();
    members.insert("README.txt".to_owned(), README.to_owned());
    add_json(&mut members, "versions.json", &versions());
    members.insert("configuration.toml".to_owned(), config.to_toml()?);
    if let Some(path) = &command.log_file {
        members.insert("log.txt".to_owned(), tail(path, command.log_lines)?);
    }
    if let Some(counts) = decisions(config)? {
        add_json(&mut members, "decisions.json", &counts);
    }
    let runtime = assemble::runtime(config)?;
    super::block_on(async {
        add_json(
            &mut members,
            "plugins.json",
            &plugins(config, &runtime).await,
        );
        if command.timeout > 0 {
            checks(&mut members, config, &runtime, command.timeout).await;
        }
        gateway(&mut members, config).await
    })??;
    let mask = Mask::new(&config.secrets, !command.with_identifiers);
    for text in members.values_mut() {
        *text = mask.text(text);
    }
    write(&command.file, &members)?;
    output::line(format!(
        "`{}`: {}",
        command.file.display(),
        members.keys().cloned().collect::<Vec<_>>().join(", ")
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn add_json(members: &mut Members, name: &str, value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    members.insert(name.to_owned(), text);
}

fn versions() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let system = read("/etc/os-release");
    let name = system
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    json!({
        "portreeve": env!("CARGO_PKG_VERSION"),
        "system": name.map(|name| name.trim_matches('"')),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "architecture": std::env::consts::ARCH,
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
    })
}

/// Each plugin as the file is now.
async fn plugins(config: &Config, runtime: &Runtime) -> Value {
    let connectors = config.connectors.0.iter();
    let policies = config.policies.0.iter();
    let named = connectors
        .map(|one| ("connectors", &one.name.value, one.plugin.value.path()))
        .chain(policies.map(|one| ("policies", &one.name.value, one.plugin.value.path())));
    let mut plugins = Vec::new();
    for (kind, name, path) in named {
        let inspected = match std::fs::read(path) {
            Ok(component) => runtime.inspect(&component).await,
            Err(error) => {
                plugins
                    .push(json!({ "key": format!("{kind}.{name}"), "error": error.to_string() }));
                continue;
            }
        };
        plugins.push(match inspected {
            Ok(found) => {
                let descriptor = found.descriptor.as_ref().ok();
                json!({
                    "key": format!("{kind}.{name}"),
                    "file": path,
                    "size": found.size,
                    "sha256": found.digest,
                    "id": descriptor.map(|one| &one.id),
                    "version": descriptor.map(|one| &one.version),
                    "vendor": descriptor.map(|one| &one.vendor),
                    "egress": descriptor.map(|one| &one.egress),
                    "imports": found.imports,
                    "exports": found.exports,
                    "refused": found.refused.as_ref().map(ToString::to_string),
                })
            }
            Err(error) => {
                json!({ "key": format!("{kind}.{name}"), "file": path, "error": error.to_string() })
            }
        });
    }
    Value::Array(plugins)
}

/// A connector that cannot be checked is told as such; the rest goes on.
async fn checks(members: &mut Members, config: &Config, runtime: &Runtime, seconds: u64) {
    for connector in &config.connectors.0 {
        let name = &connector.name.value;
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let report = match assemble::connector(connector, runtime, None).await {
            Ok((connector, _)) => match connector.check(deadline).await {
                Ok(report) => super::connector::document(name, &report),
                Err(error) => json!({ "connector": name, "error": error.to_string() }),
            },
            Err(Problems(problems)) => {
                let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
                json!({ "connector": name, "error": texts })
            }
        };
        add_json(members, &format!("checks/{name}.json"), &report);
    }
}

/// What the gateway says that runs with the same configuration.
async fn gateway(members: &mut Members, config: &Config) -> anyhow::Result<()> {
    let Some(control) = Control::connect(config).await? else {
        let text = "No gateway runs with this configuration, or it has no store.\n";
        members.insert("gateway/README.txt".to_owned(), text.to_owned());
        return Ok(());
    };
    for (name, path) in [
        ("connectors", "/v1/admin/connectors"),
        ("configuration", "/v1/admin/configuration"),
        ("policies", "/v1/admin/policies"),
        ("ready", "/readyz"),
    ] {
        let answer = control.ask(Method::GET, path, None, PATIENCE).await;
        let answer = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        add_json(members, &format!("gateway/{name}.json"), &answer);
    }
    let metrics = control.text("/metrics", PATIENCE).await;
    let metrics = metrics.unwrap_or_else(|error| format!("# {error}\n"));
    members.insert("gateway/metrics.txt".to_owned(), metrics);
    Ok(())
}

/// How many decisions of the last day are in the log, by verdict.
fn decisions(config: &Config) -> anyhow::Result<Option<Value>> {
    let Some(store) = &config.store else {
        return Ok(None);
    };
    let folder = store.directory.0.join(DIRECTORY_NAME);
    if !folder.is_dir() {
        return Ok(None);
    }
    let day = Duration::from_hours(24);
    let since = Timestamp::now()
        .as_millis()
        .saturating_sub(u64::try_from(day.as_millis()).unwrap_or(u64::MAX));
    let filter = Filter {
        since: Some(Timestamp::from_millis(since)),
        ..Filter::default()
    };
    let (mut verdicts, mut gaps, mut unreadable) = (BTreeMap::<String, u64>::new(), 0, 0);
    Reader::new(&folder).read_all(&filter, &mut |found| {
        match found {
            Found::Decision { record, .. } => {
                let verdict = format!("{:?}", record.verdict);
                *verdicts.entry(verdict).or_default() += 1;
            }
            Found::Gap { .. } => gaps += 1,
            Found::BadLine { .. } => unreadable += 1,
        }
        ControlFlow::Continue(())
    })?;
    Ok(Some(json!({
        "last-24-hours": verdicts,
        "gaps": gaps,
        "unreadable": unreadable,
    })))
}

/// The last lines of a file, however long it is.
fn tail(path: &Path, lines: usize) -> anyhow::Result<String> {
    let shown = path.display();
    let file = std::fs::File::open(path).with_context(|| format!("cannot read `{shown}`"))?;
    let mut kept = std::collections::VecDeque::new();
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        if read.with_context(|| format!("cannot read `{shown}`"))? == 0 {
            break;
        }
        line.truncate(LONGEST_LINE);
        if kept.len() == lines {
            kept.pop_front();
        }
        kept.push_back(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
    }
    Ok(kept.into_iter().map(|line| line + "\n").collect())
}

/// Writes a file that only its owner can read, and none over another.
fn write(path: &Path, members: &Members) -> anyhow::Result<()> {
    let shown = path.display();
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let file = file.map_err(|error| {
        let problem = Problem::nowhere(format!("cannot write `{shown}`: {error}"));
        Problems::from(problem.hint("name a file that is not there yet"))
    })?;
    let time = Timestamp::now().as_millis() / 1000;
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for (name, text) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(text.len())?);
        header.set_mode(0o600);
        header.set_mtime(time);
        archive
            .append_data(
                &mut header,
                format!("portreeve-support/{name}"),
                text.as_bytes(),
            )
            .with_context(|| format!("cannot write `{shown}`"))?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()
        .with_context(|| format!("cannot write `{shown}`"))
}
