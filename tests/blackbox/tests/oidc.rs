//! A certified `OpenID` provider that we did not write, `oidc-provider`, gives tokens to the gateway's
//! own client, and refuses what must be refused.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portreeve_egress::{
    AssertionAlgorithm, ClientCertificate, CredentialKind, CredentialSettings, CredentialStatus,
    Egress, EgressSettings, Secret, request,
};
use portreeve_harness::{Authority, certificates_of};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

/// How long anything may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);
const SECRET: &str = "s3cret/+& of the client";

fn throwaway(name: &str) -> PathBuf {
    let folder = "../../host/egress/tests/certificates";
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(name)
}

/// The provider, ended with its handle.
struct Provider {
    url: String,
    root: String,
    directory: TempDir,
    _child: Child,
}

impl Provider {
    async fn start() -> anyhow::Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("oidc");
        ensure!(
            folder.join("node_modules/oidc-provider").is_dir(),
            "oidc-provider is not installed; hint: `cargo xtask prerequisites` installs it"
        );
        let directory = tempfile::tempdir()?;
        let authority = Authority::generate("Throw-away authority of a provider")?;
        authority.server(directory.path(), "server")?;
        std::fs::copy(
            throwaway("throwaway.pem"),
            directory.path().join("client.pem"),
        )?;
        let node = std::env::var_os("PORTREEVE_NODE").unwrap_or_else(|| "node".into());
        let mut child = Command::new(node)
            .arg(folder.join("server.mjs"))
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("node cannot be started")?;
        let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let line = timeout(PATIENCE, lines.next_line()).await??;
        let line = line.context("the provider ended")?;
        let url = line.strip_prefix("ready ").context("not ready")?.to_owned();
        Ok(Self {
            url,
            root: authority.pem(),
            directory,
            _child: child,
        })
    }

    fn token_url(&self) -> String {
        format!("{}/token", self.url)
    }

    /// The gateway's way out, with one credential for the resource.
    fn egress(&self, kind: CredentialKind) -> anyhow::Result<Egress> {
        let settings = EgressSettings {
            allow: vec![self.url.trim_start_matches("https://").parse()?],
            private_networks: vec!["127.0.0.0/8".parse()?],
            roots: certificates_of(&self.root)?,
            credentials: vec![CredentialSettings {
                slot: "api".to_owned(),
                urls: vec![format!("{}/resource", self.url).parse()?],
                kind,
            }],
            ..EgressSettings::default()
        };
        Ok(Egress::new("provider", settings)?)
    }

    /// Posts an assertion of our own making; gives the status and the error word.
    async fn post(&self, client: &str, assertion: &str) -> anyhow::Result<(u16, String)> {
        // The way out has no credential for this URL.
        let egress = self.egress(CredentialKind::Bearer {
            token: Secret::new("unused"),
        })?;
        let form = format!(
            "grant_type=client_credentials&client_id={client}&scope=read\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &client_assertion={assertion}"
        );
        let headers: [(&str, &[u8]); 1] = [("content-type", b"application/x-www-form-urlencoded")];
        let asked = request("POST", &self.token_url(), headers, Bytes::from(form))?;
        let answer = egress.send(asked, Instant::now() + PATIENCE).await?;
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_slice(answer.body())?;
        Ok((
            status,
            body.get("error")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        ))
    }
}

fn certificate() -> anyhow::Result<ClientCertificate> {
    let read = |name: &str| std::fs::read(throwaway(name));
    let (certificate, key) = (read("throwaway.pem")?, read("throwaway-key.pem")?);
    Ok(ClientCertificate::from_pem(&certificate, &key, None)?)
}

async fn accepted(provider: &Provider, client: &str, kind: CredentialKind) -> anyhow::Result<()> {
    let egress = provider.egress(kind)?;
    let deadline = || Instant::now() + PATIENCE;
    let url = format!("{}/resource", provider.url);
    // Each renewal is a token request of its own, so with an assertion of its own.
    for _ in 0..2 {
        let asked = request("GET", &url, [], Bytes::new())?;
        let answer = egress.afresh()?.send(asked, deadline()).await?;
        let body: Value = serde_json::from_slice(answer.body())?;
        ensure!(answer.status() == 200, "{client}: {body}");
        assert_eq!(body, json!({ "client": client, "scope": "read" }));
    }
    let renewed = egress.renew("api", deadline()).await;
    assert_eq!(renewed.status, CredentialStatus::Ready, "{renewed:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_is_accepted() -> anyhow::Result<()> {
    let provider = Provider::start().await?;
    let secret = |secret: &str| CredentialKind::Oauth2ClientSecret {
        token_url: provider.token_url(),
        client_id: "secret".to_owned(),
        secret: Secret::new(secret),
        scope: "read".to_owned(),
    };
    accepted(&provider, "secret", secret(SECRET)).await?;
    for (client, algorithm) in [
        ("ps256", AssertionAlgorithm::Ps256),
        ("rs256", AssertionAlgorithm::Rs256),
    ] {
        let kind = CredentialKind::Oauth2ClientCertificate {
            token_url: provider.token_url(),
            client_id: client.to_owned(),
            certificate: certificate()?,
            scope: "read".to_owned(),
            algorithm,
        };
        accepted(&provider, client, kind).await?;
    }
    // A refusal is told with the code of a finding.
    let egress = provider.egress(secret("another"))?;
    let findings = egress.examine(Instant::now() + PATIENCE).await;
    let codes: Vec<_> = findings.iter().filter_map(|finding| finding.code).collect();
    assert_eq!(codes, ["credential-refused"], "{findings:?}");
    Ok(())
}

/// What an assertion says, and who signs it.
#[derive(Clone)]
struct Assertion {
    claims: Value,
    algorithm: Algorithm,
    key: Vec<u8>,
}

impl Assertion {
    fn sign(&self) -> anyhow::Result<String> {
        let key = EncodingKey::from_rsa_pem(&self.key)?;
        let header = Header::new(self.algorithm);
        Ok(jsonwebtoken::encode(&header, &self.claims, &key)?)
    }

    /// The same with one claim another, or none.
    fn with(&self, claim: &str, value: Option<Value>) -> Self {
        let mut other = self.clone();
        if let Some(claims) = other.claims.as_object_mut() {
            match value {
                Some(value) => claims.insert(claim.to_owned(), value),
                None => claims.remove(claim),
            };
        }
        other
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused() -> anyhow::Result<()> {
    let provider = Provider::start().await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let good = Assertion {
        claims: json!({
            "iss": "ps256",
            "sub": "ps256",
            "aud": provider.token_url(),
            "jti": "first",
            "iat": now,
            "nbf": now,
            "exp": now + 480,
        }),
        algorithm: Algorithm::PS256,
        key: std::fs::read(throwaway("throwaway-key.pem"))?,
    };
    let other = provider.directory.path().join("other.key");
    let made = Command::new("openssl")
        .args(["genrsa", "-traditional", "-out"])
        .arg(&other)
        .arg("2048")
        .stderr(Stdio::null())
        .status()
        .await?;
    ensure!(made.success(), "openssl makes no key");

    let refused = (401, "invalid_client".to_owned());
    let signed = good.sign()?;
    let first = provider.post("ps256", &signed).await?;
    assert_eq!(first, (200, String::new()), "the right one");
    assert_eq!(provider.post("ps256", &signed).await?, refused, "again");
    for (name, assertion) in [
        ("expired", good.with("exp", Some(json!(now - 600)))),
        ("not valid yet", good.with("nbf", Some(json!(now + 600)))),
        (
            "for another",
            good.with("aud", Some(json!("https://example.com/token"))),
        ),
        ("without an identifier", good.with("jti", None)),
        ("another's", good.with("sub", Some(json!("rs256")))),
        (
            "another algorithm",
            Assertion {
                algorithm: Algorithm::RS256,
                ..good.with("jti", Some(json!("second")))
            },
        ),
        (
            "another key",
            Assertion {
                key: std::fs::read(&other)?,
                ..good.with("jti", Some(json!("third")))
            },
        ),
    ] {
        // A fresh identifier, unless it is missing on purpose.
        let fresh = assertion.claims.get("jti").is_some();
        let assertion = if fresh {
            assertion.with("jti", Some(json!(name)))
        } else {
            assertion
        };
        let told = provider.post("ps256", &assertion.sign()?).await?;
        let expected = match name {
            // It does not come so far as to the signature.
            "another's" => (400, "invalid_request".to_owned()),
            _ => refused.clone(),
        };
        assert_eq!(told, expected, "{name}");
    }
    let last = good.with("jti", Some(json!("last"))).sign()?;
    assert_eq!(provider.post("ps256", &last).await?.0, 200, "a fresh one");
    Ok(())
}
