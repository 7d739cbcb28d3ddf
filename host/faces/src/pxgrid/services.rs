//! Services that nodes offer, and the topics that belong to them.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use portreeve_domain::Timestamp;
use serde::Serialize;

use super::name::NodeName;

/// How often a provider has to say that it is still there.
pub(super) const REREGISTER: Duration = Duration::from_mins(5);
/// What it is given beyond that.
const GRACE: Duration = Duration::from_mins(2);
/// Registrations in all, and of one node.
const MOST: usize = 256;
const MOST_OF_NODE: usize = 16;
/// Properties of a service, and the length of a name or value.
const MOST_PROPERTIES: usize = 32;
const LONGEST: usize = 1024;
/// Bytes of a service's name.
const LONGEST_NAME: usize = 200;

/// What topics begin with.
const TOPIC: &str = "/topic/";
/// What is not for others to offer.
const RESERVED: [&str; 3] = [super::MDM, super::PUBSUB, super::ANC];

/// The properties of a service.
pub(crate) type Properties = BTreeMap<String, String>;

/// One provider of a service, as `ServiceLookup` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) node_name: String,
    pub(crate) properties: Properties,
}

/// Why a service is not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegisterError {
    #[error("`name`: expected 1 to {LONGEST_NAME} characters of `a-z`, `0-9`, `-`, `_` and `.`")]
    Name,
    #[error(
        "`properties`: expected at most {MOST_PROPERTIES} with names and values of at most {LONGEST} bytes"
    )]
    Properties,
    #[error("`name`: the service `{0}` is the gateway's own")]
    Reserved(String),
    #[error(
        "`properties`: the topic `{0}` does not begin with `/topic/` and the service's name, or belongs to another service"
    )]
    Topic(String),
    #[error("too many services are registered")]
    Full,
}

/// Services that nodes have registered. A registration ends when its node does
/// not renew it.
#[derive(Debug, Default)]
pub(crate) struct Services(Mutex<Vec<Registration>>);

#[derive(Clone, Debug)]
struct Registration {
    id: String,
    node: NodeName,
    name: String,
    properties: Properties,
    until: Timestamp,
}

impl Registration {
    fn topics(&self) -> impl Iterator<Item = &str> {
        topics(&self.properties)
    }
}

fn topics(properties: &Properties) -> impl Iterator<Item = &str> {
    properties
        .values()
        .map(String::as_str)
        .filter(|value| value.starts_with(TOPIC))
}

impl Services {
    /// Registers a service of a node under `id`. What the node registered under
    /// the same name before is replaced.
    pub(super) fn register(
        &self,
        node: &NodeName,
        name: String,
        properties: Properties,
        id: &str,
        now: Timestamp,
    ) -> Result<(), RegisterError> {
        check(&name, &properties)?;
        let mut services = self.0.lock();
        services.retain(|service| service.until > now);
        let foreign = topics(&properties).find(|topic| {
            let belongs = topic
                .strip_prefix(TOPIC)
                .and_then(|rest| rest.strip_prefix(&*name))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            let is_of_another = |service: &Registration| {
                service.name != name && service.topics().any(|other| other == *topic)
            };
            !belongs || is_ours(topic) || services.iter().any(is_of_another)
        });
        if let Some(topic) = foreign {
            let topic = crate::text::one_line(topic, 200);
            return Err(RegisterError::Topic(topic));
        }
        services.retain(|service| service.node != *node || service.name != name);
        let own = services.iter().filter(|service| service.node == *node);
        if services.len() >= MOST || own.count() >= MOST_OF_NODE {
            return Err(RegisterError::Full);
        }
        services.push(Registration {
            id: id.to_owned(),
            node: node.clone(),
            name,
            properties,
            until: lease(now),
        });
        Ok(())
    }

    /// Renews a registration of a node. `false` when there is none.
    pub(super) fn renew(&self, node: &NodeName, id: &str, now: Timestamp) -> bool {
        let mut services = self.0.lock();
        services.retain(|service| service.until > now);
        let own = services
            .iter_mut()
            .find(|service| service.node == *node && service.id == id);
        own.map(|service| service.until = lease(now)).is_some()
    }

    /// Ends a registration of a node. `false` when there was none.
    pub(super) fn unregister(&self, node: &NodeName, id: &str) -> bool {
        let mut services = self.0.lock();
        let before = services.len();
        services.retain(|service| service.node != *node || service.id != id);
        services.len() < before
    }

    /// Ends all registrations of a node.
    pub(super) fn forget(&self, node: &NodeName) {
        self.0.lock().retain(|service| service.node != *node);
    }

    /// The providers of a service.
    pub(super) fn providers(&self, name: &str, now: Timestamp) -> Vec<(NodeName, Provider)> {
        let services = self.0.lock();
        let wanted = services
            .iter()
            .filter(|service| service.name == name && service.until > now);
        wanted
            .map(|service| {
                let provider = Provider {
                    name: service.name.clone(),
                    node_name: service.node.to_string(),
                    properties: service.properties.clone(),
                };
                (service.node.clone(), provider)
            })
            .collect()
    }

    /// Whether a node offers the service.
    pub(super) fn offers(&self, node: &NodeName, name: &str, now: Timestamp) -> bool {
        self.any(now, |service| service.node == *node && service.name == name)
    }

    /// Whether the topic belongs to a service of the node.
    pub(super) fn has_topic(&self, node: &NodeName, topic: &str, now: Timestamp) -> bool {
        self.any(now, |service| {
            service.node == *node && service.topics().any(|own| own == topic)
        })
    }

    fn any(&self, now: Timestamp, is_wanted: impl Fn(&Registration) -> bool) -> bool {
        let services = self.0.lock();
        let mut live = services.iter().filter(|service| service.until > now);
        live.any(is_wanted)
    }
}

fn lease(now: Timestamp) -> Timestamp {
    let span = REREGISTER + GRACE;
    let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_add(span))
}

fn is_ours(topic: &str) -> bool {
    let name = topic.strip_prefix(TOPIC).unwrap_or(topic);
    RESERVED.iter().any(|own| {
        name.strip_prefix(own)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

fn check(name: &str, properties: &Properties) -> Result<(), RegisterError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(fits) {
        return Err(RegisterError::Name);
    }
    let is_short = |text: &String| text.len() <= LONGEST;
    let is_small = properties.len() <= MOST_PROPERTIES
        && properties.keys().chain(properties.values()).all(is_short);
    if !is_small {
        return Err(RegisterError::Properties);
    }
    if is_ours(name) {
        return Err(RegisterError::Reserved(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "com.example.svc";
    const TOPIC_OF_IT: &str = "/topic/com.example.svc";

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    fn node(name: &str) -> NodeName {
        name.parse().unwrap()
    }

    fn with(topic: &str) -> Properties {
        let properties = [
            ("wsPubsubService", "com.cisco.ise.pubsub"),
            ("customTopic", topic),
        ];
        let properties = properties.map(|(key, value)| (key.to_owned(), value.to_owned()));
        properties.into_iter().collect()
    }

    fn register(
        services: &Services,
        owner: &str,
        name: &str,
        topic: &str,
    ) -> Result<(), RegisterError> {
        services.register(&node(owner), name.to_owned(), with(topic), owner, at(0))
    }

    #[test]
    fn a_service_lives_as_long_as_it_is_renewed() {
        let services = Services::default();
        let owner = node("owner");
        register(&services, "owner", SERVICE, TOPIC_OF_IT).unwrap();
        let count = |minutes| services.providers(SERVICE, at(minutes)).len();
        assert_eq!(count(6), 1);
        assert!(services.has_topic(&owner, TOPIC_OF_IT, at(6)));
        assert!(services.offers(&owner, SERVICE, at(6)));
        assert_eq!(count(7), 0);
        assert!(!services.has_topic(&owner, TOPIC_OF_IT, at(7)));
        assert!(services.renew(&owner, "owner", at(5)));
        assert_eq!(count(11), 1);
        assert!(!services.renew(&node("other"), "owner", at(5)));
        assert!(!services.unregister(&node("other"), "owner"));
        assert!(services.unregister(&owner, "owner"));
        assert!(!services.unregister(&owner, "owner"));
        assert_eq!(count(6), 0);
        assert!(!services.renew(&owner, "owner", at(5)));
    }

    #[test]
    fn registering_again_replaces() {
        let services = Services::default();
        for _ in 0..40 {
            register(&services, "owner", SERVICE, TOPIC_OF_IT).unwrap();
        }
        register(&services, "second", SERVICE, TOPIC_OF_IT).unwrap();
        assert_eq!(services.providers(SERVICE, at(0)).len(), 2);
        services.forget(&node("owner"));
        assert_eq!(services.providers(SERVICE, at(0)).len(), 1);
    }

    #[test]
    fn nobody_takes_what_is_not_his() {
        let services = Services::default();
        register(&services, "owner", "com.example", "/topic/com.example.svc").unwrap();
        for (name, topic) in [
            ("com.cisco.ise.mdm", "/topic/com.cisco.ise.mdm.endpoint"),
            ("com.cisco.ise", "/topic/com.cisco.ise.mdm.endpoint"),
            ("com.cisco.ise.config.anc.status", "/topic/x"),
            ("com.example.other", "/topic/com.example.othermost"),
            ("com.example.other", "/topic/"),
            // Belongs to `com.example` already.
            ("com.example.svc", "/topic/com.example.svc"),
        ] {
            let error = register(&services, "thief", name, topic).unwrap_err();
            assert!(
                matches!(error, RegisterError::Reserved(_) | RegisterError::Topic(_)),
                "{name} {topic}: {error}"
            );
        }
        assert!(!services.has_topic(&node("thief"), "/topic/com.example.svc", at(0)));
    }

    #[test]
    fn registrations_are_bounded() {
        let services = Services::default();
        for number in 0..MOST_OF_NODE {
            let name = format!("com.example.n{number}");
            let topic = format!("/topic/{name}");
            register(&services, "owner", &name, &topic).unwrap();
        }
        let full = register(
            &services,
            "owner",
            "com.example.more",
            "/topic/com.example.more",
        );
        assert_eq!(full, Err(RegisterError::Full));
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(
            register(&services, "other", SERVICE, &long),
            Err(RegisterError::Properties)
        );
        assert_eq!(
            register(&services, "other", "", TOPIC_OF_IT),
            Err(RegisterError::Name)
        );
    }
}
