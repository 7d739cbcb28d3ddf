//! `portreeve support-bundle` holds what helps, and nothing that must not leave the house.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use portreeve_harness::{ADMIN_KEY, Credential, RADIUS_PASSWORD, REST_KEY, Stand};
use portreeve_tenant::well_known::COMPLIANT;

fn members(file: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(file)?));
    let mut members = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text)?;
        members.insert(name, text);
    }
    Ok(members)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_helps_and_tells_no_secret() -> anyhow::Result<()> {
    let stand = Stand::builder()
        .store()
        .credential(Credential::CertificatePfx)
        .start()
        .await?;
    let mac = COMPLIANT.mac.separated(':');
    stand.client.get(&format!("/v1/devices/{mac}")).await?;
    let log = stand.directory().join("some.log");
    let secret = stand.tenant.client_secret().to_owned();
    std::fs::write(
        &log,
        format!("{mac} of ada@contoso.example asked with {RADIUS_PASSWORD} and {REST_KEY}\n"),
    )?;
    let file = stand.directory().join("support.tar.gz");
    let arguments = |file: &Path| {
        [
            "support-bundle".to_owned(),
            file.display().to_string(),
            "--log-file".to_owned(),
            log.display().to_string(),
        ]
    };
    let asked = arguments(&file);
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let said = stand.program(&asked).await?;
    assert_eq!(said.code, Some(0), "{said:?}");

    let found = members(&file)?;
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    let expected = [
        "portreeve-support/README.txt",
        "portreeve-support/checks/contoso.json",
        "portreeve-support/configuration.toml",
        "portreeve-support/decisions.json",
        "portreeve-support/gateway/configuration.json",
        "portreeve-support/gateway/connectors.json",
        "portreeve-support/gateway/metrics.txt",
        "portreeve-support/gateway/policies.json",
        "portreeve-support/gateway/ready.json",
        "portreeve-support/log.txt",
        "portreeve-support/plugins.json",
        "portreeve-support/versions.json",
    ];
    assert_eq!(names, expected);
    let key = std::fs::read_to_string(stand.directory().join("contoso.key"))?;
    let key = key.lines().nth(1).unwrap_or_default();
    let password = std::fs::read_to_string(stand.directory().join("contoso.password"))?;
    for (name, text) in &found {
        for hidden in [
            REST_KEY,
            ADMIN_KEY,
            RADIUS_PASSWORD,
            secret.as_str(),
            password.trim(),
            key,
            mac.as_str(),
            "ada@contoso.example",
        ] {
            assert!(!text.contains(hidden), "`{hidden}` stands in {name}");
        }
    }
    let member = |name: &str| &found[&format!("portreeve-support/{name}")];
    assert_eq!(
        member("log.txt"),
        "[mac] of [user] asked with [redacted] and [redacted]\n"
    );
    assert!(member("configuration.toml").contains("[connectors.contoso]"));
    assert!(member("checks/contoso.json").contains("\"verdict\": \"passed\""));
    assert!(member("gateway/metrics.txt").contains("portreeve_answers_total"));
    assert!(member("plugins.json").contains("dev.portreeve.intune"));

    // Nothing is written over, and identifiers are there when that is wanted.
    let again = stand.program(&asked).await?;
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("not there yet"), "{}", again.stderr);
    let other = stand.directory().join("with.tar.gz");
    let mut asked = arguments(&other).to_vec();
    asked.extend(["--with-identifiers".to_owned(), "--timeout=0".to_owned()]);
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    assert_eq!(stand.program(&asked).await?.code, Some(0));
    let found = members(&other)?;
    assert!(found["portreeve-support/log.txt"].contains(&mac));
    assert!(!found["portreeve-support/log.txt"].contains(REST_KEY));
    assert!(!found.contains_key("portreeve-support/checks/contoso.json"));
    stand.gateway.stop().await
}
