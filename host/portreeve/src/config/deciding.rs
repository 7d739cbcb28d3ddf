//! What decides, as a part of a configuration, and alone in a file.

use std::path::Path;

use serde::Serialize;

use super::chain::{self, ChainConfig, SelectedChainConfig};
use super::environment::Environment;
use super::file::ExistingFile;
use super::list::{self, ListConfig};
use super::named::Named;
use super::policy::{self, PolicyConfig};
use super::problem::{Problem, Problems};
use super::read::{Reader, Section, listed};
use super::tree::Value;
use super::{Config, load};

/// The parts of a configuration that decide.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Deciding<'a> {
    pub(crate) chain: &'a ChainConfig,
    pub(crate) chains: &'a Named<SelectedChainConfig>,
    /// Those that some chain names.
    pub(crate) policies: &'a Named<PolicyConfig>,
}

impl Config {
    /// What decides.
    pub(crate) const fn deciding(&self) -> Deciding<'_> {
        Deciding {
            chain: &self.chain,
            chains: &self.chains,
            policies: &self.policies,
        }
    }
}

/// The same out of a file that need not say anything else. Its other tables are
/// passed over.
#[derive(Debug)]
pub(crate) struct CandidateConfig {
    chain: ChainConfig,
    chains: Named<SelectedChainConfig>,
    policies: Named<PolicyConfig>,
    /// `None` when the file says nothing about lists.
    pub(crate) lists: Option<Vec<(String, ListConfig)>>,
}

impl CandidateConfig {
    /// Reads the file at `path` and what it includes.
    pub(crate) fn load(path: &Path, environment: &dyn Environment) -> Result<Self, Problems> {
        let reader = Reader::new(environment);
        let loaded = load::load(path, &reader);
        let config =
            loaded.map(|(root, start)| Self::read(&Section::new(&reader, start, "", Some(&root))));
        reader.finish(config)
    }

    fn read(root: &Section<'_>) -> Self {
        // A part of a configuration may know no clients.
        let clients = root.node("clients").and_then(|node| match &node.value {
            Value::Table(table) => Some(table.0.iter().map(|entry| entry.name.as_str())),
            _ => None,
        });
        let clients: Option<Vec<&str>> = clients.map(Iterator::collect);
        let policies = root.named_sections("policies").into_iter();
        let policies = policies.filter_map(|(name, section)| policy::read(name, section));
        let mut policies = Named(policies.collect());
        let (chain, chains) = chain::read(root, &mut policies, clients.as_deref());
        let lists = root.node("lists");
        Self {
            chain,
            chains,
            policies,
            lists: lists.map(|node| list::read(Some(node), root.reader)),
        }
    }

    /// What decides.
    pub(crate) const fn deciding(&self) -> Deciding<'_> {
        Deciding {
            chain: &self.chain,
            chains: &self.chains,
            policies: &self.policies,
        }
    }

    /// Has a policy be another component. Without a name there has to be only
    /// one policy.
    pub(crate) fn replace_component(
        &mut self,
        name: Option<&str>,
        file: &Path,
    ) -> Result<(), Problems> {
        let names = listed(&self.policies.names());
        let policies = &mut self.policies.0;
        let found = match (name, policies.as_mut_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(name), policies) => policies.iter_mut().find(|it| it.name.value == name),
        };
        let Some(policy) = found else {
            let message = match name {
                Some(name) => format!("there is no policy `{name}` in use"),
                None => "there is not exactly one policy in use".to_owned(),
            };
            let problem = Problem::nowhere(message);
            let hint = format!("name one of {names} with `--policy NAME`");
            return Err(problem.hint(hint).into());
        };
        policy.plugin.value = ExistingFile::at(file);
        Ok(())
    }
}
