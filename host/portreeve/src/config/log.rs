//! `[log]`: what is logged, and how the lines look.

use serde::Serialize;
use tracing_subscriber::EnvFilter;

use super::problem::Problem;
use super::read::{FromNode, Reader, Section};
use super::tree::Node;
use super::value::{choice, text};

/// `[log]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LogConfig {
    pub(crate) format: LogFormat,
    pub(crate) level: LogLevel,
}

impl LogConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let read = Self {
            format: section.or("format", LogFormat::Text),
            level: section.or("level", LogLevel("info".to_owned())),
        };
        section.finish();
        read
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl FromNode for LogFormat {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        choice(node, reader, &[("text", Self::Text), ("json", Self::Json)])
    }
}

/// A level, or levels by part of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LogLevel(pub(crate) String);

impl FromNode for LogLevel {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let text = text(node, reader)?;
        match EnvFilter::builder().parse(text) {
            Ok(_) => Some(Self(text.to_owned())),
            Err(error) => {
                let message = format!("`{text}` is no log level: {error}");
                let problem = Problem::new(&node.place, &node.key, message);
                reader.report(problem.hint(
                    "write `error`, `warn`, `info`, `debug` or `trace`, \
                     or e.g. `\"info,portreeve_gateway=debug\"`",
                ));
                None
            }
        }
    }
}
