//! `portreeve scep-notify`

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::depot::{self, Certificate};
use super::gateway::{Gateway, Said};
use super::spool::{Spool, Waiting};
use crate::cli::ScepNotify;
use crate::config::Environment;
use crate::output;

/// `E_FAIL`: the SCEP server does not say why it issued nothing.
const NOT_ISSUED: u32 = 0x8000_4005;

/// Tells what became of approved requests, once or again and again.
pub(in super::super) fn run(
    command: &ScepNotify,
    environment: &dyn Environment,
) -> anyhow::Result<ExitCode> {
    let gateway = Gateway::new(&command.gateway, environment)?;
    let spool = Spool::open(&command.spool)?;
    super::super::block_on(async {
        let mut ticks = tokio::time::interval(Duration::from_secs(command.interval));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let told = pass(command, &gateway, &spool).await;
            if command.once {
                return Ok(ExitCode::from(u8::from(told? > 0)));
            }
            // Whatever it is, it is tried again.
            if let Err(error) = told {
                output::failure(&error);
            }
        }
    })?
}

/// Looks at every request that waits; gives how many were not taken.
async fn pass(command: &ScepNotify, gateway: &Gateway, spool: &Spool) -> anyhow::Result<usize> {
    // First: what was issued for these is in the depot by now.
    let waiting = spool.waiting()?;
    if waiting.is_empty() {
        return Ok(0);
    }
    let certificates = depot::certificates(&command.depot)?;
    let wait = Duration::from_secs(command.wait);
    let mut failed = 0;
    for waiting in &waiting {
        let issued = certificates.iter().find(|certificate| {
            certificate.key == waiting.request.key() && !spool.is_marked(&certificate.thumbprint)
        });
        let said = match issued {
            Some(certificate) => tell_issued(gateway, waiting, certificate).await?,
            None if is_over(waiting, wait) => tell_not_issued(gateway, waiting).await,
            None => continue,
        };
        let transaction = waiting.request.transaction_id();
        let what = match issued {
            Some(certificate) => format!("certificate {} issued", certificate.thumbprint),
            None => "no certificate issued".to_owned(),
        };
        match said {
            Said::Yes => {
                let thumbprint = issued.map(|certificate| &*certificate.thumbprint);
                spool.done(waiting, thumbprint)?;
                output::line(format!("told: {what} (transaction {transaction})"))?;
            }
            Said::Refused(why) | Said::Elsewhere(why) | Said::Failed(why) => {
                failed += 1;
                output::note(&format!(
                    "not taken: {what} (transaction {transaction}): {why}"
                ))?;
                if issued.is_some() {
                    output::note("hint: revoke the certificate unless this ends soon")?;
                }
            }
        }
    }
    Ok(failed)
}

async fn tell_issued(
    gateway: &Gateway,
    waiting: &Waiting,
    certificate: &Certificate,
) -> anyhow::Result<Said> {
    let told = certificate.told()?;
    Ok(gateway
        .notify("/v1/scep/notify-success", &waiting.request, told)
        .await)
}

async fn tell_not_issued(gateway: &Gateway, waiting: &Waiting) -> Said {
    let told = json!({
        "code": NOT_ISSUED,
        "message": "the SCEP server has issued no certificate",
    });
    gateway
        .notify("/v1/scep/notify-failure", &waiting.request, told)
        .await
}

fn is_over(waiting: &Waiting, wait: Duration) -> bool {
    let age = SystemTime::now().duration_since(waiting.since);
    age.is_ok_and(|age| age >= wait)
}
