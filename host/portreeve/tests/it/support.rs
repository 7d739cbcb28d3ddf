//! A folder with a configuration, and the program run in it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A component that `cargo xtask guests` has built.
pub(crate) fn guest(name: &str) -> String {
    let folder = std::env::var_os("PORTREEVE_GUESTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests"),
        PathBuf::from,
    );
    let path = folder.join(format!("{name}.wasm"));
    let path = path
        .canonicalize()
        .unwrap_or_else(|_| panic!("no component `{name}`; hint: run `cargo xtask guests`"));
    path.to_str().unwrap().to_owned()
}

/// The program, with an empty environment.
pub(crate) fn portreeve(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// What a program said and how it ended.
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

pub(crate) fn run(command: &mut Command) -> Said {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    Said {
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
        code: status.code().unwrap(),
    }
}

/// A configuration in a folder of its own.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new(config: &str) -> Self {
        Self(TempDir::new().unwrap()).with("portreeve.toml", config)
    }

    pub(crate) fn with(self, name: &str, content: &str) -> Self {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = portreeve(arguments);
        command.current_dir(self.path());
        command.env("PORTREEVE_CONFIG", "portreeve.toml");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        run(&mut self.command(arguments))
    }
}
