//! `[chain]` and `[chains.NAME]`: which policies decide, and for whom.

use portreeve_domain::{Authentication, Medium};
use portreeve_gateway::{Combine, Pattern, Selector};
use serde::{Serialize, Serializer};

use super::named::Named;
use super::place::Located;
use super::policy::PolicyConfig;
use super::problem::Problem;
use super::read::{FromNode, Reader, Section, listed, nearest};
use super::tree::Node;
use super::value::{Span, choice, parsed};

/// `[chain]`, for all questions that no other chain is for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ChainConfig {
    /// In the order in which they are asked.
    pub(crate) policies: Vec<String>,
    #[serde(serialize_with = "rule")]
    pub(crate) combine: Combine,
    pub(crate) verdict_ttl: Span,
}

/// `[chains.NAME]`, for some questions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SelectedChainConfig {
    #[serde(skip)]
    pub(crate) name: Located<String>,
    pub(crate) policies: Vec<String>,
    #[serde(serialize_with = "rule")]
    pub(crate) combine: Combine,
    pub(crate) verdict_ttl: Span,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    clients: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nas: Vec<WrittenPattern>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<WrittenPattern>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<WrittenPattern>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "media")]
    media: Vec<Medium>,
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "authentications"
    )]
    authentications: Vec<Authentication>,
}

/// A pattern and how it is written.
#[derive(Clone, Debug)]
struct WrittenPattern {
    text: String,
    pattern: Pattern,
}

const RULES: [Combine; 3] = [
    Combine::FirstDecides,
    Combine::DenyOverrides,
    Combine::PermitOverrides,
];

const MEDIA: [(&str, Medium); 3] = [
    ("wired", Medium::Wired),
    ("wireless", Medium::Wireless),
    ("vpn", Medium::Vpn),
];

const AUTHENTICATIONS: [(&str, Authentication); 5] = [
    ("none", Authentication::None),
    ("mac-bypass", Authentication::MacBypass),
    ("eap-tls", Authentication::EapTls),
    ("eap-other", Authentication::EapOther),
    ("web", Authentication::Web),
];

impl FromNode for Combine {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        choice(node, reader, &RULES.map(|rule| (rule.as_str(), rule)))
    }
}

impl FromNode for Medium {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        choice(node, reader, &MEDIA)
    }
}

impl FromNode for Authentication {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        choice(node, reader, &AUTHENTICATIONS)
    }
}

impl FromNode for WrittenPattern {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let hint = "write a name, perhaps with `*`, an address, or a range like `10.1.0.0/16`";
        let pattern = parsed(node, reader, "pattern", hint)?;
        Some(Self {
            text: String::from_node(node, reader)?,
            pattern,
        })
    }
}

impl Serialize for WrittenPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl SelectedChainConfig {
    /// The questions that it is for.
    pub(crate) fn selector(&self) -> Selector {
        let patterns = |written: &[WrittenPattern]| {
            let patterns = written.iter().map(|written| written.pattern.clone());
            patterns.collect()
        };
        Selector {
            clients: self
                .clients
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
            nas: patterns(&self.nas),
            attachments: patterns(&self.attachments),
            locations: patterns(&self.locations),
            media: self.media.clone(),
            authentications: self.authentications.clone(),
        }
    }
}

/// Reads `[chain]` and `[chains.NAME]`. Policies that no chain names are taken
/// out; the others are in the order of `[chain]`, those of other chains last.
/// `clients` are all that can be named, if that is known.
pub(super) fn read(
    root: &Section<'_>,
    policies: &mut Named<PolicyConfig>,
    clients: Option<&[&str]>,
) -> (ChainConfig, Named<SelectedChainConfig>) {
    let section = root.section("chain");
    let mut rest = policies.order(&section, "policies", false);
    let default = ChainConfig {
        policies: policies.owned_names(),
        combine: section.or("combine", Combine::default()),
        verdict_ttl: section.or("verdict-ttl", Span::seconds(60)),
    };
    section.finish();
    let chains = root.named_sections("chains").into_iter();
    let chains = chains.map(|(name, section)| {
        if name.value == portreeve_gateway::DEFAULT_CHAIN {
            let problem = Problem::with(&name, "this is the name of `[chain]`");
            root.reader.report(problem.hint("choose another name"));
        }
        let read = one(name, &section, &default, clients);
        for wanted in read.1 {
            take(&wanted, policies, &mut rest, root.reader);
        }
        section.finish();
        read.0
    });
    let chains = chains.collect();
    (default, Named(chains))
}

/// One chain, and the policies that it names.
fn one(
    name: Located<String>,
    section: &Section<'_>,
    default: &ChainConfig,
    known: Option<&[&str]>,
) -> (SelectedChainConfig, Vec<Located<String>>) {
    let policies: Option<Vec<Located<String>>> = section.required("policies", "[\"baseline\"]");
    let policies = policies.unwrap_or_default();
    let clients: Vec<Located<String>> = section.or("clients", Vec::new());
    for client in &clients {
        if let Some(known) = known.filter(|known| !known.contains(&&*client.value)) {
            section.reader.report(unknown("client", client, known));
        }
    }
    let chain = SelectedChainConfig {
        name,
        policies: values(&policies),
        combine: section.or("combine", Combine::default()),
        verdict_ttl: section.or("verdict-ttl", default.verdict_ttl),
        clients: values(&clients),
        nas: section.or("nas", Vec::new()),
        attachments: section.or("attachments", Vec::new()),
        locations: section.or("locations", Vec::new()),
        media: section.or("media", Vec::new()),
        authentications: section.or("authentications", Vec::new()),
    };
    if chain.selector() == Selector::default() && section.reader.is_content() {
        let keys = listed(&[
            "clients",
            "nas",
            "attachments",
            "locations",
            "media",
            "authentications",
        ]);
        let problem = section.problem("it does not say which questions it is for");
        section
            .reader
            .report(problem.hint(format!("add one of {keys}; `[chain]` is for all others")));
    }
    (chain, policies)
}

/// Puts a policy into use that a chain names.
fn take(
    wanted: &Located<String>,
    policies: &mut Named<PolicyConfig>,
    rest: &mut Vec<PolicyConfig>,
    reader: &Reader<'_>,
) {
    if policies.get(&wanted.value).is_some() {
        return;
    }
    let found = rest.iter();
    let mut found = found.map(|policy| &policy.name.value);
    if let Some(place) = found.position(|name| *name == wanted.value) {
        policies.0.push(rest.remove(place));
        return;
    }
    let rest = rest.iter().map(|policy| policy.name.value.as_str());
    let known: Vec<&str> = policies.names().into_iter().chain(rest).collect();
    reader.report(unknown("policy", wanted, &known));
}

fn unknown(what: &str, wanted: &Located<String>, known: &[&str]) -> Problem {
    let hint = match nearest(&wanted.value, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no {what} at all"),
        None => format!("there are {}", listed(known)),
    };
    let message = format!("there is no {what} `{}`", wanted.value);
    Problem::with(wanted, message).hint(hint)
}

fn values(located: &[Located<String>]) -> Vec<String> {
    located.iter().map(|it| it.value.clone()).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives fields so")]
fn rule<S: Serializer>(rule: &Combine, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.as_str())
}

fn media<S: Serializer>(media: &[Medium], serializer: S) -> Result<S::Ok, S::Error> {
    words(media, &MEDIA, serializer)
}

fn authentications<S: Serializer>(
    authentications: &[Authentication],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    words(authentications, &AUTHENTICATIONS, serializer)
}

fn words<T: PartialEq, S: Serializer>(
    values: &[T],
    words: &[(&'static str, T)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let word = |value: &T| words.iter().find(|(_, known)| known == value);
    let found = values.iter().filter_map(word);
    serializer.collect_seq(found.map(|(word, _)| word))
}
