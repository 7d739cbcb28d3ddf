//! REST: one question, a question with everything, a batch.

use anyhow::{Context as _, bail};
use portreeve_harness::{REST_KEY, member};
use serde_json::{Value, json};

use crate::asker::{Asker, Named, Said, json};

pub(crate) async fn device(asker: &Asker, named: &Named) -> anyhow::Result<Said> {
    let request = asker.get(&format!("/v1/devices/{}", named.mac));
    let (status, body) = json(request.bearer_auth(REST_KEY)).await?;
    let said = of(&body)?;
    let expected = match said {
        Said::Permit | Said::NotPermit => 200,
        Said::Unknown => 404,
        Said::CannotTell => 503,
    };
    anyhow::ensure!(status == expected, "{status}: {body}");
    Ok(said)
}

pub(crate) async fn decision(asker: &Asker, named: &Named) -> anyhow::Result<Said> {
    let request = asker.post("/v1/decisions").bearer_auth(REST_KEY);
    let (_, body) = json(request.json(&question(named))).await?;
    of(&body)
}

pub(crate) async fn batch(asker: &Asker, named: &Named) -> anyhow::Result<Said> {
    let request = asker.post("/v1/decisions/batch").bearer_auth(REST_KEY);
    let (status, body) = json(request.json(&json!({ "questions": [question(named)] }))).await?;
    anyhow::ensure!(status == 200, "{status}: {body}");
    let answers = member(&body, "answers");
    of(answers.get(0).with_context(|| body.to_string())?)
}

fn question(named: &Named) -> Value {
    let texts: Vec<&str> = [Some(&named.mac), named.guid.as_ref()]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    json!({ "identifiers": texts })
}

fn of(answer: &Value) -> anyhow::Result<Said> {
    let absence = member(answer, "absence").as_str();
    Ok(match (member(answer, "verdict").as_str(), absence) {
        (Some("cannot-tell"), _) => Said::CannotTell,
        (Some("deny"), Some("unknown-device")) => Said::Unknown,
        (Some("permit"), _) => Said::Permit,
        (Some("restrict" | "deny"), _) => Said::NotPermit,
        _ => bail!("{answer}"),
    })
}
