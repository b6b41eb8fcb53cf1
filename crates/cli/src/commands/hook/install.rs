//! `countersign hook install`: two small scripts that call this program.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use clap::Args;
use countersign_core::names::{HostName, RepositoryId, RepositoryPath};
use serde_json::json;

use crate::commands::server;
use crate::output::Printed;

/// Arguments of `hook install`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  countersign hook install /srv/git/shop.git --host local \\\n    \
    --server http://127.0.0.1:7466 --secret-file /var/lib/countersign/keys/webhook-local")]
pub struct InstallArguments {
    /// The bare repository.
    #[arg(value_name = "REPOSITORY")]
    pub repository: PathBuf,
    /// The host's name in countersign.yaml.
    #[arg(long, value_name = "NAME")]
    pub host: HostName,
    /// The repository's path on that host in countersign.yaml [default: the folder's name without `.git`].
    #[arg(long, value_name = "PATH")]
    pub path: Option<RepositoryPath>,
    /// Where `countersign serve` listens.
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// The file that holds the host's webhook secret. Whoever pushes here must be able to read it.
    #[arg(long, value_name = "FILE")]
    pub secret_file: PathBuf,
}

/// What the hooks of one repository say.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The repository's folder.
    pub path: PathBuf,
    /// Its name in `countersign.yaml`.
    pub id: RepositoryId,
    /// The server that is told.
    pub server: String,
    /// The secret that what it is told is signed with; an absolute path.
    pub secret_file: PathBuf,
}

/// Installs the hooks.
///
/// # Errors
/// When the repository or the secret is not there, or another hook is.
pub fn run(arguments: &InstallArguments) -> anyhow::Result<Printed> {
    let path = match &arguments.path {
        Some(path) => path.clone(),
        None => name_of(&arguments.repository)?,
    };
    let secret_file = std::path::absolute(&arguments.secret_file)?;
    server::read_secret(&secret_file)?;
    let installation = Installation {
        path: arguments.repository.clone(),
        id: RepositoryId { host: arguments.host.clone(), path },
        server: server::base(&arguments.server)?,
        secret_file,
    };
    let hooks = install(&installation)?;
    let list: Vec<_> = hooks.iter().map(|(path, done)| format!("{done} {}", path.display())).collect();
    let text = format!("{}\nthis repository is {} to Countersign", list.join("\n"), installation.id);
    let hooks: Vec<_> = hooks.iter().map(|(path, done)| json!({ "path": path, "action": done })).collect();
    let document = json!({ "repository": installation.id, "server": installation.server, "hooks": hooks });
    Printed::done(text, &document)
}

/// The name of a repository's folder, without `.git`.
fn name_of(folder: &Path) -> anyhow::Result<RepositoryPath> {
    let place = folder.display();
    let folder = folder.canonicalize().with_context(|| format!("{place}: there is no such folder"))?;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.strip_suffix(".git").unwrap_or(name);
    name.parse().with_context(|| format!("{place}: give the repository's path on its host with --path"))
}

/// Writes both scripts, or neither; each with what was done: `created` or `unchanged`.
///
/// # Errors
/// When this is no repository, when there are other hooks, or a script cannot be written.
pub fn install(installation: &Installation) -> anyhow::Result<Vec<(PathBuf, &'static str)>> {
    let folder = hooks_folder(&installation.path)?;
    let program = std::env::current_exe().context("this program does not know where it is installed")?;
    let scripts = scripts(installation, &program)?;
    let mut missing = Vec::new();
    let mut done = Vec::new();
    for (name, script) in scripts {
        let path = folder.join(name);
        match fs::read_to_string(&path) {
            Ok(found) if found == script => done.push((path, "unchanged")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => missing.push((path, script)),
            Ok(_) | Err(_) => return Err(in_the_way(&path, &script)),
        }
    }
    fs::create_dir_all(&folder)
        .with_context(|| format!("{}: the folder cannot be made", folder.display()))?;
    for (path, script) in missing {
        let written = OpenOptions::new().write(true).create_new(true).mode(0o755).open(&path);
        written
            .and_then(|mut file| file.write_all(script.as_bytes()))
            .with_context(|| format!("{}: the hook cannot be written", path.display()))?;
        done.push((path, "created"));
    }
    done.sort();
    Ok(done)
}

/// Where Git looks for the hooks of a repository.
fn hooks_folder(path: &Path) -> anyhow::Result<PathBuf> {
    let place = path.display();
    let repository = git2::Repository::open(path)
        .map_err(|_| anyhow!("{place}: no Git repository: make one with git init --bare {place}"))?;
    if !repository.is_bare() {
        bail!("{place}: not a bare repository: people push to bare ones, make one with git clone --bare");
    }
    let configured = repository.config().and_then(|mut config| config.snapshot()?.get_path("core.hooksPath"));
    Ok(match configured {
        Ok(folder) => repository.path().join(folder),
        Err(_) => repository.path().join("hooks"),
    })
}

fn in_the_way(path: &Path, script: &str) -> anyhow::Error {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let command = script.lines().last().unwrap_or_default();
    let command = command.strip_prefix("exec ").unwrap_or(command);
    let chain = if name == "pre-receive" {
        format!("    updates=$(cat)\n    printf '%s\\n' \"$updates\" | {command} || exit 1")
    } else {
        format!("    updates=$(cat)\n    printf '%s\\n' \"$updates\" | {command}")
    };
    anyhow!(
        "{}: another hook is installed, and was left as it is. Move it away and install again, or let it call this \
         one (both must read the same lines):\n{chain}",
        path.display()
    )
}

/// The name and the text of each script.
fn scripts(installation: &Installation, program: &Path) -> anyhow::Result<[(&'static str, String); 2]> {
    let (program, id) = (quoted(path_text(program)?)?, quoted(&installation.id.to_string())?);
    let (server, secret) = (quoted(&installation.server)?, quoted(path_text(&installation.secret_file)?)?);
    let head = "#!/bin/sh\n# Written by countersign hook install.";
    Ok([
        (
            "pre-receive",
            format!(
                "{head} Statements are only ever added, and nobody pushes reports.\n\
                 exec {program} hook pre-receive --repository {id}\n"
            ),
        ),
        (
            "post-receive",
            format!(
                "{head} A server that does not answer fails no push.\n\
                 exec {program} hook post-receive --repository {id} --server {server} --secret-file {secret}\n"
            ),
        ),
    ])
}

fn path_text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().ok_or_else(|| anyhow!("{}: the path is not UTF-8: move it", path.display()))
}

/// A word that the shell takes as it is.
fn quoted(word: &str) -> anyhow::Result<String> {
    ensure!(
        !word.contains(['\'', '\n']),
        "{word:?} holds a quote or a line break, which a hook script cannot: rename it"
    );
    Ok(format!("'{word}'"))
}

#[cfg(test)]
mod tests;
