//! `keyCredentials` of an application's manifest in Entra.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use uuid::Uuid;

use super::{CertificateDetails, CertificateFileError};
use crate::text;

/// More entries than this are no manifest of Entra's, which takes far fewer.
const MAX_ENTRIES: usize = 1000;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One entry of `keyCredentials` as it is added by hand, in the order of Cisco's and Microsoft's
/// instructions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyCredential {
    /// Padded standard base64 of the SHA-1 of the DER certificate.
    pub custom_key_identifier: String,
    /// A new GUID.
    pub key_id: String,
    /// Always `AsymmetricX509Cert`.
    pub r#type: &'static str,
    /// Always `Verify`.
    pub usage: &'static str,
    /// Padded standard base64 of the DER certificate.
    pub value: String,
}

impl KeyCredential {
    /// The entry for a DER certificate, with a GUID of its own.
    pub fn new(der: &[u8]) -> Self {
        Self {
            custom_key_identifier: BASE64_STANDARD.encode(Sha1::digest(der)),
            key_id: Uuid::new_v4().to_string(),
            r#type: "AsymmetricX509Cert",
            usage: "Verify",
            value: BASE64_STANDARD.encode(der),
        }
    }
}

/// One entry of a manifest that was downloaded. Its value is null there, and it has dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// SHA-1 of the certificate, where `customKeyIdentifier` is one: 40 hexadecimal digits in upper
    /// case, as the portal shows it.
    pub sha1: Option<String>,
    /// `displayName`; Entra writes the certificate's subject here.
    pub display_name: Option<String>,
    /// `keyId`.
    pub key_id: Option<String>,
    /// `startDate` or `startDateTime`.
    pub start: Option<String>,
    /// `endDate` or `endDateTime`.
    pub end: Option<String>,
    /// What is not as it has to be for a client certificate, in words.
    pub faults: Vec<String>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "keyCredentials")]
    entries: Vec<Entry>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    custom_key_identifier: Option<String>,
    display_name: Option<String>,
    key_id: Option<String>,
    #[serde(alias = "startDateTime")]
    start_date: Option<String>,
    #[serde(alias = "endDateTime")]
    end_date: Option<String>,
    r#type: Option<String>,
    usage: Option<String>,
    /// The Graph form of the manifest calls it `key`.
    #[serde(alias = "key")]
    value: Option<String>,
}

/// Reads the `keyCredentials` of a manifest, in the form of the portal (`value`, `startDate`) or of
/// Graph (`key`, `startDateTime`).
pub fn read_manifest(json: &[u8]) -> Result<Vec<ManifestEntry>, CertificateFileError> {
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    let document: Document = serde_json::from_slice(json)
        .map_err(|error| CertificateFileError::Unreadable(format!("no manifest: {error}")))?;
    if document.entries.len() > MAX_ENTRIES {
        return Err(CertificateFileError::Unreadable(format!(
            "more than {MAX_ENTRIES} entries"
        )));
    }
    Ok(document
        .entries
        .into_iter()
        .map(ManifestEntry::of)
        .collect())
}

impl ManifestEntry {
    fn of(entry: Entry) -> Self {
        let identifier = entry.custom_key_identifier.as_deref();
        let sha1 = identifier.and_then(thumbprint);
        let mut faults = Vec::new();
        match (identifier, &sha1) {
            (None, _) => faults.push("it has no `customKeyIdentifier`".to_owned()),
            (Some(identifier), None) => faults.push(format!(
                "`customKeyIdentifier` is `{}`, which is no base64 of a SHA-1",
                text::foreign(identifier)
            )),
            _ => {}
        }
        for (name, found, wanted) in [
            ("type", &entry.r#type, "AsymmetricX509Cert"),
            ("usage", &entry.usage, "Verify"),
        ] {
            match found {
                Some(found) if found == wanted => {}
                Some(found) => faults.push(format!(
                    "`{name}` is `{}`, not `{wanted}`",
                    text::foreign(found)
                )),
                None => faults.push(format!("it has no `{name}`, which is `{wanted}`")),
            }
        }
        let value = entry.value.as_deref().map(|value| LENIENT.decode(value));
        match (value, &sha1) {
            (Some(Err(_)), _) => faults.push(
                "`value` is no single line of base64; lines `BEGIN` and `END` do not belong there"
                    .to_owned(),
            ),
            (Some(Ok(der)), Some(sha1)) if hex::encode_upper(Sha1::digest(&der)) != *sha1 => {
                faults.push("`customKeyIdentifier` is not the SHA-1 of `value`".to_owned());
            }
            _ => {}
        }
        let foreign = |text: Option<String>| text.map(|text| text::foreign(&text));
        Self {
            sha1,
            display_name: foreign(entry.display_name),
            key_id: foreign(entry.key_id),
            start: foreign(entry.start_date),
            end: foreign(entry.end_date),
            faults,
        }
    }

    /// Whether it is about this certificate.
    pub fn is_for(&self, certificate: &CertificateDetails) -> bool {
        self.sha1.as_ref() == Some(&certificate.sha1)
    }
}

/// Base64 as the old manifest has it, or hexadecimal digits as newer ones have it.
fn thumbprint(identifier: &str) -> Option<String> {
    let is_hexadecimal =
        identifier.len() == 40 && identifier.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hexadecimal {
        return Some(identifier.to_ascii_uppercase());
    }
    let bytes = LENIENT.decode(identifier).ok()?;
    (bytes.len() == 20).then(|| hex::encode_upper(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::certificates_in;

    const PEM: &[u8] = include_bytes!("../../tests/certificates/throwaway.pem");

    fn one(entry: &str) -> ManifestEntry {
        let json = format!("{{\"appId\":\"x\",\"keyCredentials\":[{entry}]}}");
        read_manifest(json.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn an_entry_is_written_literally() {
        let der = certificates_in(PEM).unwrap().remove(0);
        let entry = KeyCredential::new(&der);
        let json = serde_json::to_string_pretty(&entry).unwrap();
        let expected = format!(
            "{{\n  \"customKeyIdentifier\": \"{}\",\n  \"keyId\": \"{}\",\n  \
             \"type\": \"AsymmetricX509Cert\",\n  \"usage\": \"Verify\",\n  \"value\": \"{}\"\n}}",
            BASE64_STANDARD.encode(Sha1::digest(&der)),
            entry.key_id,
            BASE64_STANDARD.encode(&der)
        );
        assert_eq!(json, expected);
        assert_eq!(entry.custom_key_identifier.len(), 28);
        assert_ne!(entry.key_id, KeyCredential::new(&der).key_id);
        let read = one(&json);
        assert!(read.is_for(&CertificateDetails::read(&der).unwrap()));
        assert_eq!(read.faults, [""; 0]);
    }

    /// The vectors of the guides, and the same bytes in other writing.
    #[test]
    fn thumbprints_in_every_writing() {
        for (identifier, expected) in [
            (
                "wteOPVePuM0wUeFNB9s22fkDYZE=",
                Some("C2D78E3D578FB8CD3051E14D07DB36D9F9036191"),
            ),
            (
                "B5Zz60fZKHGN6qAMvt43swIZQko",
                Some("079673EB47D928718DEAA00CBEDE37B30219424A"),
            ),
            (
                "18cd43a7fd436223649c52099208e74db8e8f679",
                Some("18CD43A7FD436223649C52099208E74DB8E8F679"),
            ),
            ("18cd43a7", None),
            ("$base64Thumbprint", None),
            ("", None),
        ] {
            assert_eq!(thumbprint(identifier).as_deref(), expected, "{identifier}");
        }
    }

    #[test]
    fn a_downloaded_manifest_is_read() {
        let entry = one(
            r#"{"customKeyIdentifier":"wteOPVePuM0wUeFNB9s22fkDYZE=","endDate":"2019-01-22T11:41:01Z",
            "keyId":"eb7b1833-3240-4203-98a6-c3ccc6790d9d","startDate":"2018-01-22T11:41:01Z",
            "type":"AsymmetricX509Cert","usage":"Verify","value":null}"#,
        );
        assert_eq!(entry.end.as_deref(), Some("2019-01-22T11:41:01Z"));
        assert_eq!(entry.faults, [""; 0]);
        let entry = one(
            r#"{"customKeyIdentifier":"C2D78E3D578FB8CD3051E14D07DB36D9F9036191","endDateTime":"x",
            "displayName":"CN=a","type":"AsymmetricX509Cert","usage":"Verify","key":null}"#,
        );
        assert_eq!(entry.end.as_deref(), Some("x"));
        assert_eq!(entry.faults, [""; 0]);
    }

    #[test]
    fn what_is_wrong_with_an_entry() {
        let entry = one(
            r#"{"customKeyIdentifier":"zzz","type":"X509","value":"-----BEGIN CERTIFICATE-----"}"#,
        );
        assert_eq!(
            entry.faults,
            [
                "`customKeyIdentifier` is `zzz`, which is no base64 of a SHA-1",
                "`type` is `X509`, not `AsymmetricX509Cert`",
                "it has no `usage`, which is `Verify`",
                "`value` is no single line of base64; lines `BEGIN` and `END` do not belong there",
            ]
        );
        let entry = one(
            r#"{"customKeyIdentifier":"wteOPVePuM0wUeFNB9s22fkDYZE=","type":"AsymmetricX509Cert",
            "usage":"Verify","value":"AAAA"}"#,
        );
        assert_eq!(
            entry.faults,
            ["`customKeyIdentifier` is not the SHA-1 of `value`"]
        );
        for broken in ["", "{}", "[]", "{\"keyCredentials\":{}}"] {
            assert!(read_manifest(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fall(json in ".{0,200}") {
            let _ = read_manifest(json.as_bytes());
        }
    }
}
