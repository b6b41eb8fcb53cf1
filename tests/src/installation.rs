//! A whole installation on this machine: the real `countersign` program, real repositories, real keys.
//!
//! What a person does is done as they do it, with `git` and with the command; nothing reaches into the
//! server. Everything lies in a temporary folder and ends with the value.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

pub mod clone;
pub mod http;
mod reading;
mod server;
pub mod witness;

use crate::survival::faults::Faults;
use crate::world::ports::Port;

use clone::WorkingClone;
use server::Server;

/// The people of an installation: each has a key, and is in the one team there is.
pub const PEOPLE: [&str; 3] = ["ada", "grace", "alan"];

/// The target that one approval suffices for.
pub const STAGING: &str = "shop/staging/local";

/// The target that asks for two approvals.
pub const PRODUCTION: &str = "shop/production/local";

/// How long something that must happen may take. It takes a fraction of a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(25);

/// An installation with the sample application `shop`.
#[derive(Debug)]
pub struct Installation {
    server: Option<Server>,
    port: Port,
    folder: TempDir,
}

impl Installation {
    /// Makes an installation with `countersign init --sample`; nothing runs yet.
    ///
    /// # Errors
    /// When a key or the installation cannot be made.
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("countersign-installation-").tempdir()?;
        let made = Self { server: None, port: Port::reserve()?, folder };
        let mut arguments = ["init", "control", "--data", "data", "--root-key", "root.pem", "--sample"]
            .map(str::to_owned)
            .to_vec();
        arguments.extend(["--listen-url".to_owned(), made.url()]);
        for person in PEOPLE {
            made.make_key(person)?;
            arguments.extend([
                "--person".to_owned(),
                person.to_owned(),
                "--key".to_owned(),
                format!("{person}.pub"),
            ]);
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        made.json(&arguments)?;
        Ok(made)
    }

    /// Makes an installation, starts it, and waits until the sample is deployed as its baseline says.
    ///
    /// # Errors
    /// When it does not get there.
    pub fn start() -> Result<Self> {
        let mut made = Self::new()?;
        made.serve()?;
        for target in [STAGING, PRODUCTION] {
            made.until_healthy(target)?;
        }
        Ok(made)
    }

    /// The folder of everything: `control`, `data`, `repositories`, `root.pem`, and each person's key.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// Makes a bare repository as another one is now, with its receive hooks.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn copy_repository(&self, from: &str, to: &str) -> Result<()> {
        let mut git = self.git_command();
        output(git.args(["clone", "-q", "--bare"]).arg(self.repository(from)).arg(self.repository(to)))?;
        self.install_hooks(to)
    }

    fn install_hooks(&self, name: &str) -> Result<()> {
        let path = self.repository(name);
        let secret = self.data().join("keys/webhook-local");
        let mut command = self.command();
        command.args(["hook", "install"]).arg(path).args(["--host", "local", "--server", &self.url()]);
        output(command.arg("--secret-file").arg(secret)).map(drop)
    }

    /// The bare repository of this name.
    #[must_use]
    pub fn repository(&self, name: &str) -> PathBuf {
        self.folder().join(format!("repositories/{name}.git"))
    }

    /// Where the server listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The address that the server listens on.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// Starts the server and returns when it takes requests.
    ///
    /// # Errors
    /// When it ends instead; the message holds the end of its log.
    pub fn serve(&mut self) -> Result<()> {
        self.serve_with(&[])
    }

    /// As [`Installation::serve`], with more arguments.
    ///
    /// # Errors
    /// As [`Installation::serve`].
    pub fn serve_with(&mut self, more: &[&str]) -> Result<()> {
        ensure!(self.server.is_none(), "the server runs already");
        let mut command = self.command();
        let control = self.repository("control");
        command.arg("serve").arg("--control").arg(control).args([
            "--data",
            "data",
            "--listen",
            &self.address(),
        ]);
        command.args(more);
        if let Some(faults) = self.faults_asked_for() {
            faults.apply_to(&mut command);
        }
        self.server = Some(Server::start(command, &self.log_file())?);
        Ok(())
    }

    /// The faults that the server suffers, once it is started after this was called for the first time.
    ///
    /// # Errors
    /// When their folder cannot be made.
    pub fn faults(&self) -> Result<Faults> {
        Faults::of(&self.folder().join("faults"))
    }

    fn faults_asked_for(&self) -> Option<Faults> {
        let asked = self.folder().join("faults").exists();
        asked.then(|| self.faults().ok()).flatten()
    }

    /// Whether the server has died of itself since it was started.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn has_died(&mut self) -> Result<bool> {
        let died = self.server.as_mut().map(Server::has_ended).transpose()?.unwrap_or(true);
        if died {
            self.server = None;
        }
        Ok(died)
    }

    /// The process of the server.
    ///
    /// # Errors
    /// When it does not run.
    pub fn server_id(&self) -> Result<u32> {
        Ok(self.server.as_ref().context("the server does not run")?.id())
    }

    /// Kills the server with SIGKILL: not one line of its own code runs after this.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.server.take().context("the server does not run")?.kill()
    }

    /// Asks the server to stop, and waits until it did.
    ///
    /// # Errors
    /// When it does not run, does not stop, or does not end well.
    pub fn stop(&mut self) -> Result<()> {
        let status = self.server.take().context("the server does not run")?.stop(PATIENCE)?;
        ensure!(status.success(), "serve ended with {status}:\n{}", self.log());
        Ok(())
    }

    /// What the server logged, in all its runs.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder().join("serve.log")
    }

    /// The `countersign` program, run in the installation's folder and without this machine's settings.
    ///
    /// # Panics
    /// When it is not built.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(program());
        self.isolate(&mut command);
        command
    }

    /// Lets a command find no settings of this machine, neither of Git nor of the person who runs the tests.
    fn isolate(&self, command: &mut Command) {
        command
            .current_dir(self.folder())
            .env("HOME", self.folder())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null());
    }

    /// Runs `countersign` to its end, however it ends.
    ///
    /// # Errors
    /// When it cannot be started, or does not end in time.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command();
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("countersign cannot be started")?;
        let begun = Instant::now();
        // What it prints is short enough for the pipes to hold it meanwhile.
        while child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                child.kill()?;
                let output = child.wait_with_output()?;
                bail!("countersign {arguments:?} did not end: {}", String::from_utf8_lossy(&output.stderr));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(child.wait_with_output()?)
    }

    /// Runs `countersign … --output json`, which must end well; returns what it printed.
    ///
    /// # Errors
    /// When it does not end well, or prints no JSON.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        printed(self.command().args(arguments).args(["--output", "json"]))
    }

    /// Clones a repository into a new folder.
    ///
    /// # Errors
    /// When it cannot be cloned.
    pub fn clone(&self, name: &str) -> Result<WorkingClone<'_>> {
        let repository = self.repository(name);
        let url = repository.to_str().context("the temporary folder is not UTF-8")?;
        WorkingClone::of(self, url, &format!("local/{name}"))
    }

    /// Clones a repository that is elsewhere, and that the control repository calls `repository`, into a new folder.
    ///
    /// # Errors
    /// When it cannot be cloned.
    pub fn clone_url(&self, url: &str, repository: &str) -> Result<WorkingClone<'_>> {
        WorkingClone::of(self, url, repository)
    }

    /// Brings a change of the control repository to `main` as it should be: proposed by ada, approved by grace.
    /// Returns its commit, which is decided soon.
    ///
    /// # Errors
    /// When a step fails.
    pub fn change_control(
        &self,
        message: &str,
        change: impl FnOnce(&WorkingClone<'_>) -> Result<()>,
    ) -> Result<String> {
        let control = self.clone("control")?;
        change(&control)?;
        let commit = control.commit_all("ada", message)?;
        control.propose("ada")?;
        control.approve("grace", &commit)?;
        control.push()?;
        Ok(commit)
    }

    /// Waits until the bundle of a commit of the control repository is active.
    ///
    /// # Errors
    /// When it does not become active in time.
    pub fn until_active(&self, commit: &str) -> Result<()> {
        self.until(&format!("the bundle of {commit} is active"), || {
            let status = self.status()?;
            let active = &status["activeBundle"]["commit"];
            ensure!(active == commit, "{active} is active");
            Ok(Some(()))
        })
    }

    fn make_key(&self, person: &str) -> Result<()> {
        let mut command = Command::new("ssh-keygen");
        self.isolate(&mut command);
        let comment = format!("{person}@example.com");
        output(command.args(["-q", "-t", "ed25519", "-N", "", "-C", &comment, "-f", person])).map(drop)
    }

    /// Runs `git`, with no settings of this machine.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn git(&self, arguments: &[&str]) -> Result<String> {
        output(self.git_command().args(arguments))
    }

    fn git_command(&self) -> Command {
        let mut command = Command::new("git");
        self.isolate(&mut command);
        command
    }
}

/// The `countersign` program that was built with these tests.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn program() -> PathBuf {
    built("countersign")
}

/// The program of this name that was built with these tests.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("a running program has a path");
    // A test lies one folder deeper than a program.
    let mut folders = tests.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let program = folders.find(|program| program.exists()).unwrap_or_else(|| tests.with_file_name(name));
    assert!(program.exists(), "{} is not built: make build", program.display());
    program
}

/// Runs a command that must end well; returns what it printed.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?} cannot be started"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        output.status.success(),
        "{command:?} ended with {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(text(&output.stdout))
}

/// Runs a command that must end well and print JSON.
fn printed(command: &mut Command) -> Result<Value> {
    let text = output(command)?;
    serde_json::from_str(&text).with_context(|| format!("{command:?} printed no JSON: {text}"))
}
