//! Certificate requests: which source vouches for them, and what is kept of it.
//!
//! Only an approval lets a certificate be issued. Whatever else comes back is an
//! error by type, so nobody takes it for one. Every question and every
//! notification leaves an event with the target `audit`; a refusal is a warning
//! there, for it may be an attack.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use portreeve_domain::SourceSet;
use portreeve_domain::scep::{
    Approval, CertificateRequest, Declined, Issued, NotIssued, Revocation, RevocationResult,
};

use crate::fetch::Fetcher;
use crate::{Gateway, SourceError, SourceErrorKind};

/// The longest that a source is waited for. Devices are patient while they
/// enrol, and the first request gets tokens and the place of the service first.
const LONGEST: Duration = Duration::from_secs(30);

/// What a source that vouches for certificate requests can do.
pub trait Vouching: Send + Sync {
    /// Asks whether the challenge in a request is genuine and fits.
    fn validate<'a>(
        &'a self,
        request: &'a CertificateRequest,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Approval, ScepError>>;

    /// Reports an issued certificate.
    fn notify_issued<'a>(
        &'a self,
        request: &'a CertificateRequest,
        issued: &'a Issued,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(), ScepError>>;

    /// Reports that none was issued.
    fn notify_not_issued<'a>(
        &'a self,
        request: &'a CertificateRequest,
        failed: &'a NotIssued,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(), ScepError>>;

    /// The certificates that are to be revoked, `limit` at most.
    fn revocations<'a>(
        &'a self,
        limit: u32,
        issuer: Option<&'a str>,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<Revocation>, ScepError>>;

    /// Reports what became of revocations.
    fn report_revocations<'a>(
        &'a self,
        results: &'a [RevocationResult],
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(), ScepError>>;
}

/// Something about certificates that was not done. Whatever it is, no
/// certificate may be issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScepError {
    /// It is not to be.
    #[error(transparent)]
    Declined(#[from] Declined),
    /// Nothing is known.
    #[error(transparent)]
    Failed(#[from] SourceError),
}

impl ScepError {
    /// The word for it in the log.
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Declined(Declined::Argument(_)) => "bad-argument",
            Self::Declined(Declined::Elsewhere(_)) => "elsewhere",
            Self::Declined(Declined::Refused(_)) => "refused",
            Self::Failed(_) => "failed",
        }
    }
}

/// No source could be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoVouching {
    /// None does that.
    #[error("no connector answers for certificate requests")]
    None,
    /// Several do, and none was named.
    #[error("several connectors answer for certificate requests ({0}); name one")]
    Several(String),
    /// The named one is not there, or does not do that.
    #[error("there is no connector `{0}` that answers for certificate requests")]
    Unknown(String),
}

/// Who asks, and which of several sources is meant.
#[derive(Clone, Copy, Debug)]
pub struct ScepAsker<'a> {
    /// The client, for the log.
    pub client: &'a str,
    /// The sources that it may see.
    pub sources: SourceSet,
    /// The one that it names.
    pub connector: Option<&'a str>,
}

/// One source that vouches for certificate requests.
#[derive(Debug)]
pub struct ScepSource {
    fetcher: Arc<Fetcher>,
    client: String,
}

impl Gateway {
    /// The source that is named, or the only one that vouches for certificate
    /// requests.
    ///
    /// # Errors
    ///
    /// When there is none, or which one is meant cannot be told.
    pub fn scep(&self, asker: ScepAsker<'_>) -> Result<ScepSource, NoVouching> {
        let sources = Arc::clone(&self.rules.load().sources);
        let mut vouching = sources.asked().iter().filter(|fetcher| {
            asker.sources.contains(fetcher.place()) && fetcher.vouching().is_some()
        });
        let fetcher = if let Some(name) = asker.connector {
            vouching
                .find(|fetcher| **fetcher.name() == *name)
                .ok_or_else(|| NoVouching::Unknown(name.to_owned()))?
        } else {
            let first = vouching.next().ok_or(NoVouching::None)?;
            let others: Vec<String> = vouching.map(|it| format!("`{}`", it.name())).collect();
            if !others.is_empty() {
                let others = others.join(", ");
                return Err(NoVouching::Several(format!("`{}`, {others}", first.name())));
            }
            first
        };
        Ok(ScepSource {
            fetcher: Arc::clone(fetcher),
            client: asker.client.to_owned(),
        })
    }
}

impl ScepSource {
    /// Its configured name.
    pub fn name(&self) -> &Arc<str> {
        self.fetcher.name()
    }

    /// Asks whether a certificate may be issued.
    pub async fn validate(&self, request: &CertificateRequest) -> Result<Approval, ScepError> {
        let answered = self
            .within(|vouching, deadline| vouching.validate(request, deadline))
            .await;
        self.audit(
            "validate",
            request.transaction_id(),
            answered.as_ref().err(),
        );
        answered
    }

    /// Reports an issued certificate.
    pub async fn notify_issued(
        &self,
        request: &CertificateRequest,
        issued: &Issued,
    ) -> Result<(), ScepError> {
        let answered = self
            .within(|vouching, deadline| vouching.notify_issued(request, issued, deadline))
            .await;
        let failed = answered.as_ref().err();
        self.audit("notify-success", request.transaction_id(), failed);
        answered
    }

    /// Reports that no certificate was issued.
    pub async fn notify_not_issued(
        &self,
        request: &CertificateRequest,
        failed: &NotIssued,
    ) -> Result<(), ScepError> {
        let answered = self
            .within(|vouching, deadline| vouching.notify_not_issued(request, failed, deadline))
            .await;
        let failed = answered.as_ref().err();
        self.audit("notify-failure", request.transaction_id(), failed);
        answered
    }

    /// The certificates that are to be revoked, `limit` at most.
    pub async fn revocations(
        &self,
        transaction: &str,
        limit: u32,
        issuer: Option<&str>,
    ) -> Result<Vec<Revocation>, ScepError> {
        let answered = self
            .within(|vouching, deadline| vouching.revocations(limit, issuer, deadline))
            .await;
        self.audit("revocations", transaction, answered.as_ref().err());
        answered
    }

    /// Reports what became of revocations.
    pub async fn report_revocations(
        &self,
        transaction: &str,
        results: &[RevocationResult],
    ) -> Result<(), ScepError> {
        let answered = self
            .within(|vouching, deadline| vouching.report_revocations(results, deadline))
            .await;
        self.audit("revocation-results", transaction, answered.as_ref().err());
        answered
    }

    async fn within<'a, T>(
        &'a self,
        call: impl FnOnce(&'a dyn Vouching, Instant) -> BoxFuture<'a, Result<T, ScepError>>,
    ) -> Result<T, ScepError> {
        let Some(vouching) = self.fetcher.vouching() else {
            return Err(failed(
                SourceErrorKind::Misconfigured,
                "the connector does not answer for certificate requests".to_owned(),
            ));
        };
        let deadline = Instant::now() + LONGEST;
        tokio::time::timeout_at(deadline.into(), call(vouching, deadline))
            .await
            .unwrap_or_else(|_| {
                let message = format!("no answer within {} s", LONGEST.as_secs());
                Err(failed(SourceErrorKind::Timeout, message))
            })
    }

    /// Leaves an event. The transaction joins it with the logs of the SCEP
    /// server, the source and the management system.
    fn audit(&self, operation: &'static str, transaction: &str, error: Option<&ScepError>) {
        let (client, source) = (&*self.client, &**self.name());
        match error {
            None => tracing::info!(
                target: "audit",
                client,
                source,
                operation,
                transaction,
                outcome = "done",
                "a certificate request"
            ),
            Some(ScepError::Declined(Declined::Refused(refusal))) => tracing::warn!(
                target: "audit",
                client,
                source,
                operation,
                transaction,
                outcome = "refused",
                code = refusal.code,
                detail = refusal.message,
                "a certificate request was refused, which may be an attack"
            ),
            Some(error) => tracing::warn!(
                target: "audit",
                client,
                source,
                operation,
                transaction,
                outcome = error.as_str(),
                detail = %error,
                "a certificate request came to nothing"
            ),
        }
    }
}

fn failed(kind: SourceErrorKind, message: String) -> ScepError {
    ScepError::Failed(SourceError {
        kind,
        message,
        retry_after: None,
    })
}
