//! `[lists]`: members that policies may ask about.

use std::fs;

use serde::Serialize;

use super::file::cannot_read;
use super::problem::Problem;
use super::read::{FromNode, Reader, Section, wrong_kind};
use super::tree::{Node, Value};
use super::value::FilePath;

/// One list.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum ListConfig {
    /// Its members stand in the configuration.
    Members(Vec<String>),
    /// They stand in a file of their own, one a line.
    File {
        file: FilePath,
        #[serde(skip)]
        members: Vec<String>,
    },
}

impl ListConfig {
    pub(crate) fn members(&self) -> &[String] {
        match self {
            Self::Members(members) | Self::File { members, .. } => members,
        }
    }
}

impl FromNode for ListConfig {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        match &node.value {
            Value::Array(_) => Vec::from_node(node, reader).map(Self::Members),
            Value::Table(_) => from_file(node, reader),
            _ => {
                let problem = wrong_kind(node, "an array or `{ file = \"PATH\" }`");
                reader.report(problem.hint("write the members in brackets: `[…]`"));
                None
            }
        }
    }
}

fn from_file(node: &Node, reader: &Reader<'_>) -> Option<ListConfig> {
    let section = Section::of_node(node, reader)?;
    let file: Option<FilePath> = section.required("file", "\"list.txt\"");
    let named = section.node("file");
    section.finish();
    let (file, named) = file.zip(named)?;
    match fs::read_to_string(&file.0) {
        Ok(text) => {
            let members = text
                .lines()
                .map(|line| line.split('#').next().unwrap_or_default().trim())
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect();
            Some(ListConfig::File { file, members })
        }
        Err(error) => {
            reader.report(cannot_read(named, &file.0, &error.to_string()));
            None
        }
    }
}

/// All lists by name, in order.
pub(super) fn read(node: Option<&Node>, reader: &Reader<'_>) -> Vec<(String, ListConfig)> {
    let Some(node) = node else {
        return Vec::new();
    };
    let Value::Table(table) = &node.value else {
        reader.report(
            Problem::new(&node.place, &node.key, "expected a table").hint("write `[lists]`"),
        );
        return Vec::new();
    };
    table
        .0
        .iter()
        .filter_map(|entry| {
            let list = ListConfig::from_node(&entry.node, reader)?;
            Some((entry.name.clone(), list))
        })
        .collect()
}
