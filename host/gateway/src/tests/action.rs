//! Actions: allowed or not, and where they go.

use portreeve_domain::{ActionKind, Connection, ShownFacts, View};

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
        _: Instant,
    ) -> BoxFuture<'a, Result<ActionState, ActionFailure>> {
        let state = match action {
            Action::Wipe => Err(ActionFailure::NotSupported),
            Action::Notify(_) => Ok(ActionState::Done),
            _ => Ok(ActionState::Pending),
        };
        self.done.lock().push(format!("{key} {action:?}"));
        async { state }.boxed()
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
    settings.sources[0].source = Arc::clone(&source) as Arc<dyn Source>;
    let gateway = Gateway::new(settings, &Registry::new()).unwrap();
    (gateway, source)
}

#[tokio::test]
async fn an_action_goes_to_the_source_of_the_device() {
    let (gateway, source) = acting();
    for (mac, action, allowed, expected) in [
        (MAC, Action::Lock, true, Ok(ActionState::Pending)),
        (
            MAC,
            Action::Notify("hello".to_owned()),
            true,
            Ok(ActionState::Done),
        ),
        (
            MAC,
            Action::Retire,
            false,
            Err("client `nac` may not ask for the action `retire`"),
        ),
        (
            MAC,
            Action::Wipe,
            true,
            Err("source `source-0`: the source cannot do that"),
        ),
        (
            "00:50:56:00:00:09",
            Action::Lock,
            true,
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
        let state = gateway.act(&question, &action, allowed).await;
        let state = state.map_err(|error| error.to_string());
        assert_eq!(state, expected.map_err(str::to_owned), "{action:?}");
    }
    let done = source.done.lock();
    assert_eq!(*done, ["key Lock", "key Notify(\"hello\")", "key Wipe"]);
    assert_eq!(Action::Wipe.kind(), ActionKind::Wipe);
}

#[tokio::test]
async fn nothing_is_done_to_what_no_source_knows() {
    let scripted = Scripted::saying([Ok(Lookup::Unknown), Ok(Lookup::Ambiguous)]);
    let stand = plain(&[&scripted]);
    let expected = [
        "no source knows this device",
        "source `source-0`: several devices match",
    ];
    for (mac, expected) in [MAC, "00:50:56:00:00:09"].into_iter().zip(expected) {
        let question = question(&[mac]);
        let started = stand.gateway.act(&question, &Action::Wipe, true).await;
        assert_eq!(started.unwrap_err().to_string(), expected);
    }
}
