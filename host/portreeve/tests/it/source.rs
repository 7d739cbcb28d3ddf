//! Against the simulated tenant.

use portreeve_harness::{REST_KEY, Stand};
use portreeve_tenant::well_known::{COMPLIANT, JAILBROKEN, NON_COMPLIANT, UNKNOWN};
use serde_json::Value;

use crate::support::{Said, portreeve, run};

const POLICY: &str =
    "compliance.non-compliant = \"restrict\"\nobligations.restrict.vlan = \"66\"\n";

/// The tenant runs on other threads of this process.
fn said(stand: &Stand, arguments: &[&str]) -> Said {
    let config = stand.config();
    run(portreeve(arguments).env("PORTREEVE_CONFIG", config))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_what_works_and_what_does_not() -> anyhow::Result<()> {
    let stand = Stand::builder().start().await?;
    let passed = said(&stand, &["connector", "check", "contoso"]);
    assert_eq!(passed.code, 0, "{}", passed.stdout);
    assert!(passed.stdout.contains("\nconnector `contoso`: passed\n"));

    stand.tenant.remove_credentials();
    let failed = said(&stand, &["connector", "check", "contoso", "--json"]);
    assert_eq!(failed.code, 1, "{}", failed.stdout);
    let report: Value = serde_json::from_str(&failed.stdout)?;
    assert_eq!(report["verdict"], "failed");
    let findings = report["findings"].as_array().unwrap();
    let failed = findings
        .iter()
        .find(|finding| finding["verdict"] == "failed");
    assert!(
        failed.is_some_and(|finding| finding["hint"].is_string()),
        "{report}"
    );

    let unknown = said(&stand, &["connector", "check", "contos"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("hint: did you mean `contoso`?"),
        "{}",
        unknown.stderr
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verdict_has_its_exit_code() -> anyhow::Result<()> {
    let stand = Stand::builder().policy(POLICY).start().await?;
    for (device, code, verdict) in [
        (COMPLIANT, 0, "permit"),
        (NON_COMPLIANT, 3, "restrict"),
        (JAILBROKEN, 4, "deny"),
        (UNKNOWN, 4, "deny"),
    ] {
        let mac = device.mac.separated('-');
        let answer = said(&stand, &["lookup", &mac]);
        let first = format!("verdict   {verdict}");
        assert_eq!(answer.stdout.lines().next(), Some(first.as_str()), "{mac}");
        assert_eq!(answer.code, code, "{mac}");
    }
    stand.tenant.set_enabled(false);
    let mac = COMPLIANT.mac.separated(':');
    let answer = said(&stand, &["lookup", &mac, "--timeout", "3", "--json"]);
    assert_eq!(answer.code, 5, "{}", answer.stdout);
    let answer: Value = serde_json::from_str(&answer.stdout)?;
    assert_eq!(answer["absence"], "sources-unavailable");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_gateway_over_tls() -> anyhow::Result<()> {
    let stand = Stand::builder().policy(POLICY).start().await?;
    let ca = stand.directory().join("ca.pem");
    let ca = ca.to_str().unwrap();
    let mac = NON_COMPLIANT.mac.separated(':');
    let url = stand.gateway.origin();
    let ask = |arguments: &[&str]| {
        let mut command = portreeve(&["lookup", &mac, "--url", url]);
        run(command.env("PORTREEVE_TOKEN", REST_KEY).args(arguments))
    };
    let answer = ask(&["--ca", ca]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    let foreign = ask(&[]);
    assert_eq!(foreign.code, 1);
    assert!(
        foreign
            .stderr
            .contains("hint: does it run, and does `--ca` name"),
        "{}",
        foreign.stderr
    );
    assert!(!foreign.stderr.contains(REST_KEY));
    Ok(())
}
