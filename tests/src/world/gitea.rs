//! A real Gitea with users, an organization and repositories, on a free port and with data of its own.
//!
//! What people do is done over its REST interface, with a token of theirs, and by `git push` over HTTP.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::ports::Port;
use super::servers::ServerGroup;
use super::tools::Programs;
use crate::http;

pub mod account;
pub mod pull_request;
pub mod settings;

use account::Account;

/// How long the server may take to listen. It takes a second on an idle machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(50);

/// The first user, who may do everything.
const ADMINISTRATOR: &str = "root-admin";

/// A running Gitea. It ends when it is dropped, and at the latest with this process.
#[derive(Debug)]
pub struct Gitea {
    servers: ServerGroup,
    address: String,
    administrator: Account,
    _port: Port,
    ssh: Port,
    host_key: String,
}

impl Gitea {
    /// Builds the server if need be, starts it with no users but an administrator, and returns when it answers.
    ///
    /// # Errors
    /// When it cannot be built, or does not start; the message holds the end of its log.
    pub fn start() -> Result<Self> {
        launch(&Programs::of(&["gitea"])?.path("gitea")?.to_owned())
    }

    /// Where it is, as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where a repository is read over SSH, as `ssh://git@127.0.0.1:40124/acme/shop.git`.
    #[must_use]
    pub fn ssh_url(&self, repository: &str) -> String {
        format!("ssh://{}@127.0.0.1:{}/{repository}.git", settings::SSH_USER, self.ssh.number())
    }

    /// The line of a `known_hosts` file that says which key the server has, if it has `key`; else its own.
    #[must_use]
    pub fn known_host(&self, key: Option<&str>) -> String {
        format!("[127.0.0.1]:{} {}", self.ssh.number(), key.unwrap_or(&self.host_key))
    }

    /// Lets a public key read a repository.
    ///
    /// # Errors
    /// When the key is used elsewhere.
    pub fn deploy_key(&self, repository: &str, key: &str) -> Result<()> {
        let wish = json!({ "title": "reader", "key": key, "read_only": true });
        self.administrator.post(&format!("/repos/{repository}/keys"), &wish).map(drop)
    }

    /// Who may do everything, also in the name of others.
    #[must_use]
    pub fn administrator(&self) -> &Account {
        &self.administrator
    }

    /// The end of the server's log.
    #[must_use]
    pub fn log(&self) -> String {
        self.servers.log_tails()
    }

    /// Makes a user with the address `LOGIN@example.com` and a token that may do all that the user may.
    ///
    /// # Errors
    /// When the login is taken.
    pub fn user(&self, login: &str) -> Result<Account> {
        self.user_with_token(login, &["all"])
    }

    /// Makes a user whose token has these scopes.
    ///
    /// # Errors
    /// When the login is taken, or a scope is unknown.
    pub fn user_with_token(&self, login: &str, scopes: &[&str]) -> Result<Account> {
        let email = format!("{login}@example.com");
        let made = self.administrator.post(
            "/admin/users",
            &json!({ "username": login, "email": email, "password": settings::PASSWORD, "must_change_password": false }),
        )?;
        let id = made["id"].as_u64().context("the user that was made has no id")?;
        Account::sign_in(&self.address, id, login, settings::PASSWORD, scopes)
    }

    /// Makes an organization that the administrator owns.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn organization(&self, name: &str) -> Result<()> {
        self.administrator.post("/orgs", &json!({ "username": name })).map(drop)
    }

    /// Makes an empty private repository in an organization, that takes every style of merging.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn repository(&self, organization: &str, name: &str) -> Result<()> {
        let made = json!({ "name": name, "private": true, "default_branch": "main" });
        self.administrator.post(&format!("/orgs/{organization}/repos"), &made)?;
        let styles = json!({
            "has_pull_requests": true, "allow_merge_commits": true, "allow_squash_merge": true, "allow_rebase": true,
            "allow_rebase_explicit": true, "allow_fast_forward_only_merge": true, "allow_manual_merge": true,
        });
        self.administrator.patch(&format!("/repos/{organization}/{name}"), &styles).map(drop)
    }

    /// Lets a user read, write or administer a repository.
    ///
    /// # Errors
    /// When one of them is not there.
    pub fn grant(&self, repository: &str, login: &str, permission: &str) -> Result<()> {
        let path = format!("/repos/{repository}/collaborators/{login}");
        self.administrator.put(&path, &json!({ "permission": permission }))
    }

    /// Takes that away again.
    ///
    /// # Errors
    /// When one of them is not there.
    pub fn revoke(&self, repository: &str, login: &str) -> Result<()> {
        self.administrator.delete(&format!("/repos/{repository}/collaborators/{login}"))
    }

    /// Tells `url` of what happens to branches and pull requests of a repository, signed with `secret`.
    ///
    /// # Errors
    /// When the repository is not there.
    pub fn webhook(&self, repository: &str, url: &str, secret: &str) -> Result<()> {
        let events = [
            "push",
            "create",
            "delete",
            "pull_request",
            "pull_request_sync",
            "pull_request_label",
            "pull_request_review",
        ];
        self.webhook_of(&events, repository, url, secret)
    }

    /// Tells `url` of these events in a repository, signed with `secret`.
    ///
    /// # Errors
    /// When the repository is not there.
    pub fn webhook_of(&self, events: &[&str], repository: &str, url: &str, secret: &str) -> Result<()> {
        let hook = json!({
            "type": "gitea", "active": true, "events": events,
            "config": { "url": url, "content_type": "json", "secret": secret },
        });
        self.administrator.post(&format!("/repos/{repository}/hooks"), &hook).map(drop)
    }

    /// Gives a user another login. The account stays the same one.
    ///
    /// # Errors
    /// When the new login is taken.
    pub fn rename(&self, login: &str, new: &str) -> Result<()> {
        let path = format!("/admin/users/{login}/rename");
        self.administrator.post(&path, &json!({ "new_username": new })).map(drop)
    }

    /// Deletes a user with everything that is theirs.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn delete_user(&self, login: &str) -> Result<()> {
        self.administrator.delete(&format!("/admin/users/{login}?purge=true"))
    }
}

fn launch(program: &PathBuf) -> Result<Gitea> {
    let mut servers = ServerGroup::new("gitea")?;
    let (port, ssh) = (Port::reserve()?, Port::reserve()?);
    let folder = servers.folder().to_owned();
    let resources = program.parent().context("the program lies in no folder")?;
    let configuration = folder.join("app.ini");
    std::fs::write(&configuration, settings::app_ini(&folder, resources, port.number(), ssh.number())?)?;
    let (_, host_key) = ssh_key(&folder, settings::HOST_KEY)?;
    let file = configuration.to_str().context("the temporary folder is not UTF-8")?;
    let run = |arguments: &[&str]| -> Result<String> {
        let mut command = Command::new(program);
        command.args(arguments).args(["--config", file]).env("HOME", &folder).current_dir(&folder);
        // It writes to the settings of Git that these name: see supervise.sh.
        for name in ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"] {
            command.env_remove(name);
        }
        let output = command.output().context("gitea cannot be started")?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "gitea {arguments:?} ended with {}:\n{printed}{wrong}",
            output.status
        );
        Ok(printed)
    };
    run(&["migrate"])?;
    let email = format!("{ADMINISTRATOR}@example.com");
    run(&[
        "admin",
        "user",
        "create",
        "--admin",
        "--username",
        ADMINISTRATOR,
        "--email",
        &email,
        "--password",
        settings::PASSWORD,
        "--must-change-password=false",
    ])?;
    servers.start("gitea", program, &["web", "--config", file])?;
    let address = format!("127.0.0.1:{}", port.number());
    until_it_answers(&servers, &address)?;
    let administrator = Account::sign_in(&address, 1, ADMINISTRATOR, settings::PASSWORD, &["all"])?;
    Ok(Gitea { servers, address, administrator, _port: port, ssh, host_key })
}

/// Makes an SSH key in the file `name` of a folder; returns the private key, and the public one without its comment.
///
/// # Errors
/// When `ssh-keygen` cannot be run, or the file is there.
pub fn ssh_key(folder: &Path, name: &str) -> Result<(String, String)> {
    let file = folder.join(name);
    let mut command = Command::new("ssh-keygen");
    let made = command.args(["-q", "-t", "ed25519", "-N", "", "-C", "tests", "-f"]).arg(&file).output();
    let made = made.context("ssh-keygen cannot be run: install OpenSSH")?;
    ensure!(made.status.success(), "ssh-keygen: {}", String::from_utf8_lossy(&made.stderr));
    let public = std::fs::read_to_string(file.with_extension("pub"))?;
    let public = public.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok((std::fs::read_to_string(&file)?, public))
}

fn until_it_answers(servers: &ServerGroup, address: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        match http::request(address, "GET", "/api/healthz", &[], &[]) {
            Ok(answer) if answer.status == 200 => return Ok(()),
            _ => servers.check()?,
        }
        if begun.elapsed() > DEADLINE {
            bail!("gitea does not answer after {DEADLINE:?}; the end of its log:\n{}", servers.log_tails());
        }
        thread::sleep(PAUSE);
    }
}
