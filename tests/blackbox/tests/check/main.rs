//! `portreeve connector check` on each fault of the simulated tenant: what it advises stands in the
//! files beside this one. `INSTA_UPDATE=always` accepts other advice.

mod faults;
mod logged;
mod mistakes;
mod spoken;

use std::fmt::Write as _;

use portreeve_harness::Stand;

pub(crate) use spoken::spoken;

/// Requests time out after a moment, so that a hanging server does not hold the test up.
const REQUESTS: &str = "[connectors.contoso.requests]\ntimeout = \"4s\"\n";

pub(crate) async fn stand() -> anyhow::Result<Stand> {
    Stand::builder()
        .inventory("interval = \"1h\"")
        .extra(REQUESTS)
        .start()
        .await
}

/// What a check finds that is not in order, with advice, and how it ends.
pub(crate) async fn advice(stand: &Stand) -> anyhow::Result<String> {
    let output = stand
        .program(&["connector", "check", "contoso", "--timeout", "50"])
        .await?;
    let mut text = String::new();
    let mut shown = false;
    for line in output.stdout.lines() {
        if !line.starts_with(' ') {
            shown = !line.starts_with("passed");
        }
        if shown {
            writeln!(text, "{line}")?;
        }
    }
    if output.stdout.is_empty() {
        text.push_str(&output.stderr);
    }
    writeln!(text, "exit code {:?}", output.code.unwrap_or(-1))?;
    Ok(spoken(&text, stand))
}
