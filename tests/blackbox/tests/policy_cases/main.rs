//! The cases of the baseline policy, run with its component in the runtime.
//! `policies/baseline/tests` runs the same ones natively.

mod outcome;
mod subject;

use std::sync::Arc;

use anyhow::Context as _;
use portreeve_policy_cases::{Case, File, SettingsCase};
use portreeve_runtime::{
    BreakerSettings, InstanceError, Limits, Plugin, Policy, PolicySettings, Runtime,
    RuntimeSettings,
};

const CASES: &str = include_str!("../../../../policies/baseline/cases.toml");

async fn baseline() -> anyhow::Result<Plugin> {
    let component = std::fs::read(portreeve_harness::guest("baseline")?)?;
    let runtime = Runtime::new(&RuntimeSettings::default())?;
    Ok(runtime.load(&component).await?)
}

/// An instance with the settings of a case.
async fn configured(
    plugin: &Plugin,
    document: &str,
) -> anyhow::Result<Result<Policy, InstanceError>> {
    let settings = PolicySettings {
        settings: serde_json::from_str(document)?,
        limits: Limits::policy(),
        breaker: BreakerSettings::default(),
    };
    Ok(plugin.policy("baseline", settings).await)
}

/// Where the component decides something else than the case expects.
async fn differences(plugin: &Plugin, case: &Case) -> anyhow::Result<Vec<String>> {
    let policy = configured(plugin, &case.settings_document()).await??;
    let evaluated = policy.evaluate(Arc::new(subject::of(case)?)).await;
    let (outcome, read) = outcome::of(evaluated)?;
    // A failed call does not tell what was read before.
    let Some(read) = read else {
        anyhow::ensure!(
            case.expect.reads.is_none(),
            "a failure tells no facts, yet the case expects some"
        );
        return Ok(case.expect.differences(&outcome, &[]));
    };
    Ok(case.expect.differences(&outcome, &read))
}

/// Pointers of what is wrong with the settings of a case, sorted.
async fn problems(plugin: &Plugin, case: &SettingsCase) -> anyhow::Result<Vec<String>> {
    let mut pointers = match configured(plugin, &case.settings_document()).await? {
        Ok(_) => Vec::new(),
        Err(InstanceError::Settings(problems)) => {
            problems.into_iter().map(|one| one.pointer).collect()
        }
        Err(error) => return Err(error).context("no word on its settings"),
    };
    pointers.sort_unstable();
    Ok(pointers)
}

#[tokio::test]
async fn every_case_comes_out_as_expected() {
    let plugin = baseline().await.unwrap();
    let file = File::parse(CASES).unwrap();
    let mut run = 0;
    let mut wrong = Vec::new();
    for case in &file.cases {
        run += 1;
        match differences(&plugin, case).await {
            Ok(found) => wrong.extend(found.iter().map(|one| format!("{}: {one}", case.name))),
            Err(error) => wrong.push(format!("{}: {error:#}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(run > 100, "only {run} cases");
}

#[tokio::test]
async fn settings_are_refused_where_the_cases_say() {
    let plugin = baseline().await.unwrap();
    let file = File::parse(CASES).unwrap();
    let mut run = 0;
    let mut wrong = Vec::new();
    for case in &file.settings_cases {
        run += 1;
        let mut expected = case.problems.clone();
        expected.sort_unstable();
        match problems(&plugin, case).await {
            Ok(found) if found == expected => {}
            Ok(found) => wrong.push(format!(
                "{}: expected {expected:?}, found {found:?}",
                case.name
            )),
            Err(error) => wrong.push(format!("{}: {error:#}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(run >= 10, "only {run} settings");
}
