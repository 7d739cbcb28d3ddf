use http::HeaderValue;

use super::*;

const NOW: i64 = 1_787_270_400;

fn headers(version: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(
        http::HeaderName::from_static("api-version"),
        HeaderValue::from_static(version),
    )])
}

/// A request with this challenge, in base64.
fn csr(password: Option<&str>, names: &[&str]) -> String {
    use base64::Engine as _;

    let key = rcgen::KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut parameters = rcgen::CertificateParams::new(names).unwrap();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, "ann");
    parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    parameters.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    let attributes = password.map(|password| rcgen::Attribute {
        oid: &[1, 2, 840, 113_549, 1, 9, 7],
        values: set_of(password),
    });
    let request =
        parameters.serialize_request_with_attributes(&key, attributes.into_iter().collect());
    base64::engine::general_purpose::STANDARD.encode(request.unwrap().der())
}

/// `SET { UTF8String }` in DER.
fn set_of(text: &str) -> Vec<u8> {
    let tagged = |tag: u8, content: Vec<u8>| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [vec![tag, 0x82, length[0], length[1]], content].concat()
    };
    tagged(0x31, tagged(0x0c, text.as_bytes().to_vec()))
}

fn code(scep: &Scep, csr: &str, now: i64) -> String {
    let body = json!({ "request": {
        "certificateRequest": csr, "transactionId": "tx", "callerInfo": "test",
    } });
    let answer = scep.answer(
        Operation::Validate,
        &headers("2018-02-20"),
        body.to_string().as_bytes(),
        now,
    );
    answer.unwrap()["code"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_sealed_is_checked() {
    let scep = Scep::default();
    let challenge = Challenge {
        subject: "CN=ann".to_owned(),
        alternative_names: vec!["dns:ann.example".to_owned()],
        key_usage: vec!["digital-signature".to_owned()],
        extended_key_usage: vec!["1.3.6.1.5.5.7.3.2".to_owned()],
        key_bits: 256,
        ..Challenge::default()
    };
    let check = |challenge: &Challenge, expected: &str| {
        let password = scep.challenge(challenge, NOW);
        let csr = csr(Some(&password), &["ann.example"]);
        assert_eq!(code(&scep, &csr, NOW + 1), expected, "{challenge:?}");
    };
    check(&Challenge::default(), "Success");
    check(&challenge, "Success");
    let with = |change: fn(&mut Challenge)| {
        let mut changed = challenge.clone();
        change(&mut changed);
        changed
    };
    check(
        &with(|it| it.subject = "CN=bob".into()),
        "SubjectNameMismatch",
    );
    check(
        &with(|it| it.alternative_names.push("email:a@b".into())),
        "SubjectAltNameMismatch",
    );
    check(
        &with(|it| it.key_usage.push("key-encipherment".into())),
        "KeyUsageMismatch",
    );
    check(&with(|it| it.key_bits = 2048), "KeyLengthMismatch");
    check(
        &with(|it| it.extended_key_usage = vec!["1.2.3".into()]),
        "EnhancedKeyUsageMismatch",
    );
    check(&with(|it| it.valid_seconds = 1), "ChallengeExpired");
    scep.withdrawn.lock().insert("Wi-Fi".to_owned());
    check(&challenge, "ScepProfileNoLongerTargetedToTheClient");
}

#[test]
fn challenges_that_are_none() {
    use base64::Engine as _;

    let scep = Scep::default();
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let foreign = Scep::default().challenge(&Challenge::default(), NOW);
    let early = scep.challenge(&Challenge::default(), NOW + 100);
    for (password, expected) in [
        (None, "ChallengePasswordMissing"),
        (Some("no base64!"), "ChallengeDecodingError"),
        (Some(&*encode("anything")), "ChallengeDecryptionError"),
        (Some(&*encode("a.b.c")), "ChallengeDeserializationError"),
        (Some(&*foreign), "SignatureValidationFailed"),
        (Some(&*early), "ChallengeInvalidTimestamp"),
    ] {
        assert_eq!(code(&scep, &csr(password, &[]), NOW), expected);
    }
    for broken in ["", "no base64!", &encode("no request")] {
        assert_eq!(code(&scep, broken, NOW), "CertificateRequestDecodingFailed");
    }
}

#[test]
fn notifications_are_kept_in_every_form_that_clients_send() {
    let scep = Scep::default();
    let csr = csr(None, &[]);
    let issued = json!({ "notification": {
        "transactionId": "tx", "certificateRequest": csr, "callerInfo": "test",
        "certificateThumbprint": "0123456789ABCDEF0123456789ABCDEF01234567",
        "certificateSerialNumber": "01AF",
        "certificateExpirationDateUtc": "2027-01-01T00:00:00.000Z",
        "issuingCertificateAuthority": "CN=CA",
        "caConfiguration": null, "certificateAuthority": "",
    } });
    // A letter of ISO 8859-1.
    let failed = format!(
        r#"{{"notification":{{"transactionId":"tx","certificateRequest":"{csr}","callerInfo":"test","hResult":-5,"errorDescription":"?"}}}}"#
    );
    let failed = failed.into_bytes().into_iter();
    let failed: Vec<u8> = failed
        .map(|byte| if byte == b'?' { 0xfc } else { byte })
        .collect();
    let headers = headers("2018-02-20");
    for (operation, body) in [
        (Operation::NotifySuccess, issued.to_string().into_bytes()),
        (Operation::NotifyFailure, failed),
    ] {
        let answer = scep.answer(operation, &headers, &body, NOW).unwrap();
        assert_eq!(answer["code"], "Success");
    }
    let kept = scep.notifications.lock();
    assert!(kept[0].issued && !kept[1].issued);
    assert_eq!(kept[0].text("certificateSerialNumber"), Some("01AF"));
}

#[test]
fn the_version_is_a_header() {
    let scep = Scep::default();
    for version in ["2018-02-20", "1.0"] {
        let refused = scep.answer(
            Operation::DownloadRevocations,
            &headers(version),
            b"{}",
            NOW,
        );
        assert_eq!(refused.unwrap_err().0, StatusCode::BAD_REQUEST);
    }
}

#[test]
fn a_revocation_is_pending_until_its_result_is_told() {
    let scep = Scep::default();
    for number in 0..3 {
        scep.revocations.lock().push_back(Revocation {
            request_context: format!("rc{number}"),
            serial_number: format!("0{number}"),
            issuer_name: "CN=CA".to_owned(),
            ca_configuration: String::new(),
        });
    }
    let headers = headers("5019-05-05");
    let ask =
        |operation, body: Value| scep.answer(operation, &headers, body.to_string().as_bytes(), NOW);
    let download = |most: u32, issuer: Option<&str>| {
        ask(
            Operation::DownloadRevocations,
            json!({ "downloadParameters": { "maxRequests": most, "issuerName": issuer } }),
        )
    };
    let count = |answer: Result<Value, _>| answer.unwrap()["value"].as_array().unwrap().len();
    assert_eq!(count(download(2, None)), 2);
    assert_eq!(count(download(500, Some("CN=other"))), 0);
    assert!(download(501, None).is_err());
    let upload = |code: &str| {
        let result = json!({ "requestContext": "rc1", "succeeded": false, "errorCode": code });
        ask(Operation::UploadRevocations, json!({ "results": [result] }))
    };
    assert!(upload("4999").is_err());
    assert_eq!(upload("CertificateNotFoundError").unwrap()["value"], true);
    assert_eq!(count(download(500, None)), 2);
    assert_eq!(scep.results.lock()[0].error_number(), Some(4004));
}
