//! What the decision log is told.

use portreeve_cache::SourceId;
use portreeve_domain::Timestamp;
use portreeve_store::decisions::{DecisionWriter, Keep, LogSettings};

use super::*;

/// A gateway with a log, and what it takes to write it.
fn logging(keep: Keep, directory: &tempfile::TempDir) -> (Arc<Gateway>, DecisionWriter) {
    let settings = LogSettings {
        keep,
        ..LogSettings::new(directory.path())
    };
    let (log, writer) = DecisionWriter::start(&settings).unwrap();
    let source = Scripted::saying([down()]);
    let settings = GatewaySettings {
        log: Some(log),
        ..settings_of(
            &[&source],
            RULES,
            Arc::new(ByCompliance::default()),
            OnError::Deny,
        )
    };
    let gateway = Gateway::new(settings, &Registry::new()).unwrap();
    (gateway, writer)
}

/// Whether the log wants to know, and if so, whether it is a change. As a face
/// asks: the first answer out of memory is kept for the next.
async fn noted(gateway: &Gateway) -> Option<bool> {
    const FORM: Form = Form::new(0);
    let question = question(&[MAC]);
    if let Some(hit) = gateway.hit(question.asked(), FORM) {
        return hit.judged().map(|_| false);
    }
    let logged = match gateway.answer_from_memory(&question) {
        Some(answered) => {
            let text = Text {
                status: 200,
                bytes: Box::default(),
                holes: Box::default(),
            };
            gateway.keep(&answered, FORM, text);
            answered.logged
        }
        None => gateway.answer(&question).await.logged,
    };
    logged.map(|logged| logged.changed)
}

#[tokio::test]
async fn a_change_back_to_a_remembered_decision_is_a_change() {
    use ComplianceState::{Compliant, NonCompliant};
    for (keep, expected) in [
        (
            Keep::All,
            [true, false, false, true, false, true, false, false, true].map(Some),
        ),
        (
            Keep::Changes,
            [
                Some(true),
                None,
                None,
                Some(true),
                // A denial, each time.
                Some(false),
                Some(true),
                None,
                None,
                Some(true),
            ],
        ),
        (
            Keep::Denials,
            [
                None,
                None,
                None,
                Some(true),
                Some(false),
                None,
                None,
                None,
                Some(true),
            ],
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (gateway, writer) = logging(keep, &directory);
        let states = [
            Compliant,
            Compliant,
            Compliant,
            NonCompliant,
            NonCompliant,
            // What was decided about these facts is remembered.
            Compliant,
            Compliant,
            Compliant,
            NonCompliant,
        ];
        let mut found = Vec::new();
        for state in states {
            let device = device(state, &[GUID, MAC]);
            let devices = gateway.memory().devices();
            devices.insert(SourceId(0), &device, Timestamp::now());
            found.push(noted(&gateway).await);
        }
        assert_eq!(found, expected, "{keep}");
        writer.shutdown().await.unwrap();
    }
}
