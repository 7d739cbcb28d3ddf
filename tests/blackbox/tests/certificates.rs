//! `portreeve certificate` against OpenSSL: what one makes, the other reads.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use portreeve_harness::program;
use serde_json::Value;
use tempfile::TempDir;

/// One folder, in which both programs run.
struct Folder(TempDir);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        Ok(Self(TempDir::new()?))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let path = self.path().join(name);
        std::fs::write(&path, content)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(())
    }

    fn run(&self, program: &Path, line: &str) -> anyhow::Result<(Option<i32>, Vec<u8>, String)> {
        let output = Command::new(program)
            .args(line.split_whitespace())
            .current_dir(self.path())
            .env("NO_COLOR", "1")
            .output()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.code(), output.stdout, stderr))
    }

    /// Standard output of a command that must succeed.
    fn bytes(&self, program: &Path, line: &str) -> anyhow::Result<Vec<u8>> {
        let (code, stdout, stderr) = self.run(program, line)?;
        ensure!(code == Some(0), "{line}: {code:?} {stderr}");
        Ok(stdout)
    }

    fn portreeve(&self, line: &str) -> anyhow::Result<String> {
        let stdout = self.bytes(&program("portreeve")?, &format!("certificate {line}"))?;
        Ok(String::from_utf8(stdout)?)
    }

    fn json(&self, line: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.portreeve(line)?)?)
    }

    /// What a command says that must fail.
    fn refused(&self, line: &str) -> anyhow::Result<String> {
        let line = format!("certificate {line}");
        let (code, _, stderr) = self.run(&program("portreeve")?, &line)?;
        ensure!(code == Some(1), "{line}: {code:?} {stderr}");
        Ok(stderr)
    }

    fn openssl(&self, line: &str) -> anyhow::Result<String> {
        let stdout = self.bytes(Path::new("openssl"), line)?;
        Ok(String::from_utf8(stdout)?.trim().to_owned())
    }

    /// SHA-1 as OpenSSL has it, without colons.
    fn thumbprint(&self, options: &str) -> anyhow::Result<String> {
        let line = format!("x509 {options} -noout -fingerprint -sha1");
        let printed = self.openssl(&line)?;
        let (_, digits) = printed.split_once('=').context("a fingerprint")?;
        Ok(digits.replace(':', ""))
    }
}

#[test]
fn new_certificates_are_what_openssl_reads() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    folder.write("password", b"correct horse\n")?;
    folder.portreeve("new plain --common-name gateway-1 --bits 2048 --days 30")?;
    folder.portreeve("new locked --bits 2048 --password-file password")?;

    let text = folder.openssl("x509 -in plain.pem -noout -text")?;
    for expected in [
        "Subject: CN = gateway-1",
        "Issuer: CN = gateway-1",
        "Public-Key: (2048 bit)",
        "sha256WithRSAEncryption",
        "TLS Web Client Authentication",
    ] {
        assert!(text.contains(expected), "`{expected}` is not in {text}");
    }
    folder.openssl("verify -CAfile plain.pem plain.pem")?;
    for (name, pass) in [("plain", ""), ("locked", "-passin file:password")] {
        let of_key = folder.openssl(&format!("pkey -in {name}-key.pem {pass} -pubout"))?;
        let of_certificate = folder.openssl(&format!("x509 -in {name}.pem -noout -pubkey"))?;
        assert_eq!(of_key, of_certificate);
    }
    ensure!(
        folder
            .openssl("pkey -in locked-key.pem -passin pass:wrong -noout")
            .is_err()
    );

    let shown = folder.json("show plain.pem --json")?;
    let shown = &shown[0]["certificates"][0];
    assert_eq!(shown["common_name"], "gateway-1");
    assert_eq!(shown["thumbprint"], folder.thumbprint("-in plain.pem")?);
    let serial = folder.openssl("x509 -in plain.pem -noout -serial")?;
    assert_eq!(
        serial,
        format!("serial={}", shown["serial"].as_str().context("digits")?)
    );
    let lines = folder.portreeve("show plain.pem")?;
    assert!(
        lines.starts_with("CN            gateway-1\nthumbprint    "),
        "{lines}"
    );

    let mode = |name: &str| -> anyhow::Result<u32> {
        Ok(std::fs::metadata(folder.path().join(name))?
            .permissions()
            .mode()
            & 0o777)
    };
    assert_eq!(mode("plain-key.pem")?, 0o600);
    assert_eq!(mode("locked-key.pem")?, 0o600);
    let stderr = folder.refused("new plain")?;
    assert!(
        stderr.contains("there is `./plain.pem` already"),
        "{stderr}"
    );
    assert!(folder.refused("new ../evil")?.contains("no usable name"));
    Ok(())
}

#[test]
fn every_form_is_the_same_certificate_without_its_key() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    folder.portreeve("new a --bits 2048")?;
    let both = [
        std::fs::read(folder.path().join("a-key.pem"))?,
        std::fs::read(folder.path().join("a.pem"))?,
    ];
    folder.write("both.pem", &both.concat())?;
    let thumbprint = folder.thumbprint("-in a.pem")?;
    for (form, options) in [
        ("cer", "-inform DER -in out.cer"),
        ("pem", "-inform PEM -in out.pem"),
        ("crt", "-inform PEM -in out.crt"),
    ] {
        folder.portreeve(&format!(
            "export both.pem --form {form} --output out.{form}"
        ))?;
        assert_eq!(folder.thumbprint(options)?, thumbprint, "{form}");
        let content = std::fs::read(folder.path().join(format!("out.{form}")))?;
        assert!(!String::from_utf8_lossy(&content).contains("PRIVATE"));
        let shown = folder.json(&format!("show out.{form} --json"))?;
        assert_eq!(shown[0]["certificates"][0]["thumbprint"], thumbprint);
    }
    assert_eq!(
        std::fs::read_to_string(folder.path().join("out.pem"))?.trim(),
        folder.openssl("x509 -in a.pem")?
    );
    let base64 = folder.portreeve("export both.pem --form base64")?;
    assert_eq!(base64.lines().count(), 1);
    folder.write("line.txt", base64.as_bytes())?;
    folder.openssl("base64 -d -A -in line.txt -out line.der")?;
    assert_eq!(folder.thumbprint("-inform DER -in line.der")?, thumbprint);
    let shown = folder.json("show line.txt --json")?;
    assert_eq!(shown[0]["certificates"][0]["thumbprint"], thumbprint);
    let stderr = folder.refused("export a-key.pem")?;
    assert!(stderr.contains("the file has no certificate"), "{stderr}");
    Ok(())
}

#[test]
fn pfx_files_of_every_age() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    folder.write("password", b"secret\n")?;
    folder.portreeve("new ours --bits 2048")?;
    folder.portreeve("new other --bits 2048")?;
    let thumbprint = folder.thumbprint("-in ours.pem")?;
    let export = "pkcs12 -export -inkey ours-key.pem -in ours.pem -certfile other.pem";
    for (options, password) in [
        ("-passout pass:secret", "--password-file password"),
        ("-legacy -passout pass:secret", "--password-file password"),
        ("-nomac -passout pass:secret", "--password-file password"),
        ("-passout pass:", ""),
        ("-legacy -passout pass:", ""),
        ("-keypbe NONE -certpbe NONE -nomac -passout pass:", ""),
    ] {
        folder.openssl(&format!("{export} {options} -out file.pfx"))?;
        let shown = folder.json(&format!("show file.pfx {password} --json"))?;
        let certificates = shown[0]["certificates"].as_array().context("a list")?;
        assert_eq!(certificates.len(), 2, "{options}");
        assert_eq!(certificates[0]["thumbprint"], thumbprint, "{options}");
        let exported = folder.portreeve(&format!("export file.pfx {password}"))?;
        folder.write("exported.pem", exported.as_bytes())?;
        assert_eq!(
            folder.thumbprint("-in exported.pem")?,
            thumbprint,
            "{options}"
        );
    }
    folder.openssl(&format!("{export} -passout pass:secret -out file.pfx"))?;
    folder.write("wrong", b"wrong\n")?;
    let stderr = folder.refused("show file.pfx --password-file wrong")?;
    assert!(stderr.contains("the password is wrong"), "{stderr}");
    let stderr = folder.refused("show file.pfx")?;
    assert!(stderr.contains("without a password"), "{stderr}");
    assert!(!stderr.contains("secret"));
    Ok(())
}

#[test]
fn the_hierarchy_is_shown() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    folder.openssl("req -x509 -newkey rsa:2048 -nodes -keyout root-key.pem -out root.pem -days 9 -subj /CN=our-root")?;
    folder.openssl(
        "req -newkey rsa:2048 -nodes -keyout leaf-key.pem -out leaf.csr -subj /CN=our-leaf",
    )?;
    folder.openssl("x509 -req -in leaf.csr -CA root.pem -CAkey root-key.pem -CAcreateserial -days 9 -out leaf.pem")?;
    let hierarchy = |shown: &Value| shown[0]["hierarchy"].clone();
    let alone = folder.json("show leaf.pem --json")?;
    assert_eq!(
        hierarchy(&alone),
        serde_json::json!(["our-leaf", "CN=our-root (not in the file)"])
    );
    let read = |name: &str| std::fs::read(folder.path().join(name));
    folder.write(
        "chain.pem",
        &[read("leaf.pem")?, read("root.pem")?].concat(),
    )?;
    let chain = folder.json("show chain.pem --json")?;
    assert_eq!(
        hierarchy(&chain),
        serde_json::json!(["our-leaf", "our-root"])
    );
    Ok(())
}

#[test]
fn a_manifest_has_the_certificate_or_says_why_not() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    for name in ["node1", "node2", "node3"] {
        folder.portreeve(&format!("new {name} --bits 2048"))?;
    }
    let made = folder.json("keycredentials node1.pem node2.pem")?;
    let entries = made["keyCredentials"].as_array().context("a list")?;
    assert_eq!(entries.len(), 2);
    for (entry, name) in entries.iter().zip(["node1", "node2"]) {
        // As PowerShell makes them: base64 of the DER, base64 of its SHA-1.
        folder.openssl(&format!("x509 -in {name}.pem -outform DER -out {name}.der"))?;
        folder.openssl(&format!("dgst -sha1 -binary -out {name}.sha1 {name}.der"))?;
        assert_eq!(
            entry["value"],
            folder.openssl(&format!("base64 -A -in {name}.der"))?
        );
        assert_eq!(
            entry["customKeyIdentifier"],
            folder.openssl(&format!("base64 -A -in {name}.sha1"))?
        );
        assert_eq!(entry["type"], "AsymmetricX509Cert");
        assert_eq!(entry["usage"], "Verify");
        assert_eq!(entry["keyId"].as_str().context("a GUID")?.len(), 36);
    }
    assert_ne!(entries[0]["keyId"], entries[1]["keyId"]);

    // What Entra gives back: no value, and dates.
    let shown = folder.json("show node1.pem --json")?;
    let end = &shown[0]["certificates"][0]["not_after"];
    let mut downloaded = entries[0].clone();
    downloaded["value"] = Value::Null;
    downloaded["startDate"] = shown[0]["certificates"][0]["not_before"].clone();
    downloaded["endDate"] = end.clone();
    let manifest = serde_json::json!({ "appId": "x", "keyCredentials": [downloaded] });
    folder.write("manifest.json", manifest.to_string().as_bytes())?;
    let found = folder.json("find node1.pem --manifest manifest.json --json")?;
    assert_eq!(found[0]["found"], true);
    assert_eq!(found[0]["faults"], serde_json::json!([]));
    let program = program("portreeve")?;
    let (code, stdout, _) = folder.run(
        &program,
        "certificate find node3.pem --manifest manifest.json",
    )?;
    let stdout = String::from_utf8(stdout)?;
    assert_eq!(code, Some(1), "{stdout}");
    assert!(
        stdout.starts_with("NOT FOUND: node3.pem, CN node3"),
        "{stdout}"
    );
    assert!(
        stdout.contains("none of the 1 entries has the `customKeyIdentifier`"),
        "{stdout}"
    );
    folder.write("broken.json", b"{\"keyCredentials\": 1}")?;
    let stderr = folder.refused("find node1.pem --manifest broken.json")?;
    assert!(stderr.contains("no manifest"), "{stderr}");
    Ok(())
}
