//! A person's clone of a repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Installation, output, printed};

/// A clone, in a folder of its own.
#[derive(Debug)]
pub struct WorkingClone<'a> {
    installation: &'a Installation,
    folder: PathBuf,
}

impl<'a> WorkingClone<'a> {
    /// A clone of the repository at `url`, which the control repository calls `repository`.
    pub(super) fn of(installation: &'a Installation, url: &str, repository: &str) -> Result<Self> {
        let place = tempfile::Builder::new().prefix("clone-").tempdir_in(installation.folder())?;
        // It goes with the installation's folder, so that a failed test can be looked into as a whole.
        let folder = place.keep();
        let mut git = installation.git_command();
        output(git.args(["clone", "-q", url]).arg(&folder))?;
        let clone = Self { installation, folder };
        clone.git(&["config", "gpg.format", "ssh"])?;
        clone.git(&["config", "countersign.repository", repository])?;
        Ok(clone)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs `git` in it.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn git(&self, arguments: &[&str]) -> Result<String> {
        let mut git = self.installation.git_command();
        let printed = output(git.current_dir(&self.folder).args(arguments))?;
        Ok(printed.trim_end().to_owned())
    }

    /// Runs `git` as a person, who signs.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn git_as(&self, person: &str, arguments: &[&str]) -> Result<String> {
        let key = self.key(person);
        let settings = [
            format!("user.name={person}"),
            format!("user.email={person}@example.com"),
            format!("user.signingKey={}", key.display()),
            "commit.gpgSign=true".to_owned(),
        ];
        let settings = settings.iter().flat_map(|setting| ["-c", setting.as_str()]);
        let all: Vec<_> = settings.chain(arguments.iter().copied()).collect();
        self.git(&all)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.folder.join(path)).with_context(|| path.to_owned())
    }

    /// Writes a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text).with_context(|| path.display().to_string())
    }

    /// Replaces a text in a file that holds it.
    ///
    /// # Errors
    /// When the file does not hold it.
    pub fn replace(&self, path: &str, from: &str, to: &str) -> Result<()> {
        let text = self.read(path)?;
        anyhow::ensure!(text.contains(from), "{path} does not hold {from:?}:\n{text}");
        self.write(path, &text.replace(from, to))
    }

    /// Commits everything, signed by a person; returns the commit.
    ///
    /// # Errors
    /// When nothing changed, or git fails.
    pub fn commit_all(&self, person: &str, message: &str) -> Result<String> {
        self.git(&["add", "--all"])?;
        self.git_as(person, &["commit", "-q", "-m", message])?;
        self.head()
    }

    /// Changes what `web` greets with in an environment, and commits that; returns the commit.
    ///
    /// # Errors
    /// As [`WorkingClone::commit_all`].
    pub fn greet(&self, person: &str, environment: &str, greeting: &str) -> Result<String> {
        let path = format!("deploy/{environment}/configmap.yaml");
        let text = self.read(&path)?;
        let line = text.lines().find(|line| line.trim_start().starts_with("greeting:"));
        let line = line.with_context(|| format!("{path} greets nobody"))?.to_owned();
        self.replace(&path, &line, &format!("  greeting: {greeting}"))?;
        self.commit_all(person, &format!("Greet with {greeting} in {environment}"))
    }

    /// The commit that is checked out.
    ///
    /// # Errors
    /// When git fails.
    pub fn head(&self) -> Result<String> {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Pushes what is checked out to `main`.
    ///
    /// # Errors
    /// When it is refused.
    pub fn push(&self) -> Result<()> {
        self.git(&["push", "-q", "origin", "HEAD:refs/heads/main"]).map(drop)
    }

    /// Pushes what is checked out to a branch, whatever was there.
    ///
    /// # Errors
    /// When it is refused.
    pub fn push_to(&self, branch: &str) -> Result<()> {
        self.git(&["push", "-q", "--force", "origin", &format!("HEAD:refs/heads/{branch}")]).map(drop)
    }

    /// Moves `main` to a commit that it need not descend from.
    ///
    /// # Errors
    /// When it is refused.
    pub fn push_forced(&self, commit: &str) -> Result<()> {
        self.git(&["push", "-q", "--force", "origin", &format!("{commit}:refs/heads/main")]).map(drop)
    }

    /// Proposes what is checked out for `main`; returns the statement's digest.
    ///
    /// # Errors
    /// When it cannot be proposed.
    pub fn propose(&self, person: &str) -> Result<String> {
        self.say(person, &["propose"])
    }

    /// Approves a commit; returns the statement's digest.
    ///
    /// # Errors
    /// When it cannot be approved.
    pub fn approve(&self, person: &str, commit: &str) -> Result<String> {
        self.say(person, &["approve", commit])
    }

    /// Lets a person sign a statement with the command; returns the statement's digest.
    ///
    /// # Errors
    /// When the command does not end well.
    pub fn say(&self, person: &str, arguments: &[&str]) -> Result<String> {
        let mut command = self.countersign();
        let document: Value =
            printed(command.args(arguments).arg("--key").arg(self.key(person)).args(["--output", "json"]))?;
        Ok(document["statement"].as_str().context("the document names no statement")?.to_owned())
    }

    /// The `countersign` program, run in the clone.
    #[must_use]
    pub fn countersign(&self) -> Command {
        let mut command = self.installation.command();
        command.current_dir(&self.folder);
        command
    }

    fn key(&self, person: &str) -> PathBuf {
        self.installation.folder().join(person)
    }
}
