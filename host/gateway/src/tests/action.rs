//! Actions: allowed or not, and where they go.

use portreeve_domain::{Connection, ShownFacts, View};

use super::*;

/// Knows one device, and does to it what it is told, but for wiping.
#[derive(Debug, Default)]
struct Acting {
    done: Mutex<Vec<String>>,
}

impl Source for Acting {
    fn find<'a>(
        &'a self,
        identifiers: &'a [Identifier],
        _: Instant,
    ) -> BoxFuture<'a, Result<Lookup, SourceError>> {
        let known: Identifier = MAC.parse().unwrap();
        let lookup = if identifiers.contains(&known) {
            found(ComplianceState::Compliant)
        } else {
            down()
        };
        async { lookup }.boxed()
    }

    fn act<'a>(
        &'a self,
        key: &'a str,
        action: &'a Action,
        once: &'a str,
        _: Instant,
    ) -> BoxFuture<'a, Result<ActionTicket, ActionFailure>> {
        let state = match action.kind() {
            ActionKind::Wipe => Err(ActionFailure::NotSupported(String::new())),
            ActionKind::Notify => Ok(ActionState::Done),
            _ => Ok(ActionState::Pending),
        };
        assert!(once.starts_with("once-"));
        let arguments = action.arguments().unwrap_or_default();
        let done = format!("{key} {} {arguments}", action.kind());
        self.done.lock().push(done);
        let ticket = state.map(|state| ActionTicket {
            key: None,
            state,
            detail: None,
        });
        async { ticket }.boxed()
    }

    fn check(&self, _: Instant) -> BoxFuture<'_, CheckReport> {
        async { CheckReport::default() }.boxed()
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

fn acting() -> (Arc<Gateway>, Arc<Acting>) {
    let source = Arc::new(Acting::default());
    let (policy, scripted) = (Arc::default(), Scripted::saying([down()]));
    let mut settings = settings_of(&[&scripted], RULES, policy, OnError::Deny);
    settings.actions.allow = ActionKind::SHARED.to_vec();
    settings
        .actions
        .allow
        .retain(|kind| *kind != ActionKind::Sync);
    settings.sources[0].source = Arc::clone(&source) as Arc<dyn Source>;
    let gateway = Gateway::new(settings, &Registry::new()).unwrap();
    (gateway, source)
}

#[tokio::test]
async fn an_action_goes_to_the_source_of_the_device() {
    let (gateway, source) = acting();
    let right = |allowed, unconfirmed| ActionRight {
        allowed,
        unconfirmed,
    };
    let any = right(true, true);
    for (mac, action, right, expected) in [
        (
            MAC,
            Action::new(ActionKind::Lock),
            right(true, false),
            Ok(ActionState::Pending),
        ),
        (
            MAC,
            Action::notify(None, "hello"),
            right(true, false),
            Ok(ActionState::Done),
        ),
        (
            MAC,
            Action::new(ActionKind::Retire),
            right(false, true),
            Err("client `nac` may not ask for the action `retire`"),
        ),
        (
            MAC,
            Action::new(ActionKind::Retire),
            right(true, false),
            Err(
                "the action `retire` wants a confirmation, which this protocol has not; the \
                 client's `unconfirmed-actions` allows it without",
            ),
        ),
        (
            MAC,
            Action::new(ActionKind::Sync),
            any,
            Err("the action `sync` is not switched on; `allow` of `[actions]` does"),
        ),
        (
            MAC,
            Action::new(ActionKind::Wipe),
            any,
            Err("source `source-0`: the source cannot do that"),
        ),
        (
            "00:50:56:00:00:09",
            Action::new(ActionKind::Lock),
            any,
            Err("source `source-0`: connection refused"),
        ),
    ] {
        // The source's key is hidden from this client, and the action finds
        // its way all the same.
        let connection = Connection {
            client: "nac".into(),
            view: View {
                facts: Some(Arc::new(ShownFacts::default())),
                ..View::default()
            },
            ..Connection::default()
        };
        let question = Question::new(
            vec![mac.parse().unwrap()],
            Arc::new(connection),
            Duration::from_secs(5),
        );
        let state = gateway.act(&question, &action, right).await;
        let state = state.map_err(|error| error.to_string());
        assert_eq!(state, expected.map_err(str::to_owned), "{action:?}");
    }
    let done = source.done.lock();
    let expected = ["key lock ", "key notify {\"body\":\"hello\"}", "key wipe "];
    assert_eq!(*done, expected);
}

#[tokio::test]
async fn nothing_is_done_to_what_no_source_knows() {
    let scripted = Scripted::saying([Ok(Lookup::Unknown), Ok(Lookup::Ambiguous)]);
    let stand = plain(&[&scripted]);
    let lock = Action::new(ActionKind::Lock);
    let right = ActionRight {
        allowed: true,
        unconfirmed: false,
    };
    let expected = [
        "no source knows this device",
        "source `source-0`: several devices match",
    ];
    for (mac, expected) in [MAC, "00:50:56:00:00:09"].into_iter().zip(expected) {
        let question = question(&[mac]);
        let started = stand.gateway.act(&question, &lock, right).await;
        assert_eq!(started.unwrap_err().to_string(), expected);
    }
}

#[test]
fn arguments_belong_to_an_action() {
    let arguments = |text: &str| match serde_json::from_str(text).unwrap() {
        serde_json::Value::Object(arguments) => arguments,
        other => panic!("{other}"),
    };
    let long = format!("{{\"x\":\"{}\"}}", "x".repeat(Action::LONGEST_ARGUMENTS));
    for (kind, text, expected) in [
        ("sync", "{}", None),
        (
            "sync",
            "{\"a\":1}",
            Some("the action `sync` takes no arguments"),
        ),
        ("notify", "{\"body\":\"b\",\"title\":\"t\"}", None),
        (
            "notify",
            "{\"title\":\"t\"}",
            Some("a message has a `body`"),
        ),
        ("notify", "{\"body\":\"\"}", Some("a message has a `body`")),
        (
            "notify",
            "{\"body\":\"b\",\"x\":\"t\"}",
            Some("a message has a `body`"),
        ),
        ("wipe", "{\"keepUserData\":true}", None),
        (
            "other:rebootNow",
            &long,
            Some("the arguments have 4104 bytes as JSON"),
        ),
    ] {
        let action = Action::with(kind.parse().unwrap(), &arguments(text));
        match (action, expected) {
            (Ok(action), None) => {
                assert_eq!(action.arguments().unwrap_or("{}").len(), text.len());
            }
            (Err(error), Some(expected)) => {
                assert!(error.to_string().starts_with(expected), "{error}");
            }
            (action, _) => panic!("{kind} {text}: {action:?}"),
        }
    }
}
