//! `portreeve session list`: who is connected where, as network access servers
//! have reported it.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::control::Control;
use crate::cli::SessionList;
use crate::config::{Config, Problem, Problems};
use crate::output;

/// How long the gateway may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the gateway that runs.
pub(super) fn list(config: &Config, command: &SessionList) -> anyhow::Result<ExitCode> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &command.limit.to_string());
    if let Some(mac) = &command.mac {
        query.append_pair("mac", &mac.to_string());
    }
    if let Some(nas) = &command.nas {
        query.append_pair("nas", nas);
    }
    let path = format!("/v1/admin/sessions?{}", query.finish());
    let answer = super::block_on(async {
        let Some(control) = Control::connect(config).await? else {
            let problem = Problem::nowhere("no gateway runs with this configuration");
            return Err(Problems::from(problem.hint(
                "sessions are known to a gateway that runs on this machine, and has `[store]`",
            ))
            .into());
        };
        control.ask(Method::GET, &path, None, PATIENCE).await
    })??;
    if command.json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let sessions = answer.get("sessions").and_then(Value::as_array);
    let sessions = sessions.map_or(&[][..], Vec::as_slice);
    for session in sessions {
        output::line(text(session))?;
    }
    let total = answer.get("total").and_then(Value::as_u64).unwrap_or(0);
    output::line(format!("{} of {total} sessions", sessions.len()))?;
    Ok(ExitCode::SUCCESS)
}

/// One session on one line.
fn text(session: &Value) -> String {
    let member = |name: &str| session.get(name).and_then(Value::as_str);
    let endpoint = member("mac").or_else(|| member("calling_station"));
    let nas = member("nas_identifier").or_else(|| member("nas_address"));
    let port = session.get("nas_port").and_then(Value::as_u64);
    let port = match (member("nas_port_id"), port) {
        (Some(name), _) => format!(" port {name}"),
        (None, Some(number)) => format!(" port {number}"),
        (None, None) => String::new(),
    };
    let user = member("user").map_or_else(String::new, |user| format!(" as {user}"));
    format!(
        "{} {}{user} at {}{port}, session {}, since {}",
        member("seen_at").unwrap_or("-"),
        endpoint.unwrap_or("-"),
        nas.unwrap_or("-"),
        member("id").unwrap_or("-"),
        member("started_at").unwrap_or("-"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines() {
        for (session, expected) in [
            (
                json!({"id": "a1", "mac": "00:50:56:a4:89:5a", "user": "ada", "nas_identifier": "switch-7",
                    "nas_address": "192.0.2.1", "nas_port": 7, "nas_port_id": "Gi1/0/1",
                    "started_at": "S", "seen_at": "E"}),
                "E 00:50:56:a4:89:5a as ada at switch-7 port Gi1/0/1, session a1, since S",
            ),
            (
                json!({"id": "a1", "mac": null, "calling_station": "10.0.0.1", "nas_identifier": null,
                    "nas_address": "192.0.2.1", "nas_port": 7, "started_at": "S", "seen_at": "E"}),
                "E 10.0.0.1 at 192.0.2.1 port 7, session a1, since S",
            ),
            (json!({}), "- - at -, session -, since -"),
        ] {
            assert_eq!(text(&session), expected);
        }
    }
}
