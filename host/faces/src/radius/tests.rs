use std::time::Duration;

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use portreeve_domain::{
    Authentication, CannotTell, Device, Medium, Obligation, ObligationKind, Origin, Question,
    Remediation, Timestamp,
};
use proptest::prelude::*;

use super::*;
use crate::clients::test_client;
use crate::problem::ProblemKind;

fn read(json: &str) -> Result<Question, Problem> {
    question::read(json.as_bytes(), &test_client("radius"))
}

#[track_caller]
fn check(json: &str, expected: Result<&str, &str>) {
    let read = read(json).map(|question| {
        let ids: Vec<String> = question
            .identifiers()
            .iter()
            .map(ToString::to_string)
            .collect();
        ids.join(" ")
    });
    let read = read.as_deref().map_err(Problem::detail);
    assert_eq!(read, expected, "{json}");
}

const GUID: &str = "3eeb9e62-cec9-4dd8-9dd6-74903695a62b";
const MAC: &str = "aa:bb:cc:dd:ee:ff";

#[test]
fn identifiers() {
    let both = format!("{GUID} {MAC}");
    check(
        r#"{"Calling-Station-Id":{"type":"string","value":["AA-BB-CC-DD-EE-FF"]}}"#,
        Ok(MAC),
    );
    check(
        r#"{"Calling-Station-Id":{"type":"string","value":"AABB.CCDD.EEFF"}}"#,
        Ok(MAC),
    );
    check(r#"{"Calling-Station-Id":"aabbccddeeff"}"#, Ok(MAC));
    check(
        r#"{"request:Calling-Station-Id":["aabbccddeeff"]}"#,
        Ok(MAC),
    );
    check(
        r#"{"Calling-Station-Id":{"value":"AA-BB-CC-DD-EE-FF"},
            "TLS-Client-Cert-X509v3-Subject-Alternative-Name":{"type":"string","value":
            "DNS:laptop1.example, URI:ID:Microsoft Endpoint Manager:GUID:3eeb9e62-cec9-4dd8-9dd6-74903695a62b"}}"#,
        Ok(&both),
    );
    // The bug of 3.2.1: `IntuneDeviceId:\/\/`.
    check(
        r#"{"TLS-Client-Cert-Subject-Alt-Name-Uri":{"value":["x","IntuneDeviceId:\\/\\/3eeb9e62-cec9-4dd8-9dd6-74903695a62b"]}}"#,
        Ok(GUID),
    );
    check(
        r#"{"TLS-Client-Cert-Common-Name":{"value":"3EEB9E62-CEC9-4DD8-9DD6-74903695A62B"}}"#,
        Ok(GUID),
    );
    check(
        r#"{"TLS-Client-Cert-Common-Name":{"value":"00000000-0000-0000-0000-000000000000"},
            "TLS-Client-Cert-X509v3-Subject-Alternative-Name":{"value":"IntuneDeviceId://3eeb9e62-cec9-4dd8-9dd6-74903695a62b"}}"#,
        Ok(GUID),
    );
    check(
        r#"{"NAC-Device-Id":{"value":["serial:C02"]},"Calling-Station-Id":"10.0.0.1"}"#,
        Ok("serial:C02"),
    );
    check(
        r#"{"NAC-Device-Id":["", "serial:C02", "udid:x"],"TLS-Client-Cert-Subject-Alt-Name-Dns":"Laptop1.example",
            "Calling-Station-Id":"aabbccddeeff"}"#,
        Ok("udid:x serial:C02 aa:bb:cc:dd:ee:ff hostname:laptop1.example"),
    );
}

#[test]
fn errors_name_the_attribute() {
    let nothing = "nothing names the endpoint: expected `Calling-Station-Id` with a MAC address, \
                   a device GUID or DNS name in `TLS-Client-Cert-*`, or `NAC-Device-Id`";
    check("{}", Err(nothing));
    check(
        r#"{"Calling-Station-Id":{"type":"string","value":[]}}"#,
        Err(nothing),
    );
    check(r#"{"Calling-Station-Id":{"value":null}}"#, Err(nothing));
    check(
        r#"{"Calling-Station-Id":{"value":["10.0.0.1"]}}"#,
        Err(
            "`Calling-Station-Id`: `10.0.0.1` is no MAC address: separators must all be `:`, `-` or `.` and split the digits evenly",
        ),
    );
    check(
        r#"{"NAC-Device-Id":"zz"}"#,
        Err(
            "`NAC-Device-Id`: `zz` is neither a MAC address nor a GUID; write other identifiers as `kind:value`, e.g. `serial:C02XK0AAJGH5`",
        ),
    );
    check(
        "[]",
        Err(
            "the body: invalid type: sequence, expected an object of RADIUS attributes at line 1 column 0",
        ),
    );
    check(
        r#"{"Calling-Station-Id":{"value":{"a":1}}}"#,
        Err(
            "the body: invalid type: map, expected a value or a list of values at line 1 column 32",
        ),
    );
    check(
        r#"{"Calling-Station-Id":[["x"]]}"#,
        Err("the body: invalid type: sequence, expected a value at line 1 column 24"),
    );
    check(
        r#"{"Calling-Station-Id":"#,
        Err("the body: EOF while parsing a value at line 1 column 22"),
    );
}

fn report(json: &str) -> Result<accounting::Report, Problem> {
    let now = Timestamp::from_millis(100_000);
    accounting::read(json.as_bytes(), &"radius".into(), now)
}

#[test]
fn reports() {
    use accounting::Report;
    let full = r#"{"Acct-Status-Type":{"type":"integer","value":["Interim-Update"]},
        "Acct-Session-Id":{"type":"string","value":["0000A1"]},"Acct-Session-Time":{"value":[60]},
        "NAS-IP-Address":{"type":"ipaddr","value":["192.0.2.1"]},"NAS-Identifier":"switch-7",
        "NAS-Port":{"value":50101},"NAS-Port-Id":"Gi1\\/0\\/1","User-Name":"host\\/laptop",
        "Calling-Station-Id":"00-50-56-A4-89-5A","Framed-IP-Address":"198.51.100.7",
        "Cisco-AVPair":{"value":["service-type=Framed","audit-session-id=0A0101"]},
        "User-Password":"secret"}"#;
    let Ok(Report::Interim(session)) = report(full) else {
        panic!("{:?}", report(full));
    };
    assert_eq!(accounting::name(&session.nas), "switch-7 (192.0.2.1)");
    assert_eq!(&*session.id, "0000A1");
    assert_eq!(session.audit_id.as_deref(), Some("0A0101"));
    assert_eq!(session.mac().unwrap().to_string(), "00:50:56:a4:89:5a");
    assert_eq!(session.user.as_deref(), Some("host/laptop"));
    assert_eq!(session.port, Some(50_101));
    assert_eq!(session.port_id.as_deref(), Some("Gi1/0/1"));
    assert_eq!(session.framed_address, "198.51.100.7".parse().ok());
    assert_eq!(&*session.client, "radius");
    assert_eq!(session.started_at, Timestamp::from_millis(40_000));
    assert_eq!(session.seen_at, Timestamp::from_millis(100_000));

    let kind = |json: &str| match report(json) {
        Ok(Report::Start(_)) => "start".to_owned(),
        Ok(Report::Interim(_)) => "interim".to_owned(),
        Ok(Report::Stop(nas, id)) => format!("stop {} {id}", accounting::name(&nas)),
        Ok(Report::AllEnded(nas)) => format!("all {}", accounting::name(&nas)),
        Ok(Report::Other) => "other".to_owned(),
        Err(problem) => problem.detail().to_owned(),
    };
    let nobody = "nothing names the network access server: expected `NAS-IP-Address`, \
                  `NAS-IPv6-Address` or `NAS-Identifier`";
    for (json, expected) in [
        (
            r#"{"Acct-Status-Type":1,"Acct-Session-Id":"a","NAS-Identifier":"x"}"#,
            "start",
        ),
        (
            r#"{"Acct-Status-Type":"Start","Acct-Session-Id":"a","NAS-IPv6-Address":"2001:db8::1"}"#,
            "start",
        ),
        (
            r#"{"Acct-Status-Type":"Alive","Acct-Session-Id":"a","NAS-Identifier":"x"}"#,
            "interim",
        ),
        (
            r#"{"Acct-Status-Type":["Stop"],"Acct-Session-Id":7,"NAS-IP-Address":"192.0.2.1"}"#,
            "stop 192.0.2.1 7",
        ),
        (
            r#"{"Acct-Status-Type":"Accounting-On","NAS-Identifier":"x"}"#,
            "all x",
        ),
        (
            r#"{"Acct-Status-Type":8,"NAS-IP-Address":"0.0.0.0","NAS-Identifier":"x"}"#,
            "all x",
        ),
        (r#"{"Acct-Status-Type":"Failed"}"#, "other"),
        (r#"{"Acct-Status-Type":9}"#, "other"),
        (
            "{}",
            "expected `Acct-Status-Type`, e.g. `Start`: this is no report",
        ),
        (
            r#"{"Acct-Status-Type":1,"NAS-Identifier":"x"}"#,
            "`Acct-Session-Id`: expected 1 to 253 bytes",
        ),
        (r#"{"Acct-Status-Type":1,"Acct-Session-Id":"a"}"#, nobody),
        (
            r#"{"Acct-Status-Type":7,"NAS-IP-Address":"0.0.0.0"}"#,
            nobody,
        ),
    ] {
        assert_eq!(kind(json), expected, "{json}");
    }
    let long = format!(
        r#"{{"Acct-Status-Type":2,"Acct-Session-Id":"{}"}}"#,
        "x".repeat(254)
    );
    assert_eq!(kind(&long), "`Acct-Session-Id`: expected 1 to 253 bytes");
}

#[test]
fn a_password_is_never_read() {
    // Whatever it is, it is skipped, and no error can quote it.
    for password in [
        r#"{"type":"string","value":["hunter2"]}"#,
        r#"{"value":{"hunter2":[[]]}}"#,
        "\"hunter2\"",
    ] {
        let json = format!(
            r#"{{"User-Password":{password},"CHAP-Password":{password},"Calling-Station-Id":"aabbccddeeff"}}"#
        );
        check(&json, Ok(MAC));
        let attributes = attributes::Attributes::read(json.as_bytes()).unwrap();
        assert!(!format!("{attributes:?}").contains("hunter2"));
        let problem = read(&json.replace("aabbccddeeff", "x")).unwrap_err();
        assert!(!problem.detail().contains("hunter2"), "{problem:?}");
    }
}

#[test]
fn connections() {
    #[track_caller]
    fn check(
        json: &str,
        medium: Medium,
        authentication: Authentication,
        nas: Option<&str>,
        attachment: Option<&str>,
    ) {
        let json = format!("{{\"Calling-Station-Id\":\"aabbccddeeff\",{json}}}");
        let question = read(&json).unwrap();
        let connection = question.connection();
        assert_eq!(connection.medium, medium, "{json}");
        assert_eq!(connection.authentication, authentication, "{json}");
        assert_eq!(connection.nas.as_deref(), nas, "{json}");
        assert_eq!(connection.attachment.as_deref(), attachment, "{json}");
        assert_eq!(connection.mac.unwrap().to_string(), MAC);
        assert_eq!(&*connection.client, "radius");
    }
    check(
        r#""NAS-Port-Type":{"type":"integer","value":["Ethernet"]},"NAS-Port-Id":"Gi1/0/1","NAS-Port":{"value":[50101]},
           "NAS-IP-Address":{"type":"ipaddr","value":["192.0.2.1"]},"Service-Type":{"value":"Call-Check"}"#,
        Medium::Wired,
        Authentication::MacBypass,
        Some("192.0.2.1"),
        Some("Gi1/0/1"),
    );
    check(
        r#""NAS-Port-Type":19,"Called-Station-Id":"00-11-22-33-44-55:corp","NAS-Identifier":"wlc1","NAS-IP-Address":"192.0.2.1",
           "TLS-Client-Cert-Serial":"01""#,
        Medium::Wireless,
        Authentication::EapTls,
        Some("wlc1"),
        Some("corp"),
    );
    check(
        r#""NAS-Port-Type":"Virtual","NAS-Port":7,"EAP-Message":{"type":"octets","value":["0x02"]}"#,
        Medium::Vpn,
        Authentication::EapOther,
        None,
        Some("7"),
    );
    check(
        r#""User-Name":"AA:BB:CC:DD:EE:FF""#,
        Medium::Unknown,
        Authentication::MacBypass,
        None,
        None,
    );
    check(
        r#""User-Name":"ada""#,
        Medium::Unknown,
        Authentication::Unknown,
        None,
        None,
    );
}

fn answer(outcome: Outcome, finding: Finding) -> Answer {
    Answer {
        outcome,
        finding,
        sources: Vec::new(),
        policy: None,
        origin: Origin::Cached,
        at: Timestamp::from_millis(0),
    }
}

fn known(decision: Decision) -> Answer {
    answer(
        Outcome::Decided(Arc::new(decision)),
        Finding::Device(Arc::new(Device::default())),
    )
}

/// Status, then body, on lines of its own for each attribute.
fn shown(answer: &Answer) -> String {
    shown_with(answer, None)
}

fn shown_with(answer: &Answer, tag: Option<Tag>) -> String {
    let (status, body) = render(answer, tag);
    let reply = reply(status, body, answer);
    let status = reply.status().as_u16();
    assert_eq!(reply.headers()["content-type"], "application/json");
    let body = reply
        .into_body()
        .collect()
        .now_or_never()
        .unwrap()
        .unwrap()
        .to_bytes();
    let body: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&body).unwrap();
    for (name, value) in &body {
        assert_eq!(value["do_xlat"], false, "FreeRADIUS would expand {name}");
    }
    let lines = body.iter().map(|(name, value)| {
        format!(
            "\n{name} {} {}",
            value["op"].as_str().unwrap(),
            value["value"]
        )
    });
    format!("{status}{}", lines.collect::<String>())
}

fn with(kinds: impl IntoIterator<Item = ObligationKind>) -> Decision {
    let mut decision = Decision::because(Verdict::Permit, "compliant", "it is");
    let obligation = |kind| Obligation {
        kind,
        advisory: false,
    };
    decision.obligations = kinds.into_iter().map(obligation).collect();
    decision
}

fn radius(name: &str, value: &str) -> ObligationKind {
    ObligationKind::Radius {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

#[test]
fn permit_with_everything() {
    let decision = with([
        ObligationKind::Vlan("10".to_owned()),
        ObligationKind::Acl("employees".to_owned()),
        ObligationKind::Sgt(16),
        ObligationKind::Role("employee".to_owned()),
        ObligationKind::SessionTimeout(Duration::from_hours(1)),
        ObligationKind::Redirect("https://example.com/?a=%{exec:/bin/id}".to_owned()),
        ObligationKind::ChangeOfAuthorization,
        radius("Cisco-AVPair", "url-redirect-acl=REDIRECT"),
        radius("Tunnel-Password:1", "x"),
    ]);
    insta::assert_snapshot!(shown(&known(decision)), @r#"
    200
    control:NAC-Decision := "permit"
    control:NAC-Reason := "compliant"
    control:NAC-Role := "employee"
    reply:Airespace-ACL-Name := "employees"
    reply:Aruba-User-Role := "employee"
    reply:Cisco-AVPair += ["cts:security-group-tag=0010-00","url-redirect=https://example.com/?a=%{exec:/bin/id}","url-redirect-acl=REDIRECT"]
    reply:Filter-Id := "employees"
    reply:Session-Timeout := 3600
    reply:Termination-Action := "RADIUS-Request"
    reply:Tunnel-Medium-Type := "IEEE-802"
    reply:Tunnel-Password:1 += "x"
    reply:Tunnel-Private-Group-Id := "10"
    reply:Tunnel-Type := "VLAN"
    "#);
}

#[test]
fn tunnels_have_tags_when_there_are_several_or_somebody_asks() {
    let vlan = |name: &str| ObligationKind::Vlan(name.to_owned());
    insta::assert_snapshot!(shown(&known(with([vlan("10"), vlan("20")]))), @r#"
    200
    control:NAC-Decision := "permit"
    control:NAC-Reason := "compliant"
    reply:Tunnel-Medium-Type:1 := "IEEE-802"
    reply:Tunnel-Medium-Type:2 := "IEEE-802"
    reply:Tunnel-Private-Group-Id:1 := "10"
    reply:Tunnel-Private-Group-Id:2 := "20"
    reply:Tunnel-Type:1 := "VLAN"
    reply:Tunnel-Type:2 := "VLAN"
    "#);
    let asked = |query: Option<&str>| question::tunnel_tag(query);
    let tag = asked(Some("section=x&tunnel-tag=31&x")).unwrap();
    let one = known(with([vlan("10")]));
    insta::assert_snapshot!(shown_with(&one, tag), @r#"
    200
    control:NAC-Decision := "permit"
    control:NAC-Reason := "compliant"
    reply:Tunnel-Medium-Type:31 := "IEEE-802"
    reply:Tunnel-Private-Group-Id:31 := "10"
    reply:Tunnel-Type:31 := "VLAN"
    "#);
    // There is no tag 32.
    let two = known(with([vlan("10"), vlan("20")]));
    assert!(shown_with(&two, tag).starts_with("401"));

    assert_eq!(asked(None), Ok(None));
    assert_eq!(asked(Some("x=tunnel-tag=1")), Ok(None));
    for bad in ["0", "32", "", "1x", "-1", "256"] {
        let problem = asked(Some(&format!("tunnel-tag={bad}"))).unwrap_err();
        assert_eq!(
            problem.detail(),
            "`tunnel-tag`: expected a number from 1 to 31",
            "{bad}"
        );
    }
}

#[test]
fn access_lists() {
    #[track_caller]
    fn check(acl: &str, expected: &str) {
        let shown = shown(&known(with([ObligationKind::Acl(acl.to_owned())])));
        let lines = shown.lines().filter(|line| line.starts_with("reply:"));
        let lines: Vec<&str> = lines.collect();
        assert_eq!(lines.join("|"), expected, "{acl:?}");
    }
    check(
        "STAFF",
        r#"reply:Airespace-ACL-Name := "STAFF"|reply:Filter-Id := "STAFF""#,
    );
    let long = "x".repeat(33);
    check(&long, &format!("reply:Filter-Id := \"{long}\""));
    check(
        "#ACSACL#-IP-STAFF-5f1b",
        r#"reply:Cisco-AVPair += "ACS:CiscoSecure-Defined-ACL=#ACSACL#-IP-STAFF-5f1b""#,
    );
    check(
        "permit udp any any eq 53\n  deny ip any any\n",
        r#"reply:Cisco-AVPair += ["ip:inacl#1=permit udp any any eq 53","ip:inacl#2=deny ip any any"]"#,
    );
    let refused = "reply:Reply-Message := \"access needs something that cannot be set up here\"";
    for acl in [
        "",
        "\n",
        "a\nb",
        &"permit ip any any\n".repeat(33),
        &format!("permit ip any any\npermit {}", "x".repeat(250)),
    ] {
        check(acl, refused);
        let mut decision = with([ObligationKind::Acl(acl.to_owned())]);
        decision.obligations[0].advisory = true;
        assert!(!shown(&known(decision)).contains("reply:"), "{acl:?}");
    }
}

#[test]
fn restrict_tells_the_user() {
    let mut decision = Decision::because(
        Verdict::Restrict,
        "os-too-old",
        "the system is too old\r\n%{exec:/bin/id}",
    );
    decision.remediation = vec![Remediation {
        code: "update".to_owned(),
        message: "install updates".to_owned(),
        url: Some("https://help.example".to_owned()),
    }];
    insta::assert_snapshot!(shown(&known(decision)), @r#"
    200
    control:NAC-Decision := "quarantine"
    control:NAC-Reason := "os-too-old"
    reply:Reply-Message := "the system is too old  %{exec:/bin/id} install updates https://help.example"
    "#);
}

#[test]
fn three_answers() {
    let deny = Decision::because(Verdict::Deny, "not-compliant", "no");
    insta::assert_snapshot!(shown(&known(deny.clone())), @r#"
    401
    control:NAC-Decision := "deny"
    control:NAC-Reason := "not-compliant"
    reply:Reply-Message := "no"
    "#);
    let deny = Outcome::Decided(Arc::new(deny));
    let unknown = answer(deny.clone(), Finding::Absent(Absence::UnknownDevice));
    insta::assert_snapshot!(shown(&unknown), @r#"
    404
    control:NAC-Decision := "unknown"
    control:NAC-Reason := "not-compliant"
    reply:Reply-Message := "no"
    "#);
    // A policy that denies what nobody could be asked about has decided.
    let decided = answer(deny, Finding::Absent(Absence::SourcesUnavailable));
    assert!(shown(&decided).starts_with("401"));
    let missing = CannotTell {
        absence: Absence::SourcesUnavailable,
        detail: "source `contoso`: timed out".into(),
        retry_after: Duration::from_millis(100),
    };
    let missing = answer(
        Outcome::CannotTell(missing),
        Finding::Absent(Absence::SourcesUnavailable),
    );
    insta::assert_snapshot!(shown(&missing), @r#"
    503
    control:NAC-Decision := "unavailable"
    control:NAC-Reason := "sources-unavailable"
    "#);
    let (status, body) = render(&missing, None);
    assert_eq!(reply(status, body, &missing).headers()["retry-after"], "1");
}

#[test]
fn an_unknown_device_may_be_let_in() {
    let permit = Outcome::Decided(Arc::new(with([ObligationKind::Vlan("guests".to_owned())])));
    let guest = answer(permit, Finding::Absent(Absence::UnknownDevice));
    assert!(shown(&guest).starts_with("200"));
}

#[test]
fn an_obligation_that_cannot_be_met_means_no_access() {
    for kind in [
        ObligationKind::Other {
            name: "ticket".to_owned(),
            value: "1".to_owned(),
        },
        radius("control:Auth-Type", "Accept"),
        radius("Filter-Id", ""),
        radius("Filter-Id", "a\nb"),
        ObligationKind::Vlan("x".repeat(254)),
        ObligationKind::Redirect("x".repeat(240)),
    ] {
        let mut decision = with([kind.clone()]);
        let refused = shown(&known(decision.clone()));
        assert!(refused.starts_with("401"), "{kind:?}: {refused}");
        assert!(
            refused.contains("control:NAC-Decision := \"deny\""),
            "{kind:?}: {refused}"
        );
        // One that is only advice is left out.
        decision.obligations[0].advisory = true;
        let granted = shown(&known(decision));
        assert!(
            granted.starts_with("200") && !granted.contains("reply:"),
            "{kind:?}: {granted}"
        );
    }
}

#[test]
fn a_long_message_is_cut_between_characters() {
    let decision = Decision::because(Verdict::Deny, "x", &"ä".repeat(200));
    let message = message(&decision).unwrap();
    assert_eq!(message.len(), 252);
}

#[test]
fn no_problem_looks_like_a_word_about_the_device() {
    for (kind, expected) in [
        (ProblemKind::NotAuthenticated, 400),
        (ProblemKind::NotAllowed, 400),
        (ProblemKind::NoSuchPath, 400),
        (ProblemKind::Malformed, 400),
        (ProblemKind::BodyTooLarge, 413),
        (ProblemKind::MethodNotAllowed, 405),
        (ProblemKind::Internal, 500),
    ] {
        assert_eq!(status_of(&Problem::new(kind, "")), expected, "{kind:?}");
    }
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = question::read(&bytes, &test_client("radius"));
        let _ = accounting::read(&bytes, &"radius".into(), Timestamp::from_millis(0));
    }

    #[test]
    fn reading_reports_never_panics(
        status in "(Start|Stop|Interim-Update|Accounting-On|[0-9]{1,3})",
        id in any::<String>(), nas in any::<String>(), time in any::<u64>(), pair in any::<String>(),
    ) {
        let json = serde_json::json!({
            "Acct-Status-Type": status, "Acct-Session-Id": id, "NAS-Identifier": nas,
            "NAS-IP-Address": pair, "Acct-Session-Time": time,
            "Cisco-AVPair": [format!("audit-session-id={pair}")],
        });
        let read = accounting::read(json.to_string().as_bytes(), &"radius".into(), Timestamp::now());
        if let Ok(accounting::Report::Start(session) | accounting::Report::Interim(session)) = read {
            prop_assert!(session.id.len() <= 253 && accounting::name(&session.nas).len() < 600);
        }
    }

    #[test]
    fn reading_attributes_never_panics(
        name in "(Calling-Station-Id|Called-Station-Id|NAC-Device-Id|TLS-Client-Cert-Common-Name|NAS-Port)",
        value in r#"([\[\]{}:," a-z\\0-9]{0,20}|"[^"\\]{0,40}"|\[("[^"\\]{0,20}",)*1\])"#,
    ) {
        let json = format!("{{\"{name}\":{value},\"NAS-Port-Type\":19}}");
        let _ = question::read(json.as_bytes(), &test_client("radius"));
    }

    #[test]
    fn no_text_of_a_policy_is_ever_expanded(name in any::<String>(), value in any::<String>(), message in any::<String>()) {
        let mut decision = with([radius(&name, &value), ObligationKind::Vlan(value.clone())]);
        decision.verdict = Verdict::Restrict;
        decision.reasons[0].message = message;
        // Fails inside if any attribute lacks `"do_xlat": false`.
        shown(&known(decision));
    }
}
