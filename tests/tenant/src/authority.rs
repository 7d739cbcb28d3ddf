//! Throw-away certificates: the authority behind the tenant's TLS, and client credentials.

use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use std::fmt;
use std::sync::Arc;

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The generator refused the parameters.
    #[error("the certificate could not be generated")]
    Generate(#[from] rcgen::Error),
    /// The key file could not be written as PKCS#12.
    #[error("the PKCS#12 file could not be made")]
    Pkcs12(#[from] p12_keystore::error::Error),
    /// rustls refused the certificate or its key.
    #[error("the TLS configuration was refused")]
    Tls(#[from] rustls::Error),
}

/// An authority that exists for one run of a tenant.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a new one with a new key.
    pub fn generate() -> Result<Self, CertificateError> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Simulated tenant, throw-away authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self { issuer })
    }

    /// Its certificate as PEM, for trust stores.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A TLS configuration with a certificate for these names and addresses.
    pub(crate) fn server_config(
        &self,
        names: &[String],
    ) -> Result<Arc<ServerConfig>, CertificateError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Simulated tenant");
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// A self-signed certificate with its key, as an administrator makes one for an app registration.
pub struct ClientCertificate {
    /// The certificate as PEM; this half goes to Entra.
    pub certificate_pem: String,
    /// The private key as PKCS#8 PEM.
    pub key_pem: String,
    /// Both as PKCS#12, encrypted with [`ClientCertificate::PFX_PASSWORD`].
    pub pfx: Vec<u8>,
    /// SHA-1 of the certificate, 40 upper-case hexadecimal digits as the portal shows it.
    pub sha1: String,
    /// SHA-256 of the certificate, 64 upper-case hexadecimal digits.
    pub sha256: String,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("sha1", &self.sha1)
            .field("sha256", &self.sha256)
            .finish_non_exhaustive()
    }
}

impl ClientCertificate {
    /// The password of [`ClientCertificate::pfx`].
    pub const PFX_PASSWORD: &'static str = "throw-away";

    /// Makes a new 2048-bit RSA key and certificate; takes some tens of milliseconds.
    pub fn generate(common_name: &str) -> Result<Self, CertificateError> {
        let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256)?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let certificate = params.self_signed(&key)?;
        let der = certificate.der();
        let chain = PrivateKeyChain::new(
            vec![1_u8],
            PrivateKey::from_der(key.serialized_der())?,
            [Certificate::from_der(der)?],
        );
        let mut store = KeyStore::new();
        store.add_entry(common_name, KeyStoreEntry::PrivateKeyChain(chain));
        Ok(Self {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            pfx: store.writer(Self::PFX_PASSWORD).write()?,
            sha1: hex::encode_upper(Sha1::digest(der)),
            sha256: hex::encode_upper(Sha256::digest(der)),
        })
    }
}
