//! Whom the gateway trusts, which secrets stand in its configuration sealed,
//! and what it says of what expires.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use portreeve_harness::{Authority, Stand, program};
use serde_json::Value;
use tempfile::TempDir;

const MAIN: &str =
    "include = [\"trust.d/*.toml\", \"conf.d/*.toml\"]\n[server.plain]\nlisten = \"127.0.0.1:0\"\n";

/// A configuration with a key of its own.
struct Folder(TempDir);

/// Exit code, stdout and stderr.
type Outcome = (Option<i32>, String, String);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let folder = Self(TempDir::new()?);
        folder.write("portreeve.toml", MAIN)?;
        Ok(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> anyhow::Result<()> {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        std::fs::write(&path, content)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(())
    }

    fn read(&self, name: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.path(name))?)
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<Outcome> {
        let output = Command::new(program("portreeve")?)
            .args(arguments)
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .env("PORTREEVE_CONFIG", self.path("portreeve.toml"))
            .env("PORTREEVE_KEY_FILE", self.path("key"))
            .stdin(Stdio::null())
            .output()?;
        Ok((
            output.status.code(),
            String::from_utf8(output.stdout)?,
            String::from_utf8(output.stderr)?,
        ))
    }

    fn done(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let (code, stdout, stderr) = self.run(arguments)?;
        ensure!(code == Some(0), "{arguments:?}: {code:?} {stderr}");
        Ok(stdout)
    }

    fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.done(arguments)?)?)
    }

    fn refused(&self, arguments: &[&str], expected: &str) -> anyhow::Result<()> {
        let (code, stdout, stderr) = self.run(arguments)?;
        ensure!(code == Some(1), "{arguments:?}: {code:?} {stdout}");
        ensure!(stderr.contains(expected), "`{expected}` is not in {stderr}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_trusted_after_its_fingerprint() -> anyhow::Result<()> {
    // The certificate of a gateway, issued by an authority that nobody trusts.
    let stand = Stand::builder().start().await?;
    let origin = stand.gateway.origin();
    let server = origin
        .strip_prefix("https://")
        .context("a server with TLS")?;
    let folder = Folder::new()?;
    let (code, stdout, _) = folder.run(&["trust", "fetch", server, "--json"])?;
    assert_eq!(code, Some(1), "{stdout}");
    let shown: Value = serde_json::from_str(&stdout)?;
    assert_eq!(shown["accepted"], false);
    assert_eq!(shown["problem"], "unknown-issuer");
    assert!(shown["missing_issuer"].is_string(), "{shown}");
    let presented = shown["presented"].as_array().context("certificates")?;
    let own = presented[0]["sha256"].as_str().context("a fingerprint")?;

    // Not without the right fingerprint, and nothing is left behind.
    let import = ["trust", "fetch", server, "--import", "mdm", "--fingerprint"];
    let with = |fingerprint| [&import[..], &[fingerprint]].concat();
    let wrong = "0".repeat(64);
    folder.refused(
        &with(wrong.as_str()),
        "no certificate with this fingerprint",
    )?;
    folder.refused(&with(own), "this is the server's own certificate")?;
    assert!(!folder.path("trust.d").exists());

    // The authority's certificate, as those who run the server hand it out.
    std::fs::copy(
        stand.directory().join("ca.pem"),
        folder.path("authority.pem"),
    )?;
    folder.done(&["trust", "import", "mdm", "authority.pem"])?;
    folder.refused(&["trust", "import", "mdm", "authority.pem"], "already")?;
    let shown = folder.json(&["trust", "fetch", server, "--json"])?;
    assert_eq!(shown["accepted"], true);
    let listed = folder.json(&["trust", "list", "--json"])?;
    assert_eq!(listed["trust"][0]["name"], "mdm");
    assert_eq!(listed["trust"][0]["purposes"][0], "connectors");
    let shown = folder.json(&["trust", "show", "mdm", "--json"])?;
    assert_eq!(
        shown[0]["sha256"],
        listed["trust"][0]["certificates"][0]["sha256"]
    );
    folder.refused(&["trust", "show", "mdn"], "did you mean `mdm`?")?;
    Ok(())
}

#[test]
fn trust_that_is_not_taken_is_undone() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    folder.write("ca.pem", &Authority::generate("an authority")?.pem())?;
    folder.refused(
        &["trust", "import", "a", "ca.pem", "--connector", "contoso"],
        "there is no connector `contoso`",
    )?;
    folder.write(
        "portreeve.toml",
        "[server.plain]\nlisten = \"127.0.0.1:0\"\n",
    )?;
    folder.refused(&["trust", "import", "a", "ca.pem"], "does not include")?;
    assert_eq!(std::fs::read_dir(folder.path("trust.d"))?.count(), 0);
    folder.refused(&["trust", "import", "../a", "ca.pem"], "no usable name")?;
    folder.refused(&["trust", "fetch", "a b"], "is no server")?;
    Ok(())
}

#[test]
fn secrets_are_sealed_and_rotated() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    folder.write("secret", "hunter2-hunter2\n")?;
    folder.refused(&["secret", "seal", "--file", "secret"], "cannot read")?;
    folder.done(&["secret", "key", "key"])?;
    let mode = std::fs::metadata(folder.path("key"))?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    folder.refused(&["secret", "key", "key"], "already")?;
    let seal = || folder.json(&["secret", "seal", "--file", "secret", "--json"]);
    let client = |name: &str, sealed: &Value| {
        format!("[clients.{name}]\nfaces = [\"rest\"]\nbearer = {{ sealed = {sealed} }}\n")
    };
    let (one, other) = (seal()?, seal()?);
    folder.write("conf.d/one.toml", &client("one", &one["sealed"]))?;
    let main = format!("{MAIN}{}", client("other", &other["sealed"]));
    folder.write("portreeve.toml", &main)?;
    // Two clients with one key are a mistake, so it was opened.
    folder.refused(&["check-config"], "clients.")?;
    folder.write("secret", "another-secret-of-a-client\n")?;
    let other = seal()?;
    let main = format!("{MAIN}# kept\n{}", client("other", &other["sealed"]));
    folder.write("portreeve.toml", &main)?;
    let checked = folder.done(&["check-config"])?;
    assert!(!checked.contains("hunter2"), "{checked}");

    let before = folder.read("key")?;
    let rotated = folder.json(&["secret", "rotate", "--json"])?;
    assert_eq!(rotated["sealed"], 2);
    assert_ne!(rotated["key"], one["key"]);
    let after = folder.read("key")?;
    assert!(!after.contains(before.trim()));
    let main = folder.read("portreeve.toml")?;
    assert!(main.contains("# kept") && !main.contains(other["sealed"].as_str().context("text")?));
    folder.done(&["check-config"])?;

    // The old key opens nothing any more, and a change is noticed.
    folder.write("key", &before)?;
    folder.refused(&["check-config"], "it is sealed with the key")?;
    folder.write("key", &after)?;
    let changed = main.replace("sealed-1.", "sealed-1.0");
    folder.write("portreeve.toml", &changed)?;
    folder.refused(&["check-config"], "this is no sealed secret")?;
    std::fs::set_permissions(folder.path("key"), std::fs::Permissions::from_mode(0o644))?;
    folder.write("portreeve.toml", &main)?;
    folder.refused(&["check-config"], "open to everyone")?;
    Ok(())
}

#[test]
fn a_configuration_that_everyone_may_write_is_refused() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    folder.done(&["check-config"])?;
    let path = folder.path("portreeve.toml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666))?;
    folder.refused(&["check-config"], "everyone may write")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_is_told() -> anyhow::Result<()> {
    let stand = Stand::builder().start().await?;
    let operator = stand.operator()?;
    let metric = "portreeve_certificate_expiry_timestamp_seconds{certificate=\"server\"}";
    let at = operator.metric(metric).await?.context("the metric")?;
    assert!(at > 1.7e9, "{at}");
    let shown = operator.get("/v1/admin/connectors").await?;
    let expires = &shown.body["connectors"][0]["expires"];
    let names: Vec<&str> = expires
        .as_array()
        .context("a list")?
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert!(names.contains(&"trust"), "{expires}");
    Ok(())
}

#[test]
fn what_expires_soon_is_warned_of() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    folder.done(&[
        "certificate",
        "new",
        "short",
        "--days",
        "3",
        "--bits",
        "2048",
    ])?;
    folder.write("conf.d/t.toml", "[trust.short]\nfile = \"../short.pem\"\n")?;
    let (code, _, stderr) = folder.run(&["check-config"])?;
    assert_eq!(code, Some(0), "{stderr}");
    ensure!(
        stderr.contains("the trusted certificate `CN=short` (`short`) expires in 2 days"),
        "{stderr}"
    );
    Ok(())
}
