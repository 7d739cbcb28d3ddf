//! A connector: what its store holds and how its exports are called.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_domain::{Device, Identifier};
use portreeve_egress::Egress;
use tracing::Level;
use wasmtime::Store;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::bindings::connector::MdmConnector;
use super::bindings::connector::exports::portreeve::connector::{check, lookup};
use super::bindings::connector::portreeve::connector::types;
use super::common::Common;
use super::describe::validate_settings;
use super::device::{device_from_wit, id_to_wit};
use super::http::Hooks;
use super::stdio::LogStream;
use super::worlds::ConnectorPre;
use crate::connector::{Finding, LookupOutcome, Report, ReportVerdict};
use crate::error::{CallError, SettingsProblem};
use crate::guarded::{Guard, Start, StoreData, limited_store};
use crate::limits::{Limits, Meter};
use crate::state::StateStore;

/// Host-side things a guest may hold at once, e.g. requests and streams.
const MOST_RESOURCES: usize = 1024;
/// Random bytes a guest gets at once.
const MOST_RANDOM: u64 = 64 << 10;
/// The most keys of an ambiguous answer that are told.
const MOST_KEYS: usize = 16;
const MOST_FINDINGS: usize = 64;
const TEXT_BYTES: usize = 1024;
/// The longest code of a finding.
const CODE_BYTES: usize = 64;

/// The typed exports of a running connector.
pub(crate) type ConnectorGuest = MdmConnector;

/// What the host keeps for one running connector.
pub(crate) struct ConnectorData {
    pub(super) common: Common,
    meter: Meter,
    pub(super) state: Arc<dyn StateStore>,
    pub(super) hooks: Hooks,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
}

impl StoreData for ConnectorData {
    fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }

    fn begin(&mut self, deadline: Instant) {
        self.meter.begin(deadline);
        self.hooks.begin(deadline);
    }
}

impl WasiView for ConnectorData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for ConnectorData {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

/// Starts instances of one configured connector.
#[derive(Clone)]
pub(crate) struct ConnectorStart {
    pub(crate) pre: ConnectorPre,
    pub(crate) common: Common,
    pub(crate) egress: Egress,
    pub(crate) state: Arc<dyn StateStore>,
}

impl fmt::Debug for ConnectorStart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ConnectorStart")
            .field("log", &self.common.log)
            .finish_non_exhaustive()
    }
}

impl Start<ConnectorData, ConnectorGuest> for ConnectorStart {
    fn store(&self, limits: &Limits) -> Store<ConnectorData> {
        self.new_store(limits)
    }

    fn instantiate<'a>(
        &'a self,
        store: &'a mut Store<ConnectorData>,
    ) -> BoxFuture<'a, wasmtime::Result<ConnectorGuest>> {
        self.pre.connector.instantiate_async(store).boxed()
    }

    fn validate<'a>(
        &'a self,
        store: &'a mut Store<ConnectorData>,
    ) -> BoxFuture<'a, wasmtime::Result<Vec<SettingsProblem>>> {
        self.validate_offline(store)
    }
}

impl ConnectorStart {
    pub(super) fn new_store(&self, limits: &Limits) -> Store<ConnectorData> {
        let log = &self.common.log;
        // No folders, no environment, no arguments, nothing to read, no sockets.
        let wasi = WasiCtxBuilder::new()
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(MOST_RANDOM)
            .stdout(LogStream::new(log, Level::INFO))
            .stderr(LogStream::new(log, Level::WARN))
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(MOST_RESOURCES);
        let data = ConnectorData {
            common: self.common.clone(),
            meter: Meter::new(limits),
            state: Arc::clone(&self.state),
            hooks: Hooks::new(&self.egress, limits.handover),
            wasi,
            http: WasiHttpCtx::new(),
            table,
        };
        limited_store(self.pre.connector.engine(), data, limits)
    }

    pub(super) fn validate_offline<'a>(
        &'a self,
        store: &'a mut Store<ConnectorData>,
    ) -> BoxFuture<'a, wasmtime::Result<Vec<SettingsProblem>>> {
        // From now on every request is refused.
        store.data_mut().hooks.offline = true;
        let document = self.common.settings.document();
        validate_settings(store, self.pre.connector.instance_pre(), document).boxed()
    }

    pub(crate) async fn find(
        &self,
        guard: &Guard<ConnectorData, ConnectorGuest>,
        identifiers: &[Identifier],
        deadline: Instant,
    ) -> Result<LookupOutcome, CallError> {
        let ids: Vec<_> = identifiers.iter().map(id_to_wit).collect();
        guard
            .call(
                Some(deadline),
                self,
                |live| {
                    async move {
                        let lookup = live.bindings.portreeve_connector_lookup();
                        lookup.call_find(&mut live.store, &ids).await
                    }
                    .boxed()
                },
                |outcome| self.outcome(outcome.map_err(|error| self.error(error))?),
            )
            .await
    }

    pub(crate) async fn read(
        &self,
        guard: &Guard<ConnectorData, ConnectorGuest>,
        key: &str,
        deadline: Instant,
    ) -> Result<Option<Device>, CallError> {
        let key = key.to_owned();
        guard
            .call(
                Some(deadline),
                self,
                |live| {
                    async move {
                        let lookup = live.bindings.portreeve_connector_lookup();
                        lookup.call_read(&mut live.store, &key).await
                    }
                    .boxed()
                },
                |device| {
                    let device = device.map_err(|error| self.error(error))?;
                    let translated = device.map(|device| device_from_wit(device, &self.common.log));
                    translated.transpose()
                },
            )
            .await
    }

    pub(crate) async fn check(
        &self,
        guard: &Guard<ConnectorData, ConnectorGuest>,
        deadline: Instant,
    ) -> Result<Report, CallError> {
        guard
            .call(
                Some(deadline),
                self,
                |live| {
                    async move {
                        let check = live.bindings.portreeve_connector_check();
                        check.call_run(&mut live.store).await
                    }
                    .boxed()
                },
                |report| Ok(self.report(report)),
            )
            .await
    }

    fn outcome(&self, outcome: lookup::Outcome) -> Result<LookupOutcome, CallError> {
        match outcome {
            lookup::Outcome::Found(device) => {
                let device = device_from_wit(device, &self.common.log)?;
                Ok(LookupOutcome::Found(Box::new(device)))
            }
            lookup::Outcome::Unknown => Ok(LookupOutcome::Unknown),
            lookup::Outcome::Ambiguous(keys) => {
                let keys = keys.iter().take(MOST_KEYS).map(|key| self.text(key));
                Ok(LookupOutcome::Ambiguous(keys.collect()))
            }
        }
    }

    fn report(&self, report: check::Report) -> Report {
        let findings = report.findings.into_iter().take(MOST_FINDINGS);
        Report {
            verdict: verdict(report.verdict),
            findings: findings
                .map(|finding| {
                    let (code, subject) = subject_and_code(&finding.subject);
                    Finding {
                        subject: self.text(subject),
                        code: code.map(str::to_owned),
                        verdict: verdict(finding.verdict),
                        message: self.text(&finding.message),
                        hint: finding.hint.map(|hint| self.text(&hint)),
                    }
                })
                .collect(),
        }
    }

    /// Text of a guest that people will read.
    pub(super) fn text(&self, text: &str) -> String {
        self.common.log.presentable(text, TEXT_BYTES)
    }

    pub(super) fn error(&self, error: types::Error) -> CallError {
        match error {
            types::Error::Misconfigured(text) => CallError::Misconfigured(self.text(&text)),
            types::Error::Unauthenticated(text) => CallError::Unauthenticated(self.text(&text)),
            types::Error::Forbidden(text) => CallError::Forbidden(self.text(&text)),
            types::Error::RateLimited(delay) => {
                CallError::RateLimited(delay.map(Duration::from_millis))
            }
            types::Error::Unavailable(text) => CallError::Unavailable(self.text(&text)),
            types::Error::Timeout => CallError::Timeout,
            types::Error::BadResponse(text) => CallError::BadResponse(self.text(&text)),
            types::Error::Unsupported(text) => CallError::Unsupported(self.text(&text)),
            types::Error::Other(text) => CallError::Other(self.text(&text)),
        }
    }
}

/// Reads a subject such as `[intune-no-licence] discovery`: WIT 0.1 has no field for the code of a
/// finding, so it stands before the subject (`docs/plugin-author.md`).
fn subject_and_code(subject: &str) -> (Option<&str>, &str) {
    let split = subject
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "));
    match split {
        Some((code, rest)) if is_code(code) => (Some(code), rest),
        _ => (None, subject),
    }
}

fn is_code(code: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=CODE_BYTES).contains(&code.len()) && code.bytes().all(word)
}

fn verdict(verdict: check::Verdict) -> ReportVerdict {
    match verdict {
        check::Verdict::Passed => ReportVerdict::Passed,
        check::Verdict::Degraded => ReportVerdict::Degraded,
        check::Verdict::Failed => ReportVerdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_before_the_subject() {
        for (subject, expected) in [
            ("[a-code] token", (Some("a-code"), "token")),
            ("[a-code-2] a [b] c", (Some("a-code-2"), "a [b] c")),
            ("token", (None, "token")),
            ("[A] token", (None, "[A] token")),
            ("[] token", (None, "[] token")),
            ("[::1]:443", (None, "[::1]:443")),
            ("[a-code]token", (None, "[a-code]token")),
        ] {
            assert_eq!(subject_and_code(subject), expected);
        }
        let long = format!("[{}] x", "a".repeat(CODE_BYTES + 1));
        assert_eq!(subject_and_code(&long), (None, &*long));
    }
}
