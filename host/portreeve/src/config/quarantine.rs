//! `[quarantine.NAME]`: ways to hold an endpoint back.

use portreeve_domain::{Obligation, ObligationKind, Verdict};
use portreeve_gateway::quarantine::{Action, Policy};
use serde::{Serialize, Serializer};

use super::place::Located;
use super::read::{FromNode, Reader, Section};
use super::tree::Node;
use super::value::{Span, choice};

/// `[quarantine.NAME]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct QuarantineConfig {
    #[serde(skip)]
    pub(crate) name: Located<String>,
    #[serde(serialize_with = "words")]
    actions: Vec<Action>,
    verdict: Bound,
    message: Option<String>,
    vlan: Option<String>,
    acl: Option<String>,
    role: Option<String>,
    redirect: Option<String>,
    session_timeout: Option<Span>,
}

/// The best that a quarantined endpoint can get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Bound {
    Restrict,
    Deny,
}

impl FromNode for Bound {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let choices = [("restrict", Self::Restrict), ("deny", Self::Deny)];
        choice(node, reader, &choices)
    }
}

impl FromNode for Action {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        choice(node, reader, &Self::ALL.map(|it| (it.as_str(), it)))
    }
}

pub(super) fn read(name: Located<String>, section: Section<'_>) -> QuarantineConfig {
    let redirect: Option<url::Url> = section.optional("redirect");
    let config = QuarantineConfig {
        name,
        actions: section.or("actions", vec![Action::Quarantine]),
        verdict: section.or("verdict", Bound::Deny),
        message: section.optional("message"),
        vlan: section.optional("vlan"),
        acl: section.optional("acl"),
        role: section.optional("role"),
        redirect: redirect.map(|url| url.to_string()),
        session_timeout: section.optional("session-timeout"),
    };
    section.finish();
    config
}

impl QuarantineConfig {
    /// The same in the gateway's words.
    pub(crate) fn to_policy(&self) -> Policy {
        let timeout = self.session_timeout.map(|span| span.0);
        let obligations = [
            self.vlan.clone().map(ObligationKind::Vlan),
            self.acl.clone().map(ObligationKind::Acl),
            self.role.clone().map(ObligationKind::Role),
            self.redirect.clone().map(ObligationKind::Redirect),
            timeout.map(ObligationKind::SessionTimeout),
        ];
        let obligations = obligations.into_iter().flatten();
        Policy {
            name: self.name.value.as_str().into(),
            actions: self.actions.clone(),
            verdict: match self.verdict {
                Bound::Restrict => Verdict::Restrict,
                Bound::Deny => Verdict::Deny,
            },
            obligations: obligations
                .map(|kind| Obligation {
                    kind,
                    advisory: false,
                })
                .collect(),
            message: self.message.clone(),
            is_configured: true,
        }
    }
}

fn words<S: Serializer>(actions: &[Action], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(actions.iter().map(|action| action.as_str()))
}
