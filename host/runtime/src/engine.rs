//! The engine, its clock and the threads that plugins run on.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio_util::task::AbortOnDropHandle;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::error::{CallError, RuntimeError};
use crate::precompiled::CompiledCache;
use crate::since_v0_1::Worlds;

/// How often a running guest is interrupted to look at the clock.
const TICK: Duration = Duration::from_millis(10);

/// What the operator decided about plugins as a whole.
#[derive(Clone, Debug)]
pub struct RuntimeSettings {
    /// Folder for compiled code, made if it is not there. Without one, every
    /// start compiles every plugin.
    pub compiled_cache: Option<PathBuf>,
    /// Threads that run plugins.
    pub threads: usize,
    /// Instances of components that may live at the same time.
    pub instances: u32,
    /// Bytes that the largest memory of any plugin may have.
    pub largest_memory: usize,
    /// Bytes that the largest component may have.
    pub largest_component: usize,
}

impl Default for RuntimeSettings {
    fn default() -> Self {
        Self {
            compiled_cache: None,
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            instances: 256,
            largest_memory: 256 << 20,
            largest_component: 64 << 20,
        }
    }
}

/// One engine for all plugins. Cheap to clone; the last one to go takes the
/// threads with it.
#[derive(Clone, Debug)]
pub struct Runtime {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) workers: Workers,
    pub(crate) worlds: Worlds,
    pub(crate) cache: Option<CompiledCache>,
    pub(crate) largest_component: usize,
    _ticker: Ticker,
}

impl Runtime {
    /// Starts the engine, its clock and its threads.
    pub fn new(settings: &RuntimeSettings) -> Result<Self, RuntimeError> {
        let engine = engine(settings).map_err(|error| engine_error(&error))?;
        let cache = settings
            .compiled_cache
            .as_deref()
            .map(|folder| CompiledCache::open(folder, &engine))
            .transpose()?;
        let worlds = Worlds::new(&engine).map_err(|error| engine_error(&error))?;
        let shared = Shared {
            workers: Workers::new(settings.threads)?,
            worlds,
            cache,
            largest_component: settings.largest_component,
            _ticker: Ticker::start(&engine)?,
            engine,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }
}

fn engine_error(error: &wasmtime::Error) -> RuntimeError {
    RuntimeError::Engine(format!("{error:#}"))
}

fn engine(settings: &RuntimeSettings) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    // Numbers for each kind of slot, from guests in C, Rust, JavaScript and
    // Python: the last has 38 core instances when its WASI is stubbed out.
    let instances = settings.instances;
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(40))
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(10))
        .total_stacks(instances)
        .max_memory_size(settings.largest_memory);
    // A small guest's memory, tables and stack are wiped by writing zeros to
    // what it touched. Giving the pages back to the system instead makes two
    // threads together slower than one.
    pool.linear_memory_keep_resident(256 << 10)
        .table_keep_resident(160 << 10)
        .async_stack_keep_resident(64 << 10)
        .max_unused_warm_slots(100)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// Advances the engine's epoch until it is dropped.
#[derive(Debug)]
struct Ticker {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: &Engine) -> Result<Self, RuntimeError> {
        let (stop, stopped) = mpsc::channel::<()>();
        // Weak, so that a thread that is late does not keep the engine alive.
        let engine = engine.weak();
        let tick = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(TICK) {
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => break,
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("plugin-epoch".to_owned())
            .spawn(tick)
            .map_err(RuntimeError::Threads)?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How much less urgent plugins are than questions, in the system's steps
/// (`nice`, of which there are 19).
const LESS_URGENT: i32 = 5;

/// Threads of their own for plugins, so that a guest that computes without end
/// never holds up a thread that serves clients.
///
/// tokio looks at its timers and sockets only after a number of task polls, 61
/// by default. A guest that is interrupted every 10 ms would hold them up for
/// half a second; so here it looks after each poll. That costs throughput with
/// small tasks, which is the second reason for threads of their own.
#[derive(Debug)]
pub(crate) struct Workers {
    runtime: Option<tokio::runtime::Runtime>,
    handle: Handle,
}

impl Workers {
    fn new(threads: usize) -> Result<Self, RuntimeError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("plugin")
            .on_thread_start(|| {
                // Who is answered from memory goes before who has to wait anyway.
                // A system that refuses leaves both equal.
                let _ = rustix::process::setpriority_process(None, LESS_URGENT);
            })
            .event_interval(1)
            .enable_all()
            .build()
            .map_err(RuntimeError::Threads)?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// Runs a call of a plugin on the threads for plugins. Dropping the future
    /// ends the call.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        match AbortOnDropHandle::new(self.handle.spawn(call)).await {
            Ok(outcome) => outcome,
            Err(error) => Err(CallError::Trap(format!("the host gave up: {error}"))),
        }
    }

    /// Runs a call that is expected to be over at once on the caller's thread.
    /// If it is still under way at the next tick of the engine's clock, the
    /// threads for plugins take it over: 10 ms is the longest a caller's thread
    /// is held up.
    pub(crate) async fn run_here_first<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        let mut call = Box::pin(call);
        {
            // Timers made in here belong to the threads that may take over.
            let _entered = self.handle.enter();
            let mut nobody = Context::from_waker(Waker::noop());
            if let Poll::Ready(outcome) = call.as_mut().poll(&mut nobody) {
                return outcome;
            }
        }
        self.run(call).await
    }

    /// Runs something that computes for long, e.g. a compilation.
    pub(crate) async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        self.handle.spawn_blocking(work).await
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // The last owner may itself be a task, where waiting is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
