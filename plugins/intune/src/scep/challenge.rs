//! Whether a certificate request is one of Intune's.

use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::request::CertReq;

/// `challengePassword` (RFC 2985, section 5.4.1).
const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");

/// Bytes that a challenge of Intune has at least. It holds an encrypted and
/// signed text and has hundreds; passwords that people or other servers give out
/// have some dozens. Microsoft documents no other mark.
const SHORTEST: usize = 64;

/// Whether the request certainly has no challenge of Intune. One that cannot be
/// read is Intune's to judge.
pub(super) fn is_missing(csr: &[u8]) -> bool {
    let Ok(request) = CertReq::from_der(csr) else {
        return false;
    };
    let longest = request
        .info
        .attributes
        .iter()
        .filter(|attribute| attribute.oid == CHALLENGE_PASSWORD)
        .flat_map(|attribute| attribute.values.iter())
        .map(|value| value.value().len())
        .max();
    longest.unwrap_or(0) < SHORTEST
}
