//! What a server presents, for an administrator who wants to see it before trusting it.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{presented::TlsFailure, trusted, verifier};
use crate::{EgressError, ProxySettings, SettingsError};

/// Longest answer of a proxy to CONNECT, in bytes.
const MAX_ANSWER: usize = 8 * 1024;

/// Whom to trust, and how to get there.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// Certificates trusted beside the system's.
    pub roots: Vec<CertificateDer<'static>>,
    /// Whether the roots of the operating system are trusted, too.
    pub system_roots: bool,
    /// The proxy on the way.
    pub proxy: Option<ProxySettings>,
    /// Longest time for the whole.
    pub timeout: Duration,
}

/// What a server presented.
#[derive(Debug, Clone)]
pub struct FetchedChain {
    /// The certificates, the server's own first.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Why they are not accepted; nothing if they are.
    pub failure: Option<TlsFailure>,
}

/// Shakes hands with a server, sends it nothing, and tells which certificates it presented and
/// whether they would be accepted.
///
/// Only for an administrator's own command: the address guard is not asked.
pub async fn fetch_chain(
    host: &str,
    port: u16,
    settings: &FetchSettings,
) -> Result<FetchedChain, EgressError> {
    let seen = Arc::new(Seen {
        webpki: webpki(settings).map_err(|error| EgressError::Other(error.to_string()))?,
        found: Mutex::new(None),
    });
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| EgressError::Other(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&seen) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| EgressError::InvalidRequest(format!("`{host}` is no host")))?;
    let shaken = timeout(settings.timeout, async {
        let stream = connect(host, port, settings.proxy.as_ref()).await?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok::<_, EgressError>(connector.connect(name, stream).await.map(drop))
    });
    let shaken = shaken.await.map_err(|_| EgressError::Timeout)??;
    let found = seen.found.lock().take();
    match (found, shaken) {
        // What comes after the certificates, a wish for one of ours perhaps, is another matter.
        (Some((certificates, reason)), _) => Ok(FetchedChain {
            failure: reason.map(|reason| verifier::failure_of(host, port, &reason, &certificates)),
            certificates,
        }),
        (None, Err(error)) => Err(EgressError::Tls(Box::new(TlsFailure::without_certificate(
            host,
            port,
            crate::text::foreign(&error.to_string()),
        )))),
        (None, Ok(())) => Err(EgressError::Other(format!("`{host}` has no certificate"))),
    }
}

fn webpki(settings: &FetchSettings) -> Result<Arc<WebPkiServerVerifier>, SettingsError> {
    let roots = Arc::new(trusted(&settings.roots, settings.system_roots)?);
    let provider = Arc::new(aws_lc_rs::default_provider());
    WebPkiServerVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(|_| SettingsError::NoTrustRoots)
}

async fn connect(
    host: &str,
    port: u16,
    proxy: Option<&ProxySettings>,
) -> Result<TcpStream, EgressError> {
    let Some(proxy) = proxy.filter(|proxy| proxy.is_for_host(host)) else {
        let stream = TcpStream::connect((host, port)).await;
        return stream.map_err(|error| EgressError::Connect {
            host: host.to_owned(),
            reason: error.to_string(),
        });
    };
    let refused = |reason: String| EgressError::Proxy {
        proxy: proxy.address(),
        host: host.to_owned(),
        reason,
    };
    let mut stream = TcpStream::connect(proxy.address())
        .await
        .map_err(|error| refused(format!("it cannot be reached: {error}")))?;
    let authority = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(authorization) = proxy.authorization() {
        head.extend_from_slice(b"Proxy-Authorization: ");
        head.extend_from_slice(authorization.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    match tunnel(&mut stream, &head).await {
        Ok(200) => Ok(stream),
        Ok(407) => Err(refused(
            "it wants a user name and password, or takes not those that are configured (407)"
                .to_owned(),
        )),
        Ok(status) => Err(refused(format!(
            "it refused to open a tunnel with status {status}; it may not allow this host, or not reach it"
        ))),
        Err(error) => Err(refused(format!(
            "it is no HTTP proxy, or it broke off: {error}"
        ))),
    }
}

/// Sends a request for a tunnel and reads the status of the answer.
async fn tunnel(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    head: &[u8],
) -> std::io::Result<u16> {
    stream.write_all(head).await?;
    let mut answer = Vec::new();
    // Byte by byte: what comes after the head belongs to the tunnel.
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await?);
        if answer.len() > MAX_ANSWER {
            return Err(std::io::Error::other("its answer does not end"));
        }
    }
    status_in(&answer).ok_or_else(|| std::io::Error::other("its answer is no HTTP"))
}

fn status_in(answer: &[u8]) -> Option<u16> {
    let rest = answer.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Takes every certificate, because nothing is sent, and keeps what webpki says of it.
#[derive(Debug)]
struct Seen {
    webpki: Arc<WebPkiServerVerifier>,
    found: Mutex<Option<(Vec<CertificateDer<'static>>, Option<CertificateError>)>>,
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.webpki.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let reason = match verdict {
            Ok(_) => None,
            Err(Error::InvalidCertificate(reason)) => Some(reason),
            Err(error) => return Err(error),
        };
        let certificates = std::iter::once(end_entity)
            .chain(intermediates)
            .take(verifier::MAX_PRESENTED)
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        *self.found.lock() = Some((certificates, reason));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_an_answer() {
        for (answer, expected) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Some(200)),
            ("HTTP/1.0 407 x\r\n\r\n", Some(407)),
            ("HTTP/1.1 2", None),
            ("SSH-2.0-x\r\n\r\n", None),
            ("", None),
        ] {
            assert_eq!(status_in(answer.as_bytes()), expected, "{answer}");
        }
    }
}
