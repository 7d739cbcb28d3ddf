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
                Verdict::Passed => "+",
                Verdict::Degraded => "~",
                Verdict::Failed => "-",
            };
            format!("{mark} {}: {}", finding.subject, finding.message)
        })
        .collect()
}

const TOKENS: [&str; 4] = [
    "+ token graph: a token for Microsoft Graph was issued",
    "+ permission Application.Read.All: the token names `Application.Read.All`",
    "+ token intune: a token for Intune's compliance service was issued",
    "+ permission get_device_compliance: the token names `get_device_compliance`",
];
const GRAPH: [&str; 3] = [
    "+ name resolution graph.microsoft.com: works",
    "+ TLS graph.microsoft.com: works",
    "+ discovery: the compliance service is at `fef.a.manage.microsoft.com`",
];

#[test]
fn everything_works() {
    let services = host(granted(), [endpoints("a"), server_info(), devices(&[])]);
    let report = run(&services, &Settings::default());
    assert_eq!(report.verdict, Verdict::Passed);
    let expected = [
        &TOKENS[..],
        &GRAPH,
        &[
            "+ name resolution fef.a.manage.microsoft.com: works",
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
    assert_eq!(lines(&report)[TOKENS.len()..], *expected);
    let last = report.findings.last().unwrap().hint.clone().unwrap();
    assert!(last.contains(hint), "{last}");
    services.asked();
}

#[test]
fn the_way_to_graph() {
    check_end(
        [Err(HttpError::NameResolution("no such host".to_owned()))],
        &["- name resolution graph.microsoft.com: no such host"],
        "DNS",
    );
    check_end(
        [Err(HttpError::Connect("refused".to_owned()))],
        &[GRAPH[0], "- connection graph.microsoft.com: refused"],
        "firewall",
    );
    check_end(
        [Err(HttpError::Tls("unknown issuer `CN=Proxy`".to_owned()))],
        &[
            GRAPH[0],
            "+ connection graph.microsoft.com: works",
            "- TLS graph.microsoft.com: unknown issuer `CN=Proxy`",
        ],
        "import its root certificate",
    );
    check_end(
        [Err(HttpError::Denied("not granted".to_owned()))],
        &["- connection graph.microsoft.com: not granted"],
        "grant",
    );
    check_end(
        [Err(HttpError::Timeout)],
        &["- connection graph.microsoft.com: no answer in time"],
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
            "- discovery: missing permission `Application.Read.All` (Microsoft Graph, application permission)",
        ],
        "grant admin consent",
    );
    check_end(
        [ok("{\"value\":[]}")],
        &[
            GRAPH[0],
            GRAPH[1],
            "- discovery: Graph lists no Intune services for this tenant; is there an Intune licence?",
        ],
        "must have Intune",
    );
    check_end(
        [Err(HttpError::CredentialRefused(
            "AADSTS7000215: wrong secret".to_owned(),
        ))],
        &["- discovery: AADSTS7000215: wrong secret"],
        "check the credential `graph`",
    );
}

#[test]
fn the_service_fails() {
    let way = [
        "+ name resolution fef.a.manage.microsoft.com: works",
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
            "- compliance service: Intune's compliance service answered 401; the token's audience is wrong, or the application lacks the permission `get_device_compliance`",
        ],
        "credential `intune`",
    );
    check(
        vec![ok("<html/>")],
        &[
            "- compliance service: the answer of Intune's compliance service cannot be used: its root is `html` instead of `ise_api`",
        ],
        "changes answers",
    );
    check(
        vec![server_info(), status(503)],
        &[info, "- look-up: asked to wait"],
        "try again later",
    );
    check(
        vec![
            server_info(),
            devices(&["<attributes><register_status>true</register_status></attributes>"]),
        ],
        &[info, "- look-up: a device that does not exist was found"],
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
        "- connection fef.a.manage.microsoft.com: refused"
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
    assert_eq!(report.verdict, Verdict::Failed);
    assert_eq!(
        lines(&report),
        [
            "- token graph: no token for Microsoft Graph",
            TOKENS[2],
            "~ permission get_device_compliance: the token names only: scep_challenge_provider",
        ]
    );
    assert_eq!(
        report.findings[0].hint.as_deref(),
        Some("AADSTS7000222: make a new secret")
    );
    let services = host(with(Status::Ready, Status::Failing), [endpoints("a")]);
    let report = run(&services, &Settings::default());
    assert_eq!(report.verdict, Verdict::Failed);
    let expected = [
        &TOKENS[..2],
        &["- token intune: no token for Intune's compliance service"],
        &GRAPH,
    ]
    .concat();
    assert_eq!(lines(&report), expected);
    assert_eq!(services.asked().len(), 1);
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
        lines(&report)[1],
        "+ permission Application.Read.All: the token names `Directory.Read.All`"
    );
    assert_eq!(
        lines(&report)[3],
        "~ permission get_device_compliance: the token names no permission at all"
    );
}

#[test]
fn missing_credentials_and_settings() {
    let services = host(Vec::new(), []);
    let report = run(&services, &Settings::default());
    assert_eq!(
        lines(&report),
        [
            "- token graph: no credential `graph` is configured",
            "- token intune: no credential `intune` is configured",
        ]
    );
    let report = unusable("`/graph-url`: bad".to_owned());
    assert_eq!(lines(&report), ["- settings: `/graph-url`: bad"]);
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
        lines[2],
        format!("+ permission {devices_permission}: the token names `{devices_permission}`")
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
        .find(|finding| finding.subject == "inventory")
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
