//! `portreeve policy list`

use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::{items, running, text};
use crate::config::Config;
use crate::output;

const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn run(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let control = running(config).await?;
    let path = "/v1/admin/policies";
    let answer = control.ask(Method::GET, path, None, TIMEOUT).await?;
    if json {
        output::json(&answer)?;
    } else {
        for line in told(&answer) {
            output::line(line)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn told(answer: &Value) -> Vec<String> {
    let mut lines = vec![format!("in force since {}", text(answer, "loaded_at"))];
    for chain in items(answer, "chains") {
        let name = text(chain, "name");
        let rule = text(chain, "combine");
        lines.push(format!("chain {name}, {rule}"));
        for policy in items(chain, "policies") {
            let digest = text(policy, "digest");
            let digest = digest.get(..12).unwrap_or(digest);
            let detail = policy.get("detail").and_then(Value::as_str);
            let detail = detail.map(|detail| format!(": {detail}"));
            lines.push(format!(
                "  {} {}, on error {}, {digest}, {}{}",
                text(policy, "name"),
                text(policy, "mode"),
                text(policy, "on_error"),
                text(policy, "state"),
                detail.unwrap_or_default()
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn chains_and_policies_are_told() {
        let policy = |name: &str, mode: &str, detail: Option<&str>| {
            json!({
                "name": name,
                "digest": "0123456789abcdef",
                "mode": mode,
                "on_error": "deny",
                "state": if detail.is_some() { "failing" } else { "ok" },
                "detail": detail,
            })
        };
        let answer = json!({
            "loaded_at": "2026-11-28T10:00:00.000Z",
            "chains": [
                {
                    "name": "guests", "combine": "deny-overrides",
                    "policies": [
                        policy("hours", "monitor", None),
                        policy("baseline", "enforce", Some("out of time")),
                    ],
                },
                { "name": "default", "combine": "first-decides", "policies": [] },
            ],
        });
        insta::assert_snapshot!(told(&answer).join("\n"), @r"
        in force since 2026-11-28T10:00:00.000Z
        chain guests, deny-overrides
          hours monitor, on error deny, 0123456789ab, ok
          baseline enforce, on error deny, 0123456789ab, failing: out of time
        chain default, first-decides
        ");
    }
}
