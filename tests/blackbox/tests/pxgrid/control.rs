//! Accounts, questions about endpoints, quarantine and services.

use super::*;

#[tokio::test]
async fn pxgrid_api() -> anyhow::Result<()> {
    let (stand, certificate) = stand().await?;
    let lines = run("check_pxgrid_api.py", &given(&stand, &certificate)?).await?;
    let expected = [
        "ok account with password",
        "ok endpoints with password",
        "ok quarantine with password",
        "ok account with certificate",
        "ok endpoints with certificate",
        "ok quarantine with certificate",
        "ok refusals",
    ];
    assert_eq!(lines, expected);
    let nodes = stand.program(&["pxgrid", "list"]).await?;
    assert_eq!(
        nodes.stdout,
        "DISABLED  api-node by password, may mdm,subscribe,anc\n\
         ENABLED   certified by certificate, may mdm,subscribe,anc\n"
    );
    Ok(())
}

#[tokio::test]
async fn pxgrid_util() -> anyhow::Result<()> {
    let (stand, certificate) = stand().await?;
    let lines = run("check_pxgrid_util.py", &given(&stand, &certificate)?).await?;
    let expected = [
        "ok endpoints with password",
        "ok quarantine with password",
        "ok services with password",
        "ok endpoints with certificate",
        "ok quarantine with certificate",
        "ok services with certificate",
        "ok refusals",
    ];
    assert_eq!(lines, expected);
    Ok(())
}

/// Accounts are in the store: who was approved stays so.
#[tokio::test]
async fn nodes_outlive_a_crash() -> anyhow::Result<()> {
    let (stand, _) = stand().await?;
    let added = stand
        .program(&["pxgrid", "add", "siem", "--may", "anc", "--json"])
        .await?;
    ensure!(added.code == Some(0), "{added:?}");
    let (stand, _) = stand.crash().await?;
    let nodes = stand.program(&["pxgrid", "list"]).await?;
    assert_eq!(nodes.stdout, "ENABLED   siem by password, may anc\n");
    let deleted = stand.program(&["pxgrid", "delete", "siem"]).await?;
    assert_eq!(deleted.stdout, "node `siem` is forgotten\n");
    let unknown = stand.program(&["pxgrid", "approve", "siem"]).await?;
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.stderr.contains("there is no node `siem`"),
        "{unknown:?}"
    );
    assert!(!stand.log().contains("password="));
    Ok(())
}
