//! What can go wrong, by what the caller can do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The runtime cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The engine cannot be had with these settings or on this machine.
    #[error("the WebAssembly engine cannot be started: {0}")]
    Engine(String),
    /// The threads that run plugins cannot be started.
    #[error("the threads for plugins cannot be started: {0}")]
    Threads(#[source] io::Error),
    /// The folder for compiled code cannot be used.
    #[error("the folder for compiled code `{path}` cannot be used: {source}", path = path.display())]
    CompiledCache {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A component that cannot be used as a plugin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The file is larger than the operator allows.
    #[error("the component has {size} bytes, allowed are {limit}")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// Not a component, or one that this engine cannot compile.
    #[error("not a component this engine can compile: {0}")]
    Malformed(String),
    /// It exports no interface that makes a plugin.
    #[error(
        "exports neither `portreeve:connector/lookup` nor `portreeve:policy/evaluator` in a \
         version this runtime knows; found {}", list(.exports)
    )]
    NoPlugin {
        /// What it exports instead.
        exports: Vec<String>,
    },
    /// It exports the interfaces of a connector and those of a policy.
    #[error("is both a connector and a policy; a policy must not reach the network")]
    BothKinds,
    /// It imports what its world does not offer.
    #[error("a {kind} may not import {}", list(.imports))]
    ForbiddenImports {
        /// `connector` or `policy`.
        kind: &'static str,
        /// The imports beyond the world, by name.
        imports: Vec<String>,
    },
    /// Names fit, but the shape of an import or export does not.
    #[error("does not fit its world: {0}")]
    Incompatible(String),
    /// It could not describe itself, with every import refused.
    #[error("`describe` failed: {0}")]
    Describe(String),
    /// Its description is unusable.
    #[error("its description is unusable: {0}")]
    Description(String),
}

/// One thing wrong with an operator's settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at `{pointer}`: {message}")]
pub struct SettingsProblem {
    /// JSON pointer to the place, empty for the whole table.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
}

/// An instance of a plugin that cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstanceError {
    /// The plugin is of the other kind.
    #[error("plugin `{plugin}` is a {found}, not a {expected}")]
    WrongKind {
        /// Identity of the plugin.
        plugin: String,
        /// What it is.
        found: &'static str,
        /// What was asked for.
        expected: &'static str,
    },
    /// The settings do not fit the plugin's schema or its own check.
    #[error("the settings do not fit: {}", problems(.0))]
    Settings(Vec<SettingsProblem>),
    /// The plugin failed while it checked the settings.
    #[error("the plugin failed while it checked the settings: {0}")]
    Failed(#[from] CallError),
}

/// A call of a plugin that gave no answer.
///
/// For a connector each of these means "we do not know", never "unknown
/// device" and never "not compliant".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The settings are unusable.
    #[error("misconfigured: {0}")]
    Misconfigured(String),
    /// The source refused the credential.
    #[error("the source refused the credential: {0}")]
    Unauthenticated(String),
    /// The credential lacks a permission.
    #[error("the credential lacks a permission: {0}")]
    Forbidden(String),
    /// The source asks to slow down.
    #[error("the source asks to slow down{}", for_a_time(*.0))]
    RateLimited(Option<Duration>),
    /// The source cannot be reached or failed by itself.
    #[error("the source is unavailable: {0}")]
    Unavailable(String),
    /// The source did not answer in time.
    #[error("the source did not answer in time")]
    Timeout,
    /// The source answered something that makes no sense.
    #[error("the source answered something unexpected: {0}")]
    BadResponse(String),
    /// The source or the plugin cannot do that.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// A policy cannot decide without this fact.
    #[error("the fact `{0}` is missing")]
    MissingFact(String),
    /// Another failure the plugin reports itself.
    #[error("{0}")]
    Other(String),
    /// The plugin crashed.
    #[error("the plugin crashed: {0}")]
    Trap(String),
    /// The plugin computed for longer than it may.
    #[error("the plugin was stopped, it ran out of time")]
    OutOfTime,
    /// The plugin wanted more memory than it may have.
    #[error("the plugin was stopped, it wanted more than {limit} bytes of memory")]
    OutOfMemory {
        /// The most it may have.
        limit: usize,
    },
    /// The plugin went over another limit.
    #[error("the plugin went over a limit: {0}")]
    LimitHit(String),
    /// The plugin has too many calls under way, and none ended in time.
    #[error("too many calls of the plugin are under way")]
    Busy,
    /// All instances of the engine are in use. Not the plugin's fault.
    #[error("no room for another instance of a plugin")]
    PoolFull,
    /// The plugin failed so often that it is left alone for a while.
    #[error("the plugin failed too often, it is left alone for {} ms", .retry_after.as_millis())]
    BreakerOpen {
        /// When it will be tried again.
        retry_after: Duration,
    },
}

impl CallError {
    /// Whether the plugin itself is to blame, so that the breaker counts it.
    pub const fn is_plugin_fault(&self) -> bool {
        matches!(
            self,
            Self::Trap(_) | Self::OutOfTime | Self::OutOfMemory { .. } | Self::LimitHit(_)
        )
    }

    /// A word for metrics, from a closed set.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Misconfigured(_) => "misconfigured",
            Self::Unauthenticated(_) => "unauthenticated",
            Self::Forbidden(_) => "forbidden",
            Self::RateLimited(_) => "rate-limited",
            Self::Unavailable(_) => "unavailable",
            Self::Timeout => "timeout",
            Self::BadResponse(_) => "bad-response",
            Self::Unsupported(_) => "unsupported",
            Self::MissingFact(_) => "missing-fact",
            Self::Other(_) => "other",
            Self::Trap(_) => "trap",
            Self::OutOfTime => "out-of-time",
            Self::OutOfMemory { .. } => "out-of-memory",
            Self::LimitHit(_) => "limit-hit",
            Self::Busy => "busy",
            Self::PoolFull => "pool-full",
            Self::BreakerOpen { .. } => "breaker-open",
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn problems(problems: &[SettingsProblem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

fn for_a_time(delay: Option<Duration>) -> String {
    delay.map_or_else(String::new, |delay| {
        format!(" for {} ms", delay.as_millis())
    })
}
