//! `portreeve scep-verifier`

use std::io::Read as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::oneshot;

use super::gateway::{Gateway, Said};
use super::request::{LARGEST, Request};
use super::spool::Spool;
use crate::cli::ScepVerifier;
use crate::config::Environment;
use crate::output;

/// How long the SCEP server may take to hand a request over.
const HANDOVER: Duration = Duration::from_secs(10);

/// Asks about the request on stdin. Only 0 lets a certificate be issued.
pub(in super::super) fn run(
    command: &ScepVerifier,
    environment: &dyn Environment,
) -> anyhow::Result<ExitCode> {
    let gateway = Gateway::new(&command.gateway, environment)?;
    let spool = command.spool.as_deref().map(Spool::open).transpose()?;
    super::super::block_on(async {
        let request = Request::read(&handed_over().await?)?;
        let said = gateway.validate(&request).await;
        let (code, why) = match said {
            Said::Yes => {
                // What is not kept here is never told, so it is no yes.
                if let Some(spool) = &spool {
                    spool.keep(&request)?;
                }
                return Ok(ExitCode::SUCCESS);
            }
            Said::Refused(why) => (3, why),
            Said::Elsewhere(why) => (4, why),
            Said::Failed(why) => (1, why),
        };
        let transaction = request.transaction_id();
        output::note(&format!(
            "no certificate may be issued (transaction {transaction}): {why}"
        ))?;
        Ok(ExitCode::from(code))
    })?
}

/// All of stdin. Read by a thread of its own that nobody waits for: it may
/// never end.
async fn handed_over() -> anyhow::Result<Vec<u8>> {
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            let mut bytes = Vec::new();
            let most = u64::try_from(LARGEST).unwrap_or(u64::MAX) + 1;
            let read = std::io::stdin().lock().take(most).read_to_end(&mut bytes);
            let _ = tell.send(read.map(|_| bytes));
        })?;
    let bytes = tokio::time::timeout(HANDOVER, told)
        .await
        .with_context(|| format!("no request on stdin within {} s", HANDOVER.as_secs()))??;
    bytes.context("cannot read stdin")
}
