//! Who may ask, as the operator wrote it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use portreeve_domain::{ActionKind, ShownFacts, Timestamp};
use rustls_pki_types::CertificateDer;

use super::{PasswordHash, RateLimit, Secret, TokenSettings};
use crate::intune::RegisteredCertificate;

/// One client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// Its name in the configuration, logs and policies.
    pub name: Arc<str>,
    /// How it proves who it is; each one alone suffices.
    pub authentication: Vec<ClientAuthentication>,
    /// Who issued its certificate. Empty: whoever the server trusts to.
    pub issuers: Vec<CertificateDer<'static>>,
    /// What it may use.
    pub faces: Vec<Face>,
    /// From where it may connect. Empty: from anywhere.
    pub networks: Vec<IpNet>,
    /// How long it waits for an answer.
    pub patience: Duration,
    /// The sources that are asked for it and that it sees. `None`: all.
    pub sources: Option<Vec<Arc<str>>>,
    /// The facts about devices that it is shown. `None`: all.
    pub facts: Option<Arc<ShownFacts>>,
    /// The actions that it may ask for.
    pub actions: Vec<ActionKind>,
    /// Those of them that it may ask for in protocols without confirmation,
    /// though they are not harmless.
    pub unconfirmed_actions: Vec<ActionKind>,
    /// How often it may ask. `None`: as often as it likes.
    pub rate_limit: Option<RateLimit>,
}

/// A client that may nothing yet.
impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            name: Arc::default(),
            authentication: Vec::new(),
            issuers: Vec::new(),
            faces: Vec::new(),
            networks: Vec::new(),
            patience: Duration::from_secs(2),
            sources: None,
            facts: None,
            actions: Vec::new(),
            unconfirmed_actions: Vec::new(),
            rate_limit: None,
        }
    }
}

/// A way to prove who one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// User name and password (RFC 7617).
    Basic {
        /// The name; without a colon.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A key after `Bearer` (RFC 6750).
    Bearer {
        /// The key.
        key: Secret,
    },
    /// The same, where only a hash of the password is known.
    BasicHash {
        /// The name; without a colon.
        username: String,
        /// What the password hashes to.
        hash: PasswordHash,
        /// When it stops being valid.
        until: Option<Timestamp>,
    },
    /// A key after `Bearer` of which only the SHA-256 is known. It was made at
    /// random and has at least 32 characters.
    BearerHash {
        /// The key's SHA-256.
        sha256: [u8; 32],
        /// When it stops being valid.
        until: Option<Timestamp>,
    },
    /// A token after `Bearer` that somebody else issued (RFC 7519).
    Token(TokenSettings),
    /// A certificate of a trusted issuer with this DNS name, mail address, URI
    /// or IP address as subject alternative name.
    CertificateName(String),
    /// The certificate with this SHA-256 fingerprint, from a trusted issuer.
    CertificateFingerprint([u8; 32]),
    /// Assertions that one of these certificates signed (RFC 7523), for the
    /// token endpoint of the face Intune.
    Assertion {
        /// What the client calls itself there.
        id: String,
        /// The public halves of what it signs with.
        certificates: Vec<RegisteredCertificate>,
    },
}

/// One part of the server that a client may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Face {
    /// `/v1/…`
    Rest,
    /// `/radius/…`
    Radius,
    /// `/metrics`
    Metrics,
    /// `/v1/admin/…`
    Admin,
    /// `/ciscoise/…`: the MDM API of Cisco ISE.
    Ise,
    /// `/pxgrid/…`: pxGrid control, services and publish-subscribe.
    Pxgrid,
    /// `/intune/…`: what products ask Microsoft Intune.
    Intune,
    /// `/api/v1/devices`: what `PacketFence` asks Kandji.
    Kandji,
    /// `/JSSResource/…`: what `PacketFence` asks Jamf Pro.
    Jamf,
    /// `/clearpass/…`: flat JSON for HTTP authorization sources.
    Clearpass,
    /// `/v1/devices`: what the sources know about all devices.
    Inventory,
    /// `/v1/scep/…`: validation of certificate requests.
    Scep,
    /// `/v1/actions…`: acting on devices.
    Actions,
}

impl Face {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 13] = [
        Self::Rest,
        Self::Radius,
        Self::Metrics,
        Self::Admin,
        Self::Ise,
        Self::Pxgrid,
        Self::Intune,
        Self::Kandji,
        Self::Jamf,
        Self::Clearpass,
        Self::Inventory,
        Self::Scep,
        Self::Actions,
    ];

    /// The word for it in the configuration, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Radius => "radius",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
            Self::Ise => "ise",
            Self::Pxgrid => "pxgrid",
            Self::Intune => "intune",
            Self::Kandji => "kandji",
            Self::Jamf => "jamf",
            Self::Clearpass => "clearpass",
            Self::Inventory => "inventory",
            Self::Scep => "scep",
            Self::Actions => "actions",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Face {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Several faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FaceSet(u16);

impl FaceSet {
    pub(super) fn contains(self, face: Face) -> bool {
        self.0 & face.bit() != 0
    }
}

impl FromIterator<Face> for FaceSet {
    fn from_iter<I: IntoIterator<Item = Face>>(faces: I) -> Self {
        Self(faces.into_iter().fold(0, |set, face| set | face.bit()))
    }
}
