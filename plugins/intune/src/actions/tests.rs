//! Starting and following actions, with a host that answers in order.

#![expect(
    clippy::unnecessary_wraps,
    reason = "answers are results, whatever is in them"
)]

use std::cell::{Cell, RefCell};

use portreeve_plugin::connector::actions::NamedAction;
use portreeve_plugin::connector::credentials::Status;
use portreeve_plugin::http::Header;

use super::*;
use crate::services::fake::{Fake, NOW, ok, status as answer};

const DEVICE: &str = "10000000-0000-4000-8000-000000000001";
const PRIVILEGED: &str = "DeviceManagementManagedDevices.PrivilegedOperations.All";

/// A host that also keeps versions and answers to `POST`.
#[derive(Debug, Default)]
pub(super) struct Stand {
    pub(super) fake: Fake,
    version: Cell<u64>,
    /// How many changes others are quicker with.
    pub(super) conflicts: Cell<usize>,
    permissions: RefCell<Vec<String>>,
    /// What a new token names.
    renewed: RefCell<Vec<String>>,
}

impl Services for Stand {
    fn get(&self, url: &str, accept: &str) -> Result<Response, HttpError> {
        self.fake.get(url, accept)
    }

    fn post(&self, url: &str, _: &[(&str, &str)], body: Vec<u8>) -> Result<Response, HttpError> {
        let body = String::from_utf8(body).unwrap();
        let body = if body.is_empty() { "-" } else { &body };
        self.fake.get(&format!("POST {url} {body}"), "")
    }

    fn now_ms(&self) -> u64 {
        self.fake.now_ms()
    }

    fn recall(&self, key: &str) -> Option<Vec<u8>> {
        self.fake.recall(key)
    }

    fn remember(&self, key: &str, value: &[u8], ttl_ms: u64) -> bool {
        self.fake.remember(key, value, ttl_ms)
    }

    fn forget(&self, key: &str) {
        self.fake.forget(key);
    }

    fn renew_credential(&self, _: &str) -> Info {
        info(&self.renewed.borrow())
    }
}

impl Acting for Stand {
    fn versioned(&self, key: &str) -> Result<(Vec<u8>, u64), String> {
        let value = self.fake.recall(key).unwrap_or_default();
        Ok((value, self.version.get()))
    }

    fn replace(&self, key: &str, value: &[u8], version: u64, ttl_ms: u64) -> Result<bool, String> {
        if self.conflicts.get() > 0 {
            self.conflicts.set(self.conflicts.get() - 1);
            return Ok(false);
        }
        assert_eq!(version, self.version.get());
        self.version.set(version + 1);
        Ok(self.fake.remember(key, value, ttl_ms))
    }

    fn credential(&self, _: &str) -> Info {
        info(&self.permissions.borrow())
    }
}

fn info(permissions: &[String]) -> Info {
    Info {
        status: Status::Ready,
        scopes: Vec::new(),
        detail: None,
        permissions: permissions.to_vec(),
    }
}

fn stand(answers: impl IntoIterator<Item = Result<Response, HttpError>>) -> Stand {
    Stand {
        fake: Fake::new(answers),
        permissions: RefCell::new(vec![PRIVILEGED.to_owned()]),
        ..Stand::default()
    }
}

fn begin(stand: &Stand, action: Action, key: &str) -> Result<Ticket, Error> {
    start(stand, &Settings::default(), DEVICE, action, key)
}

fn named(name: &str, arguments: &str) -> Action {
    Action::Other(NamedAction {
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    })
}

fn taken_on() -> Result<Response, HttpError> {
    Ok(Response {
        status: 204,
        headers: vec![Header {
            name: "date".to_owned(),
            value: "Fri, 21 Aug 2026 00:00:09 GMT".to_owned(),
        }],
        body: Vec::new(),
    })
}

#[test]
fn paths_and_bodies() {
    const HOST: &str = "https://graph.microsoft.com";
    for (action, path) in [
        (
            Action::Sync,
            "v1.0/deviceManagement/managedDevices/ID/syncDevice -",
        ),
        (
            Action::Lock,
            "v1.0/deviceManagement/managedDevices/ID/remoteLock -",
        ),
        (
            Action::Retire,
            "v1.0/deviceManagement/managedDevices/ID/retire -",
        ),
        (
            Action::Wipe,
            "v1.0/deviceManagement/managedDevices/ID/wipe {}",
        ),
        (
            named("wipe", "{\"keepUserData\":true}"),
            "v1.0/deviceManagement/managedDevices/ID/wipe {\"keepUserData\":true}",
        ),
        (
            named("rebootNow", "{}"),
            "v1.0/deviceManagement/managedDevices/ID/rebootNow -",
        ),
    ] {
        let stand = stand([taken_on()]);
        let ticket = begin(&stand, action, "1").unwrap();
        assert_eq!(ticket.state, State::Pending);
        let key = ticket.key.unwrap();
        assert!(key.ends_with(" 1787270409000 sent"), "{key}");
        let expected = format!("POST {HOST}/{}", path.replace("ID", DEVICE));
        assert_eq!(stand.fake.asked(), [expected]);
    }
}

#[test]
fn a_message_goes_to_beta_and_is_not_followed() {
    let stand = stand([taken_on()]);
    let right = "DeviceManagementManagedDevices.ReadWrite.All";
    stand.permissions.replace(vec![right.to_owned()]);
    let ticket = begin(&stand, Action::Notify("hello".to_owned()), "1").unwrap();
    assert_eq!((ticket.state, ticket.key), (State::Pending, None));
    let asked = stand.fake.asked();
    assert!(
        asked[0].contains("/beta/deviceManagement/managedDevices/"),
        "{asked:?}"
    );
    assert!(asked[0].ends_with(r#"{"notificationBody":"hello","notificationTitle":"Message"}"#));
}

#[test]
fn the_same_key_starts_nothing_twice() {
    let stand = stand([taken_on(), taken_on()]);
    let first = begin(&stand, Action::Wipe, "1").unwrap();
    assert_eq!(begin(&stand, Action::Wipe, "1").unwrap(), first);
    begin(&stand, Action::Wipe, "2").unwrap();
    assert_eq!(stand.fake.asked().len(), 2);
}

#[test]
fn what_may_have_been_handed_over_is_not_sent_again() {
    for lost in [
        Err(HttpError::Timeout),
        Err(HttpError::Connect("reset".to_owned())),
        answer(500),
        answer(504),
    ] {
        let stand = stand([lost.clone()]);
        begin(&stand, Action::Wipe, "1").unwrap_err();
        let again = begin(&stand, Action::Wipe, "1").unwrap();
        assert_eq!(again.state, State::Pending);
        assert!(again.key.unwrap().ends_with("begun"));
        assert_eq!(stand.fake.asked().len(), 1);
        // Twice is as good as once.
        let harmless = self::stand([lost, taken_on()]);
        begin(&harmless, Action::Sync, "1").unwrap_err();
        begin(&harmless, Action::Sync, "1").unwrap();
        assert_eq!(harmless.fake.asked().len(), 2);
    }
}

#[test]
fn what_was_surely_not_handed_over_is_sent_again() {
    let throttled = Ok(Response {
        status: 429,
        headers: vec![Header {
            name: "retry-after".to_owned(),
            value: "2.128".to_owned(),
        }],
        body: Vec::new(),
    });
    for (lost, expected) in [
        (throttled, Error::RateLimited(Some(2128))),
        (answer(503), Error::RateLimited(None)),
        (
            Err(HttpError::CredentialUnavailable("down".to_owned())),
            Error::Unavailable("no token for Microsoft Graph just now: down".to_owned()),
        ),
    ] {
        let stand = stand([lost, taken_on()]);
        assert_eq!(begin(&stand, Action::Wipe, "1"), Err(expected));
        begin(&stand, Action::Wipe, "1").unwrap();
        assert_eq!(stand.fake.asked().len(), 2);
    }
}

#[test]
fn refusals_are_told() {
    for (answered, expected) in [
        (answer(404), "does not know this device"),
        (answer(400), "answered 400"),
        (answer(409), "answered 409"),
    ] {
        let stand = stand([answered]);
        let ticket = begin(&stand, Action::Lock, "1").unwrap();
        assert_eq!(ticket.state, State::Refused);
        let detail = ticket.detail.unwrap();
        assert!(detail.contains(expected), "{detail}");
    }
    let stand = stand([]);
    let ticket = begin(&stand, named("windowsDefenderScan", "{}"), "1").unwrap();
    assert_eq!(ticket.state, State::Refused);
    let unknown = begin(&stand, named("explode", "{}"), "1");
    assert!(matches!(unknown, Err(Error::Unsupported(_))));
    let by_mac = start(
        &stand,
        &Settings::default(),
        "mac:005056000101",
        Action::Sync,
        "1",
    );
    assert!(matches!(by_mac, Err(Error::Unsupported(_))));
    assert!(stand.fake.asked().is_empty());
}

#[test]
fn a_missing_permission_is_said_before_anything_is_sent() {
    let stand = stand([taken_on()]);
    let reader = "DeviceManagementManagedDevices.Read.All";
    stand.permissions.replace(vec![reader.to_owned()]);
    stand.renewed.replace(vec![reader.to_owned()]);
    let refused = begin(&stand, Action::Wipe, "1");
    let Err(Error::Forbidden(detail)) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        detail.contains(PRIVILEGED) && detail.contains(reader),
        "{detail}"
    );
    assert!(stand.fake.asked.borrow().is_empty());
    let listed = supported(&stand, DEVICE);
    assert_eq!(listed.len(), kind::ALL.len());
    assert!(
        listed
            .iter()
            .all(|name| name.contains(": missing permission"))
    );
    // It was granted meanwhile.
    stand.renewed.replace(vec![PRIVILEGED.to_owned()]);
    begin(&stand, Action::Wipe, "1").unwrap();
    // A token that cannot be read says nothing.
    stand.permissions.take();
    assert!(
        supported(&stand, DEVICE)
            .iter()
            .all(|name| !name.contains(':'))
    );
    let by_mac = supported(&stand, "mac:005056000101");
    assert!(
        by_mac
            .iter()
            .all(|name| name.contains("by its MAC address only"))
    );
    stand.fake.asked();
}

#[test]
fn the_status_is_asked_for() {
    let done = r#"{"deviceActionResults":[{"actionName":"rebootNow","actionState":"done",
        "startDateTime":"2026-08-21T00:00:10Z"}]}"#;
    let stand = stand([taken_on(), ok(done), answer(404), answer(404), answer(403)]);
    let key = begin(&stand, named("rebootNow", "{}"), "1").unwrap().key;
    let key = key.unwrap();
    let wiped = "1 wipe 1787270409000 sent";
    let ask = |key: &str| status(&stand, &Settings::default(), DEVICE, key);
    assert_eq!(ask(&key).unwrap().state, State::Done);
    assert_eq!(ask(&key).unwrap().state, State::Failed);
    assert_eq!(ask(wiped).unwrap().state, State::Done);
    assert!(matches!(ask(&key), Err(Error::Forbidden(_))));
    assert!(matches!(ask("nonsense"), Err(Error::Unsupported(_))));
    let asked = stand.fake.asked();
    assert!(asked[1].ends_with(&format!("{DEVICE}?$select=id,deviceActionResults")));
    assert_eq!(stand.fake.now_ms(), NOW);
}
