//! The decision log: what is kept, what a line says, and the command that shows
//! it.

use anyhow::{Context as _, ensure};
use portreeve_harness::{ADMIN_KEY, Output, RADIUS_PASSWORD, REST_KEY, Stand, member};
use portreeve_tenant::device::Compliance;
use portreeve_tenant::device::generated_guid;
use portreeve_tenant::well_known::{COMPLIANT, NON_COMPLIANT, UNKNOWN};
use portreeve_tenant::{Fault, Step};
use serde_json::{Value, json};

const ALL: [&str; 4] = ["decisions", "--json", "--limit", "0"];

async fn keeping(keep: &str) -> anyhow::Result<Stand> {
    let rule = format!("[decisions]\nkeep = {keep:?}");
    Stand::builder()
        .devices(10)
        .store()
        .extra(&rule)
        .start()
        .await
}

fn shown(output: &Output) -> anyhow::Result<Vec<Value>> {
    ensure!(output.code == Some(0), "{output:?}");
    ensure!(output.stderr.is_empty(), "{output:?}");
    output.json_lines()
}

fn verdicts(lines: &[Value]) -> Vec<&str> {
    let verdicts = lines.iter().map(|line| member(line, "verdict").as_str());
    verdicts.map(|verdict| verdict.unwrap_or("-")).collect()
}

fn radius(stand: &Stand) -> anyhow::Result<reqwest::RequestBuilder> {
    let ca = reqwest::Certificate::from_pem(stand.authority.pem().as_bytes())?;
    let http = reqwest::Client::builder().tls_certs_only([ca]).build()?;
    Ok(http
        .post(format!("{}/radius/authorize", stand.gateway.origin()))
        .basic_auth("radius", Some(RADIUS_PASSWORD))
        .header("x-request-id", "of-the-switch")
        .json(&json!({ "Calling-Station-Id": NON_COMPLIANT.mac.separated('-') })))
}

#[tokio::test]
async fn a_line_says_what_was_decided_and_why() -> anyhow::Result<()> {
    let stand = keeping("all").await?;
    for _ in 0..3 {
        let told = stand.client.ask(COMPLIANT.mac.separated('-')).await?;
        assert_eq!(told.verdict, "permit");
    }
    stand.client.ask(UNKNOWN.guid).await?;
    stand.tenant.set_fault(Step::Compliance, Fault::Dropped);
    stand.client.ask(generated_guid(3)).await?;
    stand.tenant.clear_faults();
    radius(&stand)?.send().await?;
    let known = json!({ "identifiers": [COMPLIANT.mac.to_string()] });
    let batch = json!({ "questions": [known, { "identifiers": ["nonsense"] }] });
    stand.client.post("/v1/decisions/batch", &batch).await?;
    let stopped = stand.stop().await?;

    let lines = shown(&stopped.program(&ALL).await?)?;
    assert_eq!(
        verdicts(&lines),
        [
            "permit",
            "permit",
            "permit",
            "deny",
            "cannot-tell",
            "deny",
            "permit"
        ]
    );
    let column = |name: &str| -> Vec<&Value> { lines.iter().map(|line| &line[name]).collect() };
    assert_eq!(
        column("origin"),
        [
            "fetched", "cached", "cached", "fetched", "fetched", "fetched", "cached"
        ]
    );
    assert_eq!(
        column("changed"),
        [true, false, false, true, true, true, false]
    );
    assert_eq!(
        column("face"),
        ["rest", "rest", "rest", "rest", "rest", "radius", "rest"]
    );
    let first = &lines[0];
    let at = first["at"].as_str().context("a time")?;
    ensure!(at.len() == 24 && at.ends_with('Z'), "{first}");
    assert_eq!(first["client"], "rest");
    assert_eq!(first["identifiers"], json!([COMPLIANT.mac.separated(':')]));
    assert_eq!(first["stale"], false);
    ensure!(first["latency_us"].as_u64() > Some(0), "{first}");
    assert_eq!(first["reasons"][0]["code"], "meets-baseline");
    assert_eq!(first["policy"]["name"], "baseline");
    let digest = first["policy"]["digest"].as_str().context("a digest")?;
    ensure!(
        digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{first}"
    );
    assert_eq!(first["chain"], json!([first["policy"]]));
    assert_eq!(first["source"]["name"], "contoso");
    assert_eq!(
        first["facts"]["compliance"]["state"], "compliant",
        "{first}"
    );
    // What memory repeats rests on the same.
    for line in &lines[1..3] {
        for name in [
            "reasons",
            "policy",
            "chain",
            "facts",
            "source",
            "identifiers",
        ] {
            assert_eq!(line[name], first[name], "{name}");
        }
    }
    let [unknown, missing, denied] = &lines[3..6] else {
        anyhow::bail!("{lines:?}");
    };
    assert_eq!(unknown["absence"], "unknown-device");
    assert_eq!(unknown["reasons"][0]["code"], "unknown-device");
    assert_eq!(missing["absence"], "sources-unavailable");
    let detail = missing["detail"].as_str().context("a detail")?;
    ensure!(detail.starts_with("source `contoso`: "), "{missing}");
    assert_eq!(denied["client"], "radius");
    assert_eq!(denied["request"], "of-the-switch");
    assert_eq!(denied["reasons"][0]["code"], "non-compliant");
    Ok(())
}

#[tokio::test]
async fn the_rule_says_what_is_kept() -> anyhow::Result<()> {
    for (keep, expected) in [
        (
            "all",
            &[
                "permit", "permit", "permit", "deny", "deny", "deny", "deny", "deny", "deny",
            ][..],
        ),
        (
            "changes",
            &["permit", "deny", "deny", "deny", "deny", "deny", "deny"],
        ),
        ("denials", &["deny", "deny", "deny", "deny", "deny", "deny"]),
        ("none", &[]),
    ] {
        let stand = keeping(keep).await?;
        // A policy decides, memory does, and then a rendering answers.
        for guid in [COMPLIANT.guid, NON_COMPLIANT.guid, UNKNOWN.guid] {
            for _ in 0..3 {
                stand.client.ask(guid).await?;
            }
        }
        let stopped = stand.stop().await?;
        let lines = shown(&stopped.program(&ALL).await?)?;
        assert_eq!(verdicts(&lines), expected, "{keep}");
    }
    Ok(())
}

#[tokio::test]
async fn a_change_is_kept_when_it_comes_and_when_it_goes() -> anyhow::Result<()> {
    let stand = Stand::builder()
        .devices(10)
        .inventory("jitter = \"30d\"")
        .store()
        .start()
        .await?;
    let guid = generated_guid(3);
    let sync = ["connector", "sync", "contoso", "--full"];
    for compliance in [
        Compliance::Compliant,
        Compliance::NonCompliant,
        Compliance::Compliant,
        Compliance::Compliant,
    ] {
        let change = |device: &mut portreeve_tenant::Device| device.compliance = compliance;
        assert!(stand.tenant.change_device(guid, change));
        let output = stand.program(&sync).await?;
        ensure!(output.code == Some(0), "{output:?}");
        stand.client.ask(guid).await?;
    }
    let stopped = stand.stop().await?;
    let lines = shown(&stopped.program(&ALL).await?)?;
    assert_eq!(verdicts(&lines), ["permit", "deny", "permit"]);
    ensure!(
        lines.iter().all(|line| line["changed"] == true),
        "{lines:?}"
    );
    Ok(())
}

#[tokio::test]
async fn the_command_filters() -> anyhow::Result<()> {
    let stand = keeping("all").await?;
    for guid in [COMPLIANT.guid, COMPLIANT.guid, UNKNOWN.guid] {
        stand.client.ask(guid).await?;
    }
    radius(&stand)?.send().await?;
    let (stand, _) = stand.restart().await?;
    stand.client.ask(COMPLIANT.guid).await?;
    let stopped = stand.stop().await?;
    let all = shown(&stopped.program(&ALL).await?)?;
    // Others may share a millisecond; a restart lies before this one.
    let last = all[4]["at"].as_str().context("a time")?.to_owned();
    let compliant = COMPLIANT.guid.to_string();
    for (filter, expected) in [
        (&[][..], &[0, 1, 2, 3, 4][..]),
        (&["--verdict", "permit"], &[0, 1, 4]),
        (&["--verdict", "deny"], &[2, 3]),
        (&["--verdict", "restrict"], &[]),
        (&["--client", "radius"], &[3]),
        (&["--client", "nobody"], &[]),
        (&["--identifier", &compliant], &[0, 1, 4]),
        (&["--identifier", &compliant.to_uppercase()], &[0, 1, 4]),
        (&["--reason", "non-compliant"], &[3]),
        (&["--policy", "baseline"], &[0, 1, 2, 3, 4]),
        (&["--policy", "other"], &[]),
        // The first one about each endpoint, since the gateway's start.
        (&["--changed"], &[0, 2, 3, 4]),
        (&["--since", &last], &[4]),
        (&["--since", &last, "--client", "radius"], &[]),
        (&["--until", &last, "--verdict", "deny"], &[2, 3]),
        (&["--since", "1h"], &[0, 1, 2, 3, 4]),
        (&["--until", "1h"], &[]),
        (
            &["--verdict", "permit", "--client", "rest", "--changed"],
            &[0, 4],
        ),
        (&["--limit", "2"], &[3, 4]),
        (&["--limit", "2", "--verdict", "permit"], &[1, 4]),
    ] {
        let arguments = [
            &ALL[..2],
            if filter.contains(&"--limit") {
                &[]
            } else {
                &ALL[2..]
            },
            filter,
        ];
        let lines = shown(&stopped.program(&arguments.concat()).await?)?;
        let expected: Vec<&Value> = expected.iter().map(|number| &all[*number]).collect();
        assert_eq!(lines.iter().collect::<Vec<_>>(), expected, "{filter:?}");
    }
    // For people: one line each.
    let text = stopped
        .program(&["decisions", "--client", "radius"])
        .await?;
    let mac = NON_COMPLIANT.mac.separated(':');
    ensure!(
        text.stdout
            .contains(&format!(" deny        {mac} by radius (fetched, ")),
        "{text:?}"
    );
    ensure!(text.stdout.ends_with("non-compliant\n"), "{text:?}");
    for (filter, expected) in [
        (
            ["--verdict", "maybe"],
            "possible values: permit, restrict, deny, cannot-tell",
        ),
        (["--since", "2 hours"], "`2 hours` is no time"),
        (["--identifier", "nonsense"], "nonsense"),
        (["--limit", "-1"], "-1"),
    ] {
        let output = stopped
            .program(&[&["decisions"], &filter[..]].concat())
            .await?;
        ensure!(output.code == Some(2), "{filter:?}: {output:?}");
        ensure!(output.stderr.contains(expected), "{filter:?}: {output:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_command_follows() -> anyhow::Result<()> {
    let stand = keeping("all").await?;
    stand.client.ask(COMPLIANT.guid).await?;
    let mut json = stand.follow(&["decisions", "--follow", "--json"])?;
    let mut denials = stand.follow(&["decisions", "--follow", "--verdict", "deny"])?;
    let first: Value = serde_json::from_str(&json.line().await?)?;
    assert_eq!(first["verdict"], "permit");
    stand.client.ask(COMPLIANT.guid).await?;
    stand.client.ask(NON_COMPLIANT.guid).await?;
    for (verdict, origin) in [("permit", "cached"), ("deny", "fetched")] {
        let line: Value = serde_json::from_str(&json.line().await?)?;
        assert_eq!(
            (&line["verdict"], &line["origin"]),
            (&json!(verdict), &json!(origin))
        );
    }
    let line = denials.line().await?;
    ensure!(line.contains(&NON_COMPLIANT.guid.to_string()), "{line}");
    // Whoever follows is not in the way of a gateway that comes back.
    let (stand, _) = stand.restart().await?;
    stand.client.ask(UNKNOWN.guid).await?;
    let line = denials.line().await?;
    ensure!(line.contains(&UNKNOWN.guid.to_string()), "{line}");
    stand.gateway.stop().await
}

#[tokio::test]
async fn no_secret_is_in_the_log() -> anyhow::Result<()> {
    let stand = keeping("all").await?;
    for (step, fault) in [
        (Step::Compliance, Fault::EchoCredential),
        (Step::IntuneToken, Fault::ExpiredSecret),
    ] {
        stand.tenant.set_fault(step, fault);
        stand.client.ask(COMPLIANT.guid).await?;
        stand.tenant.clear_faults();
    }
    stand.client.ask(NON_COMPLIANT.guid).await?;
    radius(&stand)?.send().await?;
    let secret = stand.tenant.client_secret().to_owned();
    let stopped = stand.stop().await?;
    let mut seen = String::new();
    for file in std::fs::read_dir(stopped.data().join("decisions"))? {
        seen.push_str(&std::fs::read_to_string(file?.path())?);
    }
    ensure!(seen.lines().count() >= 4, "{seen}");
    // The last one is the beginning of every signed token.
    for secret in [
        &secret,
        REST_KEY,
        ADMIN_KEY,
        RADIUS_PASSWORD,
        "eyJ",
        "Bearer ",
    ] {
        ensure!(!seen.contains(secret), "`{secret}` is in {seen}");
    }
    Ok(())
}

#[tokio::test]
async fn without_a_store_there_is_no_log() -> anyhow::Result<()> {
    let stand = Stand::builder().start().await?;
    let output = stand.program(&["decisions"]).await?;
    ensure!(output.code == Some(1), "{output:?}");
    ensure!(
        output
            .stderr
            .starts_with("error: the configuration has no place for decisions\nhint: "),
        "{output:?}"
    );
    stand.gateway.stop().await?;
    // A rule for what there is no place for is a mistake.
    let refused = Stand::builder()
        .extra("[decisions]\nkeep = \"all\"")
        .start()
        .await;
    let refused = refused.err().context("it started")?;
    ensure!(
        format!("{refused:#}").contains("there is no place to keep decisions"),
        "{refused:#}"
    );
    Ok(())
}
