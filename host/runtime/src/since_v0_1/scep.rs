//! A connector's word on certificate requests: how it is called and what its
//! answers may hold.

use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_domain::scep::{
    Approval, CertificateRequest, Declined, Issued, NotIssued, Refusal, Revocation,
    RevocationResult,
};
use wasmtime::Store;

use super::bindings::connector::portreeve::connector::types;
use super::bindings::scep::exports::portreeve::scep::{requests, revocations};
use super::connector::{ConnectorData, ConnectorStart};
use super::device::id_from_wit;
use crate::error::{CallError, SettingsProblem};
use crate::guarded::{Guard, Start};
use crate::limits::Limits;
use crate::scep::Answered;

/// Bytes of a code.
const LONGEST_CODE: usize = 128;

/// Identifiers in one approval.
const MOST_IDS: usize = 32;

/// Bytes of what is given back with the result of a revocation.
const LONGEST_CONTEXT: usize = 8 << 10;

/// How an error `other` begins that says: the management system refused. The
/// interface has no refusal for notifications.
const REFUSED: &str = "refused ";

/// How an error `other` begins that says: an argument cannot be right.
const ARGUMENT: &str = "argument ";

/// The typed exports of a running connector that answers for requests.
pub(crate) struct ScepGuest {
    requests: requests::Guest,
    revocations: Option<revocations::Guest>,
}

impl Start<ConnectorData, ScepGuest> for ConnectorStart {
    fn store(&self, limits: &Limits) -> Store<ConnectorData> {
        self.new_store(limits)
    }

    fn instantiate<'a>(
        &'a self,
        store: &'a mut Store<ConnectorData>,
    ) -> BoxFuture<'a, wasmtime::Result<ScepGuest>> {
        async move {
            let Some(indices) = &self.pre.scep else {
                return Err(wasmtime::format_err!("there is no `portreeve:scep`"));
            };
            let instance_pre = self.pre.connector.instance_pre();
            let instance = instance_pre.instantiate_async(&mut *store).await?;
            let revocations = indices.revocations.as_ref();
            Ok(ScepGuest {
                revocations: revocations
                    .map(|indices| indices.load(&mut *store, &instance))
                    .transpose()?,
                requests: indices.requests.load(&mut *store, &instance)?,
            })
        }
        .boxed()
    }

    fn validate<'a>(
        &'a self,
        store: &'a mut Store<ConnectorData>,
    ) -> BoxFuture<'a, wasmtime::Result<Vec<SettingsProblem>>> {
        self.validate_offline(store)
    }
}

type ScepGuard = Guard<ConnectorData, ScepGuest>;

impl ConnectorStart {
    pub(crate) async fn validate_request(
        &self,
        guard: &ScepGuard,
        request: &CertificateRequest,
        deadline: Instant,
    ) -> Answered<Approval> {
        self.expect_scep()?;
        let request = request_to_wit(request);
        guard
            .call(
                Some(deadline),
                self,
                |live| {
                    async move {
                        let requests = &live.bindings.requests;
                        requests.call_validate(&mut live.store, &request).await
                    }
                    .boxed()
                },
                |verdict| self.validation(verdict),
            )
            .await
    }

    pub(crate) async fn notify_issued(
        &self,
        guard: &ScepGuard,
        request: &CertificateRequest,
        issued: &Issued,
        deadline: Instant,
    ) -> Answered<()> {
        self.expect_scep()?;
        let request = request_to_wit(request);
        let issued = requests::Issued {
            thumbprint: issued.thumbprint().to_owned(),
            serial: issued.serial().to_owned(),
            expires_at: issued.expires_at.as_millis(),
            issuer: issued.issuer().to_owned(),
            ca_configuration: issued.ca_configuration.clone(),
            certificate_authority: issued.certificate_authority.clone(),
        };
        guard
            .call(
                Some(deadline),
                self,
                |live| {
                    async move {
                        let requests = &live.bindings.requests;
                        requests
                            .call_notify_success(&mut live.store, &request, &issued)
                            .await
                    }
                    .boxed()
                },
                |taken| taken.map_or_else(|error| self.declined(error), |()| Ok(Ok(()))),
            )
            .await
    }

    pub(crate) async fn notify_not_issued(
        &self,
        guard: &ScepGuard,
        request: &CertificateRequest,
        failed: &NotIssued,
        deadline: Instant,
    ) -> Answered<()> {
        self.expect_scep()?;
        let request = request_to_wit(request);
        let failed = requests::Failed {
            code: failed.code,
            message: failed.message().to_owned(),
        };
        guard
            .call(
                Some(deadline),
                self,
                |live| {
                    async move {
                        let requests = &live.bindings.requests;
                        requests
                            .call_notify_failure(&mut live.store, &request, &failed)
                            .await
                    }
                    .boxed()
                },
                |taken| taken.map_or_else(|error| self.declined(error), |()| Ok(Ok(()))),
            )
            .await
    }

    pub(crate) async fn revocations(
        &self,
        guard: &ScepGuard,
        limit: u32,
        issuer: Option<&str>,
        deadline: Instant,
    ) -> Answered<Vec<Revocation>> {
        self.expect_scep()?;
        let issuer = issuer.map(str::to_owned);
        guard
            .call(
                Some(deadline),
                self,
                |live| {
                    async move {
                        let Some(revocations) = &live.bindings.revocations else {
                            return Ok(Err(no_revocations()));
                        };
                        let issuer = issuer.as_deref();
                        revocations
                            .call_pending(&mut live.store, limit, issuer)
                            .await
                    }
                    .boxed()
                },
                |pending| match pending {
                    Ok(pending) => self.pending(pending, limit).map(Ok),
                    Err(error) => self.declined(error),
                },
            )
            .await
    }

    pub(crate) async fn report_revocations(
        &self,
        guard: &ScepGuard,
        results: &[RevocationResult],
        deadline: Instant,
    ) -> Answered<()> {
        self.expect_scep()?;
        let outcomes: Vec<_> = results
            .iter()
            .map(|result| revocations::Outcome {
                context: result.context().to_owned(),
                succeeded: result.succeeded(),
                code: result.code(),
                message: result.message().map(str::to_owned),
            })
            .collect();
        guard
            .call(
                Some(deadline),
                self,
                |live| {
                    async move {
                        let Some(revocations) = &live.bindings.revocations else {
                            return Ok(Err(no_revocations()));
                        };
                        revocations.call_report(&mut live.store, &outcomes).await
                    }
                    .boxed()
                },
                |taken| taken.map_or_else(|error| self.declined(error), |()| Ok(Ok(()))),
            )
            .await
    }

    fn expect_scep(&self) -> Result<(), CallError> {
        if self.pre.scep.is_some() {
            return Ok(());
        }
        let what = "the connector does not answer for certificate requests";
        Err(CallError::Unsupported(what.to_owned()))
    }

    fn validation(&self, verdict: Result<requests::Verdict, types::Error>) -> Answered<Approval> {
        match verdict {
            Ok(requests::Verdict::Approved(approval)) => {
                if approval.ids.len() > MOST_IDS {
                    let what = format!("an approval has more than {MOST_IDS} identifiers");
                    return Err(CallError::LimitHit(what));
                }
                // Who cannot be named was approved all the same.
                let ids = approval.ids.iter().filter_map(|id| id_from_wit(id).ok());
                Ok(Ok(Approval {
                    ids: ids.collect(),
                    user: approval.user.map(|user| self.text(&user)),
                }))
            }
            Ok(requests::Verdict::Refused(refusal)) => {
                let code = self.code(&refusal.code);
                let message = self.text(&refusal.message);
                Ok(Err(Refusal { code, message }.into()))
            }
            Err(error) => self.declined(error),
        }
    }

    /// Whether an error says that something is not to be, or that nothing is
    /// known.
    fn declined<T>(&self, error: types::Error) -> Answered<T> {
        let declined = match &error {
            types::Error::Unsupported(text) => Declined::Elsewhere(self.text(text)),
            types::Error::Other(text) => {
                if let Some(refusal) = text.strip_prefix(REFUSED) {
                    let (code, message) = refusal.split_once(": ").unwrap_or((refusal, ""));
                    let code = self.code(code);
                    let message = self.text(message);
                    Declined::Refused(Refusal { code, message })
                } else if let Some(argument) = text.strip_prefix(ARGUMENT) {
                    Declined::Argument(self.text(argument))
                } else {
                    return Err(self.error(error));
                }
            }
            _ => return Err(self.error(error)),
        };
        Ok(Err(declined))
    }

    fn code(&self, code: &str) -> String {
        let code = self.common.log.presentable(code, LONGEST_CODE);
        if code.is_empty() {
            "Unknown".to_owned()
        } else {
            code
        }
    }

    fn pending(
        &self,
        pending: Vec<revocations::Revocation>,
        limit: u32,
    ) -> Result<Vec<Revocation>, CallError> {
        let over = |what: String| Err(CallError::LimitHit(what));
        if pending.len() > usize::try_from(limit).unwrap_or(usize::MAX) {
            return over(format!(
                "{} revocations where {limit} were asked for",
                pending.len()
            ));
        }
        if pending.iter().any(|it| it.context.len() > LONGEST_CONTEXT) {
            return over(format!("a context has more than {LONGEST_CONTEXT} bytes"));
        }
        let told = pending.into_iter().map(|revocation| Revocation {
            // Not for people: it goes back as it is.
            context: revocation.context,
            serial: self.text(&revocation.serial),
            issuer: revocation.issuer.map(|text| self.text(&text)),
            ca_configuration: revocation.ca_configuration.map(|text| self.text(&text)),
        });
        Ok(told.collect())
    }
}

fn request_to_wit(request: &CertificateRequest) -> requests::Request {
    requests::Request {
        transaction_id: request.transaction_id().to_owned(),
        csr: request.csr().to_vec(),
    }
}

fn no_revocations() -> types::Error {
    types::Error::Unsupported("the connector names no certificates to be revoked".to_owned())
}
