//! Which client a certificate belongs to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// What a client certificate that TLS has verified says about its owner.
#[derive(Debug)]
pub(crate) struct Presented {
    /// Subject alternative names.
    pub(super) names: Vec<String>,
    /// SHA-256 of the whole certificate.
    pub(super) fingerprint: [u8; 32],
    /// The certificate, and what was sent with it.
    chain: Vec<CertificateDer<'static>>,
}

impl Presented {
    /// Reads what TLS has verified, the client's own certificate first. One
    /// that cannot be read has no names.
    pub(crate) fn read(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let certificate = chain.first()?;
        Some(Self {
            names: names(certificate).unwrap_or_default(),
            fingerprint: Sha256::digest(certificate).into(),
            chain: chain.iter().map(|der| der.clone().into_owned()).collect(),
        })
    }

    /// Whether `name` is one of the subject alternative names. DNS names and
    /// mail hosts have no case; a difference in case alone never tells two
    /// clients apart.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }
}

/// Who may issue certificates of clients.
#[derive(Clone)]
pub(crate) struct Issuers(Arc<dyn ClientCertVerifier>);

impl Issuers {
    /// Nothing without certificates.
    pub(crate) fn new(certificates: &[CertificateDer<'static>]) -> Result<Option<Self>, String> {
        if certificates.is_empty() {
            return Ok(None);
        }
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            let added = roots.add(certificate.clone());
            added.map_err(|error| error.to_string())?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = verifier.build().map_err(|error| error.to_string())?;
        Ok(Some(Self(verifier)))
    }

    /// Whether one of them issued the certificate, and it holds now.
    pub(super) fn issued(&self, presented: &Presented) -> bool {
        let Some((certificate, others)) = presented.chain.split_first() else {
            return false;
        };
        let verified = self
            .0
            .verify_client_cert(certificate, others, UnixTime::now());
        verified.is_ok()
    }
}

impl fmt::Debug for Issuers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Issuers")
    }
}

fn names(certificate: &[u8]) -> Option<Vec<String>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let extension = certificate.subject_alternative_name().ok()??;
    let names = extension.value.general_names.iter();
    Some(names.filter_map(as_text).collect())
}

fn as_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            Some((*text).to_owned())
        }
        GeneralName::IPAddress(octets) => {
            let address: IpAddr = if let Ok(octets) = <[u8; 4]>::try_from(*octets) {
                Ipv4Addr::from(octets).into()
            } else {
                Ipv6Addr::from(<[u8; 16]>::try_from(*octets).ok()?).into()
            };
            Some(address.to_string())
        }
        _ => None,
    }
}
