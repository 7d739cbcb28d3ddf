//! The forms of the plugin for Intune, and what is wrong with a form.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::config::{Config, Problems};

const TENANT: &str = "00000000-aaaa-4bbb-8ccc-111111111111";
const CLIENT: &str = "22222222-dddd-4eee-9fff-333333333333";

fn load(forms: Option<&str>, text: &str) -> Result<(Config, String), String> {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("intune.wasm"), "").unwrap();
    if let Some(forms) = forms {
        fs::write(path("intune.forms.toml"), forms).unwrap();
    }
    fs::write(path("secret"), "s3cret").unwrap();
    fs::set_permissions(path("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let server = "[server.plain]\nlisten = \"127.0.0.1:0\"\n";
    fs::write(path("main.toml"), format!("{server}{text}")).unwrap();
    let shown = format!("{}/", folder.path().display());
    let environment: BTreeMap<&str, &str> = BTreeMap::new();
    let config = Config::load(&path("main.toml"), &environment)
        .map_err(|error: Problems| error.to_string().replace(&shown, ""))?;
    let text = config.to_toml().unwrap().replace(&shown, "");
    Ok((config, text))
}

fn forms() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/intune/forms.toml");
    fs::read_to_string(path).unwrap()
}

fn filled(form: &str) -> Result<(Config, String), String> {
    let connector = "[connectors.contoso]\nplugin = \"intune.wasm\"\n";
    load(Some(&forms()), &format!("{connector}{form}"))
}

/// The value at a path of the connector.
fn at<'a>(shown: &'a toml::Table, path: &str) -> Option<&'a toml::Value> {
    let mut keys = path.split('/');
    let first = shown["connectors"]["contoso"].get(keys.next()?)?;
    keys.try_fold(first, |value, key| value.get(key))
}

#[track_caller]
fn check(form: &str, expected: &[(&str, &str)]) {
    let (config, text) = filled(form).unwrap_or_else(|error| panic!("{error}"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let shown: toml::Table = text.parse().unwrap();
    for (path, value) in expected {
        let found = at(&shown, path).map(ToString::to_string);
        assert_eq!(found.as_deref(), Some(*value), "{path} in\n{text}");
    }
}

fn short(more: &str) -> String {
    format!("[connectors.contoso.intune]\ntenant = '{TENANT}'\nclient-id = '{CLIENT}'\n{more}\n")
}

#[test]
fn a_tenant_and_its_cloud_are_enough() {
    let token = format!("\"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token\"");
    check(
        &short("secret = { file = 'secret' }"),
        &[
            (
                "egress",
                r#"["https://graph.microsoft.com", "https://*.manage.microsoft.com"]"#,
            ),
            ("settings/graph-url", r#""https://graph.microsoft.com""#),
            ("settings/service-hosts", r#"[".manage.microsoft.com"]"#),
            ("credentials/graph/kind", r#""oauth2-client-secret""#),
            ("credentials/graph/token-url", &token),
            ("credentials/graph/client-id", &format!("\"{CLIENT}\"")),
            (
                "credentials/graph/scope",
                r#""https://graph.microsoft.com/.default""#,
            ),
            ("credentials/intune/token-url", &token),
            (
                "credentials/intune/scope",
                r#""https://api.manage.microsoft.com//.default""#,
            ),
            (
                "credentials/intune/urls",
                r#"["https://*.manage.microsoft.com/"]"#,
            ),
        ],
    );
}

#[test]
fn every_cloud_has_its_own_hosts() {
    for (cloud, login, graph, service) in [
        (
            "gcc",
            "login.microsoftonline.com",
            "graph.microsoft.com",
            "manage.microsoft.com",
        ),
        (
            "us-gov-l4",
            "login.microsoftonline.us",
            "graph.microsoft.us",
            "manage.microsoft.us",
        ),
        (
            "us-gov-l5",
            "login.microsoftonline.us",
            "dod-graph.microsoft.us",
            "manage.microsoft.us",
        ),
        (
            "china",
            "login.partner.microsoftonline.cn",
            "microsoftgraph.chinacloudapi.cn",
            "manage.microsoftonline.cn",
        ),
    ] {
        check(
            &short(&format!(
                "cloud = '{cloud}'\nsecret = {{ file = 'secret' }}\ntoken-audience = 'https://x//.default'"
            )),
            &[
                (
                    "egress",
                    &format!(r#"["https://{graph}", "https://*.{service}"]"#),
                ),
                ("settings/graph-url", &format!(r#""https://{graph}""#)),
                (
                    "credentials/graph/token-url",
                    &format!(r#""https://{login}/{TENANT}/oauth2/v2.0/token""#),
                ),
                ("credentials/intune/scope", r#""https://x//.default""#),
            ],
        );
    }
}

#[test]
fn what_is_written_by_hand_stays() {
    let by_hand = short("secret = { file = 'secret' }")
        + "[connectors.contoso.settings]\ninventory = 'graph'\n\
           [connectors.contoso.credentials.graph]\ntoken-url = 'https://proxy.example/token'\n";
    check(
        &by_hand,
        &[
            ("settings/inventory", "\"graph\""),
            ("settings/graph-url", r#""https://graph.microsoft.com""#),
            (
                "credentials/graph/token-url",
                r#""https://proxy.example/token""#,
            ),
        ],
    );
}

fn urls(discovery: &str, token: &str, audience: &str) -> String {
    let line = |key: &str, value: &str| match value {
        "" => String::new(),
        value => format!("{key} = '{value}'\n"),
    };
    format!(
        "[connectors.contoso.intune-urls]\nclient-id = '{CLIENT}'\nsecret = {{ file = 'secret' }}\n{}{}{}",
        line("auto-discovery-url", discovery),
        line("token-issuing-url", token),
        line("token-audience", audience),
    )
}

const V1: &str = "https://login.microsoftonline.com/contoso.example/oauth2/token";
const V2: &str = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";

#[test]
fn urls_are_taken_as_cisco_ise_has_them() {
    let expected = [
        ("settings/graph-url", r#""https://graph.microsoft.com""#),
        (
            "egress",
            r#"["https://graph.microsoft.com", "https://*.manage.microsoft.com"]"#,
        ),
        (
            "credentials/intune/scope",
            r#""https://api.manage.microsoft.com//.default""#,
        ),
    ];
    check(&urls("", V2, ""), &expected);
    check(&urls("https://graph.microsoft.com/", V2, ""), &expected);
    // The form that the old discovery is expanded to, at the present host.
    let long = "https://graph.microsoft.com/contoso.example/servicePrincipalsByAppId/0000000a-0000-0000-c000-000000000000/serviceEndpoints?api-version=1.6&client-request-id=1";
    check(&urls(long, V2, ""), &expected);
    check(
        &urls("", V1, "https://api.manage.microsoft.com/"),
        &[
            ("credentials/graph/token-url", &format!("\"{V1}\"")),
            (
                "credentials/intune/scope",
                r#""https://api.manage.microsoft.com/""#,
            ),
        ],
    );
}

#[test]
fn the_retired_graph_is_recognised_in_every_spelling() {
    for url in [
        "https://graph.windows.net",
        "https://graph.windows.net/",
        "https://GRAPH.windows.net/contoso.example",
        "https://graph.windows.net/00000000-aaaa-4bbb-8ccc-111111111111",
        "https://graph.windows.net00000000-aaaa-4bbb-8ccc-111111111111",
        "https://graph.windows.net/contoso.example/servicePrincipalsByAppId/0000000a-0000-0000-c000-000000000000/serviceEndpoints?api-version=1.6&client-request-id=1",
    ] {
        let error = filled(&urls(url, V2, "")).unwrap_err();
        assert!(
            error.contains("contoso.intune-urls.auto-discovery-url"),
            "{error}"
        );
        assert!(error.contains("on 2023-06-30"), "{error}");
        let hint = "replace it with `auto-discovery-url = \"https://graph.microsoft.com\"`";
        assert!(error.contains(hint), "{error}");
    }
}

#[test]
fn versions_that_do_not_fit_are_warned_about() {
    for (token, audience, expected) in [
        (V2, "", None),
        (V2, "https://api.manage.microsoft.com//.default", None),
        (V1, "https://api.manage.microsoft.com/", None),
        (
            V2,
            "https://api.manage.microsoft.com/",
            Some("is of version 1"),
        ),
        (V1, "", Some("is of version 2")),
    ] {
        let (config, _) = filled(&urls("", token, audience)).unwrap();
        let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        match expected {
            None => assert!(warnings.is_empty(), "{warnings:?}"),
            Some(text) => assert!(warnings.concat().contains(text), "{warnings:?}"),
        }
    }
}

#[test]
fn without_discovery_the_service_is_given_by_hand() {
    let by_hand = urls("", V2, "") + "auto-discovery = false\n";
    let error = filled(&by_hand).unwrap_err();
    assert!(error.contains("has to be given"), "{error}");
    check(
        &(by_hand + "service-url = 'https://fef.msub01.manage.microsoft.com/x/y'\n"),
        &[
            (
                "settings/service-url",
                r#""https://fef.msub01.manage.microsoft.com/x/y""#,
            ),
            (
                "settings/service-hosts",
                r#"[".manage.microsoft.com", "fef.msub01.manage.microsoft.com"]"#,
            ),
        ],
    );
}

#[test]
fn mistakes_are_named_where_they_are() {
    for (form, expected) in [
        (
            "[connectors.contoso.intune]\n".to_owned(),
            &[
                "contoso.intune.tenant: missing",
                "contoso.intune.client-id: missing",
            ][..],
        ),
        (
            short("secret = { file = 'secret' }").replace(TENANT, "contoso"),
            &["main.toml:6:10", "a domain of the tenant"],
        ),
        (
            short("secret = { file = 'secret' }").replace(CLIENT, "portreeve"),
            &[
                "contoso.intune.client-id",
                "the application (client) ID, a GUID",
            ],
        ),
        (short(""), &["nothing proves who asks"]),
        (
            short("secret = { file = 'secret' }\ncertificate = 'x'"),
            &["there are a secret and a certificate"],
        ),
        (
            short("secret = { file = 'secret' }\ncloud = 'germany'"),
            &["contoso.intune.cloud", "`us-gov-l4`"],
        ),
        (
            short("secret = { file = 'secret' }\ncloud = 'china'"),
            &["is not known to the plugin"],
        ),
        (
            short("secret = { file = 'secret' }\nclient-secret = 1"),
            &["client-secret: unknown key"],
        ),
        (
            short("secret = 's3cret'"),
            &["a secret must not stand in the configuration itself"],
        ),
    ] {
        let error = filled(&form).unwrap_err();
        for text in expected {
            assert!(error.contains(text), "{text} in\n{error}");
        }
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn a_file_of_forms_that_is_missing_or_wrong_is_named() {
    let text = format!(
        "[connectors.contoso]\nplugin = 'intune.wasm'\n{}",
        short("")
    );
    let error = load(None, &text).unwrap_err();
    assert!(
        error.contains("there is no file `intune.forms.toml`"),
        "{error}"
    );
    let wrong = "[intune]\ndescription = ''\nkeys.a.pattern = '('\ngives = []";
    let error = load(Some(wrong), &text).unwrap_err();
    assert!(
        error.contains("`intune.forms.toml`: regex parse error"),
        "{error}"
    );
}

#[test]
fn a_template_says_what_the_connector_does_not() {
    let text = format!(
        "[templates.entra]\nplugin = 'intune.wasm'\nttl = '1m'\ndescription = 'ours'\n\
         [templates.entra.intune]\ntenant = '{TENANT}'\nsecret = {{ file = 'secret' }}\n\
         [connectors.contoso]\ntemplate = 'entra'\nttl = '2m'\n\
         [connectors.contoso.intune]\nclient-id = '{CLIENT}'\n"
    );
    let (config, shown) = load(Some(&forms()), &text).unwrap_or_else(|error| panic!("{error}"));
    let connector = config.connectors.get("contoso").unwrap();
    assert_eq!(connector.ttl.to_string(), "2m");
    assert_eq!(connector.description.as_deref(), Some("ours"));
    assert!(shown.contains(TENANT) && shown.contains(CLIENT), "{shown}");
    let error = load(Some(&forms()), &text.replace("'entra'", "'entar'")).unwrap_err();
    assert!(error.contains("did you mean `entra`?"), "{error}");
}
