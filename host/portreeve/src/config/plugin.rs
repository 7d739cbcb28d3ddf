//! What connectors and policies have in common: component, settings, limits.

use portreeve_runtime::{BreakerSettings, Limits, LogLimits, Reuse};
use serde::Serialize;

use super::place::Place;
use super::problem::Problem;
use super::read::{Section, wrong_kind};
use super::tree::{Node, Table, Value};
use super::value::{Size, Span};

/// `settings`: the plugin's own table.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    place: Place,
    key: String,
    table: Table,
}

impl Settings {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let key = super::tree::join(&section.key, "settings");
        let Some(node) = section.node("settings") else {
            return Some(Self {
                place: section.place.clone(),
                key,
                table: Table::default(),
            });
        };
        let Value::Table(table) = &node.value else {
            let problem = wrong_kind(node, "a table");
            section
                .reader
                .report(problem.hint(format!("write `[{key}]`")));
            return None;
        };
        Some(Self {
            place: node.place.clone(),
            key,
            table: table.clone(),
        })
    }

    /// The table as JSON, the way plugins read it.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        table_to_json(&self.table)
    }

    /// A problem with the value at a JSON pointer (RFC 6901), or with the
    /// nearest table or array around it when it is missing.
    pub(crate) fn problem(&self, pointer: &str, message: &str) -> Problem {
        let mut place = &self.place;
        let mut key = self.key.clone();
        let mut node: Option<&Node> = None;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let table = match node {
                None => Some(&self.table),
                Some(Node {
                    value: Value::Table(table),
                    ..
                }) => Some(table),
                Some(_) => None,
            };
            let next = match node.map(|node| &node.value) {
                Some(Value::Array(items)) => {
                    token.parse::<usize>().ok().and_then(|at| items.get(at))
                }
                _ => table
                    .and_then(|table| table.get(&token))
                    .map(|entry| &entry.node),
            };
            let Some(next) = next else {
                key = super::tree::join(&key, &token);
                break;
            };
            place = &next.place;
            key.clone_from(&next.key);
            node = Some(next);
        }
        Problem::new(place, &key, message)
    }
}

impl Serialize for Settings {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

fn table_to_json(table: &Table) -> serde_json::Value {
    let entries = table.0.iter();
    let entries = entries.map(|entry| (entry.name.clone(), to_json(&entry.node.value)));
    serde_json::Value::Object(entries.collect())
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::String(text) | Value::Datetime(text) => text.as_str().into(),
        Value::Integer(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Boolean(value) => (*value).into(),
        Value::Array(items) => items.iter().map(|item| to_json(&item.value)).collect(),
        Value::Table(table) => table_to_json(table),
    }
}

/// `limits`: how much an instance may use.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LimitsConfig {
    pub(crate) memory: Size,
    pub(crate) table_elements: usize,
    pub(crate) handover: Size,
    pub(crate) concurrent_calls: usize,
    pub(crate) calls_per_instance: u32,
    pub(crate) log_events_per_second: u32,
    pub(crate) log_burst: u32,
    pub(crate) log_message: Size,
    pub(crate) breaker_faults: u32,
    pub(crate) breaker_pause: Span,
}

impl LimitsConfig {
    pub(super) fn read(section: Section<'_>, defaults: &Limits) -> Self {
        let calls = match defaults.reuse {
            Reuse::Fresh => 1,
            Reuse::UpTo { calls } => calls,
        };
        let log = &defaults.log;
        let breaker = BreakerSettings::default();
        let read = Self {
            memory: section.or("memory", Size::of_bytes(defaults.memory)),
            table_elements: section.or("table-elements", defaults.table_elements),
            handover: section.or("handover", Size::of_bytes(defaults.handover)),
            concurrent_calls: section.or("concurrent-calls", defaults.concurrent_calls),
            calls_per_instance: section.or("calls-per-instance", calls),
            log_events_per_second: section.or("log-events-per-second", log.events_per_second),
            log_burst: section.or("log-burst", log.burst),
            log_message: section.or("log-message", Size::of_bytes(log.message_bytes)),
            breaker_faults: section.or("breaker-faults", breaker.faults),
            breaker_pause: section.or("breaker-pause", Span(breaker.pause)),
        };
        section.finish();
        read
    }

    /// When a plugin that keeps failing is left alone.
    pub(crate) fn to_breaker(&self) -> BreakerSettings {
        BreakerSettings {
            faults: self.breaker_faults,
            pause: self.breaker_pause.0,
        }
    }

    /// The bounds in the runtime's words.
    pub(crate) fn to_limits(&self, timeout: Span) -> Limits {
        Limits {
            wall_clock: timeout.0,
            memory: self.memory.bytes(),
            table_elements: self.table_elements,
            handover: self.handover.bytes(),
            concurrent_calls: self.concurrent_calls,
            log: LogLimits {
                events_per_second: self.log_events_per_second,
                burst: self.log_burst,
                message_bytes: self.log_message.bytes(),
            },
            reuse: match self.calls_per_instance {
                1 => Reuse::Fresh,
                calls => Reuse::UpTo { calls },
            },
        }
    }
}
