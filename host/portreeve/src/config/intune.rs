//! `intune = { … }` of a client: how it gets tokens where it believes to ask
//! Microsoft Entra.

use portreeve_faces::RegisteredCertificate;
use serde::Serialize;

use super::certificate::CertificateFile;
use super::problem::Problem;
use super::read::{FromNode, Reader, Section};
use super::secret::SecretSetting;
use super::tree::Node;

/// `intune = { client-id = "…", secret = { … } }`, or with `certificate`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct IntuneConfig {
    pub(crate) client_id: String,
    pub(crate) secret: Option<SecretSetting>,
    pub(crate) certificate: Option<SignerFile>,
}

impl FromNode for IntuneConfig {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let section = Section::of_node(node, reader)?;
        let client_id = section.required::<String>("client-id", "\"IDENTIFIER\"");
        let secret = section.optional("secret");
        let certificate = section.optional("certificate");
        if let Some(node) = section.node("client-id")
            && client_id.as_ref().is_some_and(|id| !is_identifier(id))
        {
            let message = "a client identifier has 1 to 128 letters, digits, `-`, `.` or `_`";
            reader.report(
                Problem::new(&node.place, &node.key, message)
                    .hint("make a GUID up, e.g. with `uuidgen`"),
            );
        }
        if section.node("secret").is_none() && section.node("certificate").is_none() {
            reader.report(
                Problem::new(
                    &node.place,
                    &node.key,
                    "nothing proves who uses this identifier",
                )
                .hint("add `secret = { file = \"PATH\" }` or `certificate = \"PATH\"`"),
            );
        }
        section.finish();
        Some(Self {
            client_id: client_id?,
            secret,
            certificate,
        })
    }
}

impl IntuneConfig {
    /// Whether a request could come from either.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.client_id.eq_ignore_ascii_case(&other.client_id)
    }
}

fn is_identifier(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}

/// The certificates with whose keys a product signs: one, or two while they
/// are exchanged.
#[derive(Debug)]
pub(crate) struct SignerFile {
    file: CertificateFile,
    pub(crate) certificates: Vec<RegisteredCertificate>,
}

impl FromNode for SignerFile {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let file = CertificateFile::from_node(node, reader)?;
        let read = file.certificates.iter().map(|certificate| {
            RegisteredCertificate::from_der(certificate)
                .map_err(|error| {
                    let message = format!("a certificate in it is not usable: {error}");
                    reader.report(
                        Problem::new(&node.place, &node.key, message)
                            .hint("it is the product's own certificate, with an RSA key"),
                    );
                })
                .ok()
        });
        let read: Vec<_> = read.collect();
        let certificates = read.into_iter().collect::<Option<_>>()?;
        Some(Self { file, certificates })
    }
}

impl Serialize for SignerFile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.file.serialize(serializer)
    }
}
