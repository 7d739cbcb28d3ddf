mod chains;
mod clients;
mod documentation;
mod egress;
mod files;
mod intune;
mod plugins;
mod secrets;
mod syntax;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::*;

const PLAIN: &str = "[server.plain]\nlisten = \"127.0.0.1:0\"\n";

/// A folder with configuration files and what they name.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn with(self, name: &str, content: &str) -> Self {
        self.with_mode(name, content, 0o600)
    }

    fn with_mode(self, name: &str, content: &str, mode: u32) -> Self {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn load(&self) -> Result<Config, Problems> {
        self.load_in(&BTreeMap::from([("PASSWORD", "s3cret-in-env")]))
    }

    fn load_in(&self, environment: &BTreeMap<&str, &str>) -> Result<Config, Problems> {
        Config::load(&self.0.path().join("main.toml"), environment)
    }

    /// Without the name of the folder, which is another every time.
    fn shown(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }

    fn errors(&self) -> String {
        self.shown(&self.load().unwrap_err().to_string())
    }

    fn effective(&self) -> String {
        self.shown(&self.load().unwrap().to_toml().unwrap())
    }
}

/// The errors of `[server.plain]` and then `text`, which begins in line 3.
fn errors(text: &str) -> String {
    Folder::new()
        .with("main.toml", &format!("{PLAIN}{text}"))
        .errors()
}

fn read(text: &str) -> Config {
    Folder::new()
        .with("main.toml", &format!("{PLAIN}{text}"))
        .load()
        .unwrap()
}
