//! `portreeve client`: clients with a file each, beside the configuration.

mod file;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use portreeve_domain::Timestamp;
use serde_json::{Value, json};

use self::file::{ClientFile, Key};
use crate::cli::{ClientAdd, ClientCommand};
use crate::config::{Config, Environment, Outline, Problem, Problems, read_secret};
use crate::output;

/// The folder beside the configuration.
const FOLDER: &str = "clients.d";

pub(super) fn run(
    command: &ClientCommand,
    environment: &dyn Environment,
) -> anyhow::Result<ExitCode> {
    match command {
        ClientCommand::Add(add) => {
            let place = Place::new(&add.arguments.config, environment)?;
            self::add(&place, add)
        }
        ClientCommand::List { arguments } => {
            let place = Place::new(&arguments.config, environment)?;
            list(&place, arguments.json)
        }
        ClientCommand::Rotate {
            name,
            overlap,
            arguments,
        } => {
            let place = Place::new(&arguments.config, environment)?;
            let path = place.own_file(name)?;
            let mut file = ClientFile::read(&path)?;
            let key = Key::random()?;
            file.rotate(name, &key, Timestamp::now(), *overlap)?;
            let is_told = place.change(&path, Some(&file), environment)?;
            show_key(name, &key, is_told, arguments.json)
        }
        ClientCommand::Revoke { name, arguments } => {
            let place = Place::new(&arguments.config, environment)?;
            let path = place.own_file(name)?;
            let is_told = place.change(&path, None, environment)?;
            if arguments.json {
                output::json(&json!({ "name": name, "in_force": is_told }))?;
            } else {
                output::line(format!("client `{name}` is revoked{}", when(is_told)))?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The configuration that is worked on.
struct Place {
    path: PathBuf,
    outline: Outline,
}

impl Place {
    fn new(
        argument: &crate::cli::ConfigArgument,
        environment: &dyn Environment,
    ) -> anyhow::Result<Self> {
        let path = super::path(argument, environment);
        let outline = Outline::read(&path, environment)?;
        Ok(Self { path, outline })
    }

    fn file_of(&self, name: &str) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        folder.join(FOLDER).join(format!("{name}.toml"))
    }

    /// The file of a client that this command made.
    fn own_file(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.file_of(name);
        let mut clients = self.outline.clients.iter();
        let Some(client) = clients.find(|client| client.name == name) else {
            return Err(problem(
                format!("there is no client `{name}`"),
                "`portreeve client list` shows all",
            ));
        };
        if !same_file(&client.file, &path) {
            return Err(problem(
                format!("client `{name}` is written in `{}`", client.file.display()),
                "change it there, then run `portreeve reload`; this command changes only what it made",
            ));
        }
        Ok(path)
    }

    /// Puts a file in place, or takes it away, and tells the gateway that runs.
    /// What it does not take is undone. Says whether one runs.
    fn change(
        &self,
        path: &Path,
        file: Option<&ClientFile>,
        environment: &dyn Environment,
    ) -> anyhow::Result<bool> {
        let before = file::content(path)?;
        match file {
            Some(file) => file::put(path, &file.to_text()?, &self.path)?,
            None => std::fs::remove_file(path)
                .with_context(|| format!("cannot remove `{}`", path.display()))?,
        }
        let told = self.tell(path, file.is_some(), environment);
        if told.is_err() {
            let undone = match before {
                Some(before) => file::put(path, &before, &self.path),
                None => std::fs::remove_file(path).map_err(anyhow::Error::from),
            };
            undone.with_context(|| format!("cannot restore `{}`", path.display()))?;
        }
        told
    }

    fn tell(
        &self,
        path: &Path,
        is_there: bool,
        environment: &dyn Environment,
    ) -> anyhow::Result<bool> {
        let outline = Outline::read(&self.path, environment)?;
        let is_included = outline
            .clients
            .iter()
            .any(|client| same_file(&client.file, path));
        if is_there && !is_included {
            return Err(problem(
                format!(
                    "`{}` does not include `{}`",
                    self.path.display(),
                    path.display()
                ),
                "add `include = [\"clients.d/*.toml\"]` before the first table",
            ));
        }
        if super::block_on(super::reload::reload(&outline, false))??.is_some() {
            return Ok(true);
        }
        // Nobody has looked at it. What is wrong elsewhere, secrets that only
        // the gateway can read perhaps, is not this command's.
        if let Err(Problems(problems)) = Config::load(&self.path, environment) {
            let own = problems.into_iter().filter(|problem| problem.is_in(path));
            let own: Vec<Problem> = own.collect();
            if !own.is_empty() {
                return Err(Problems(own).into());
            }
        }
        Ok(false)
    }
}

fn add(place: &Place, command: &ClientAdd) -> anyhow::Result<ExitCode> {
    let name = &command.name;
    if let Some(client) = place
        .outline
        .clients
        .iter()
        .find(|client| client.name == *name)
    {
        return Err(problem(
            format!(
                "there is a client `{name}` in `{}` already",
                client.file.display()
            ),
            "choose another name, or give it another key with `portreeve client rotate`",
        ));
    }
    if !crate::config::is_name(name) {
        return Err(problem(
            format!("`{name}` is no usable name"),
            "a name has 1 to 64 letters, digits, `-`, `_` or `.` and begins with a letter or digit",
        ));
    }
    let password = command
        .password_file
        .as_deref()
        .map(read_secret)
        .transpose()?;
    let has_key = command.san.is_none() && command.fingerprint.is_none() && password.is_none();
    let key = has_key.then(Key::random).transpose()?;
    let file = ClientFile::new(
        command,
        key.as_ref(),
        password.as_ref().map(portreeve_egress::Secret::expose),
    )?;
    let path = place.file_of(name);
    let is_told = place.change(&path, Some(&file), &crate::config::ProcessEnvironment)?;
    if let Some(key) = key {
        return show_key(name, &key, is_told, command.arguments.json);
    }
    if command.arguments.json {
        output::json(&json!({ "name": name, "in_force": is_told }))?;
    } else {
        output::line(format!("client `{name}` is there{}", when(is_told)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The only time that a key is shown.
fn show_key(name: &str, key: &Key, is_told: bool, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        output::json(&json!({ "name": name, "key": key.text(), "in_force": is_told }))?;
    } else {
        output::line(key.text())?;
        output::note(&format!(
            "this is the key of client `{name}`; it is shown only now{}",
            when(is_told)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

const fn when(is_told: bool) -> &'static str {
    if is_told {
        ", and in force"
    } else {
        ", and in force when the gateway starts"
    }
}

fn list(place: &Place, json: bool) -> anyhow::Result<ExitCode> {
    let clients = &place.outline.clients;
    if json {
        let clients: Vec<Value> = clients
            .iter()
            .map(|client| {
                json!({
                    "name": client.name,
                    "faces": client.faces,
                    "ways": client.ways,
                    "networks": client.networks,
                    "sources": client.sources,
                    "file": client.file,
                })
            })
            .collect();
        output::json(&json!({ "clients": clients }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = clients.iter().map(|client| {
        let anywhere = client.networks.is_empty();
        [
            client.name.clone(),
            client.faces.join(","),
            client.ways.join(","),
            if anywhere {
                "anywhere".to_owned()
            } else {
                client.networks.join(",")
            },
        ]
    });
    let heading = ["NAME", "FACES", "PROVED BY", "FROM"].map(str::to_owned);
    let rows: Vec<[String; 4]> = std::iter::once(heading).chain(rows).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let (first, second, third) = (width(0), width(1), width(2));
    for [name, faces, ways, networks] in &rows {
        output::line(format!(
            "{name:first$}  {faces:second$}  {ways:third$}  {networks}"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

fn problem(message: String, hint: &str) -> anyhow::Error {
    Problems::from(Problem::nowhere(message).hint(hint)).into()
}
