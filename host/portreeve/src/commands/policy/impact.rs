//! `portreeve policy impact`

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};

use super::{items, number, running, text};
use crate::cli::PolicyImpact;
use crate::config::{Config, Problem, Problems};
use crate::output;

const PATH: &str = "/v1/admin/policies/impact";

/// Loading policies takes a while when they have to be compiled.
const LOADING: Duration = Duration::from_mins(5);
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often the bar moves.
const GLANCE: Duration = Duration::from_millis(100);

pub(super) async fn run(config: &Config, command: &PolicyImpact) -> anyhow::Result<ExitCode> {
    let control = running(config).await?;
    let absolute = |path: &Path| {
        let found = std::path::absolute(path);
        found.with_context(|| format!("cannot find `{}`", path.display()))
    };
    let request = match (&command.file, &command.wasm) {
        (Some(file), _) => json!({ "configuration": absolute(file)? }),
        (None, Some(file)) => {
            json!({ "component": { "file": absolute(file)?, "policy": command.policy } })
        }
        (None, None) => anyhow::bail!("no file was named"),
    };
    let mut answer = control
        .ask(Method::POST, PATH, Some(&request), LOADING)
        .await?;
    let bar = bar(command.arguments.json);
    while text(&answer, "state") == "running" {
        if number(&answer, "total") > 0 {
            bar.set_length(number(&answer, "total"));
        }
        bar.set_position(number(&answer, "done"));
        tokio::time::sleep(GLANCE).await;
        answer = control.ask(Method::GET, PATH, None, TIMEOUT).await?;
    }
    bar.finish_and_clear();
    let Some(impact) = answer.get("impact") else {
        return Err(Problems::from(Problem::nowhere("the trial was stopped")).into());
    };
    if command.arguments.json {
        output::json(impact)?;
    } else {
        for line in told(impact) {
            output::line(line)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Drawn on stderr, and only if that is a terminal.
pub(super) fn bar(is_hidden: bool) -> ProgressBar {
    let bar = ProgressBar::no_length();
    if is_hidden {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar
}

fn told(impact: &Value) -> Vec<String> {
    let seconds = impact.get("seconds").and_then(Value::as_f64);
    let mut lines = vec![format!(
        "{} of {} endpoints would get another verdict ({:.1} s)",
        number(impact, "changed"),
        number(impact, "endpoints"),
        seconds.unwrap_or(0.0)
    )];
    for chain in items(impact, "chains") {
        let (now, then) = (text(chain, "now"), text(chain, "then"));
        lines.push(if now == then {
            format!("chain {now}")
        } else {
            format!("chain {now}, then {then}")
        });
        lines.extend(tallied(chain));
    }
    lines
}

/// What became of verdicts, one change a line, with its reasons and examples.
pub(super) fn tallied(tally: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for transition in items(tally, "transitions") {
        let (from, to) = (text(transition, "from"), text(transition, "to"));
        lines.push(format!("  {from} to {to}: {}", number(transition, "count")));
        for reason in items(transition, "reasons") {
            let (code, count) = (text(reason, "code"), number(reason, "count"));
            lines.push(format!("    {code}: {count}"));
        }
        for example in items(transition, "examples") {
            lines.push(format!(
                "    e.g. {}: {} before, {} then",
                text(example, "identifier"),
                text(example, "before"),
                text(example, "then")
            ));
        }
    }
    let others = number(tally, "other_obligations");
    if others > 0 {
        lines.push(format!(
            "  the same verdict with other obligations: {others}"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impact_is_told() {
        let impact = json!({
            "endpoints": 100_000, "changed": 1200, "seconds": 2.345,
            "chains": [
                {
                    "now": "default", "then": "default", "compared": 100_000, "changed": 1200,
                    "other_obligations": 3,
                    "transitions": [{
                        "from": "permit", "to": "deny", "count": 1200,
                        "reasons": [{"code": "os-too-old", "count": 1200}],
                        "examples": [{"identifier": "00:50:56:a4:89:5a", "before": "compliant",
                                      "then": "os-too-old"}],
                    }],
                },
                {"now": "default", "then": "guests", "compared": 100_000, "changed": 0,
                 "other_obligations": 0, "transitions": []},
            ],
        });
        insta::assert_snapshot!(told(&impact).join("\n"), @r"
        1200 of 100000 endpoints would get another verdict (2.3 s)
        chain default
          permit to deny: 1200
            os-too-old: 1200
            e.g. 00:50:56:a4:89:5a: compliant before, os-too-old then
          the same verdict with other obligations: 3
        chain default, then guests
        ");
    }
}
