//! `[pxgrid]`: the gateway as a pxGrid controller.

use serde::Serialize;

use super::problem::Problem;
use super::read::Section;
use super::value::Span;

/// `[pxgrid]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PxgridConfig {
    pub(crate) node_name: String,
    pub(crate) url: Option<String>,
    pub(crate) accounts: bool,
    pub(crate) approve_certificates: bool,
    pub(crate) max_subscribers: usize,
    pub(crate) patience: Span,
}

impl PxgridConfig {
    /// Accounts need a place where they are kept.
    pub(super) fn read(section: Section<'_>, has_store: bool) -> Self {
        let read = Self {
            node_name: section.or("node-name", "portreeve".to_owned()),
            url: section.optional("url"),
            accounts: section.or("accounts", false),
            approve_certificates: section.or("approve-certificates", false),
            max_subscribers: section.or("max-subscribers", 1000),
            patience: section.or("patience", Span::seconds(2)),
        };
        if let Some(node) = section.node("node-name")
            && !is_node_name(&read.node_name)
        {
            let message = format!("`{}` is no name of a pxGrid node", read.node_name);
            let hint = "1 to 100 characters of `a-z`, `0-9`, `-`, `_` and `.`";
            section
                .reader
                .report(Problem::new(&node.place, &node.key, message).hint(hint));
        }
        if let (Some(node), Some(url)) = (section.node("url"), &read.url)
            && !is_origin(url)
        {
            let message = format!("`{url}` is not how a client reaches a server");
            let hint = "write e.g. `\"https://gateway.example:8910\"`, without a path";
            section
                .reader
                .report(Problem::new(&node.place, &node.key, message).hint(hint));
        }
        if !has_store {
            section.reader.report(
                section
                    .problem("there is no place to keep the accounts of nodes")
                    .hint("add `[store]` with `directory = \"/var/lib/portreeve\"`"),
            );
        }
        section.finish();
        read
    }
}

fn is_node_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=100).contains(&text.len()) && text.bytes().all(fits)
}

fn is_origin(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "https" | "http")
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    })
}
