//! `[trust.NAME]`: issuers that are trusted beside those of the system.

use rustls_pki_types::CertificateDer;
use serde::Serialize;

use super::certificate::CertificateFile;
use super::named::Named;
use super::place::Located;
use super::problem::Problem;
use super::read::{FromNode, Reader, Section, listed, nearest};
use super::tree::Node;
use super::value::choice;

/// `[trust.NAME]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TrustConfig {
    #[serde(skip)]
    pub(crate) name: Located<String>,
    pub(crate) file: CertificateFile,
    pub(crate) purposes: Vec<Purpose>,
    #[serde(serialize_with = "names", skip_serializing_if = "Option::is_none")]
    pub(crate) connectors: Option<Vec<Located<String>>>,
}

/// What somebody is trusted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Purpose {
    /// To be the server that a connector asks.
    Connectors,
    /// To issue certificates of clients.
    Clients,
}

impl FromNode for Purpose {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let choices = [("connectors", Self::Connectors), ("clients", Self::Clients)];
        choice(node, reader, &choices)
    }
}

impl TrustConfig {
    /// Whether it counts for this, and for this connector.
    pub(crate) fn is_for(&self, purpose: Purpose, connector: Option<&str>) -> bool {
        let covers = |names: &Vec<Located<String>>| {
            names
                .iter()
                .any(|name| Some(name.value.as_str()) == connector)
        };
        let is_meant = self.connectors.as_ref().is_none_or(covers);
        self.purposes.contains(&purpose) && (purpose == Purpose::Clients || is_meant)
    }
}

pub(super) fn read(name: Located<String>, section: Section<'_>) -> Option<TrustConfig> {
    let file = section.required("file", "\"azure-mdm.pem\"");
    let purposes = section.or("purposes", vec![Purpose::Connectors]);
    let connectors = section.optional("connectors");
    if purposes.is_empty() {
        let problem = section.problem("`purposes` is empty, so nobody is trusted");
        section
            .reader
            .report(problem.hint("write `\"connectors\"`, `\"clients\"` or both"));
    }
    section.finish();
    Some(TrustConfig {
        name,
        file: file?,
        purposes,
        connectors,
    })
}

/// Who else issues certificates of clients.
pub(super) fn client_issuers(trust: &Named<TrustConfig>) -> Vec<CertificateDer<'static>> {
    let trust = trust.0.iter();
    trust
        .filter(|trust| trust.is_for(Purpose::Clients, None))
        .flat_map(|trust| trust.file.certificates.iter().cloned())
        .collect()
}

/// Reports connectors that do not exist.
pub(super) fn check_connectors(trust: &Named<TrustConfig>, known: &[&str], reader: &Reader<'_>) {
    let named = trust.0.iter().filter_map(|trust| trust.connectors.as_ref());
    for name in named.flatten() {
        if known.contains(&name.value.as_str()) {
            continue;
        }
        let hint = match nearest(&name.value, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "there are no connectors".to_owned(),
            None => format!("there are {}", listed(known)),
        };
        let message = format!("there is no connector `{}`", name.value);
        reader.report(Problem::with(name, message).hint(hint));
    }
}

#[expect(clippy::ref_option, reason = "serde hands it over like this")]
fn names<S: serde::Serializer>(
    names: &Option<Vec<Located<String>>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(names.iter().flatten().map(|name| &name.value))
}
