//! `portreeve scep-notify`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::depot::{self, Certificate};
use super::gate;
use super::gateway::{Gateway, Said};
use super::spool::{Spool, Waiting};
use crate::cli::ScepNotify;
use crate::config::Environment;
use crate::output;

/// `E_FAIL`: the SCEP server does not say why it issued nothing.
const NOT_ISSUED: u32 = 0x8000_4005;

/// Tells what became of approved requests: once, again and again, or before each
/// answer of the SCEP server leaves.
pub(in super::super) fn run(
    command: &ScepNotify,
    environment: &dyn Environment,
) -> anyhow::Result<ExitCode> {
    let notifier = Notifier {
        gateway: Gateway::new(&command.gateway, environment)?,
        spool: Spool::open(&command.spool)?,
        depot: command.depot.clone(),
    };
    let wait = Duration::from_secs(command.wait);
    super::super::block_on(async {
        if let (Some(listen), Some(server)) = (command.listen, &command.server) {
            gate::serve(listen, server, notifier).await?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut ticks = tokio::time::interval(Duration::from_secs(command.interval));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let told = notifier.tell(wait, None).await;
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

/// Who tells, of what, and where the certificates are.
pub(super) struct Notifier {
    gateway: Gateway,
    pub(super) spool: Spool,
    depot: PathBuf,
}

impl Notifier {
    /// Looks at every request that waits, and gives how many of those `counted`
    /// were not taken; all of them if there is no such list. A certificate may
    /// take `wait` since the approval.
    pub(super) async fn tell(
        &self,
        wait: Duration,
        counted: Option<&[String]>,
    ) -> anyhow::Result<usize> {
        // First: what was issued for these is in the depot by now.
        let waiting = self.spool.waiting()?;
        if waiting.is_empty() {
            return Ok(0);
        }
        let certificates = depot::certificates(&self.depot)?;
        let mut failed = 0;
        for waiting in &waiting {
            let issued = certificates.iter().find(|certificate| {
                certificate.key == waiting.request.key()
                    && !self.spool.is_marked(&certificate.thumbprint)
            });
            if issued.is_none() && !is_over(waiting, wait) {
                continue;
            }
            let transaction = waiting.request.transaction_id();
            let what = match issued {
                Some(certificate) => format!("certificate {} issued", certificate.thumbprint),
                None => "no certificate issued".to_owned(),
            };
            match self.tell_one(waiting, issued).await? {
                Said::Yes => {
                    let thumbprint = issued.map(|certificate| &*certificate.thumbprint);
                    self.spool.done(waiting, thumbprint)?;
                    output::line(format!("told: {what} (transaction {transaction})"))?;
                }
                Said::Refused(why) | Said::Elsewhere(why) | Said::Failed(why) => {
                    let counts = counted.is_none_or(|counted| counted.contains(&transaction));
                    failed += usize::from(counts);
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

    async fn tell_one(
        &self,
        waiting: &Waiting,
        issued: Option<&Certificate>,
    ) -> anyhow::Result<Said> {
        let (path, told) = match issued {
            Some(certificate) => ("/v1/scep/notify-success", certificate.told()?),
            None => (
                "/v1/scep/notify-failure",
                json!({
                    "code": NOT_ISSUED,
                    "message": "the SCEP server has issued no certificate",
                }),
            ),
        };
        Ok(self.gateway.notify(path, &waiting.request, told).await)
    }
}

fn is_over(waiting: &Waiting, wait: Duration) -> bool {
    let age = SystemTime::now().duration_since(waiting.since);
    wait.is_zero() || age.is_ok_and(|age| age >= wait)
}
