//! Whose word counts, and for whom.

use portreeve_domain::{Connection, FactsRead};

use super::*;

/// Says one thing about every device.
#[derive(Debug)]
struct Saying {
    /// `None`: it fails.
    verdict: Option<Verdict>,
    runs: AtomicUsize,
}

impl Evaluator for Saying {
    fn evaluate(&self, _: Arc<Subject>) -> BoxFuture<'_, Result<Evaluation, PolicyError>> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let said = self.verdict.map(|verdict| Evaluation {
            decision: Decision::because(verdict, "said", "said"),
            facts_read: FactsRead::default(),
        });
        let said = said.ok_or_else(|| PolicyError("broken".to_owned()));
        std::future::ready(said).boxed()
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

fn saying(verdict: Option<Verdict>) -> Arc<Saying> {
    Arc::new(Saying {
        verdict,
        runs: AtomicUsize::new(0),
    })
}

/// Policies by what they say: `p`, `r`, `d` and `a`, and `!`, `s`, `n` for one
/// that fails with the rule to deny, skip or abstain.
fn chain(name: &str, combine: Combine, words: &str) -> ChainSettings {
    let policies = words.chars().enumerate().map(|(place, word)| {
        let verdict = match word {
            'p' => Some(Verdict::Permit),
            'r' => Some(Verdict::Restrict),
            'd' => Some(Verdict::Deny),
            'a' => Some(Verdict::Abstain),
            _ => None,
        };
        PolicySettings {
            name: format!("{name}-{place}").into(),
            digest: "0".into(),
            evaluator: saying(verdict),
            on_error: match word {
                's' => OnError::Skip,
                'n' => OnError::Abstain,
                _ => OnError::Deny,
            },
            mode: Mode::Enforce,
        }
    });
    ChainSettings {
        name: name.into(),
        combine,
        policies: policies.collect(),
        verdict_ttl: None,
    }
}

fn gateway(chains: ChainsSettings) -> Arc<Gateway> {
    let source = Scripted::saying([Ok(Lookup::Found(Box::default()))]);
    let settings = GatewaySettings {
        chains,
        ..settings_of(
            &[&source],
            RULES,
            Arc::new(ByCompliance::default()),
            OnError::Deny,
        )
    };
    Gateway::new(settings, &Registry::new()).unwrap()
}

fn asked(connection: Connection) -> Question {
    let patience = Duration::from_secs(5);
    Question::new(vec![MAC.parse().unwrap()], Arc::new(connection), patience)
}

async fn said(gateway: &Gateway, connection: Connection) -> (Verdict, Option<Arc<str>>) {
    let answer = gateway.answer(&asked(connection)).await;
    let Outcome::Decided(decision) = &answer.outcome else {
        panic!("{answer:?}");
    };
    (decision.verdict, answer.policy.clone())
}

#[track_caller]
fn check(combine: Combine, words: &str, verdict: Verdict, place: Option<usize>) {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let chains = ChainsSettings {
        default: chain("c", combine, words),
        selected: Vec::new(),
    };
    let (found, policy) = runtime.block_on(async {
        let gateway = gateway(chains);
        said(&gateway, Connection::default()).await
    });
    let place = place.map(|place| format!("c-{place}"));
    assert_eq!(
        (found, policy.as_deref()),
        (verdict, place.as_deref()),
        "{words}"
    );
}

#[test]
fn the_combining_rule_says_whose_word_counts() {
    use Combine::{DenyOverrides as Strict, FirstDecides as First, PermitOverrides as Mild};
    use Verdict::{Deny, Permit, Restrict};

    for (combine, words, verdict, place) in [
        (First, "", Deny, None),
        (First, "aa", Deny, None),
        (First, "arpd", Restrict, Some(1)),
        (First, "!p", Deny, Some(0)),
        (First, "sp", Permit, Some(1)),
        (First, "np", Deny, None),
        (Strict, "pprdp", Deny, Some(3)),
        (Strict, "ppa", Permit, Some(0)),
        (Strict, "prr", Restrict, Some(1)),
        (Strict, "p!", Deny, Some(1)),
        (Strict, "ps", Permit, Some(0)),
        (Strict, "pn", Deny, None),
        (Mild, "drp", Permit, Some(2)),
        (Mild, "ddr", Restrict, Some(2)),
        (Mild, "dad", Deny, Some(0)),
        (Mild, "!p", Permit, Some(1)),
        (Mild, "!s", Deny, Some(0)),
        (Mild, "a", Deny, None),
    ] {
        check(combine, words, verdict, place);
    }
}

#[tokio::test]
async fn who_asks_and_where_says_which_chain_decides() {
    let clients = |name: &str| Selector {
        clients: vec![name.into()],
        ..Selector::default()
    };
    let lab = Selector {
        nas: vec!["10.9.0.0/16".parse().unwrap()],
        ..clients("ise")
    };
    let first = Combine::FirstDecides;
    let gateway = gateway(ChainsSettings {
        default: chain("default", first, "d"),
        selected: vec![
            (lab, chain("lab", first, "p")),
            (clients("ise"), chain("ise", first, "r")),
        ],
    });
    let from = |client: &str, nas: Option<&str>| Connection {
        client: client.into(),
        nas: nas.map(str::to_owned),
        ..Connection::default()
    };
    // Twice: what one chain decided is not remembered for another one.
    for _ in 0..2 {
        for (connection, policy) in [
            (from("rest", Some("10.9.0.1")), "default-0"),
            (from("ise", Some("10.9.0.1")), "lab-0"),
            (from("ise", Some("10.8.0.1")), "ise-0"),
            (from("ise", None), "ise-0"),
            (Connection::default(), "default-0"),
        ] {
            let (_, found) = said(&gateway, connection).await;
            assert_eq!(found.as_deref(), Some(policy));
        }
    }
}

#[tokio::test]
async fn a_monitored_policy_is_asked_and_changes_nothing() {
    let monitored = saying(Some(Verdict::Deny));
    let off = saying(Some(Verdict::Deny));
    let broken = saying(None);
    let policy = |name: &str, evaluator: &Arc<Saying>, mode| PolicySettings {
        name: name.into(),
        digest: "0".into(),
        evaluator: Arc::clone(evaluator) as Arc<dyn Evaluator>,
        on_error: OnError::Deny,
        mode,
    };
    let mut settings = chain("c", Combine::DenyOverrides, "p");
    settings.policies.extend([
        policy("monitored", &monitored, Mode::Monitor),
        policy("broken", &broken, Mode::Monitor),
        policy("off", &off, Mode::Off),
    ]);
    let gateway = gateway(ChainsSettings {
        default: settings,
        selected: Vec::new(),
    });
    for _ in 0..3 {
        let (verdict, _) = said(&gateway, Connection::default()).await;
        assert_eq!(verdict, Verdict::Permit);
    }
    // Waits for those that are asked beside the answer.
    gateway.shutdown().await;
    // Once: the next answers came out of memory.
    assert_eq!(monitored.runs.load(Ordering::SeqCst), 1);
    assert_eq!(broken.runs.load(Ordering::SeqCst), 1);
    assert_eq!(off.runs.load(Ordering::SeqCst), 0);
    let count = |labels: [&str; 3]| {
        let counter = gateway.metrics.monitored.with_label_values(&labels);
        counter.get()
    };
    assert_eq!(count(["monitored", "deny", "no"]), 1);
    assert_eq!(count(["broken", "failed", "unknown"]), 1);
    let names: Vec<_> = gateway.status().policies;
    assert_eq!(names.len(), 4, "all of them are shown");
}

/// Expects its own number in the list `version`, and says it.
#[derive(Debug)]
struct Versioned {
    number: usize,
    decides: bool,
}

impl Evaluator for Versioned {
    fn evaluate(&self, subject: Arc<Subject>) -> BoxFuture<'_, Result<Evaluation, PolicyError>> {
        let member = self.number.to_string();
        let is_mine = subject.lists.contains("version", &member) == Some(true);
        let verdict = match (is_mine, self.decides) {
            (false, _) => Verdict::Deny,
            (true, false) => Verdict::Abstain,
            (true, true) => Verdict::Permit,
        };
        let mut facts_read = FactsRead::default();
        facts_read.note(Fact::ListMembership {
            list: "version".into(),
            member: member.as_str().into(),
        });
        std::future::ready(Ok(Evaluation {
            decision: Decision::because(verdict, "version", &member),
            facts_read,
        }))
        .boxed()
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

fn version(number: usize) -> (ChainsSettings, Lists) {
    let policies = [false, true].map(|decides| PolicySettings {
        name: format!("{decides}").into(),
        digest: number.to_string().into(),
        evaluator: Arc::new(Versioned { number, decides }),
        on_error: OnError::Deny,
        mode: Mode::Enforce,
    });
    let mut lists = Lists::default();
    lists.insert("version", [&*number.to_string()]);
    (Vec::from(policies).into(), lists)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_question_sees_some_of_the_old_and_some_of_the_new() {
    const RELOADS: usize = 2_000;
    let (chains, lists) = version(0);
    let gateway = gateway(chains);
    gateway.replace_lists(lists);
    let mut askers = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let gateway = Arc::clone(&gateway);
        askers.spawn(async move {
            let mut newest = 0;
            while newest < RELOADS {
                let answer = gateway.answer(&asked(Connection::default())).await;
                let Outcome::Decided(decision) = &answer.outcome else {
                    panic!("{answer:?}");
                };
                assert_eq!(decision.verdict, Verdict::Permit, "{decision:?}");
                let number = decision.reasons[0].message.parse().unwrap();
                assert!(number >= newest, "an older one came back");
                newest = number;
                tokio::task::yield_now().await;
            }
        });
    }
    for number in 1..=RELOADS {
        let (chains, lists) = version(number);
        gateway.replace_rules(chains, lists);
        tokio::task::yield_now().await;
    }
    while let Some(asker) = askers.join_next().await {
        asker.unwrap();
    }
}
