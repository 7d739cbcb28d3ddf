//! Listeners and clients in the faces' words.

use std::path::PathBuf;
use std::sync::Arc;

use portreeve_faces::{
    ClientAuthentication, ClientSettings, FaceSettings, Limits, ListenerSettings, PasswordHash,
    PxgridSettings, Secret, TlsSettings, TokenSettings,
};

use portreeve_gateway::inventory::Inventory;

use crate::config::{
    CertificateMatch, ClientConfig, Config, IntuneConfig, IseConfig, PxgridConfig, SecretSetting,
    ServerConfig, TlsConfig,
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
        tls: certificates(tls),
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

/// What a gateway that runs can be given anew.
pub(crate) fn replaceable(config: Config) -> (Vec<ClientSettings>, Vec<TlsSettings>) {
    let clients = config.clients.0.iter().map(client).collect();
    let tls = config.server.tls.map(certificates);
    (clients, tls.into_iter().collect())
}

fn certificates(tls: TlsConfig) -> TlsSettings {
    TlsSettings {
        certificates: tls.certificate.certificates,
        key: tls.key.key,
        client_issuers: tls
            .client_ca
            .map_or_else(Vec::new, |file| file.certificates)
            .into_iter()
            .chain(tls.trusted_clients)
            .collect(),
    }
}

fn client(config: &ClientConfig) -> ClientSettings {
    let mut authentication = Vec::new();
    if let Some(basic) = &config.basic {
        let username = &basic.username;
        authentication.extend(basic.password.as_ref().map(|password| {
            ClientAuthentication::Basic {
                username: username.clone(),
                password: secret(password),
            }
        }));
        let hashes = basic.password_hash.iter().flat_map(|hashes| &hashes.0);
        authentication.extend(hashes.map(|hash| ClientAuthentication::BasicHash {
            username: username.clone(),
            hash: hash.hash.clone(),
            until: hash.until,
        }));
    }
    let bearer = config.bearer.as_ref();
    authentication.extend(bearer.map(|key| ClientAuthentication::Bearer { key: secret(key) }));
    let hashes = config.bearer_hash.iter().flat_map(|hashes| &hashes.0);
    authentication.extend(hashes.filter_map(|hash| match hash.hash {
        PasswordHash::Sha256(sha256) => Some(ClientAuthentication::BearerHash {
            sha256,
            until: hash.until,
        }),
        PasswordHash::Argon2(_) => None,
    }));
    authentication.extend(config.jwt.as_ref().map(|token| {
        ClientAuthentication::Token(TokenSettings {
            issuer: token.issuer.clone(),
            audience: token.audience.clone(),
            keys: token.keys.keys.clone(),
            claims: token.claims.clone(),
        })
    }));
    let certificate = config.certificate.as_ref();
    authentication.extend(certificate.map(|certificate| match &certificate.wanted {
        CertificateMatch::San(name) => ClientAuthentication::CertificateName(name.clone()),
        CertificateMatch::Sha256(fingerprint) => {
            ClientAuthentication::CertificateFingerprint(*fingerprint)
        }
    }));
    authentication.extend(config.intune.iter().flat_map(intune));
    let issuers = certificate.and_then(|certificate| certificate.ca.as_ref());
    ClientSettings {
        name: config.name.value.as_str().into(),
        authentication,
        issuers: issuers.map_or_else(Vec::new, |issuers| issuers.certificates.clone()),
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
        unconfirmed_actions: config.unconfirmed_actions.clone(),
        rate_limit: config.rate_limit.map(|rate| rate.limit(config.burst)),
    }
}

/// A secret at the token endpoint is a password there.
fn intune(config: &IntuneConfig) -> impl Iterator<Item = ClientAuthentication> {
    let id = || config.client_id.clone();
    let secret = config
        .secret
        .as_ref()
        .map(|setting| ClientAuthentication::Basic {
            username: id(),
            password: secret(setting),
        });
    let assertion = config
        .certificate
        .as_ref()
        .map(|file| ClientAuthentication::Assertion {
            id: id(),
            certificates: file.certificates.clone(),
        });
    secret.into_iter().chain(assertion)
}

fn secret(setting: &SecretSetting) -> Secret {
    Secret::new(setting.value.expose().to_owned())
}
