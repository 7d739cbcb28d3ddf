use portreeve_plugin::http::Response;

use super::*;
use crate::services::fake::{Fake, devices, endpoints, ok, status};

type Answer = Result<Response, HttpError>;

fn info(status: Status, permissions: &[&str]) -> Info {
    Info {
        status,
        scopes: Vec::new(),
        detail: (status == Status::Failing).then(|| "AADSTS7000222: make a new secret".to_owned()),
        permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn granted() -> Vec<(String, Info)> {
    vec![
        (
            "graph".to_owned(),
            info(Status::Ready, &["Application.Read.All"]),
        ),
        (
            "intune".to_owned(),
            info(Status::Ready, &["get_device_compliance"]),
        ),
    ]
}

fn host(credentials: Vec<(String, Info)>, answers: impl IntoIterator<Item = Answer>) -> Fake {
    Fake {
        credentials: credentials.into(),
        ..Fake::new(answers)
    }
}

fn server_info() -> Answer {
    ok(
        "<ise_api><name>mdminfo</name><api_version>3</api_version><vendor>Microsoft</vendor>\
        <product_name>Microsoft Intune</product_name></ise_api>",
    )
}

/// One line for each finding.
fn lines(report: &Report) -> Vec<String> {
    report
        .findings
        .iter()
        .map(|finding| {
            let mark = match finding.verdict {
                Verdict::Passed => '+',
                Verdict::Degraded => '~',
                Verdict::Failed => '-',
            };
            // What is not in order has a code and a hint.
            assert!(mark == '+' || finding.subject.starts_with('['));
            assert!(mark == '+' || finding.hint.is_some());
            format!("{mark} {}: {}", finding.subject, finding.message)
        })
        .collect()
}

const TOKENS: [&str; 7] = [
    "+ permission for discovery: the token names `Application.Read.All`",
    "+ permission for inventory: not granted; it needs `DeviceManagementManagedDevices.Read.All` \
     (Microsoft Graph, application permission) if you want it",
    "+ permission for compliance details: not granted; it needs \
     `DeviceManagementConfiguration.Read.All` (Microsoft Graph, application permission) if you \
     want it",
    "+ permission for actions (sync, lock, retire, restart, shut down, passcode, locate, scan and \
     the like): not granted; it needs `DeviceManagementManagedDevices.PrivilegedOperations.All` \
     (Microsoft Graph, application permission) if you want it",
    "+ permission for the action wipe: not granted; it needs \
     `DeviceManagementManagedDevices.PrivilegedOperations.All` (Microsoft Graph, application \
     permission) if you want it",
    "+ permission for the action notify: not granted; it needs \
     `DeviceManagementManagedDevices.ReadWrite.All` (Microsoft Graph, application permission) if \
     you want it",
    "+ permission for compliance: the token names `get_device_compliance`",
];
const SCEP: &str = "+ permission for SCEP: not granted; it needs `scep_challenge_provider` \
                    (Intune, application permission) if you want it";
const GRAPH: [&str; 4] = [
    "+ name resolution graph.microsoft.com: works",
    "+ connection graph.microsoft.com: works",
    "+ TLS graph.microsoft.com: works",
    "+ discovery: the compliance service is at `fef.a.manage.microsoft.com`",
];

/// All about the tokens of `granted()`.
fn tokens() -> Vec<&'static str> {
    [&TOKENS[..], &[SCEP]].concat()
}

#[test]
fn everything_works() {
    let services = host(granted(), [endpoints("a"), server_info(), devices(&[])]);
    let report = run(&services, &Settings::default());
    assert_eq!(report.verdict, Verdict::Passed);
    let expected = [
        &tokens()[..],
        &GRAPH,
        &[
            "+ name resolution fef.a.manage.microsoft.com: works",
            "+ connection fef.a.manage.microsoft.com: works",
            "+ TLS fef.a.manage.microsoft.com: works",
            "+ compliance service: it answers as `Microsoft Intune`, interface version 3",
            "+ look-up: a device that does not exist is answered as unknown",
        ],
    ]
    .concat();
    assert_eq!(lines(&report), expected);
    assert!(report.findings.iter().all(|finding| finding.hint.is_none()));
    // The check asks Graph even when the address is known, and keeps it.
    assert!(!services.kept.borrow().is_empty());
}

/// What comes after the tokens, and the hint of the last finding.
fn check_end(answers: impl IntoIterator<Item = Answer>, expected: &[&str], hint: &str) {
    let services = host(granted(), answers);
    let report = run(&services, &Settings::default());
    assert_eq!(report.verdict, Verdict::Failed);
    assert_eq!(lines(&report)[tokens().len()..], *expected);
    let last = report.findings.last().unwrap().hint.clone().unwrap();
    assert!(last.contains(hint), "{last}");
    services.asked();
}

#[test]
fn the_way_to_graph() {
    check_end(
        [Err(HttpError::NameResolution("no such host".to_owned()))],
        &["- [intune-name-resolution] name resolution graph.microsoft.com: no such host"],
        "DNS",
    );
    check_end(
        [Err(HttpError::Connect("refused".to_owned()))],
        &[
            GRAPH[0],
            "- [intune-connection] connection graph.microsoft.com: refused",
        ],
        "firewall",
    );
    check_end(
        [Err(HttpError::Tls("unknown issuer `CN=Proxy`".to_owned()))],
        &[
            GRAPH[0],
            GRAPH[1],
            "- [intune-certificate] TLS graph.microsoft.com: unknown issuer `CN=Proxy`",
        ],
        "add its root certificate",
    );
    check_end(
        [Err(HttpError::Denied("not granted".to_owned()))],
        &["- [intune-not-granted] connection graph.microsoft.com: not granted"],
        "grant",
    );
    check_end(
        [Err(HttpError::Timeout)],
        &["- [intune-timeout] connection graph.microsoft.com: no answer in time"],
        "try again",
    );
}

#[test]
fn discovery_fails() {
    check_end(
        [status(403)],
        &[
            GRAPH[0],
            GRAPH[1],
            GRAPH[2],
            "- [intune-graph-forbidden] discovery: missing permission `Application.Read.All` (Microsoft Graph, application permission)",
        ],
        "grant admin consent",
    );
    check_end(
        [ok("{\"value\":[]}")],
        &[
            GRAPH[0],
            GRAPH[1],
            GRAPH[2],
            "- [intune-no-licence] discovery: Graph lists no Intune services for this tenant; is there an Intune licence?",
        ],
        "must have Intune",
    );
    check_end(
        [Err(HttpError::CredentialRefused(
            "AADSTS7000215: wrong secret".to_owned(),
        ))],
        &["- [intune-no-token] discovery: AADSTS7000215: wrong secret"],
        "`token graph`",
    );
}

#[test]
fn the_service_fails() {
    let way = [
        "+ name resolution fef.a.manage.microsoft.com: works",
        "+ connection fef.a.manage.microsoft.com: works",
        "+ TLS fef.a.manage.microsoft.com: works",
    ];
    let info = "+ compliance service: it answers as `Microsoft Intune`, interface version 3";
    let check = |answers: Vec<Answer>, expected: &[&str], hint: &str| {
        let answers = std::iter::once(endpoints("a")).chain(answers);
        check_end(answers, &[&GRAPH[..], &way, expected].concat(), hint);
    };
    check(
        vec![status(401)],
        &[
            "- [intune-service-token-refused] compliance service: Intune's compliance service answered 401; the token's audience is wrong, or the application lacks the permission `get_device_compliance`",
        ],
        "credential `intune`",
    );
    check(
        vec![ok("<html/>")],
        &[
            "- [intune-answer-unusable] compliance service: the answer of Intune's compliance service cannot be used: its root is `html` instead of `ise_api`",
        ],
        "changes answers",
    );
    check(
        vec![server_info(), status(503)],
        &[info, "- [intune-busy] look-up: asked to wait"],
        "try again later",
    );
    check(
        vec![
            server_info(),
            devices(&["<attributes><register_status>true</register_status></attributes>"]),
        ],
        &[
            info,
            "- [intune-found-nobody] look-up: a device that does not exist was found",
        ],
        "do not use it",
    );
}

#[test]
fn findings_name_the_host_that_failed() {
    let answers = [
        endpoints("a"),
        endpoints("a"),
        Err(HttpError::Connect("refused".to_owned())),
    ];
    let services = host(granted(), answers);
    // Without a cache, Graph is asked first in every step.
    let settings = Settings {
        discovery_cache_hours: 0,
        ..Settings::default()
    };
    let report = run(&services, &settings);
    assert_eq!(
        lines(&report).last().unwrap(),
        "- [intune-connection] connection fef.a.manage.microsoft.com: refused"
    );
}

#[test]
fn without_a_token_nothing_is_asked() {
    let with = |graph: Status, intune: Status| {
        vec![
            ("graph".to_owned(), info(graph, &["Application.Read.All"])),
            (
                "intune".to_owned(),
                info(intune, &["scep_challenge_provider"]),
            ),
        ]
    };
    let services = host(with(Status::Failing, Status::Ready), []);
    let report = run(&services, &Settings::default());
    // Why there is no token is the host's to tell.
    assert_eq!(report.verdict, Verdict::Failed);
    assert_eq!(
        lines(&report),
        [
            "~ [intune-permission-missing] permission for compliance: the token names only: \
             scep_challenge_provider",
            "+ permission for SCEP: the token names `scep_challenge_provider`",
        ]
    );
    let services = host(with(Status::Ready, Status::Failing), [endpoints("a")]);
    let report = run(&services, &Settings::default());
    assert_eq!(report.verdict, Verdict::Failed);
    assert_eq!(lines(&report), [&TOKENS[..6], &GRAPH].concat());
    assert_eq!(services.asked().len(), 1);
    let services = host(with(Status::Failing, Status::Failing), []);
    let report = run(&services, &Settings::default());
    assert_eq!((report.verdict, lines(&report).len()), (Verdict::Failed, 0));
}

#[test]
fn an_older_permission_is_enough_and_an_opaque_token_no_failure() {
    let credentials = vec![
        (
            "graph".to_owned(),
            info(Status::Ready, &["directory.read.all"]),
        ),
        ("intune".to_owned(), info(Status::Ready, &[])),
    ];
    let services = host(credentials, [endpoints("a"), server_info(), devices(&[])]);
    let report = run(&services, &Settings::default());
    assert_eq!(report.verdict, Verdict::Degraded);
    assert_eq!(
        lines(&report)[0],
        "+ permission for discovery: the token names `Directory.Read.All`"
    );
    assert_eq!(
        lines(&report)[6],
        "~ [intune-permission-missing] permission for compliance: the token names no permission at all"
    );
}

#[test]
fn missing_credentials_and_settings() {
    let services = host(Vec::new(), []);
    let report = run(&services, &Settings::default());
    assert_eq!(
        lines(&report),
        [
            "- [intune-credential-missing] token graph: no credential `graph` is configured",
            "- [intune-credential-missing] token intune: no credential `intune` is configured",
        ]
    );
    let report = unusable("`/graph-url`: bad".to_owned());
    assert_eq!(
        lines(&report),
        ["- [intune-settings] settings: `/graph-url`: bad"]
    );
    assert_eq!(report.verdict, Verdict::Failed);
}

#[test]
fn an_inventory_needs_a_permission_more() {
    let settings = Settings {
        inventory: Inventory::Graph,
        ..Settings::default()
    };
    let devices_permission = "DeviceManagementManagedDevices.Read.All";
    let granted = |permissions: &[&str]| {
        let mut granted = granted();
        granted[0].1.permissions = permissions.iter().map(|name| (*name).to_owned()).collect();
        granted
    };
    let run = |permissions: &[&str], list| {
        let services = host(
            granted(permissions),
            [endpoints("a"), list, server_info(), devices(&[])],
        );
        let report = super::run(&services, &settings);
        let asked = services.asked();
        assert!(
            asked[1].ends_with("/v1.0/deviceManagement/managedDevices?$select=id&$top=1"),
            "{asked:?}"
        );
        report
    };
    let fine = run(
        &["Application.Read.All", devices_permission],
        ok(r#"{"value":[]}"#),
    );
    assert_eq!(fine.verdict, Verdict::Passed);
    let lines = lines(&fine);
    assert_eq!(
        lines[1],
        format!("+ permission for inventory: the token names `{devices_permission}`")
    );
    assert!(
        lines.contains(&"+ inventory: the list of devices can be read".to_owned()),
        "{lines:?}"
    );

    let refused = run(&["Application.Read.All"], status(403));
    assert_eq!(refused.verdict, Verdict::Failed);
    let inventory = refused
        .findings
        .iter()
        .find(|finding| finding.subject == "[intune-devices-forbidden] inventory")
        .unwrap();
    assert!(inventory.message.contains(devices_permission));
    assert!(
        inventory
            .hint
            .as_ref()
            .unwrap()
            .contains(devices_permission)
    );
    // The look-up is tried all the same.
    assert_eq!(refused.findings.last().unwrap().verdict, Verdict::Passed);
}

#[test]
fn a_delegated_permission_and_a_strange_host_are_told_apart() {
    let delegated = Ok(Response {
        status: 403,
        headers: Vec::new(),
        body: br#"{"error":{"code":"Forbidden","message":"The call is called in app only context but does not have application permissions configured"}}"#.to_vec(),
    });
    check_end(
        [delegated],
        &[
            GRAPH[0],
            GRAPH[1],
            GRAPH[2],
            "- [intune-delegated-only] discovery: missing permission `Application.Read.All` \
             (Microsoft Graph, application permission); only a delegated one was granted",
        ],
        "there is no user",
    );
    let elsewhere = ok(
        r#"{"value":[{"providerName":"ComplianceRetrievalService","uri":"https://evil.example/x"}]}"#,
    );
    check_end(
        [elsewhere],
        &[
            GRAPH[0],
            GRAPH[1],
            GRAPH[2],
            "- [intune-service-elsewhere] discovery: the discovered service is at `evil.example`, \
             which is none of `service-hosts`",
        ],
        "add it to `service-hosts`",
    );
}

#[test]
fn every_code_has_its_section_and_the_reverse() {
    let page = include_str!("../../../../docs/findings.md");
    let known: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let described: Vec<&str> = page
        .split("\n### `")
        .skip(1)
        .filter_map(|section| section.split_once('`'))
        .map(|(code, _)| code)
        .filter(|code| code.starts_with("intune-"))
        .collect();
    assert_eq!(described, known);
}
