//! One call of a guest, held to every limit.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap, UpdateDeadline};

use crate::breaker::{Breaker, BreakerSettings};
use crate::error::{CallError, SettingsProblem};
use crate::limits::{Limits, Meter, Reuse};
use crate::plugin_log::PluginLog;
use crate::status::{InstanceStatus, Tally};

/// Bytes of a text for an administrator that are kept.
const TEXT_BYTES: usize = 1024;

/// Instances that are kept for the next calls. More would take the engine's
/// slots away from other plugins and save only the cost of starting one.
const MOST_IDLE: usize = 4;

/// How wasmtime says that a guest hands over too much. It has no type for that.
const HANDOVER_EXCEEDED: &str = "fuel allocated for hostcalls has been exhausted";

/// What the host keeps for one instance of a component.
pub(crate) trait StoreData: Send + 'static {
    fn meter(&mut self) -> &mut Meter;

    /// A new call begins, to be over by `deadline`.
    fn begin(&mut self, deadline: Instant) {
        self.meter().begin(deadline);
    }
}

/// An instance of a component with its typed exports.
pub(crate) struct Live<D: 'static, B> {
    pub(crate) store: Store<D>,
    pub(crate) bindings: B,
    calls: u32,
}

impl<D, B> Live<D, B> {
    pub(crate) fn new(store: Store<D>, bindings: B) -> Self {
        Self {
            store,
            bindings,
            calls: 0,
        }
    }
}

/// Makes a store that counts what its guest uses and interrupts it in time.
pub(crate) fn limited_store<D: StoreData>(engine: &Engine, data: D, limits: &Limits) -> Store<D> {
    let mut store = Store::new(engine, data);
    store.limiter(|data| data.meter());
    store.set_hostcall_fuel(limits.handover);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        let meter = context.data_mut().meter();
        if Instant::now() >= meter.deadline {
            return Ok(UpdateDeadline::Interrupt);
        }
        meter.computing.store(true, Ordering::Relaxed);
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

/// The guard of one configured instance of a plugin.
pub(crate) struct Guard<D: 'static, B> {
    limits: Limits,
    breaker: Breaker,
    tally: Tally,
    log: Arc<PluginLog>,
    permits: Semaphore,
    /// Instances that wait for the next call.
    idle: Mutex<Vec<Live<D, B>>>,
}

impl<D: StoreData, B: Send + 'static> Guard<D, B> {
    pub(crate) fn new(limits: Limits, breaker: BreakerSettings, log: Arc<PluginLog>) -> Self {
        Self {
            permits: Semaphore::new(limits.concurrent_calls.max(1)),
            breaker: Breaker::new(breaker),
            tally: Tally::default(),
            idle: Mutex::default(),
            limits,
            log,
        }
    }

    pub(crate) fn status(&self) -> InstanceStatus {
        self.tally.status(&self.breaker, &self.log)
    }

    /// Calls an instance that `start` makes, or one that is left from before;
    /// `judge` makes the domain's words of what it says.
    ///
    /// An instance that trapped, was stopped, was given up or went over a limit
    /// is thrown away.
    pub(crate) async fn call<R, T>(
        &self,
        deadline: Option<Instant>,
        start: &impl Start<D, B>,
        work: impl for<'a> FnOnce(&'a mut Live<D, B>) -> BoxFuture<'a, wasmtime::Result<R>> + Send,
        judge: impl FnOnce(R) -> Result<T, CallError> + Send,
    ) -> Result<T, CallError> {
        let now = Instant::now();
        let latest = now + self.limits.wall_clock;
        let deadline = deadline.map_or(latest, |deadline| deadline.min(latest));
        if deadline <= now {
            return Err(CallError::Timeout);
        }
        let admission = match self.breaker.admit(now) {
            Ok(admission) => admission,
            Err(retry_after) => return Err(CallError::BreakerOpen { retry_after }),
        };
        let Ok(permit) = timeout_at(deadline.into(), self.permits.acquire()).await else {
            return Err(CallError::Busy);
        };
        self.tally.note_call();
        let outcome = self.guarded(deadline, start, work, judge).await;
        drop(permit);
        self.log.report_dropped();
        match &outcome {
            Err(fault) if fault.is_plugin_fault() => {
                self.tally.note_fault(fault);
                let left_alone = admission.failed(Instant::now());
                self.log.report_fault(fault, left_alone);
            }
            // Says nothing about the plugin.
            Err(CallError::PoolFull) => drop(admission),
            _ => admission.succeeded(),
        }
        outcome
    }

    async fn guarded<R, T>(
        &self,
        deadline: Instant,
        start: &impl Start<D, B>,
        work: impl for<'a> FnOnce(&'a mut Live<D, B>) -> BoxFuture<'a, wasmtime::Result<R>> + Send,
        judge: impl FnOnce(R) -> Result<T, CallError> + Send,
    ) -> Result<T, CallError> {
        let idle = self.idle.lock().pop();
        let mut live = match idle {
            Some(live) => live,
            None => self.started(deadline, start).await?,
        };
        live.store.data_mut().begin(deadline);
        live.store.set_epoch_deadline(1);
        let computing = Arc::clone(&live.store.data_mut().meter().computing);
        let finished = timeout_at(deadline.into(), watched(&computing, work(&mut live))).await;
        match finished {
            Ok(Ok(result)) => {
                let judged = judge(result);
                if !judged.as_ref().is_err_and(CallError::is_plugin_fault) {
                    live.calls += 1;
                    self.keep(live);
                }
                judged
            }
            Ok(Err(error)) => Err(self.fault(&error, live.store.data_mut().meter())),
            Err(_) => Err(out_of_time(&computing)),
        }
    }

    /// Keeps an instance that is sound, if it may serve another call.
    fn keep(&self, live: Live<D, B>) {
        let mut idle = self.idle.lock();
        let may_serve = matches!(self.limits.reuse, Reuse::UpTo { calls } if live.calls < calls);
        if may_serve && idle.len() < MOST_IDLE {
            idle.push(live);
        }
    }

    async fn started(
        &self,
        deadline: Instant,
        start: &impl Start<D, B>,
    ) -> Result<Live<D, B>, CallError> {
        let mut store = start.store(&self.limits);
        store.data_mut().begin(deadline);
        let computing = Arc::clone(&store.data_mut().meter().computing);
        let instantiated = watched(&computing, start.instantiate(&mut store));
        match timeout_at(deadline.into(), instantiated).await {
            Ok(Ok(bindings)) => Ok(Live::new(store, bindings)),
            Ok(Err(error)) => Err(self.fault(&error, store.data_mut().meter())),
            Err(_) => Err(out_of_time(&computing)),
        }
    }

    /// Lets the plugin check its settings, in an instance of its own.
    pub(crate) async fn validate(
        &self,
        start: &impl Start<D, B>,
    ) -> Result<Vec<SettingsProblem>, CallError> {
        let deadline = Instant::now() + self.limits.wall_clock;
        let mut store = start.store(&self.limits);
        store.data_mut().begin(deadline);
        let computing = Arc::clone(&store.data_mut().meter().computing);
        let checked = watched(&computing, start.validate(&mut store));
        match timeout_at(deadline.into(), checked).await {
            Ok(Ok(problems)) => Ok(self.presentable(problems)),
            Ok(Err(error)) => Err(self.fault(&error, store.data_mut().meter())),
            Err(_) => Err(out_of_time(&computing)),
        }
    }

    fn presentable(&self, mut problems: Vec<SettingsProblem>) -> Vec<SettingsProblem> {
        for problem in &mut problems {
            problem.pointer = self.log.presentable(&problem.pointer, TEXT_BYTES);
            problem.message = self.log.presentable(&problem.message, TEXT_BYTES);
        }
        problems
    }

    /// Says in the caller's words what stopped a guest.
    fn fault(&self, error: &wasmtime::Error, meter: &Meter) -> CallError {
        tracing::debug!(?error, "a plugin was stopped");
        if error.is::<PoolConcurrencyLimitError>() {
            return CallError::PoolFull;
        }
        if let Some(limit) = meter.exceeded {
            return CallError::LimitHit(limit.to_owned());
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => CallError::OutOfTime,
            // A guest that is refused memory mostly aborts, which looks like
            // any other crash.
            _ if meter.refused => CallError::OutOfMemory {
                limit: self.limits.memory,
            },
            Some(trap) => CallError::Trap(trap.to_string()),
            None => {
                let cause = error.root_cause().to_string();
                if cause.contains(HANDOVER_EXCEEDED) {
                    let limit = self.limits.handover;
                    return CallError::LimitHit(format!(
                        "more than {limit} bytes handed over at once"
                    ));
                }
                CallError::Trap(self.log.presentable(&cause, TEXT_BYTES))
            }
        }
    }
}

/// Makes instances of one configured plugin.
pub(crate) trait Start<D: 'static, B>: Sync {
    fn store(&self, limits: &Limits) -> Store<D>;

    fn instantiate<'a>(&'a self, store: &'a mut Store<D>) -> BoxFuture<'a, wasmtime::Result<B>>;

    fn validate<'a>(
        &'a self,
        store: &'a mut Store<D>,
    ) -> BoxFuture<'a, wasmtime::Result<Vec<SettingsProblem>>>;
}

/// Notes whether the guest, when it is not running, was interrupted while it
/// computed or waits for the host.
async fn watched<T>(computing: &AtomicBool, mut call: BoxFuture<'_, T>) -> T {
    poll_fn(|context| {
        computing.store(false, Ordering::Relaxed);
        call.as_mut().poll(context)
    })
    .await
}

/// A guest that was computing is to blame itself; one that was waiting is not.
fn out_of_time(computing: &AtomicBool) -> CallError {
    if computing.load(Ordering::Relaxed) {
        CallError::OutOfTime
    } else {
        CallError::Timeout
    }
}
