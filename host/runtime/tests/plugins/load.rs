//! What is loaded, what is refused, and how a refusal reads.

use std::fs;
use std::time::Duration;

use portreeve_runtime::{
    InstanceError, LoadError, PluginKind, PolicySettings, Runtime, RuntimeSettings,
};
use serde_json::json;

use crate::support::{guest, narrow, plugin, settings};

fn runtime() -> Runtime {
    Runtime::new(&settings()).unwrap()
}

async fn refusal(bytes: &[u8]) -> LoadError {
    runtime().load(bytes).await.unwrap_err()
}

#[tokio::test]
async fn a_connector_describes_itself() {
    let plugin = plugin("fixture-connector").await;
    assert_eq!(plugin.kind(), PluginKind::Connector);
    let descriptor = plugin.descriptor();
    assert_eq!(descriptor.id, "dev.portreeve.fixture-connector");
    assert_eq!(descriptor.egress, ["localhost"]);
    assert_eq!(descriptor.credentials[0].permissions, ["Devices.Read"]);
    assert_eq!(descriptor.config_schema["required"], json!(["behaviour"]));
    assert_eq!(plugin.digest().len(), 64);
    let has = |names: &[String], name: &str| names.iter().any(|known| known.starts_with(name));
    assert!(has(plugin.imports(), "portreeve:host/http@0.1."));
    assert!(has(plugin.exports(), "portreeve:connector/lookup@0.1."));
}

#[tokio::test]
async fn a_policy_that_imports_wasi_is_refused_with_the_imports_name() {
    let error = refusal(&guest("fixture-wasi-policy")).await;
    let LoadError::ForbiddenImports { kind, imports } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*kind, "policy");
    assert!(
        imports
            .iter()
            .any(|import| import.starts_with("wasi:clocks/wall-clock@0.2.")),
        "{imports:?}"
    );
    assert!(imports.iter().all(|import| import.starts_with("wasi:")));
    let text = error.to_string();
    assert!(text.starts_with("a policy may not import `wasi:"), "{text}");
}

#[tokio::test]
async fn a_plugin_that_calls_the_host_to_describe_itself_is_refused() {
    let error = refusal(&guest("fixture-talkative")).await;
    assert!(matches!(error, LoadError::Describe(_)), "{error:?}");
    assert!(error.to_string().contains("logging"), "{error}");
}

#[tokio::test]
async fn what_is_no_plugin_is_refused() {
    let malformed: [&[u8]; 4] = [
        b"",
        b"no component",
        b"\0asm\x01\0\0\0",
        b"\0asm\x0d\0\x01\0\xff",
    ];
    for bytes in malformed {
        let error = refusal(bytes).await;
        assert!(
            matches!(error, LoadError::Malformed(_)),
            "{bytes:?}: {error:?}"
        );
    }
    let empty = refusal(b"\0asm\x0d\0\x01\0").await;
    assert_eq!(empty, LoadError::NoPlugin { exports: vec![] });
    assert!(empty.to_string().contains("found nothing"), "{empty}");
    let mut truncated = guest("fixture-policy");
    truncated.truncate(truncated.len() / 2);
    let error = refusal(&truncated).await;
    assert!(matches!(error, LoadError::Malformed(_)), "{error:?}");
}

#[tokio::test]
async fn a_component_that_is_too_large_is_not_even_read() {
    let small = RuntimeSettings {
        largest_component: 10,
        ..settings()
    };
    let error = Runtime::new(&small)
        .unwrap()
        .load(&[0; 11])
        .await
        .unwrap_err();
    assert_eq!(
        error,
        LoadError::TooLarge {
            size: 11,
            limit: 10
        }
    );
}

#[tokio::test]
async fn a_plugin_of_the_other_kind_is_not_configured() {
    let plugin = plugin("fixture-connector").await;
    let settings = PolicySettings {
        settings: json!({ "behaviour": "unknown" }),
        limits: portreeve_runtime::Limits::policy(),
        breaker: portreeve_runtime::BreakerSettings::default(),
    };
    let error = plugin.policy("p", settings).await.unwrap_err();
    let expected = "plugin `dev.portreeve.fixture-connector` is a connector, not a policy";
    assert_eq!(error.to_string(), expected);
}

async fn problems(setup: crate::support::Setup) -> Vec<(String, String)> {
    match setup.try_start().await {
        Err(InstanceError::Settings(problems)) => problems
            .into_iter()
            .map(|problem| (problem.pointer, problem.message))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn settings_are_checked_by_schema_and_plugin() {
    let found = problems(narrow("x").set("count", "many")).await;
    assert_eq!(found[0].0, "/count");
    let found = problems(narrow("refuse")).await;
    assert_eq!(
        found,
        [("/behaviour".to_owned(), "I do not like it".to_owned())]
    );
    let found = problems(narrow("refuse-silently")).await;
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn settings_are_checked_without_the_network() {
    let server = crate::server::Server::start().await;
    let found = problems(narrow("validate-online").asking(&server, "/ok")).await;
    assert!(found[0].1.contains("without the network"), "{found:?}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn checking_settings_has_an_end() {
    let setup =
        narrow("validate-for-ever").limits(|limits| limits.wall_clock = Duration::from_millis(100));
    let error = setup.try_start().await.unwrap_err();
    assert_eq!(
        error,
        InstanceError::Failed(portreeve_runtime::CallError::OutOfTime)
    );
}

#[tokio::test]
async fn inspection_tells_what_is_wrong_and_what_is_not() {
    let bytes = guest("fixture-wasi-policy");
    let inspection = runtime().inspect(&bytes).await.unwrap();
    assert_eq!(inspection.kind, Some(PluginKind::Policy));
    assert_eq!(inspection.size, bytes.len());
    assert!(!inspection.forbidden_imports.is_empty());
    assert!(inspection.imports.len() > inspection.forbidden_imports.len());
    assert!(matches!(
        inspection.refused,
        Some(LoadError::ForbiddenImports { .. })
    ));
    assert_eq!(
        inspection.descriptor.unwrap().id,
        "dev.portreeve.fixture-wasi-policy"
    );
    let inspection = runtime().inspect(&guest("fixture-policy")).await.unwrap();
    assert_eq!(inspection.refused, None);
    assert!(inspection.forbidden_imports.is_empty());
    let memory = inspection.initial_memory.unwrap();
    assert!((64 << 10..4 << 20).contains(&memory), "{memory}");
}

#[tokio::test]
async fn compiled_code_that_is_damaged_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let cached = RuntimeSettings {
        compiled_cache: Some(folder.path().join("compiled")),
        ..settings()
    };
    let load = async || {
        let runtime = Runtime::new(&cached).unwrap();
        runtime.load(&guest("fixture-policy")).await.unwrap();
        let entries = fs::read_dir(folder.path().join("compiled")).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.extension().is_some()).unwrap()
    };
    let path = load().await;
    let sound = fs::read(&path).unwrap();
    let mut damaged = sound.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    fs::write(&path, &damaged).unwrap();
    load().await;
    assert_eq!(
        fs::read(&path).unwrap(),
        sound,
        "it was compiled and kept again"
    );
    let kept = fs::metadata(&path).unwrap().modified().unwrap();
    load().await;
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), kept);
}
