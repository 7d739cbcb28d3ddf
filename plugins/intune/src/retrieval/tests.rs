use portreeve_plugin::device::{ComplianceState, Value};
use portreeve_plugin::http::Error as HttpError;

use super::*;
use crate::services::fake::{self, Fake, devices, endpoints, ok, status};

const GUID: &str = "ee9d3792-6859-4b71-93aa-56aba42581c5";
const OTHER_GUID: &str = "00000000-6859-4b71-93aa-56aba42581c5";
const MAC: &str = "00:50:56:a4:89:5a";

type Answer = Result<Response, HttpError>;

fn by_guid() -> DeviceId {
    DeviceId::Guid(GUID.to_owned())
}

fn by_mac() -> DeviceId {
    DeviceId::Mac(MAC.to_owned())
}

fn registered(identifier: &str, compliant: bool) -> String {
    format!(
        "{identifier}<Attributes><register_status>true</register_status>\
         <Compliance><status>{compliant}</status></Compliance></Attributes>"
    )
}

fn guid_entry(guid: &str) -> String {
    registered(&format!("<guid>{guid}</guid>"), true)
}

fn unregistered() -> Answer {
    devices(&["<attributes><register_status>false</register_status></attributes>"])
}

/// A host that has discovered the service already.
fn ready(answers: impl IntoIterator<Item = Answer>) -> Fake {
    let services = Fake::new([endpoints("msud01")]);
    discovery::discover(&services, &Settings::default()).unwrap();
    services.asked();
    Fake {
        kept: services.kept,
        ..Fake::new(answers)
    }
}

fn look_up(services: &Fake, ids: &[DeviceId]) -> Result<Outcome, Error> {
    find(services, &Settings::default(), ids)
}

fn matched_by(outcome: &Outcome) -> &str {
    let Outcome::Found(device) = outcome else {
        panic!("{outcome:?}");
    };
    let Some(attribute) = device
        .attributes
        .iter()
        .find(|attribute| attribute.name == "intune.matched-by")
    else {
        panic!("{device:?}");
    };
    let Value::Text(text) = &attribute.value else {
        panic!("{attribute:?}");
    };
    text
}

#[test]
fn the_guid_comes_first_and_is_enough() {
    let services = ready([devices(&[&guid_entry(GUID)])]);
    let outcome = look_up(&services, &[by_mac(), by_guid()]).unwrap();
    assert_eq!(matched_by(&outcome), "guid");
    assert_eq!(
        services.asked(),
        [format!(
            "{}/cisco/devices/?paging=0&querycriteria=guid&value={GUID}&filter=all",
            fake::service("msud01")
        )]
    );
}

#[test]
fn the_address_comes_second() {
    let services = ready([unregistered(), devices(&[&registered("", false)])]);
    let outcome = look_up(&services, &[by_guid(), by_mac()]).unwrap();
    assert_eq!(matched_by(&outcome), "mac");
    let Outcome::Found(device) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(device.key, format!("mac:{MAC}"));
    assert_eq!(device.compliance.state, ComplianceState::NonCompliant);
    assert!(services.asked()[1].ends_with(
        "/cisco/devices/?paging=0&querycriteria=macaddress&value=005056A4895A&filter=all"
    ));
}

#[test]
fn unknown_needs_every_answer() {
    for answer in [
        unregistered(),
        devices(&[]),
        devices(&["<attributes/>"]),
        devices(&["<attributes><Compliance><status>true</status></Compliance></attributes>"]),
    ] {
        let services = ready([answer.clone(), answer]);
        let outcome = look_up(&services, &[by_guid(), by_mac()]).unwrap();
        assert_eq!(outcome, Outcome::Unknown);
        assert_eq!(services.asked().len(), 2);
    }
    // Half an answer is none.
    let services = ready([devices(&[]), status(500)]);
    assert!(matches!(
        look_up(&services, &[by_guid(), by_mac()]),
        Err(Error::Unavailable(_))
    ));
    let services = ready([status(500)]);
    assert!(look_up(&services, &[by_guid(), by_mac()]).is_err());
}

#[test]
fn what_cannot_be_asked_is_not_unknown() {
    for ids in [
        vec![],
        vec![DeviceId::Serial("S1".to_owned())],
        vec![DeviceId::Guid("no guid".to_owned())],
        vec![DeviceId::Mac("zz".to_owned())],
    ] {
        let services = Fake::new([]);
        let error = look_up(&services, &ids).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{error:?}");
    }
    let old = Settings {
        service_version: 2,
        ..Settings::default()
    };
    assert!(matches!(
        find(&Fake::new([]), &old, &[by_guid()]),
        Err(Error::Unsupported(_))
    ));
}

#[test]
fn questions_are_asked_once_and_bounded() {
    let macs: Vec<DeviceId> = (0..40)
        .map(|last| DeviceId::Mac(format!("00:50:56:a4:89:{last:02x}")))
        .flat_map(|id| [id.clone(), id])
        .collect();
    let services = ready((0..MAX_QUESTIONS).map(|_| devices(&[])));
    assert_eq!(look_up(&services, &macs).unwrap(), Outcome::Unknown);
    assert_eq!(services.asked().len(), MAX_QUESTIONS);
}

#[test]
fn another_device_is_no_answer() {
    let services = ready([devices(&[&guid_entry(OTHER_GUID)])]);
    let error = look_up(&services, &[by_guid()]).unwrap_err();
    assert!(
        matches!(&error, Error::BadResponse(text) if text.contains(OTHER_GUID)),
        "{error:?}"
    );
}

#[test]
fn several_devices_are_ambiguous() {
    let both = Outcome::Ambiguous(vec![GUID.to_owned(), OTHER_GUID.to_owned()]);
    // In one answer,
    let services = ready([devices(&[&guid_entry(GUID), &guid_entry(OTHER_GUID)])]);
    assert_eq!(look_up(&services, &[by_mac()]).unwrap(), both);
    // the same one twice,
    let services = ready([devices(&[&guid_entry(GUID), &guid_entry(GUID)])]);
    assert_eq!(matched_by(&look_up(&services, &[by_mac()]).unwrap()), "mac");
    // but not if it is two things at once,
    let contrary = registered(&format!("<guid>{GUID}</guid>"), false);
    for asked in [by_guid(), by_mac()] {
        let services = ready([devices(&[&guid_entry(GUID), &contrary])]);
        assert!(matches!(
            look_up(&services, &[asked]),
            Err(Error::BadResponse(_))
        ));
    }
    // without names,
    let services = ready([devices(&[&registered("", true), &registered("", false)])]);
    assert!(matches!(
        look_up(&services, &[by_mac()]),
        Err(Error::BadResponse(_))
    ));
    // and for two addresses.
    let two = [by_mac(), DeviceId::Mac("00:50:56:a4:89:5b".to_owned())];
    let services = ready([
        devices(&[&guid_entry(GUID)]),
        devices(&[&guid_entry(OTHER_GUID)]),
    ]);
    assert_eq!(look_up(&services, &two).unwrap(), both);
    let services = ready([
        devices(&[&registered("", true)]),
        devices(&[&guid_entry(GUID)]),
    ]);
    let Outcome::Found(device) = look_up(&services, &two).unwrap() else {
        panic!("they do not contradict each other");
    };
    assert_eq!(device.key, GUID);
}

fn moved() -> Vec<Answer> {
    vec![
        status(404),
        status(410),
        status(302),
        Err(HttpError::NameResolution("gone".to_owned())),
        Err(HttpError::Connect("refused".to_owned())),
    ]
}

#[test]
fn a_moved_service_is_found_again() {
    for failure in moved() {
        let services = ready([failure, endpoints("msub02"), devices(&[&guid_entry(GUID)])]);
        let outcome = look_up(&services, &[by_guid()]).unwrap();
        assert_eq!(matched_by(&outcome), "guid");
        let asked = services.asked();
        assert!(asked[0].starts_with(&fake::service("msud01")), "{asked:?}");
        assert!(
            asked[1].starts_with("https://graph.microsoft.com/"),
            "{asked:?}"
        );
        assert!(asked[2].starts_with(&fake::service("msub02")), "{asked:?}");
        // And is remembered at its new place.
        let kept = discovery::service(&services, &Settings::default()).unwrap();
        assert_eq!(kept.address.to_string(), fake::service("msub02"));
    }
}

#[test]
fn it_is_looked_for_only_once() {
    for failure in moved() {
        let services = ready([failure.clone(), endpoints("msub02"), failure.clone()]);
        assert!(look_up(&services, &[by_guid()]).is_err());
        assert_eq!(services.asked().len(), 3);
        // An address that was discovered just now is not discovered again.
        let services = Fake::new([endpoints("msud01"), failure]);
        assert!(look_up(&services, &[by_guid()]).is_err());
        assert_eq!(services.asked().len(), 2);
    }
}

#[test]
fn the_old_address_stays_while_graph_is_down() {
    let services = ready([status(404), status(503)]);
    assert_eq!(
        look_up(&services, &[by_guid()]),
        Err(Error::RateLimited(None))
    );
    let kept = discovery::service(&services, &Settings::default()).unwrap();
    assert_eq!(kept.address.to_string(), fake::service("msud01"));
}

#[test]
fn other_failures_are_no_reason_to_look_again() {
    for failure in [
        status(400),
        status(401),
        status(403),
        status(429),
        status(500),
        status(503),
        ok("<html/>"),
        ok(""),
        Err(HttpError::Timeout),
        Err(HttpError::Tls("unknown issuer".to_owned())),
        Err(HttpError::Denied("not granted".to_owned())),
        Err(HttpError::CredentialRefused("advice".to_owned())),
    ] {
        let services = ready([failure.clone()]);
        assert!(look_up(&services, &[by_guid()]).is_err(), "{failure:?}");
        assert_eq!(services.asked().len(), 1, "{failure:?}");
    }
}

#[test]
fn a_key_leads_back_to_its_device() {
    let settings = Settings::default();
    let services = ready([devices(&[&guid_entry(GUID)])]);
    assert_eq!(read(&services, &settings, GUID).unwrap().unwrap().key, GUID);
    let services = ready([devices(&[&registered("", true)])]);
    let key = format!("mac:{MAC}");
    assert_eq!(read(&services, &settings, &key).unwrap().unwrap().key, key);
    let services = ready([devices(&[])]);
    assert_eq!(read(&services, &settings, GUID), Ok(None));
    assert!(matches!(
        read(&Fake::new([]), &settings, "nonsense"),
        Err(Error::Unsupported(_))
    ));
    let services = ready([status(500)]);
    assert!(read(&services, &settings, GUID).is_err());
}

#[test]
fn the_old_service_has_other_paths() {
    let settings = Settings {
        service_version: 2,
        ..Settings::default()
    };
    let services = Fake::new([endpoints("msud01"), devices(&[&registered("", true)])]);
    let outcome = find(&services, &settings, &[by_guid(), by_mac()]).unwrap();
    assert_eq!(matched_by(&outcome), "mac");
    assert_eq!(
        services.asked()[1],
        "https://fef.msud01.manage.microsoft.com/StatelessNACService/ciscodeviceinfo/mdm/api/devices/\
         ?paging=0&querycriteria=macaddress&value=005056A4895A&filter=all"
    );
}
