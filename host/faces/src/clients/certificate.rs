//! Which client a certificate belongs to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// What a verified client certificate says about its owner.
#[derive(Debug)]
pub(super) struct Presented {
    /// Subject alternative names.
    pub(super) names: Vec<String>,
    /// SHA-256 of the whole certificate.
    pub(super) fingerprint: [u8; 32],
}

impl Presented {
    /// Reads a certificate that TLS has verified. One that cannot be read has
    /// no names.
    pub(super) fn read(certificate: &[u8]) -> Self {
        Self {
            names: names(certificate).unwrap_or_default(),
            fingerprint: Sha256::digest(certificate).into(),
        }
    }

    /// Whether `name` is one of the subject alternative names. DNS names and
    /// mail hosts have no case; a difference in case alone never tells two
    /// clients apart.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
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
