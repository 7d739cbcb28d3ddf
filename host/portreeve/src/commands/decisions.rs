//! `portreeve decisions`: what was decided.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use portreeve_domain::Timestamp;
use portreeve_store::decisions::{
    DIRECTORY_NAME, Filter, Found, Reader, Record, Ruling, format_time,
};

use crate::cli::Decisions;
use crate::config::{Config, Problem, Problems};
use crate::output::{BAD, FAIR, GOOD, styled};

/// How often the log is looked at for more.
const GLANCE: Duration = Duration::from_millis(250);

/// Shows the log, oldest first.
#[expect(
    clippy::disallowed_methods,
    reason = "a command that has nothing else to do until there is more"
)]
pub(super) fn run(config: &Config, command: &Decisions) -> anyhow::Result<ExitCode> {
    let Some(store) = &config.store else {
        let problem = Problem::nowhere("the configuration has no place for decisions");
        return Err(Problems::from(
            problem.hint("add `[store]` with `directory = \"/var/lib/portreeve\"`"),
        )
        .into());
    };
    let reader = Reader::new(&store.directory.0.join(DIRECTORY_NAME));
    let filter = filter(command);
    let mut failure = None;
    let mut show = |found: Found<'_>| match show(&found, command.json) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failure = Some(error);
            ControlFlow::Break(())
        }
    };
    let mut follower = match command.limit {
        0 => reader.read_all(&filter, &mut show)?,
        limit => reader.read_newest(limit, &filter, &mut show)?,
    };
    while command.follow && follower.poll(&mut show)?.is_continue() {
        std::thread::sleep(GLANCE);
    }
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn filter(command: &Decisions) -> Filter {
    let now = Timestamp::now();
    Filter {
        since: command.since.map(|moment| moment.from(now)),
        until: command.until.map(|moment| moment.from(now)),
        verdict: command.verdict.as_deref().map(|word| match word {
            "permit" => Ruling::Permit,
            "restrict" => Ruling::Restrict,
            "deny" => Ruling::Deny,
            _ => Ruling::CannotTell,
        }),
        client: command.client.clone(),
        identifier: command.identifier.clone(),
        reason: command.reason.clone(),
        policy: command.policy.clone(),
        request: None,
        changed: command.changed,
    }
}

fn show(found: &Found<'_>, as_json: bool) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    match found {
        Found::Decision { line, .. } | Found::Gap { line, .. } if as_json => {
            writeln!(stdout, "{line}")
        }
        Found::Decision { record, .. } => writeln!(stdout, "{}", text(record)),
        Found::Gap { gap, .. } => writeln!(
            stdout,
            "{} {} denials are missing here, the last at {}",
            styled(BAD, "gap"),
            gap.gap,
            format_time(gap.to)
        ),
        Found::BadLine {
            path,
            offset,
            detail,
        } => writeln!(
            anstream::stderr().lock(),
            "{} `{}`, byte {offset}: {detail}",
            styled(FAIR, "warning:"),
            path.display()
        ),
    }
}

/// One decision on one line.
fn text(record: &Record) -> String {
    let style = match record.verdict {
        Ruling::Permit => GOOD,
        Ruling::Restrict => FAIR,
        Ruling::Deny | Ruling::CannotTell => BAD,
    };
    let verdict = record.verdict.as_str();
    let gap = " ".repeat(12_usize.saturating_sub(verdict.len()));
    let reasons: Vec<&str> = record
        .reasons
        .iter()
        .map(|reason| reason.code.as_str())
        .collect();
    format!(
        "{} {}{gap}{} by {} ({}, {} µs): {}",
        format_time(record.at),
        styled(style, verdict),
        record.identifiers.join(" "),
        record.client,
        record.origin,
        record.latency_us,
        reasons.join(", ")
    )
}
