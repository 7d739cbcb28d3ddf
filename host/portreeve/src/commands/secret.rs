//! `portreeve secret`: secrets that are sealed in the configuration.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use portreeve_egress::{SealingKeys, Secret};
use serde_json::json;
use zeroize::Zeroizing;

use super::certificate::write_new;
use crate::cli::{SecretCommand, SecretKey, SecretRotate, SecretSeal};
use crate::config::{
    Environment, KEY_FILE, Problem, Problems, keys_in, read_secret, sealed_texts, sealing_keys,
};
use crate::output;

/// More is no secret.
const MAX_SECRET: u64 = 32 * 1024;

/// Runs one of the commands.
pub(super) fn run(
    command: &SecretCommand,
    environment: &dyn Environment,
) -> anyhow::Result<ExitCode> {
    match command {
        SecretCommand::Key(command) => key(command)?,
        SecretCommand::Seal(command) => seal(command, environment)?,
        SecretCommand::Rotate(command) => rotate(command, environment)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn key(command: &SecretKey) -> anyhow::Result<()> {
    let key = SealingKeys::generate()?;
    let line = Zeroizing::new(format!("{}\n", key.expose()));
    write_new(&command.file, line.as_bytes(), 0o600)?;
    let keys = SealingKeys::read(key.expose())?;
    let name = keys.names().first().copied().unwrap_or_default().to_owned();
    if command.json {
        return output::json(&json!({ "key": name, "file": command.file }));
    }
    output::line(format!("key {name} is in {}", command.file.display()))?;
    Ok(())
}

fn seal(command: &SecretSeal, environment: &dyn Environment) -> anyhow::Result<()> {
    let keys = sealing_keys(environment).map_err(Problems::from)?;
    let secret = match &command.file {
        Some(path) => read_secret(path)?,
        None => from_stdin()?,
    };
    let sealed = keys.seal(&secret)?;
    if command.json {
        return output::json(&json!({ "sealed": sealed, "key": keys.names().first() }));
    }
    output::line(format!("{{ sealed = \"{sealed}\" }}"))?;
    Ok(())
}

fn from_stdin() -> anyhow::Result<Secret> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .lock()
        .take(MAX_SECRET + 1)
        .read_to_string(&mut text)
        .context("cannot read the secret from stdin")?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() || text.len() as u64 > MAX_SECRET {
        let problem = Problem::nowhere("there is no secret on stdin, or it is too long");
        return Err(Problems::from(problem.hint("a secret has 1 to 32768 bytes")).into());
    }
    Ok(Secret::new(secret))
}

/// Each step leaves a configuration that can be read: the key file holds both
/// keys until everything is sealed with the new one.
fn rotate(command: &SecretRotate, environment: &dyn Environment) -> anyhow::Result<()> {
    let Some(key_file) = environment.get(KEY_FILE).map(PathBuf::from) else {
        let problem = Problem::nowhere("the key is not in a file that can be changed");
        let hint = "name it in `PORTREEVE_KEY_FILE`";
        return Err(Problems::from(problem.hint(hint)).into());
    };
    keys_in(&key_file).map_err(Problems::from)?;
    let path = super::path(&command.config, environment);
    let sealed = sealed_texts(&path, environment)?;
    let old = Zeroizing::new(fs::read_to_string(&key_file)?);
    let new = SealingKeys::generate()?;
    let both = Zeroizing::new(format!("{}\n{}", new.expose(), old.as_str()));
    let keys = SealingKeys::read(&both)?;
    // Everything has to open before anything is changed.
    let mut changes = Vec::new();
    for (file, text) in sealed {
        let (secret, _) = keys
            .open(&text)
            .with_context(|| format!("cannot open a sealed secret in `{}`", file.display()))?;
        changes.push((file, text, keys.seal(&secret)?));
    }
    replace(&key_file, both.as_bytes())?;
    let mut files: Vec<&Path> = changes.iter().map(|(file, ..)| file.as_path()).collect();
    files.sort_unstable();
    files.dedup();
    for file in &files {
        let mut content = fs::read_to_string(file)
            .with_context(|| format!("cannot read `{}`", file.display()))?;
        for (_, before, after) in changes.iter().filter(|(of, ..)| of == file) {
            content = content.replace(before, after);
        }
        replace(file, content.as_bytes())?;
    }
    let left = sealed_texts(&path, environment)?;
    let only_new = SealingKeys::read(new.expose())?;
    for (file, text) in &left {
        only_new.open(text).with_context(|| {
            let file = file.display();
            format!(
                "`{file}` was changed meanwhile; `{}` keeps the old key, too",
                key_file.display()
            )
        })?;
    }
    let line = Zeroizing::new(format!("{}\n", new.expose()));
    replace(&key_file, line.as_bytes())?;
    let name = only_new
        .names()
        .first()
        .copied()
        .unwrap_or_default()
        .to_owned();
    if command.json {
        return output::json(&json!({ "key": name, "sealed": left.len(), "files": files }));
    }
    let (count, files) = (left.len(), files.len());
    output::line(format!(
        "{count} secrets in {files} files are sealed with the new key {name}"
    ))?;
    Ok(())
}

/// Puts new content into a file at once, with the same owner and mode.
fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let path = path.canonicalize()?;
        let model = fs::metadata(&path)?;
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let temporary = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(content)?;
        file.set_permissions(fs::Permissions::from_mode(model.mode() & 0o7777))?;
        file.sync_all()?;
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (model.uid(), model.gid()) {
            chown(&temporary, Some(model.uid()), Some(model.gid()))?;
        }
        fs::rename(&temporary, &path)
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
}
