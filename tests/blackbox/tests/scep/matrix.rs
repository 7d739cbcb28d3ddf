//! Every row of Microsoft's table of integration tests for third-party
//! certification authorities that can be simulated. `matrix.csv` is that table,
//! with what is done about each row.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use portreeve_tenant::{Challenge, Fault, Step};
use serde_json::json;

use crate::device::{Device, Wanted};
use crate::server::ScepServer;

/// One row of the table that is about the form of a request.
#[derive(Clone, Copy, Debug, Default)]
struct Form {
    scenario: &'static str,
    /// What the profile demands.
    subject: &'static str,
    names: &'static [&'static str],
    usage: &'static [&'static str],
    extended: &'static [&'static str],
    bits: u32,
    /// The request that is so, and another that is not.
    right: (&'static [&'static str], &'static [&'static str]),
    wrong: (&'static [&'static str], &'static [&'static str]),
    wrong_bits: u32,
    /// What is said of the other.
    code: &'static str,
    /// What openssl says of the certificate.
    issued: &'static str,
}

const ANN: &[&str] = &["CN = ann"];
const EMAIL: &str = "subjectAltName = email:ann@example.com";
const UPN: &str = "subjectAltName = otherName:1.3.6.1.4.1.311.20.2.3;UTF8:ann@contoso.example";
const BOTH: &str = "subjectAltName = email:ann@example.com,\
                    otherName:1.3.6.1.4.1.311.20.2.3;UTF8:ann@contoso.example";
const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
const IPSEC_TUNNEL: &str = "1.3.6.1.5.5.7.3.6";

/// Demands a subject.
const fn subject(
    scenario: &'static str,
    subject: &'static str,
    right: &'static [&'static str],
    issued: &'static str,
) -> Form {
    Form {
        scenario,
        subject,
        right: (right, &[]),
        wrong: (&["CN = somebody else"], &[]),
        code: "SubjectNameMismatch",
        issued,
        ..PLAIN
    }
}

/// Demands something of the extensions.
const fn extension(
    scenario: &'static str,
    right: &'static [&'static str],
    wrong: &'static [&'static str],
    code: &'static str,
) -> Form {
    Form {
        scenario,
        right: (ANN, right),
        wrong: (ANN, wrong),
        code,
        ..PLAIN
    }
}

const PLAIN: Form = Form {
    scenario: "",
    subject: "",
    names: &[],
    usage: &[],
    extended: &[],
    bits: 2048,
    right: (ANN, &[]),
    wrong: (ANN, &[]),
    wrong_bits: 2048,
    code: "",
    issued: "",
};

fn forms() -> Vec<Form> {
    let email: &[&str] = &[EMAIL];
    let digital: &[&str] = &["keyUsage = digitalSignature"];
    let encipherment: &[&str] = &["keyUsage = keyEncipherment"];
    vec![
        Form {
            scenario: "Validation Period Configuration",
            bits: 2048,
            wrong_bits: 3072,
            code: "KeyLengthMismatch",
            // A month, as the server is told.
            issued: "30 days",
            ..PLAIN
        },
        subject("SN Format: Common Name", "CN=ann", ANN, "CN = ann"),
        subject(
            "SN Format: Common Name with email",
            "CN=ann,E=ann@example.com",
            &["CN = ann", "emailAddress = ann@example.com"],
            // Go leaves out what it has no field for.
            "CN = ann",
        ),
        subject(
            "SN Format: Common name as email",
            "CN=ann@example.com",
            &["CN = ann@example.com"],
            "CN = ann@example.com",
        ),
        subject(
            "SN Format: IMEI",
            "CN=352099001761481",
            &["CN = 352099001761481"],
            "CN = 352099001761481",
        ),
        subject(
            "SN Format: Serial number",
            "CN=ann,SERIALNUMBER=C02XK0AAJGH5",
            &["CN = ann", "serialNumber = C02XK0AAJGH5"],
            "serialNumber = C02XK0AAJGH5",
        ),
        subject(
            "SN Format: Custom",
            "CN=ann,OU=Wi-Fi,O=Contoso,L=Redmond,ST=WA,C=US",
            &[
                "CN = ann",
                "OU = Wi-Fi",
                "O = Contoso",
                "L = Redmond",
                "ST = WA",
                "C = US",
            ],
            "O = Contoso",
        ),
        Form {
            names: &["email:ann@example.com"],
            issued: "email:ann@example.com",
            ..extension("SAN: Email", email, &[UPN], "SubjectAltNameMismatch")
        },
        Form {
            names: &["upn:ann@contoso.example"],
            ..extension("SAN: UPN", &[UPN], &[], "SubjectAltNameMissing")
        },
        Form {
            names: &["email:ann@example.com", "upn:ann@contoso.example"],
            issued: "email:ann@example.com",
            ..extension(
                "SAN: Email and UPN",
                &[BOTH],
                email,
                "SubjectAltNameMismatch",
            )
        },
        Form {
            usage: &["digital-signature"],
            issued: "Digital Signature",
            ..extension(
                "Key Usage: Digital signature",
                digital,
                encipherment,
                "KeyUsageMismatch",
            )
        },
        Form {
            usage: &["key-encipherment"],
            ..extension(
                "Key Usage: Key encipherment",
                encipherment,
                digital,
                "KeyUsageMismatch",
            )
        },
        Form {
            usage: &["digital-signature", "key-encipherment"],
            ..extension(
                "Key Usage: Digital signature and Key encipherment",
                &["keyUsage = digitalSignature, keyEncipherment"],
                &[],
                "KeyUsageMismatch",
            )
        },
        Form {
            scenario: "Key Size: 1024",
            bits: 1024,
            code: "KeyLengthMismatch",
            issued: "(1024 bit)",
            ..PLAIN
        },
        Form {
            scenario: "Key Size: 2048",
            wrong_bits: 1024,
            code: "KeyLengthMismatch",
            issued: "(2048 bit)",
            ..PLAIN
        },
        Form {
            scenario: "Hash Alg: SHA-2",
            wrong_bits: 1024,
            code: "KeyLengthMismatch",
            issued: "sha256WithRSAEncryption",
            ..PLAIN
        },
        Form {
            extended: &[CLIENT_AUTH],
            issued: "TLS Web Client Authentication",
            ..extension(
                "Extended Key Usage: Client Authentication",
                &["extendedKeyUsage = clientAuth"],
                &["extendedKeyUsage = serverAuth"],
                "EnhancedKeyUsageMismatch",
            )
        },
        Form {
            extended: &[IPSEC_TUNNEL],
            ..extension(
                "Extended Key Usage: Ipsec Tunnel",
                &["extendedKeyUsage = ipsecTunnel"],
                &[],
                "EnhancedKeyUsageMissing",
            )
        },
    ]
}

/// A row of the table: its scenario, and what is done about it.
fn rows() -> Vec<(&'static str, &'static str)> {
    let rows = include_str!("matrix.csv").lines().skip(1);
    rows.map(|row| {
        let cells: Vec<&str> = row.split(';').collect();
        match cells.as_slice() {
            [scenario, _, how, _] => (*scenario, *how),
            _ => unreachable!("{row}"),
        }
    })
    .collect()
}

const FAULTS: [&str; 3] = [
    "Challenge Authentication Failure",
    "Challenge Authentication Failure - 2",
    "Communication Failure",
];

#[test]
fn every_row_is_tested_or_says_why_not() {
    let rows = rows();
    assert_eq!(rows.len(), 25);
    let named = |how: &str| -> BTreeSet<&str> {
        let rows = rows.iter().filter(|(_, found)| *found == how);
        rows.map(|(scenario, _)| *scenario).collect()
    };
    let forms: BTreeSet<&str> = forms().iter().map(|form| form.scenario).collect();
    assert_eq!(named("enrolment"), forms);
    assert_eq!(named("fault"), BTreeSet::from(FAULTS));
    let functions = [
        include_str!("enrolment.rs"),
        include_str!("notification.rs"),
    ]
    .concat();
    let others = rows
        .iter()
        .filter(|(_, how)| !["enrolment", "fault", "no"].contains(how));
    for (scenario, function) in others {
        let declared = format!("async fn {function}()");
        assert!(functions.contains(&declared), "{scenario}: {function}");
    }
}

#[tokio::test]
async fn requests_of_every_form_are_held_against_their_profile() -> anyhow::Result<()> {
    let stand = crate::stand().await?;
    let client = crate::client(&stand)?;
    let server = ScepServer::start(&stand).await?;
    for form in forms() {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let challenge = stand.tenant.challenge(&Challenge {
            subject: form.subject.to_owned(),
            alternative_names: texts(form.names),
            key_usage: texts(form.usage),
            extended_key_usage: texts(form.extended),
            key_bits: form.bits as usize,
            ..Challenge::default()
        });
        let wanted = |(subject, extensions), bits| Wanted {
            challenge: Some(&challenge),
            subject,
            extensions,
            bits,
        };
        let scenario = form.scenario;
        let device = Device::new(wanted(form.right, form.bits)).await?;
        ensure!(server.enrol(&device).await?, "{scenario}: {}", server.log());
        let text = device.certificate_text(&["-text"]).await?;
        if form.issued == "30 days" {
            let ends = 29 * 24 * 3600;
            let options = ["-checkend", &ends.to_string()];
            device.certificate_text(&options).await?;
            let later = ["-checkend", &(31 * 24 * 3600).to_string()];
            ensure!(device.certificate_text(&later).await.is_err(), "{text}");
        } else {
            ensure!(text.contains(form.issued), "{scenario}: {text}");
        }

        let other = Device::new(wanted(form.wrong, form.wrong_bits)).await?;
        let body = json!({ "transaction_id": scenario, "csr": other.request()? });
        let refused = client.post("/v1/scep/validate", &body).await?;
        ensure!(
            refused.status == 403 && refused.body["code"] == form.code,
            "{scenario}: {refused:?}"
        );
        ensure!(!server.enrol(&other).await?, "{scenario}");
    }
    // All of them are told at once.
    let told = server.notify(60).await?;
    ensure!(told.status.success(), "{told:?}");
    let notifications = stand.tenant.notifications();
    ensure!(
        notifications.len() == forms().len() && notifications.iter().all(|it| it.issued),
        "{notifications:?}"
    );
    stand.stop().await?.tenant.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn no_certificate_is_issued_when_something_fails() -> anyhow::Result<()> {
    for scenario in FAULTS {
        // Fresh each time, or a token that was got before still serves.
        let stand = crate::stand().await?;
        let server = ScepServer::start(&stand).await?;
        let challenge = stand.tenant.challenge(&Challenge::default());
        let device = Device::new(Wanted {
            challenge: Some(&challenge),
            ..Wanted::default()
        })
        .await?;
        let (step, fault) = match scenario {
            "Challenge Authentication Failure" => (
                Step::ScepValidation,
                Fault::Code {
                    code: "ChallengeDecryptionError".to_owned(),
                },
            ),
            "Challenge Authentication Failure - 2" => (Step::ScepValidation, Fault::InternalError),
            _ => (Step::Token, Fault::Unauthorized),
        };
        stand.tenant.set_fault(step, fault);
        ensure!(!server.enrol(&device).await?, "{scenario}");
        stand.tenant.clear_faults();
        let tried_again = crate::client(&stand)?;
        let body = json!({ "transaction_id": "tx", "csr": device.request()? });
        let approved = tried_again.post("/v1/scep/validate", &body).await?;
        // A refused credential is left alone for a while; then it works again.
        let fine = approved.status == 200 || scenario == "Communication Failure";
        ensure!(fine, "{scenario}: {approved:?}");
        stand
            .stop()
            .await
            .context(scenario)?
            .tenant
            .shutdown()
            .await;
    }
    Ok(())
}
