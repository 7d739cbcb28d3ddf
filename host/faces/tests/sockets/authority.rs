//! A certificate authority for one test.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
};

pub(crate) struct Authority {
    pub(crate) certificate: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            certificate: CertifiedIssuer::self_signed(parameters, key).unwrap(),
        }
    }

    pub(crate) fn issue(&self, names: &[&str]) -> (Certificate, KeyPair) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let parameters = CertificateParams::new(names).unwrap();
        let key = KeyPair::generate().unwrap();
        (parameters.signed_by(&key, &self.certificate).unwrap(), key)
    }

    /// A client that trusts this authority, with a certificate perhaps.
    pub(crate) fn client(&self, certificate: Option<&(Certificate, KeyPair)>) -> reqwest::Client {
        self.builder(certificate).build().unwrap()
    }

    pub(crate) fn builder(
        &self,
        certificate: Option<&(Certificate, KeyPair)>,
    ) -> reqwest::ClientBuilder {
        // Only the first of several tests in one process installs it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let root = reqwest::Certificate::from_pem(self.certificate.pem().as_bytes()).unwrap();
        let builder = reqwest::Client::builder().tls_certs_only([root]).no_proxy();
        match certificate {
            None => builder,
            Some((certificate, key)) => {
                let pem = [certificate.pem(), key.serialize_pem()].concat();
                builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap())
            }
        }
    }
}
