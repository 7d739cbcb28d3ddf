//! Loaded plugins as sources and evaluators.
//!
//! The pipeline's own words on one side, the runtime's on the other; nothing
//! else is translated here.

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_domain::scep::{
    Approval, CertificateRequest, Issued, NotIssued, Revocation, RevocationResult,
};
use portreeve_domain::{ActionKind, Identifier, Subject};
use portreeve_runtime::{
    BreakerState, CallError, Connector, InstanceStatus, LookupOutcome, Policy, Report,
    ReportVerdict, TicketState,
};

use crate::{Action, ActionFailure, ActionState, ActionTicket, PossibleAction};
use crate::{
    CheckFinding, CheckReport, CheckVerdict, Evaluation, Evaluator, Health, InventoryError,
    InventoryPage, Lookup, PolicyError, ScepError, Source, SourceError, SourceErrorKind, Vouching,
};

impl Source for Connector {
    fn find<'a>(
        &'a self,
        identifiers: &'a [Identifier],
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Lookup, SourceError>> {
        async move {
            match Connector::find(self, identifiers, deadline).await {
                Ok(LookupOutcome::Found(device)) => Ok(Lookup::Found(device)),
                Ok(LookupOutcome::Unknown) => Ok(Lookup::Unknown),
                Ok(LookupOutcome::Ambiguous(_)) => Ok(Lookup::Ambiguous),
                Err(error) => Err(source_error(&error)),
            }
        }
        .boxed()
    }

    fn has_inventory(&self) -> bool {
        Connector::has_inventory(self)
    }

    fn next_page<'a>(
        &'a self,
        cursor: Option<&'a str>,
        limit: u32,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<InventoryPage, InventoryError>> {
        async move {
            let page = Connector::next_page(self, cursor, limit, deadline).await;
            page.map(inventory_page)
                .map_err(|error| inventory_error(&error))
        }
        .boxed()
    }

    fn has_actions(&self) -> bool {
        Connector::has_actions(self)
    }

    fn possible_actions<'a>(
        &'a self,
        key: &'a str,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<PossibleAction>, SourceError>> {
        async move {
            let names = Connector::supported_actions(self, key, deadline).await;
            let names = names.map_err(|error| source_error(&error))?;
            Ok(names.into_iter().map(possible_action).collect())
        }
        .boxed()
    }

    fn act<'a>(
        &'a self,
        key: &'a str,
        action: &'a Action,
        once: &'a str,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<ActionTicket, ActionFailure>> {
        async move {
            let action = action_of(action);
            let started = Connector::start_action(self, key, action, once, deadline).await;
            started.map(ticket).map_err(|error| action_failure(&error))
        }
        .boxed()
    }

    fn action_status<'a>(
        &'a self,
        key: &'a str,
        asked: &'a str,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<ActionTicket, ActionFailure>> {
        async move {
            let status = Connector::action_status(self, key, asked, deadline).await;
            status.map(ticket).map_err(|error| action_failure(&error))
        }
        .boxed()
    }

    fn check(&self, deadline: Instant) -> BoxFuture<'_, CheckReport> {
        async move {
            match Connector::check(self, deadline).await {
                Ok(report) => check_report(report),
                Err(error) => CheckReport {
                    findings: vec![CheckFinding {
                        subject: "plugin".to_owned(),
                        verdict: CheckVerdict::Failed,
                        code: Some("plugin-failed".to_owned()),
                        message: error.to_string(),
                        hint: None,
                    }],
                },
            }
        }
        .boxed()
    }

    fn discovered(&self) -> Vec<String> {
        Connector::discovered(self)
    }

    fn vouching(&self) -> Option<&dyn Vouching> {
        self.has_scep().then_some(self)
    }

    fn health(&self) -> Health {
        health(&self.status())
    }
}

impl Vouching for Connector {
    fn validate<'a>(
        &'a self,
        request: &'a CertificateRequest,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Approval, ScepError>> {
        async move {
            let answered = self.validate_request(request, deadline).await;
            answered.map_err(scep_error)
        }
        .boxed()
    }

    fn notify_issued<'a>(
        &'a self,
        request: &'a CertificateRequest,
        issued: &'a Issued,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(), ScepError>> {
        async move {
            let answered = Connector::notify_issued(self, request, issued, deadline).await;
            answered.map_err(scep_error)
        }
        .boxed()
    }

    fn notify_not_issued<'a>(
        &'a self,
        request: &'a CertificateRequest,
        failed: &'a NotIssued,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(), ScepError>> {
        async move {
            let answered = Connector::notify_not_issued(self, request, failed, deadline).await;
            answered.map_err(scep_error)
        }
        .boxed()
    }

    fn revocations<'a>(
        &'a self,
        limit: u32,
        issuer: Option<&'a str>,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<Revocation>, ScepError>> {
        async move {
            let answered = Connector::revocations(self, limit, issuer, deadline).await;
            answered.map_err(scep_error)
        }
        .boxed()
    }

    fn report_revocations<'a>(
        &'a self,
        results: &'a [RevocationResult],
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(), ScepError>> {
        async move {
            let answered = Connector::report_revocations(self, results, deadline).await;
            answered.map_err(scep_error)
        }
        .boxed()
    }
}

impl Evaluator for Policy {
    fn evaluate(&self, subject: Arc<Subject>) -> BoxFuture<'_, Result<Evaluation, PolicyError>> {
        async move {
            let evaluation = Policy::evaluate(self, subject).await;
            let evaluation = evaluation.map_err(|error| PolicyError(error.to_string()))?;
            Ok(Evaluation {
                decision: evaluation.decision,
                facts_read: evaluation.facts_read,
            })
        }
        .boxed()
    }

    fn health(&self) -> Health {
        health(&self.status())
    }
}

fn inventory_page(page: portreeve_runtime::InventoryPage) -> InventoryPage {
    InventoryPage {
        upserts: page.upserts,
        removals: page.removals,
        cursor: page.cursor,
        more: page.more,
        total: page.total,
        unusable: page.unusable,
    }
}

fn inventory_error(error: &portreeve_runtime::InventoryError) -> InventoryError {
    match error {
        portreeve_runtime::InventoryError::CursorExpired => InventoryError::CursorExpired,
        portreeve_runtime::InventoryError::Failed(error) => {
            InventoryError::Failed(source_error(error))
        }
    }
}

/// An action with arguments goes under its own name, for the connectors' words
/// have none but a text.
fn action_of(action: &Action) -> portreeve_runtime::Action {
    use portreeve_runtime::Action as Told;

    let other = |arguments: &str| Told::Other {
        name: action.kind().name().to_owned(),
        arguments: arguments.to_owned(),
    };
    match (action.kind(), action.arguments()) {
        (ActionKind::Notify, Some(arguments)) => match body_alone(arguments) {
            Some(body) => Told::Notify(body),
            None => other(arguments),
        },
        (_, Some(arguments)) => other(arguments),
        (ActionKind::Sync, None) => Told::Sync,
        (ActionKind::Lock, None) => Told::Lock,
        (ActionKind::Retire, None) => Told::Retire,
        (ActionKind::Wipe, None) => Told::Wipe,
        (ActionKind::Notify, None) => Told::Notify(String::new()),
        (ActionKind::Other(_), None) => other("{}"),
    }
}

/// The text of a message without a title.
fn body_alone(arguments: &str) -> Option<String> {
    let arguments: serde_json::Value = serde_json::from_str(arguments).ok()?;
    let body = arguments.get("body")?.as_str()?;
    let alone = arguments.get("title").is_none();
    alone.then(|| body.to_owned())
}

fn ticket(told: portreeve_runtime::ActionTicket) -> ActionTicket {
    ActionTicket {
        key: told.key.map(Into::into),
        state: match told.state {
            TicketState::Pending => ActionState::Pending,
            TicketState::Done => ActionState::Done,
            TicketState::Refused => ActionState::Refused,
            TicketState::Failed => ActionState::Failed,
        },
        detail: told.detail.map(Into::into),
    }
}

fn action_failure(error: &CallError) -> ActionFailure {
    match error {
        CallError::Unsupported(detail) => ActionFailure::NotSupported(detail.clone()),
        error => ActionFailure::Failed(source_error(error)),
    }
}

/// `name`, or `name: why not now`.
fn possible_action(told: String) -> PossibleAction {
    match told.split_once(": ") {
        Some((name, obstacle)) => PossibleAction {
            name: name.to_owned(),
            obstacle: Some(obstacle.to_owned()),
        },
        None => PossibleAction {
            name: told,
            obstacle: None,
        },
    }
}

fn scep_error(error: portreeve_runtime::ScepError) -> ScepError {
    match error {
        portreeve_runtime::ScepError::Declined(declined) => ScepError::Declined(declined),
        portreeve_runtime::ScepError::Failed(error) => ScepError::Failed(source_error(&error)),
    }
}

fn source_error(error: &CallError) -> SourceError {
    use SourceErrorKind as Kind;

    let kind = match error {
        CallError::Misconfigured(_)
        | CallError::Unauthenticated(_)
        | CallError::Forbidden(_)
        | CallError::Unsupported(_)
        | CallError::MissingFact(_) => Kind::Misconfigured,
        CallError::RateLimited(_) => Kind::RateLimited,
        CallError::Unavailable(_) | CallError::Other(_) | CallError::Busy | CallError::PoolFull => {
            Kind::Unavailable
        }
        CallError::Timeout => Kind::Timeout,
        CallError::BadResponse(_) => Kind::BadResponse,
        CallError::Trap(_)
        | CallError::OutOfTime
        | CallError::OutOfMemory { .. }
        | CallError::LimitHit(_)
        | CallError::BreakerOpen { .. } => Kind::PluginFault,
    };
    let retry_after = match error {
        CallError::RateLimited(delay) => *delay,
        CallError::BreakerOpen { retry_after } => Some(*retry_after),
        _ => None,
    };
    SourceError {
        kind,
        message: error.to_string(),
        retry_after,
    }
}

fn check_report(report: Report) -> CheckReport {
    let findings = report.findings.into_iter().map(|finding| CheckFinding {
        subject: finding.subject,
        verdict: match finding.verdict {
            ReportVerdict::Passed => CheckVerdict::Passed,
            ReportVerdict::Degraded => CheckVerdict::Degraded,
            ReportVerdict::Failed => CheckVerdict::Failed,
        },
        code: finding.code,
        message: finding.message,
        hint: finding.hint,
    });
    CheckReport {
        findings: findings.collect(),
    }
}

fn health(status: &InstanceStatus) -> Health {
    match status.breaker {
        BreakerState::Closed => Health::Ok,
        _ => Health::Failing(match &status.last_fault {
            Some(fault) => fault.to_string(),
            None => "the plugin failed too often".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_failure_is_never_an_answer_and_keeps_its_class() {
        for (error, kind, retry_after) in [
            (
                CallError::Forbidden("role".into()),
                SourceErrorKind::Misconfigured,
                None,
            ),
            (
                CallError::RateLimited(Some(Duration::from_secs(2))),
                SourceErrorKind::RateLimited,
                Some(Duration::from_secs(2)),
            ),
            (CallError::PoolFull, SourceErrorKind::Unavailable, None),
            (CallError::Timeout, SourceErrorKind::Timeout, None),
            (
                CallError::Trap("unreachable".into()),
                SourceErrorKind::PluginFault,
                None,
            ),
        ] {
            let translated = source_error(&error);
            assert_eq!(
                (translated.kind, translated.retry_after),
                (kind, retry_after)
            );
        }
    }
}
