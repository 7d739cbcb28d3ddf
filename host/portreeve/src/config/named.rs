//! Tables that the operator named, in the order that counts.

use serde::{Serialize, Serializer};

use super::chain::SelectedChainConfig;
use super::client::ClientConfig;
use super::connector::ConnectorConfig;
use super::credential::CredentialConfig;
use super::place::Located;
use super::policy::PolicyConfig;
use super::problem::Problem;
use super::quarantine::QuarantineConfig;
use super::read::{FromNode, Section, listed, nearest};
use super::trust::TrustConfig;

/// Something with a name of the operator's choice.
pub(crate) trait HasName {
    fn name(&self) -> &Located<String>;
}

impl HasName for SelectedChainConfig {
    fn name(&self) -> &Located<String> {
        &self.name
    }
}

impl HasName for ClientConfig {
    fn name(&self) -> &Located<String> {
        &self.name
    }
}

impl HasName for ConnectorConfig {
    fn name(&self) -> &Located<String> {
        &self.name
    }
}

impl HasName for CredentialConfig {
    fn name(&self) -> &Located<String> {
        &self.name
    }
}

impl HasName for PolicyConfig {
    fn name(&self) -> &Located<String> {
        &self.name
    }
}

impl HasName for QuarantineConfig {
    fn name(&self) -> &Located<String> {
        &self.name
    }
}

impl HasName for TrustConfig {
    fn name(&self) -> &Located<String> {
        &self.name
    }
}

/// Items in order, shown as a table by name.
#[derive(Debug)]
pub(crate) struct Named<T>(pub(crate) Vec<T>);

impl<T: HasName> Named<T> {
    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|item| item.name().value == name)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0
            .iter()
            .map(|item| item.name().value.as_str())
            .collect()
    }

    pub(super) fn owned_names(&self) -> Vec<String> {
        self.names().into_iter().map(str::to_owned).collect()
    }

    /// Puts the items into the order that the array under `key` gives, if
    /// there is one. With `all`, every item has to be in it; without, the
    /// others are left out of use and returned.
    pub(super) fn order(&mut self, section: &Section<'_>, key: &'static str, all: bool) -> Vec<T> {
        let Some(node) = section.node(key) else {
            return Vec::new();
        };
        let Some(order) = Vec::<Located<String>>::from_node(node, section.reader) else {
            return Vec::new();
        };
        let mut rest = std::mem::take(&mut self.0);
        for wanted in &order {
            let found = rest
                .iter()
                .position(|item| item.name().value == wanted.value);
            if let Some(position) = found {
                self.0.push(rest.remove(position));
            } else {
                let known: Vec<&str> = rest.iter().map(|item| item.name().value.as_str()).collect();
                section.reader.report(unknown(wanted, self, &known));
            }
        }
        if all && !rest.is_empty() {
            let missing: Vec<&str> = rest.iter().map(|item| item.name().value.as_str()).collect();
            let message = format!("{} missing from the order", listed(&missing));
            section.reader.report(
                Problem::new(&node.place, &node.key, message)
                    .hint("add it, or remove its table from the configuration"),
            );
        }
        rest
    }
}

fn unknown<T: HasName>(wanted: &Located<String>, taken: &Named<T>, known: &[&str]) -> Problem {
    let name = &wanted.value;
    if taken.get(name).is_some() {
        return Problem::with(wanted, format!("`{name}` is named twice"))
            .hint("remove one of them");
    }
    let hint = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there is no other".to_owned(),
        None => format!("there are {}", listed(known)),
    };
    Problem::with(wanted, format!("there is no `{name}`")).hint(hint)
}

impl<T: HasName + Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|item| (&item.name().value, item)))
    }
}

/// Shows the value without its place.
pub(super) fn value<T: Serialize, S: Serializer>(
    located: &Located<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    located.value.serialize(serializer)
}
