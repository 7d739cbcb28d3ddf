//! `portreeve connector check`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use portreeve_runtime::{Report, ReportVerdict};
use serde_json::json;

use crate::cli::ConnectorCheck;
use crate::config::{Config, Problem, Problems, listed, nearest};
use crate::output::{BAD, FAIR, GOOD, HEADING, styled};
use crate::{assemble, output};

/// Talks to the source and tells how that goes, step by step.
pub(super) fn check(config: &Config, command: &ConnectorCheck) -> anyhow::Result<ExitCode> {
    let Some(connector) = config.connectors.get(&command.name) else {
        return Err(unknown(&command.name, &config.connectors.names()).into());
    };
    let runtime = assemble::runtime(config)?;
    let report = super::block_on(async {
        let (connector, warnings) = assemble::connector(connector, &runtime, None).await?;
        output::warnings(&warnings)?;
        let deadline = Instant::now() + Duration::from_secs(command.timeout);
        anyhow::Ok(connector.check(deadline).await?)
    })??;
    if command.json {
        output::json(&document(&command.name, &report))?;
    } else {
        print(&command.name, &report)?;
    }
    Ok(match report.verdict {
        ReportVerdict::Passed | ReportVerdict::Degraded => ExitCode::SUCCESS,
        ReportVerdict::Failed => ExitCode::FAILURE,
    })
}

pub(super) fn unknown(name: &str, known: &[&str]) -> Problems {
    let hint = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "add one as `[connectors.NAME]`".to_owned(),
        None => format!("there are {}", listed(known)),
    };
    let message = format!("there is no connector `{name}` in the configuration");
    Problem::nowhere(message).hint(hint).into()
}

fn word(verdict: ReportVerdict) -> String {
    match verdict {
        ReportVerdict::Passed => styled(GOOD, "passed"),
        ReportVerdict::Degraded => styled(FAIR, "degraded"),
        ReportVerdict::Failed => styled(BAD, "failed"),
    }
}

const fn plain_word(verdict: ReportVerdict) -> &'static str {
    match verdict {
        ReportVerdict::Passed => "passed",
        ReportVerdict::Degraded => "degraded",
        ReportVerdict::Failed => "failed",
    }
}

fn print(name: &str, report: &Report) -> std::io::Result<()> {
    let width = |verdict: ReportVerdict| 9 - plain_word(verdict).len();
    for finding in &report.findings {
        let gap = " ".repeat(width(finding.verdict));
        let subject = styled(HEADING, &finding.subject);
        let verdict = word(finding.verdict);
        let code = finding.code.as_ref();
        let code = code.map_or_else(String::new, |code| format!(" [{code}]"));
        output::line(format!(
            "{verdict}{gap}{subject}{code}: {}",
            finding.message
        ))?;
        if let Some(hint) = &finding.hint {
            output::line(format!("         hint: {hint}"))?;
        }
    }
    let verdict = word(report.verdict);
    output::line(format!("connector `{name}`: {verdict}"))
}

pub(super) fn document(name: &str, report: &Report) -> serde_json::Value {
    let findings = report.findings.iter().map(|finding| {
        json!({
            "subject": finding.subject,
            "verdict": plain_word(finding.verdict),
            "code": finding.code,
            "message": finding.message,
            "hint": finding.hint,
        })
    });
    json!({
        "connector": name,
        "verdict": plain_word(report.verdict),
        "findings": findings.collect::<Vec<_>>(),
    })
}
