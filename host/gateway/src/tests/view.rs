//! Clients that see less than there is.

use portreeve_domain::{Connection, Enrollment, ShownFacts, SourceSet, View};

use super::*;

fn asked_by(view: View) -> Question {
    let connection = Connection {
        view,
        ..Connection::default()
    };
    let ids = vec![MAC.parse().unwrap()];
    Question::new(ids, Arc::new(connection), Duration::from_secs(5))
}

fn only(place: usize) -> View {
    View {
        sources: SourceSet::NONE.with(place).unwrap(),
        facts: None,
    }
}

fn text(bytes: &[u8]) -> Text {
    Text {
        status: 200,
        bytes: bytes.into(),
        holes: Box::default(),
    }
}

#[tokio::test]
async fn a_source_that_a_client_must_not_see_does_not_exist_for_it() {
    let first = Scripted::saying([found(ComplianceState::Compliant)]);
    let second = Scripted::saying([found(ComplianceState::NonCompliant)]);
    let third = Scripted::saying([down()]);
    let gateway = plain(&[&first, &second, &third]).gateway;
    let answer = gateway.answer(&asked_by(only(1))).await;
    assert_eq!(verdict(&answer), "deny");
    let names: Vec<&str> = answer.sources.iter().map(|source| &*source.name).collect();
    assert_eq!(names, ["source-1"]);
    assert_eq!((first.calls(), third.calls()), (0, 0));
    let answer = gateway.answer(&asked_by(only(0))).await;
    assert_eq!(verdict(&answer), "permit");
    let answer = gateway.answer(&asked_by(only(2))).await;
    assert_eq!(verdict(&answer), "cannot-tell");
    let Outcome::CannotTell(missing) = &answer.outcome else {
        panic!("nobody could be asked");
    };
    assert_eq!(&*missing.detail, "source `source-2`: connection refused");
    let answer = gateway.answer(&asked_by(View::default())).await;
    assert_eq!(verdict(&answer), "permit");
    assert_eq!(answer.sources.len(), 3);
}

#[tokio::test]
async fn unknown_takes_the_word_of_the_visible_sources_alone() {
    let first = Scripted::saying([Ok(Lookup::Unknown)]);
    let second = Scripted::saying([down()]);
    let gateway = plain(&[&first, &second]).gateway;
    let answer = gateway.answer(&asked_by(only(0))).await;
    let unknown = matches!(answer.finding, Finding::Absent(Absence::UnknownDevice));
    assert!(unknown, "{answer:?}");
    let answer = gateway.answer(&asked_by(View::default())).await;
    assert_eq!(verdict(&answer), "cannot-tell");
}

#[tokio::test]
async fn a_rendering_is_for_those_who_see_the_same_sources() {
    let form = Form::new(0);
    let first = Scripted::saying([Ok(Lookup::Unknown)]);
    let second = Scripted::saying([found(ComplianceState::Compliant)]);
    let gateway = plain(&[&first, &second]).gateway;
    let all = asked_by(View::default());
    let one = asked_by(only(1));
    for question in [&all, &one] {
        gateway.answer(question).await;
    }
    let answered = gateway.answer_from_memory(&one).unwrap();
    gateway.keep(&answered, form, text(b"one"));
    let hit = gateway.hit(one.asked(), form).unwrap();
    assert_eq!(hit.bytes(), b"one");
    // The only source it sees is the first in its answers.
    assert_eq!(hit.fetched_at(0), answered.sources[0].fetched_at.unwrap());
    assert!(gateway.hit(all.asked(), form).is_none());
    let answered = gateway.answer_from_memory(&all).unwrap();
    gateway.keep(&answered, form, text(b"all"));
    assert_eq!(gateway.hit(all.asked(), form).unwrap().bytes(), b"all");
    assert!(gateway.hit(one.asked(), form).is_none());
}

#[tokio::test]
async fn facts_that_a_client_must_not_see_are_in_no_answer_and_no_rendering() {
    let form = Form::new(0);
    let mut device = device(ComplianceState::Compliant, &[GUID, MAC]);
    device.enrollment = Enrollment::Enrolled;
    device.name = Some("ada's".to_owned());
    let source = Scripted::saying([Ok(Lookup::Found(Box::new(device)))]);
    let gateway = plain(&[&source]).gateway;
    let all = asked_by(View::default());
    gateway.answer(&all).await;
    let answered = gateway.answer_from_memory(&all).unwrap();
    gateway.keep(&answered, form, text(b"everything"));
    assert!(gateway.hit(all.asked(), form).is_some());
    let limited = asked_by(View {
        facts: Some(Arc::new(ShownFacts::default())),
        ..View::default()
    });
    assert!(gateway.hit(limited.asked(), form).is_none());
    for answered in [
        gateway.answer_from_memory(&limited).unwrap(),
        gateway.answer(&limited).await,
    ] {
        assert_eq!(verdict(&answered), "permit");
        assert!(!answered.can_be_kept());
        let Finding::Device(device) = &answered.finding else {
            panic!("the device is known");
        };
        assert_eq!(device.ids, [MAC.parse().unwrap()]);
        assert_eq!(device.enrollment, Enrollment::Enrolled);
        assert_eq!((&*device.key, &device.name), ("", &None));
    }
}
