//! What each kind of plugin may import, and what makes it one.

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use super::bindings::actions::exports::portreeve::connector::actions;
use super::bindings::connector::portreeve as host;
use super::bindings::inventory::exports::portreeve::connector::inventory;
use super::bindings::scep::exports::portreeve::scep::{requests, revocations};
use super::bindings::{connector, policy};
use super::common::Common;
use super::connector::ConnectorData;
use super::policy::PolicyData;
use crate::load::PluginKind;

/// A connector whose imports are resolved and whose exports are checked.
#[derive(Clone)]
pub(crate) struct ConnectorPre {
    pub(crate) connector: connector::MdmConnectorPre<ConnectorData>,
    /// Where its inventory is, if it has one.
    pub(crate) inventory: Option<inventory::GuestIndices>,
    /// Where its actions are, if it has any.
    pub(crate) actions: Option<actions::GuestIndices>,
    /// Where it answers for certificate requests, if it does.
    pub(crate) scep: Option<ScepIndices>,
}

/// Where a connector answers for certificate requests.
#[derive(Clone)]
pub(crate) struct ScepIndices {
    pub(crate) requests: requests::GuestIndices,
    /// Where it names certificates to be revoked, if it does.
    pub(crate) revocations: Option<revocations::GuestIndices>,
}

/// A policy whose imports are resolved and whose exports are checked.
#[derive(Clone)]
pub(crate) struct PolicyPre {
    pub(crate) instance: InstancePre<PolicyData>,
    /// The evaluator alone: a fresh instance serves one decision, so it does
    /// not pay for looking up what else the component exports.
    pub(crate) evaluator: policy::exports::portreeve::policy::evaluator::GuestIndices,
}

/// The interfaces of the policy world, without their version.
const POLICY_IMPORTS: &[&str] = &[
    "portreeve:host/logging",
    "portreeve:host/config",
    "portreeve:facts/facts",
    "portreeve:device/types",
    "portreeve:policy/types",
];

/// The interfaces of the connector world, without their version.
const CONNECTOR_IMPORTS: &[&str] = &[
    "portreeve:host/logging",
    "portreeve:host/config",
    "portreeve:host/state",
    "portreeve:host/credentials",
    "portreeve:host/signing",
    "portreeve:host/http",
    "portreeve:device/types",
    "portreeve:connector/types",
];

/// What a connector may export besides, to be read as a whole.
const INVENTORY: &str = "portreeve:connector/inventory";

/// What a connector may export besides, to act on devices.
const ACTIONS: &str = "portreeve:connector/actions";
/// What a connector may export besides, for SCEP servers.
const SCEP_REQUESTS: &str = "portreeve:scep/requests";
const SCEP_REVOCATIONS: &str = "portreeve:scep/revocations";

/// WASI that every connector finds, though most of it leads nowhere: standard
/// libraries import more than a program uses.
const CONNECTOR_WASI: &[&str] = &[
    "wasi:cli",
    "wasi:clocks",
    "wasi:filesystem",
    "wasi:http",
    "wasi:io",
    "wasi:random",
    "wasi:sockets",
];

/// What the host offers to each kind of plugin.
pub(crate) struct Worlds {
    connector: Linker<ConnectorData>,
    policy: Linker<PolicyData>,
}

impl fmt::Debug for Worlds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Worlds")
    }
}

impl Worlds {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        Ok(Self {
            connector: connector_linker(engine)?,
            policy: policy_linker(engine)?,
        })
    }

    pub(crate) fn connector(&self, component: &Component) -> wasmtime::Result<ConnectorPre> {
        let instance = self.connector.instantiate_pre(component)?;
        let described = component.component_type();
        let has = |interface| {
            let mut exports = described.exports(component.engine());
            exports.any(|(name, _)| is_of_track(name, interface))
        };
        // One of the name but of another shape is refused, as it is with what
        // every connector has to export.
        let inventory = has(INVENTORY).then(|| inventory::GuestIndices::new(&instance));
        let actions = has(ACTIONS).then(|| actions::GuestIndices::new(&instance));
        let scep = has(SCEP_REQUESTS).then(|| {
            let revocations =
                has(SCEP_REVOCATIONS).then(|| revocations::GuestIndices::new(&instance));
            Ok::<_, wasmtime::Error>(ScepIndices {
                requests: requests::GuestIndices::new(&instance)?,
                revocations: revocations.transpose()?,
            })
        });
        Ok(ConnectorPre {
            inventory: inventory.transpose()?,
            actions: actions.transpose()?,
            scep: scep.transpose()?,
            connector: connector::MdmConnectorPre::new(instance)?,
        })
    }

    pub(crate) fn policy(&self, component: &Component) -> wasmtime::Result<PolicyPre> {
        let instance = self.policy.instantiate_pre(component)?;
        // Checks all exports, the plugin's own description too.
        policy::PolicyPre::new(instance.clone())?;
        Ok(PolicyPre {
            evaluator: policy::exports::portreeve::policy::evaluator::GuestIndices::new(&instance)?,
            instance,
        })
    }
}

/// INVARIANT: nothing of WASI is in here. A policy has no clock, no network, no
/// state and no randomness.
fn policy_linker(engine: &Engine) -> wasmtime::Result<Linker<PolicyData>> {
    fn common(data: &mut PolicyData) -> &mut Common {
        &mut data.common
    }

    let mut linker = Linker::new(engine);
    host::host::logging::add_to_linker::<_, HasSelf<Common>>(&mut linker, common)?;
    host::host::config::add_to_linker::<_, HasSelf<Common>>(&mut linker, common)?;
    host::device::types::add_to_linker::<_, HasSelf<Common>>(&mut linker, common)?;
    policy::portreeve::policy::types::add_to_linker::<_, HasSelf<Common>>(&mut linker, common)?;
    policy::portreeve::facts::facts::add_to_linker::<_, HasSelf<PolicyData>>(
        &mut linker,
        |data| data,
    )?;
    Ok(linker)
}

fn connector_linker(engine: &Engine) -> wasmtime::Result<Linker<ConnectorData>> {
    fn common(data: &mut ConnectorData) -> &mut Common {
        &mut data.common
    }

    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    host::host::logging::add_to_linker::<_, HasSelf<Common>>(&mut linker, common)?;
    host::host::config::add_to_linker::<_, HasSelf<Common>>(&mut linker, common)?;
    host::device::types::add_to_linker::<_, HasSelf<Common>>(&mut linker, common)?;
    host::connector::types::add_to_linker::<_, HasSelf<Common>>(&mut linker, common)?;
    host::host::state::add_to_linker::<_, HasSelf<ConnectorData>>(&mut linker, |data| data)?;
    host::host::credentials::add_to_linker::<_, HasSelf<ConnectorData>>(&mut linker, |data| data)?;
    host::host::signing::add_to_linker::<_, HasSelf<ConnectorData>>(&mut linker, |data| data)?;
    host::host::http::add_to_linker::<_, HasSelf<ConnectorData>>(&mut linker, |data| data)?;
    Ok(linker)
}

/// The kinds of plugin that a component with these exports is.
pub(crate) fn kinds(exports: &[String]) -> Vec<PluginKind> {
    let has = |interface: &str| exports.iter().any(|export| is_of_track(export, interface));
    let mut kinds = Vec::new();
    if has("portreeve:connector/lookup") {
        kinds.push(PluginKind::Connector);
    }
    if has("portreeve:policy/evaluator") {
        kinds.push(PluginKind::Policy);
    }
    kinds
}

/// The imports that a plugin of this kind may not have.
pub(crate) fn forbidden_imports(kind: PluginKind, imports: &[String]) -> Vec<String> {
    let (interfaces, packages) = match kind {
        PluginKind::Connector => (CONNECTOR_IMPORTS, CONNECTOR_WASI),
        PluginKind::Policy => (POLICY_IMPORTS, [].as_slice()),
    };
    let allowed = |import: &str| {
        interfaces.iter().any(|known| is_of_track(import, known))
            || packages
                .iter()
                .any(|package| is_of_wasi_0_2(import, package))
    };
    let refused = imports.iter().filter(|import| !allowed(import));
    refused.cloned().collect()
}

fn is_of_track(name: &str, interface: &str) -> bool {
    let version = name.strip_prefix(interface);
    version.is_some_and(|version| version.starts_with("@0.1."))
}

fn is_of_wasi_0_2(name: &str, package: &str) -> bool {
    let rest = name
        .strip_prefix(package)
        .and_then(|rest| rest.strip_prefix('/'));
    let version = rest.and_then(|rest| rest.split_once('@'));
    version.is_some_and(|(_, version)| version.starts_with("0.2."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_policy_may_import_its_world_only() {
        let imports = names(&[
            "portreeve:facts/facts@0.1.3",
            "portreeve:host/http@0.1.0",
            "wasi:clocks/wall-clock@0.2.6",
            "portreeve:host/logging@0.2.0",
            "portreeve:host/logging-more@0.1.0",
            "log",
        ]);
        let refused = forbidden_imports(PluginKind::Policy, &imports);
        assert_eq!(refused, imports[1..]);
    }

    #[test]
    fn a_connector_may_import_closed_wasi() {
        let imports = names(&[
            "portreeve:host/http@0.1.0",
            "wasi:http/outgoing-handler@0.2.10",
            "wasi:sockets/tcp@0.2.0",
            "portreeve:facts/facts@0.1.0",
            "wasi:http/client@0.3.0",
            "wasi:keyvalue/store@0.2.0-draft",
            "wasi:https/outgoing-handler@0.2.0",
        ]);
        let refused = forbidden_imports(PluginKind::Connector, &imports);
        assert_eq!(refused, imports[3..]);
    }

    #[test]
    fn exports_make_the_kind() {
        let kinds = |exports: &[&str]| kinds(&names(exports));
        assert_eq!(kinds(&["portreeve:plugin/plugin@0.1.0", "init"]), []);
        assert_eq!(kinds(&["portreeve:connector/lookup@0.2.0"]), []);
        assert_eq!(
            kinds(&["portreeve:connector/lookup@0.1.4"]),
            [PluginKind::Connector]
        );
        assert_eq!(
            kinds(&["portreeve:policy/evaluator@0.1.0"]),
            [PluginKind::Policy]
        );
    }
}
