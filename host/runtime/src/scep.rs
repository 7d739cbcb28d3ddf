//! Certificate requests: whether a source vouches for them, and what became of
//! them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_domain::scep::{
    Approval, CertificateRequest, Declined, Issued, NotIssued, Revocation, RevocationResult,
};

use crate::connector::Connector;
use crate::error::CallError;
use crate::limits::Limits;
use crate::status::InstanceStatus;

/// Longest time of one call, waiting included. A device waits for its
/// certificate longer than a port does for an answer, and the first call gets
/// two tokens and the place of the service before it asks.
const WALL_CLOCK: Duration = Duration::from_secs(30);

/// Calls under way at the same time.
const CONCURRENT_CALLS: usize = 8;

/// Bytes that are handed over at once: 500 revocations have less.
const HANDOVER: usize = 4 << 20;

/// Something about certificates that a source did not do. Whatever it is, no
/// certificate may be issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScepError {
    /// It is not to be.
    #[error(transparent)]
    Declined(#[from] Declined),
    /// Nothing is known.
    #[error(transparent)]
    Failed(#[from] CallError),
}

/// What a call comes to inside.
pub(crate) type Answered<T> = Result<Result<T, Declined>, CallError>;

pub(crate) fn scep_limits(limits: &Limits) -> Limits {
    Limits {
        wall_clock: limits.wall_clock.max(WALL_CLOCK),
        concurrent_calls: CONCURRENT_CALLS,
        handover: HANDOVER,
        ..limits.clone()
    }
}

impl Connector {
    /// Whether the plugin answers for certificate requests.
    pub fn has_scep(&self) -> bool {
        self.inner.start.pre.scep.is_some()
    }

    /// Whether it names certificates that are to be revoked.
    pub fn has_revocations(&self) -> bool {
        let scep = self.inner.start.pre.scep.as_ref();
        scep.is_some_and(|scep| scep.revocations.is_some())
    }

    /// Asks whether the challenge in a request is genuine and fits.
    pub async fn validate_request(
        &self,
        request: &CertificateRequest,
        deadline: Instant,
    ) -> Result<Approval, ScepError> {
        let (inner, request) = (Arc::clone(&self.inner), request.clone());
        let call = async move {
            let guard = &inner.scep_guard;
            inner
                .start
                .validate_request(guard, &request, deadline)
                .await
        };
        Ok(self.inner.shared.workers.run(call).await??)
    }

    /// Reports an issued certificate. May be repeated.
    pub async fn notify_issued(
        &self,
        request: &CertificateRequest,
        issued: &Issued,
        deadline: Instant,
    ) -> Result<(), ScepError> {
        let (inner, request, issued) = (Arc::clone(&self.inner), request.clone(), issued.clone());
        let call = async move {
            let guard = &inner.scep_guard;
            let start = &inner.start;
            start
                .notify_issued(guard, &request, &issued, deadline)
                .await
        };
        Ok(self.inner.shared.workers.run(call).await??)
    }

    /// Reports that no certificate was issued. May be repeated.
    pub async fn notify_not_issued(
        &self,
        request: &CertificateRequest,
        failed: &NotIssued,
        deadline: Instant,
    ) -> Result<(), ScepError> {
        let (inner, request, failed) = (Arc::clone(&self.inner), request.clone(), failed.clone());
        let call = async move {
            let guard = &inner.scep_guard;
            let start = &inner.start;
            start
                .notify_not_issued(guard, &request, &failed, deadline)
                .await
        };
        Ok(self.inner.shared.workers.run(call).await??)
    }

    /// The certificates that are to be revoked, `limit` at most; of one issuer
    /// if it is named.
    pub async fn revocations(
        &self,
        limit: u32,
        issuer: Option<&str>,
        deadline: Instant,
    ) -> Result<Vec<Revocation>, ScepError> {
        let (inner, issuer) = (Arc::clone(&self.inner), issuer.map(str::to_owned));
        let call = async move {
            let guard = &inner.scep_guard;
            let start = &inner.start;
            start
                .revocations(guard, limit, issuer.as_deref(), deadline)
                .await
        };
        Ok(self.inner.shared.workers.run(call).await??)
    }

    /// Reports what became of revocations. May be repeated.
    pub async fn report_revocations(
        &self,
        results: &[RevocationResult],
        deadline: Instant,
    ) -> Result<(), ScepError> {
        let (inner, results) = (Arc::clone(&self.inner), results.to_vec());
        let call = async move {
            let guard = &inner.scep_guard;
            let start = &inner.start;
            start.report_revocations(guard, &results, deadline).await
        };
        Ok(self.inner.shared.workers.run(call).await??)
    }

    /// How it is doing with certificate requests, which have a breaker of their
    /// own.
    pub fn scep_status(&self) -> InstanceStatus {
        self.inner.scep_guard.status()
    }
}
