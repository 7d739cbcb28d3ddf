//! Certificate requests (PKCS #10), and whether they are what a challenge demands.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::der_parser::asn1_rs::{FromDer as _, Utf8String};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::x509::X509Name;

use super::{Challenge, Refused};

/// `userPrincipalName` of Microsoft, an `otherName`.
const UPN: &str = "1.3.6.1.4.1.311.20.2.3";

/// What is in a request.
#[derive(Debug, Default)]
pub(super) struct CertificateRequest {
    /// The attribute `challengePassword`.
    pub(super) challenge: Option<String>,
    subject: BTreeSet<String>,
    alternative_names: BTreeSet<String>,
    key_usage: Option<BTreeSet<String>>,
    extended_key_usage: Option<BTreeSet<String>>,
    key_bits: usize,
}

impl CertificateRequest {
    pub(super) fn from_base64(text: &str) -> Result<Self, Refused> {
        const BROKEN: Refused = "CertificateRequestDecodingFailed";

        let der = STANDARD.decode(text).map_err(|_| BROKEN)?;
        let (rest, request) = X509CertificationRequest::from_der(&der).map_err(|_| BROKEN)?;
        if !rest.is_empty() {
            return Err(BROKEN);
        }
        let info = &request.certification_request_info;
        let key = info.subject_pki.parsed().map_err(|_| BROKEN)?;
        let mut read = Self {
            subject: subject(&info.subject),
            key_bits: key.key_size(),
            ..Self::default()
        };
        for attribute in info.iter_attributes() {
            match attribute.parsed_attribute() {
                ParsedCriAttribute::ChallengePassword(password) => {
                    read.challenge = Some(password.0.clone());
                }
                ParsedCriAttribute::ExtensionRequest(extensions) => {
                    for extension in &extensions.extensions {
                        read.add(extension.parsed_extension());
                    }
                }
                ParsedCriAttribute::UnsupportedAttribute => {}
            }
        }
        Ok(read)
    }

    fn add(&mut self, extension: &ParsedExtension<'_>) {
        match extension {
            ParsedExtension::SubjectAlternativeName(names) => {
                let names = names.general_names.iter();
                self.alternative_names.extend(names.filter_map(name));
            }
            ParsedExtension::KeyUsage(usage) => {
                let usages = [
                    (usage.digital_signature(), "digital-signature"),
                    (usage.key_encipherment(), "key-encipherment"),
                ];
                let usages = usages.into_iter().filter(|(used, _)| *used);
                self.key_usage = Some(usages.map(|(_, name)| name.to_owned()).collect());
            }
            ParsedExtension::ExtendedKeyUsage(usage) => {
                let known = [
                    (usage.server_auth, "1.3.6.1.5.5.7.3.1"),
                    (usage.client_auth, "1.3.6.1.5.5.7.3.2"),
                    (usage.email_protection, "1.3.6.1.5.5.7.3.4"),
                ];
                let known = known.into_iter().filter(|(used, _)| *used);
                let known = known.map(|(_, oid)| oid.to_owned());
                let other = usage.other.iter().map(ToString::to_string);
                self.extended_key_usage = Some(known.chain(other).collect());
            }
            _ => {}
        }
    }

    /// Whether it is what the challenge demands.
    pub(super) fn fits(&self, challenge: &Challenge) -> Result<(), Refused> {
        let wanted = |texts: &[String]| -> BTreeSet<String> { texts.iter().cloned().collect() };
        if !challenge.subject.is_empty() {
            let parts = challenge.subject.split(',');
            let subject: BTreeSet<String> = parts.map(|part| part.trim().to_owned()).collect();
            expect(
                (!self.subject.is_empty()).then_some(&self.subject),
                &subject,
                "SubjectNameMissing",
                "SubjectNameMismatch",
            )?;
        }
        if !challenge.alternative_names.is_empty() {
            expect(
                (!self.alternative_names.is_empty()).then_some(&self.alternative_names),
                &wanted(&challenge.alternative_names),
                "SubjectAltNameMissing",
                "SubjectAltNameMismatch",
            )?;
        }
        if !challenge.key_usage.is_empty() {
            let usage = self.key_usage.as_ref();
            let code = "KeyUsageMismatch";
            expect(usage, &wanted(&challenge.key_usage), code, code)?;
        }
        if challenge.key_bits != 0 && challenge.key_bits != self.key_bits {
            return Err("KeyLengthMismatch");
        }
        if !challenge.extended_key_usage.is_empty() {
            expect(
                self.extended_key_usage.as_ref(),
                &wanted(&challenge.extended_key_usage),
                "EnhancedKeyUsageMissing",
                "EnhancedKeyUsageMismatch",
            )?;
        }
        Ok(())
    }
}

fn expect(
    found: Option<&BTreeSet<String>>,
    wanted: &BTreeSet<String>,
    missing: Refused,
    mismatch: Refused,
) -> Result<(), Refused> {
    match found {
        None => Err(missing),
        Some(found) if found == wanted => Ok(()),
        Some(_) => Err(mismatch),
    }
}

/// The parts of a name as `CN=ann`.
fn subject(name: &X509Name<'_>) -> BTreeSet<String> {
    let parts = name.iter_attributes().map(|part| {
        let oid = part.attr_type().to_id_string();
        let short = match oid.as_str() {
            "2.5.4.3" => "CN",
            "2.5.4.5" => "SERIALNUMBER",
            "2.5.4.6" => "C",
            "2.5.4.7" => "L",
            "2.5.4.8" => "ST",
            "2.5.4.10" => "O",
            "2.5.4.11" => "OU",
            "1.2.840.113549.1.9.1" => "E",
            other => other,
        };
        format!("{short}={}", part.as_str().unwrap_or_default())
    });
    parts.collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    Some(match name {
        GeneralName::RFC822Name(text) => format!("email:{text}"),
        GeneralName::DNSName(text) => format!("dns:{text}"),
        GeneralName::URI(text) => format!("uri:{text}"),
        GeneralName::OtherName(oid, value) if oid.to_id_string() == UPN => {
            format!("upn:{}", upn(value)?)
        }
        _ => return None,
    })
}

/// The text of a principal name: `[0] EXPLICIT UTF8String`, with or without its outer tag.
fn upn(value: &[u8]) -> Option<String> {
    let inner = match value {
        [0xa0, length, rest @ ..] if usize::from(*length) == rest.len() => rest,
        other => other,
    };
    let (_, text) = Utf8String::from_der(inner).ok()?;
    Some(text.string())
}
