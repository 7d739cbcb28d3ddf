//! The vectors of Microsoft's own tests of its library (J1 to J8 of the Java one,
//! and those that only the C# one has), and what else has to hold.

use portreeve_plugin::connector::Error;
use portreeve_plugin::http::{Error as HttpError, Response};
use portreeve_plugin::scep::requests::{Approval, Failed, Issued, Refusal, Request, Verdict};
use portreeve_plugin::scep::revocations::{Outcome, Revocation};
use serde_json::json;

use super::*;
use crate::services::fake::{Fake, ok, status};

const GRAPH: &str = "https://graph.microsoft.com/v1.0/servicePrincipals/\
                     appId=0000000a-0000-0000-c000-000000000000/endpoints";
const RACERTS: &str = "/TrafficGateway/TrafficRoutingService/RACerts";

type Answered = Result<Response, HttpError>;

fn host(unit: &str) -> String {
    format!("https://agents.{unit}.manage.microsoft.com{RACERTS}")
}

fn scep_url(unit: &str, action: &str) -> String {
    format!(
        "POST {}/StatelessScepRequestValidationService/ScepActions/{action}",
        host(unit)
    )
}

fn pki_url(unit: &str, action: &str) -> String {
    format!(
        "POST {}/StatelessPkiConnectorService/CertificateAuthorityRequests/{action}",
        host(unit)
    )
}

/// A list with both services.
fn endpoints(unit: &str) -> Answered {
    ok(&json!({ "value": [
        { "providerName": "ASUName", "uri": "AMSUD0101" },
        { "providerName": "ScepRequestValidationFEService",
          "uri": format!("{}/StatelessScepRequestValidationService", host(unit)) },
        { "providerName": "PkiConnectorFEService",
          "uri": format!("{}/StatelessPkiConnectorService", host(unit)) },
    ] })
    .to_string())
}

fn says(code: &str) -> Answered {
    ok(&json!({ "code": code, "errorDescription": "" }).to_string())
}

/// Nobody can read it, so only Intune can judge.
fn request() -> Request {
    Request {
        transaction_id: "tx-1".to_owned(),
        csr: b"a request".to_vec(),
    }
}

fn issued() -> Issued {
    Issued {
        thumbprint: "00".repeat(20),
        serial: "01AF".to_owned(),
        expires_at: 1_798_761_600_000,
        issuer: "CN=CA".to_owned(),
        ca_configuration: Some("cfg".to_owned()),
        certificate_authority: None,
    }
}

fn failed() -> Failed {
    Failed {
        code: 2_147_942_405,
        message: "boom".to_owned(),
    }
}

fn validated(services: &Fake) -> Result<Verdict, Error> {
    validate(services, &Settings::default(), &request())
}

fn issued_told(services: &Fake) -> Result<(), Error> {
    notify_success(services, &Settings::default(), &request(), &issued())
}

fn failed_told(services: &Fake) -> Result<(), Error> {
    notify_failure(services, &Settings::default(), &request(), &failed())
}

const APPROVED: Result<Verdict, Error> = Ok(Verdict::Approved(Approval {
    ids: Vec::new(),
    user: None,
}));

#[track_caller]
fn assert_refused(answered: &Result<Verdict, Error>, code: &str) {
    let refusal = Refusal {
        code: code.to_owned(),
        message: String::new(),
    };
    assert_eq!(*answered, Ok(Verdict::Refused(refusal)));
}

#[test]
fn j1_validation_success() {
    let services = Fake::new([endpoints("a"), says("Success"), says("Success")]);
    assert_eq!(validated(&services), APPROVED);
    // The place is really remembered.
    assert_eq!(validated(&services), APPROVED);
    let validate = scep_url("a", "validateRequest");
    assert_eq!(services.asked(), [GRAPH, &*validate, &*validate]);
    let (headers, body) = services.posted.borrow()[0].clone();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        headers,
        [
            header("api-version", "2018-02-20"),
            header("UserAgent", "Portreeve 0.1.0")
        ]
    );
    assert_eq!(
        body,
        json!({ "request": {
            "certificateRequest": "YSByZXF1ZXN0",
            "transactionId": "tx-1",
            "callerInfo": "Portreeve 0.1.0",
        } })
    );
}

#[test]
fn j2_a_code_is_a_refusal() {
    let services = Fake::new([endpoints("a"), says("ChallengeDecodingError")]);
    assert_refused(&validated(&services), "ChallengeDecodingError");
}

#[test]
fn j3_a_missing_role_is_an_error_and_not_tried_again() {
    let services = Fake::new([endpoints("a"), status(401)]);
    let error = validated(&services).unwrap_err();
    assert!(
        matches!(&error, Error::Unauthenticated(text) if text.contains("scep_challenge_provider")),
        "{error:?}"
    );
    assert_eq!(
        services.asked(),
        [GRAPH, &*scep_url("a", "validateRequest")]
    );
    let services = Fake::new([endpoints("a"), status(403)]);
    assert!(matches!(validated(&services), Err(Error::Forbidden(_))));
}

#[test]
fn j4_without_a_token_nothing_is_asked() {
    let refused = || Err(HttpError::CredentialRefused("AADSTS7000215".to_owned()));
    let services = Fake::new([refused()]);
    let error = validated(&services).unwrap_err();
    assert!(matches!(error, Error::Unauthenticated(_)), "{error:?}");
    assert_eq!(services.asked(), [GRAPH]);
    // The one for Intune, once the place is known.
    let services = Fake::new([endpoints("a"), refused()]);
    let error = validated(&services).unwrap_err();
    assert!(matches!(error, Error::Unauthenticated(_)), "{error:?}");
}

#[test]
fn j5_a_list_without_the_service() {
    let list = r#"{"value":[{"providerName":"ASUName","uri":"AMSUD0101"}]}"#;
    let services = Fake::new([ok(list)]);
    let error = validated(&services).unwrap_err();
    assert!(
        matches!(&error, Error::Misconfigured(text)
            if text.contains("no `ScepRequestValidationFEService`")),
        "{error:?}"
    );
    assert_eq!(services.asked(), [GRAPH]);
}

#[test]
fn j6_the_place_is_dropped_after_a_failure() {
    let unknown = || Err(HttpError::NameResolution("no such host".to_owned()));
    let services = Fake::new([endpoints("a"), unknown(), endpoints("b"), says("Success")]);
    let error = validated(&services).unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert_eq!(validated(&services), APPROVED);
    assert_eq!(
        services.asked(),
        [
            GRAPH,
            &*scep_url("a", "validateRequest"),
            GRAPH,
            &*scep_url("b", "validateRequest")
        ]
    );
}

#[test]
fn a_remembered_place_that_moved_is_found_again_in_the_same_call() {
    for gone in [
        Err(HttpError::NameResolution("gone".to_owned())),
        Err(HttpError::Connect("gone".to_owned())),
        status(404),
        status(410),
        status(301),
    ] {
        let services = Fake::new([
            endpoints("a"),
            says("Success"),
            gone,
            endpoints("b"),
            says("ChallengeExpired"),
        ]);
        assert_eq!(validated(&services), APPROVED);
        assert_refused(&validated(&services), "ChallengeExpired");
        services.asked();
    }
}

#[test]
fn what_may_be_the_places_fault_drops_it_and_what_is_not_does_not() {
    for (answer, dropped) in [
        (status(500), true),
        (Err(HttpError::Timeout), true),
        (Err(HttpError::Tls("expired".to_owned())), true),
        (status(503), false),
        (status(429), false),
        (status(401), false),
        (status(403), false),
    ] {
        let services = Fake::new([endpoints("a"), answer.clone()]);
        assert!(validated(&services).is_err());
        assert_eq!(services.asked().len(), 2, "not repeated: {answer:?}");
        assert_eq!(services.kept.borrow().is_empty(), dropped, "{answer:?}");
    }
}

#[test]
fn j7_revocations_are_downloaded() {
    let list = json!({ "@odata.context": "x", "value": [
        { "requestContext": "rc1", "serialNumber": "01", "issuerName": "CN=A", "caConfiguration": "c" },
        { "requestContext": "rc2", "serialNumber": "02", "issuerName": null },
    ] });
    let services = Fake::new([endpoints("a"), ok(&list.to_string())]);
    let pending = pending(&services, &Settings::default(), 10, None).unwrap();
    let revocation = |number: u8, issuer: Option<&str>, configuration: Option<&str>| Revocation {
        context: format!("rc{number}"),
        serial: format!("0{number}"),
        issuer: issuer.map(str::to_owned),
        ca_configuration: configuration.map(str::to_owned),
    };
    assert_eq!(
        pending,
        [
            revocation(1, Some("CN=A"), Some("c")),
            revocation(2, None, None)
        ]
    );
    assert_eq!(
        services.asked(),
        [GRAPH, &*pki_url("a", "downloadRevocationRequests")]
    );
    let (headers, body) = services.posted.borrow()[0].clone();
    assert_eq!(headers[0].1, "5019-05-05");
    assert_eq!(
        body,
        json!({ "downloadParameters": { "maxRequests": 10, "issuerName": null } })
    );
}

#[test]
fn j8_results_are_uploaded() {
    let services = Fake::new([endpoints("a"), ok(r#"{"value":true}"#)]);
    let outcomes = [outcome(true, 0, None), outcome(false, 4004, Some("nope"))];
    assert_eq!(report(&services, &Settings::default(), &outcomes), Ok(()));
    assert_eq!(
        services.asked(),
        [GRAPH, &*pki_url("a", "uploadRevocationResults")]
    );
    assert_eq!(
        services.posted.borrow()[0].1,
        json!({ "results": [
            { "requestContext": "rc", "succeeded": true, "errorCode": "0" },
            { "requestContext": "rc", "succeeded": false, "errorCode": "4004", "errorMessage": "nope" },
        ] })
    );
}

#[test]
fn notifications_are_sent_and_may_be_refused() {
    let services = Fake::new([endpoints("a"), says("Success"), says("Success")]);
    assert_eq!(issued_told(&services), Ok(()));
    assert_eq!(failed_told(&services), Ok(()));
    assert_eq!(
        services.asked(),
        [
            GRAPH,
            &*scep_url("a", "successNotification"),
            &*scep_url("a", "failureNotification")
        ]
    );
    let posted = services.posted.borrow();
    assert_eq!(
        posted[0].1,
        json!({ "notification": {
            "transactionId": "tx-1",
            "certificateRequest": "YSByZXF1ZXN0",
            "certificateThumbprint": "0000000000000000000000000000000000000000",
            "certificateSerialNumber": "01AF",
            "certificateExpirationDateUtc": "2027-01-01T00:00:00.000Z",
            "issuingCertificateAuthority": "CN=CA",
            "callerInfo": "Portreeve 0.1.0",
            "caConfiguration": "cfg",
        } })
    );
    assert_eq!(
        posted[1].1,
        json!({ "notification": {
            "transactionId": "tx-1",
            "certificateRequest": "YSByZXF1ZXN0",
            "hResult": 2_147_942_405_u32,
            "errorDescription": "boom",
            "callerInfo": "Portreeve 0.1.0",
        } })
    );
    for told in [issued_told, failed_told] {
        let services = Fake::new([endpoints("a"), says("BadDeviceIdInChallenge")]);
        assert_eq!(
            told(&services),
            Err(Error::Other("refused BadDeviceIdInChallenge".to_owned()))
        );
        let services = Fake::new([endpoints("a"), status(500)]);
        assert!(matches!(told(&services), Err(Error::Unavailable(_))));
        let services = Fake::new([endpoints("a"), ok("{}")]);
        assert!(matches!(told(&services), Err(Error::BadResponse(_))));
    }
}

#[test]
fn a_long_description_is_cut_to_what_intune_takes() {
    let services = Fake::new([endpoints("a"), says("Success")]);
    let failed = Failed {
        code: 1,
        message: "ü".repeat(300),
    };
    let settings = Settings::default();
    assert_eq!(
        notify_failure(&services, &settings, &request(), &failed),
        Ok(())
    );
    let posted = services.posted.borrow();
    let told = posted[0].1["notification"]["errorDescription"].as_str();
    assert_eq!(told.unwrap().chars().count(), 255);
}

#[test]
fn arguments_are_checked_before_anything_is_sent() {
    let services = Fake::default();
    let settings = Settings::default();
    let bad = |error: Result<(), Error>, field: &str| {
        let error = error.unwrap_err();
        assert!(
            matches!(&error, Error::Other(text)
                if text.starts_with(&format!("argument `{field}`"))),
            "{field}: {error:?}"
        );
    };
    let nameless = Request {
        transaction_id: " ".to_owned(),
        ..request()
    };
    let empty = Request {
        csr: Vec::new(),
        ..request()
    };
    for (request, field) in [(&nameless, "transaction_id"), (&empty, "csr")] {
        bad(validate(&services, &settings, request).map(drop), field);
        bad(
            notify_success(&services, &settings, request, &issued()),
            field,
        );
        bad(
            notify_failure(&services, &settings, request, &failed()),
            field,
        );
    }
    let issued_without = |change: fn(&mut Issued)| {
        let mut issued = issued();
        change(&mut issued);
        notify_success(&services, &settings, &request(), &issued)
    };
    bad(issued_without(|it| it.thumbprint.clear()), "thumbprint");
    bad(issued_without(|it| it.serial.clear()), "serial");
    bad(issued_without(|it| it.issuer.clear()), "issuer");
    bad(issued_without(|it| it.expires_at = 0), "expires_at");
    bad(issued_without(|it| it.expires_at = u64::MAX), "expires_at");
    let silent = Failed {
        message: String::new(),
        ..failed()
    };
    bad(
        notify_failure(&services, &settings, &request(), &silent),
        "message",
    );
    for limit in [0, 501, u32::MAX] {
        bad(
            pending(&services, &settings, limit, None).map(drop),
            "limit",
        );
    }
    let reported = |outcomes: &[Outcome]| report(&services, &settings, outcomes);
    bad(reported(&[]), "results");
    bad(reported(&[outcome(true, 4004, None)]), "succeeded");
    bad(reported(&[outcome(true, 0, Some("fine"))]), "succeeded");
    bad(reported(&[outcome(false, 0, None)]), "code");
    bad(reported(&[outcome(false, 4999, None)]), "code");
    let mut nameless = outcome(true, 0, None);
    nameless.context.clear();
    bad(reported(&[nameless]), "context");
    assert!(services.asked().is_empty());
}

fn outcome(succeeded: bool, code: u32, message: Option<&str>) -> Outcome {
    Outcome {
        context: "rc".to_owned(),
        succeeded,
        code,
        message: message.map(str::to_owned),
    }
}

#[test]
fn answers_about_revocations_that_are_none() {
    for body in [
        "not JSON",
        "{}",
        r#"{"value":null}"#,
        r#"{"value":{}}"#,
        r#"{"value":[{"requestContext":"rc"}]}"#,
        r#"{"value":[{"requestContext":"a","serialNumber":"1"},{"requestContext":"b","serialNumber":"2"}]}"#,
    ] {
        let services = Fake::new([endpoints("a"), ok(body)]);
        let error = pending(&services, &Settings::default(), 1, Some("CN=A")).unwrap_err();
        assert!(matches!(error, Error::BadResponse(_)), "{body}: {error:?}");
    }
    for body in [
        "not JSON",
        "{}",
        r#"{"value":null}"#,
        r#"{"value":false}"#,
        r#"{"value":"true"}"#,
        r#"{"value":1}"#,
    ] {
        let services = Fake::new([endpoints("a"), ok(body)]);
        let outcomes = [outcome(true, 0, None)];
        let error = report(&services, &Settings::default(), &outcomes).unwrap_err();
        assert!(matches!(error, Error::BadResponse(_)), "{body}: {error:?}");
    }
}

/// Made by `openssl req`: no attributes; `challengePassword` = `short-password`;
/// `challengePassword` = 120 letters.
const PLAIN: &[u8] = include_bytes!("tests/plain.der");
const SHORT: &[u8] = include_bytes!("tests/short.der");
const LONG: &[u8] = include_bytes!("tests/long.der");

#[test]
fn a_request_without_a_challenge_of_intune_is_for_somebody_else() {
    for csr in [PLAIN, SHORT] {
        let services = Fake::default();
        let request = Request {
            csr: csr.to_vec(),
            ..request()
        };
        let error = validate(&services, &Settings::default(), &request).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{error:?}");
        assert!(services.asked().is_empty());
    }
    let services = Fake::new([endpoints("a"), says("Success")]);
    let request = Request {
        csr: LONG.to_vec(),
        ..request()
    };
    assert_eq!(
        validate(&services, &Settings::default(), &request),
        APPROVED
    );
}

proptest::proptest! {
    #[test]
    fn any_request_is_read(csr in proptest::collection::vec(proptest::num::u8::ANY, 0..200), place in 0_usize..400, byte: u8) {
        let _ = challenge::is_missing(&csr);
        let mut spoiled = LONG.to_vec();
        let place = place % spoiled.len();
        spoiled[place] = byte;
        let _ = challenge::is_missing(&spoiled);
    }
}
