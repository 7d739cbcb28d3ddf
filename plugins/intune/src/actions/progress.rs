//! `deviceActionResults`: what Intune knows of an action that it took on.

use std::time::UNIX_EPOCH;

use portreeve_plugin::connector::actions::{State, Ticket};
use serde::Deserialize;

use super::ticket::Started;

/// How far the clocks of Graph and of the gateway may be apart.
const TOLERANCE_MS: u64 = 60_000;

/// How long an action that may never have arrived is looked for.
const PATIENCE_MS: u64 = 15 * 60_000;

/// The part of a device that is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    #[serde(default)]
    device_action_results: Option<Vec<Outcome>>,
}

/// One of them. Passcodes and places that some have are not read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    #[serde(default)]
    action_name: Option<String>,
    #[serde(default)]
    action_state: Option<String>,
    #[serde(default)]
    start_date_time: Option<String>,
}

impl Outcome {
    fn started_at(&self) -> Option<u64> {
        let text = self.start_date_time.as_deref()?;
        let time = humantime::parse_rfc3339(text).ok()?;
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok()
    }

    fn is_of(&self, started: Started) -> bool {
        let name = self.action_name.as_deref().unwrap_or_default();
        let mut names = started.kind.results.iter();
        names.any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// What a device's record says about an action, or what is wrong with it.
pub(crate) fn read(body: &[u8], started: Started, now: u64) -> Result<Ticket, String> {
    let told: Told = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let earliest = started.at.saturating_sub(TOLERANCE_MS);
    let outcomes = told.device_action_results.unwrap_or_default();
    let outcomes = outcomes.iter().filter(|outcome| outcome.is_of(started));
    let found = outcomes
        .filter_map(|outcome| Some((outcome.started_at()?, outcome)))
        .filter(|(at, _)| *at >= earliest)
        .max_by_key(|(at, _)| *at);
    let Some((_, outcome)) = found else {
        return Ok(absent(started, now));
    };
    let word = outcome.action_state.as_deref().unwrap_or("none");
    let (state, detail) = match word {
        "none" | "pending" | "active" => (State::Pending, None),
        "done" => (State::Done, None),
        "failed" => (State::Failed, Some("Intune says that it failed".to_owned())),
        "canceled" => (State::Failed, Some("it was cancelled in Intune".to_owned())),
        "notSupported" => {
            let detail = "Intune says that the device does not support it";
            (State::Failed, Some(detail.to_owned()))
        }
        // A word of the future says nothing yet.
        other => {
            let detail = format!("Intune says `{}`", crate::errors::shortened(other));
            (State::Pending, Some(detail))
        }
    };
    Ok(Ticket {
        key: Some(started.key()),
        state,
        detail,
    })
}

fn absent(started: Started, now: u64) -> Ticket {
    let given_up = !started.sure && now > started.at.saturating_add(PATIENCE_MS);
    let (state, detail) = if given_up {
        let detail = "whether it was handed over is not known, and Intune shows no such action; \
                      ask for it again if it is still wanted";
        (State::Failed, detail)
    } else {
        (State::Pending, "Intune does not show it yet")
    };
    Ticket {
        key: Some(started.key()),
        state,
        detail: Some(detail.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::kind::named;
    use super::*;

    /// 2026-08-21T00:00:00Z
    const AT: u64 = 1_787_270_400_000;

    fn started(sure: bool) -> Started {
        Started {
            kind: named("wipe").unwrap(),
            at: AT,
            sure,
        }
    }

    #[track_caller]
    fn check(results: &serde_json::Value, sure: bool, later: u64, expected: State, part: &str) {
        let body = json!({ "id": "x", "deviceActionResults": results }).to_string();
        let ticket = read(body.as_bytes(), started(sure), AT + later).unwrap();
        assert_eq!(ticket.state, expected, "{results}");
        let detail = ticket.detail.unwrap_or_default();
        assert!(detail.contains(part), "{detail}");
    }

    #[test]
    fn states() {
        let result = |name: &str, state: &str, at: &str| {
            json!({ "actionName": name, "actionState": state, "startDateTime": at,
                "lastUpdatedDateTime": at })
        };
        let at = "2026-08-21T00:00:01.1234567Z";
        for (state, expected, part) in [
            ("pending", State::Pending, ""),
            ("active", State::Pending, ""),
            ("done", State::Done, ""),
            ("failed", State::Failed, "failed"),
            ("canceled", State::Failed, "cancelled"),
            ("notSupported", State::Failed, "not support"),
            ("pondering", State::Pending, "`pondering`"),
        ] {
            check(
                &json!([result("factoryReset", state, at)]),
                true,
                0,
                expected,
                part,
            );
        }
        // An earlier one, and another.
        let before = result("wipe", "done", "2026-08-20T00:00:00Z");
        let other = result("rebootNow", "done", at);
        let results = json!([before, other]);
        check(&results, true, 99 * PATIENCE_MS, State::Pending, "yet");
        check(&results, false, 1, State::Pending, "yet");
        check(&results, false, 2 * PATIENCE_MS, State::Failed, "not known");
        // The last of several.
        let later = result("wipe", "done", "2026-08-21T00:00:05Z");
        let results = json!([later, result("wipe", "failed", at)]);
        check(&results, true, 0, State::Done, "");
        check(&json!(null), true, 0, State::Pending, "yet");
    }

    proptest! {
        #[test]
        fn any_body_is_read(body: Vec<u8>) {
            let _ = read(&body, started(true), AT);
        }
    }
}
