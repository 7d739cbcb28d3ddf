//! nginx with `return 200`: what somebody would write by hand.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::{Constant, Origins};

/// Debian's place, which is not on everybody's path.
const PROGRAMS: [&str; 2] = ["/usr/sbin/nginx", "nginx"];
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// nginx and its workers. Dropping it ends them.
pub(crate) struct Nginx {
    pub(crate) origins: Origins,
    process: Child,
}

impl Nginx {
    /// Starts it with the certificate in `directory`.
    pub(crate) async fn start(directory: &Path, constant: &Constant) -> anyhow::Result<Self> {
        let home = directory.join("nginx");
        std::fs::create_dir_all(&home)?;
        let (plain, tls) = (free_port()?, free_port()?);
        let file = home.join("nginx.conf");
        std::fs::write(&file, configuration(directory, plain, tls, constant)?)?;
        let program = PROGRAMS
            .into_iter()
            .find(|program| Path::new(program).is_file())
            .unwrap_or("nginx");
        let process = Command::new(program)
            .arg("-p")
            .arg(&home)
            .arg("-c")
            .arg(&file)
            .args(["-e", "stderr"])
            .kill_on_drop(true)
            .spawn()
            .context("cannot start `nginx`; hint: `apt-get install nginx-light`")?;
        let mut nginx = Self {
            origins: Origins {
                plain: format!("http://127.0.0.1:{plain}"),
                tls: format!("https://127.0.0.1:{tls}"),
            },
            process,
        };
        tokio::time::timeout(PATIENCE, nginx.listening(tls))
            .await
            .context("nginx did not start in time")??;
        Ok(nginx)
    }

    /// Waits until it listens.
    async fn listening(&mut self, port: u16) -> anyhow::Result<()> {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if let Some(status) = self.process.try_wait()? {
                bail!("nginx ended with {status}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

impl Drop for Nginx {
    /// Killing the master would leave its workers behind; told to end, it ends
    /// them first.
    fn drop(&mut self) {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id.and_then(Pid::from_raw)
            && kill_process(id, Signal::TERM).is_ok()
        {
            for _ in 0..200 {
                if !matches!(self.process.try_wait(), Ok(None)) {
                    break;
                }
                std::thread::park_timeout(Duration::from_millis(5));
            }
        }
    }
}

/// A port that was free a moment ago: nginx cannot say which one it took.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn configuration(
    directory: &Path,
    plain: u16,
    tls: u16,
    constant: &Constant,
) -> anyhow::Result<String> {
    let directory = directory.display();
    let mut text = format!(
        "daemon off;
worker_processes auto;
pid {directory}/nginx/nginx.pid;
error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  server_tokens off;
  tcp_nodelay on;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  ssl_protocols TLSv1.3;
  ssl_certificate {directory}/server.pem;
  ssl_certificate_key {directory}/server.key;
  ssl_session_cache shared:sessions:1m;
"
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(text, "  {kind}_temp_path {directory}/nginx/{kind};")?;
    }
    write!(
        text,
        "  server {{
    listen 127.0.0.1:{plain} reuseport backlog=1024;
    listen 127.0.0.1:{tls} ssl http2 reuseport backlog=1024;
    location / {{
"
    )?;
    for (name, value) in &constant.headers {
        let value = quoted(value)?;
        if name == "content-type" {
            writeln!(text, "      default_type {value};")?;
        } else {
            writeln!(text, "      add_header {name} {value};")?;
        }
    }
    let body = quoted(&constant.body)?;
    write!(text, "      return 200 {body};\n    }}\n  }}\n}}\n")?;
    Ok(text)
}

/// A value as nginx reads it. A dollar sign would begin a variable, and there
/// is no way to write it.
fn quoted(value: &str) -> anyhow::Result<String> {
    ensure!(
        !value.contains('$'),
        "nginx cannot answer with a dollar sign: `{value}`"
    );
    let value = value.replace('\\', "\\\\").replace('\'', "\\'");
    Ok(format!("'{value}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted() {
        for (value, expected) in [
            ("application/json", "'application/json'"),
            (r#"{"a":"b"}"#, r#"'{"a":"b"}'"#),
            (r#"{"a":"it's \n"}"#, r#"'{"a":"it\'s \\n"}'"#),
        ] {
            assert_eq!(quoted(value).unwrap(), expected);
        }
        assert!(quoted("$host").is_err());
    }

    #[test]
    fn headers_and_body_are_in_the_configuration() {
        let constant = Constant {
            body: "{}".to_owned(),
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("x-request-id".to_owned(), "one".to_owned()),
            ],
        };
        let text = configuration(Path::new("/run/stand"), 1, 2, &constant).unwrap();
        for line in [
            "default_type 'application/json';",
            "add_header x-request-id 'one';",
            "return 200 '{}';",
            "listen 127.0.0.1:2 ssl http2",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
