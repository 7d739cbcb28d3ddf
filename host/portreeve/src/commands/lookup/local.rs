//! Asking the configuration's own connectors and policies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_domain::{Connection, Identifier, Question};
use portreeve_faces::AnswerView;
use portreeve_gateway::Gateway;
use prometheus::Registry;
use serde_json::Value;

use crate::assemble;
use crate::config::Config;

/// The answer as the REST face would give it, and how long it took.
pub(super) async fn ask(
    config: &Config,
    identifiers: Vec<Identifier>,
    timeout: Duration,
) -> anyhow::Result<(Value, Duration)> {
    let runtime = assemble::runtime(config)?;
    let parts = assemble::parts(config, &runtime, None).await?;
    let kept = assemble::memory(config, None)?;
    let settings = assemble::gateway_settings(config, parts, &kept, None);
    let gateway = Gateway::new(settings, &Registry::new())?;
    let connection = Connection {
        client: "command-line".into(),
        ..Connection::default()
    };
    let question = Question::new(identifiers, Arc::new(connection), timeout);
    let begun = Instant::now();
    let answered = gateway.answer(&question).await;
    let elapsed = begun.elapsed();
    Ok((serde_json::to_value(AnswerView(&answered.answer))?, elapsed))
}
