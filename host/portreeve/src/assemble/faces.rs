//! Listeners and clients in the faces' words.

use std::path::PathBuf;
use std::sync::Arc;

use portreeve_faces::{
    ClientAuthentication, ClientSettings, FaceSettings, Limits, ListenerSettings, PxgridSettings,
    Secret, TlsSettings,
};

use portreeve_gateway::inventory::Inventory;

use crate::config::{
    BasicConfig, CertificateMatch, ClientConfig, IseConfig, PxgridConfig, SecretSetting,
    ServerConfig,
};

/// Takes the server's key with it. `control` is the socket for commands.
pub(crate) fn face_settings(
    server: ServerConfig,
    clients: &[ClientConfig],
    ise: &IseConfig,
    control: Option<PathBuf>,
    inventory: Arc<Inventory>,
    pxgrid: Option<PxgridConfig>,
) -> FaceSettings {
    let limits = Limits {
        max_connections: server.max_connections,
        max_waiting: server.max_waiting,
        max_body: server.max_body.bytes(),
        header_timeout: server.header_timeout.0,
        body_timeout: server.body_timeout.0,
        idle_timeout: server.idle_timeout.0,
        shutdown_timeout: server.shutdown_timeout.0,
    };
    let tls = server.tls.map(|tls| ListenerSettings::Tls {
        address: tls.listen,
        tls: TlsSettings {
            certificates: tls.certificate.certificates,
            key: tls.key.key,
            client_issuers: tls
                .client_ca
                .map_or_else(Vec::new, |file| file.certificates),
        },
    });
    let plain = server.plain.map(|plain| ListenerSettings::Plain {
        address: plain.listen,
    });
    FaceSettings {
        listeners: tls
            .into_iter()
            .chain(plain)
            .chain(control.map(|path| ListenerSettings::Local { path }))
            .collect(),
        clients: clients.iter().map(client).collect(),
        limits,
        inventory: Some(inventory),
        ise: ise.to_settings(),
        pxgrid: pxgrid.map(|pxgrid| PxgridSettings {
            node_name: pxgrid.node_name,
            url: pxgrid.url,
            accounts: pxgrid.accounts,
            approve_certificates: pxgrid.approve_certificates,
            max_subscribers: pxgrid.max_subscribers,
            patience: pxgrid.patience.0,
        }),
    }
}

fn client(config: &ClientConfig) -> ClientSettings {
    let basic = config
        .basic
        .as_ref()
        .map(
            |BasicConfig { username, password }| ClientAuthentication::Basic {
                username: username.clone(),
                password: secret(password),
            },
        );
    let bearer = config
        .bearer
        .as_ref()
        .map(|key| ClientAuthentication::Bearer { key: secret(key) });
    let certificate = config.certificate.as_ref().map(|wanted| match wanted {
        CertificateMatch::San(name) => ClientAuthentication::CertificateName(name.clone()),
        CertificateMatch::Sha256(fingerprint) => {
            ClientAuthentication::CertificateFingerprint(*fingerprint)
        }
    });
    ClientSettings {
        name: config.name.value.as_str().into(),
        authentication: basic.into_iter().chain(bearer).chain(certificate).collect(),
        faces: config.faces.clone(),
        networks: config.networks.clone(),
        patience: config.patience.0,
        sources: config.sources.as_ref().map(|sources| {
            let names = sources.iter().map(|source| source.value.as_str().into());
            names.collect()
        }),
        facts: config
            .attributes
            .as_ref()
            .map(|facts| Arc::new(facts.iter().cloned().collect())),
        actions: config.actions.clone(),
        rate_limit: config.rate_limit.map(|rate| rate.limit(config.burst)),
    }
}

fn secret(setting: &SecretSetting) -> Secret {
    Secret::new(setting.value.expose().to_owned())
}
