//! An application whose repository is on a real Gitea, which is reached through a proxy: the server dies before and
//! after what it asks Gitea for, and Gitea takes its token away.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::development::Development;
use super::errands::PUSHED;
use super::invariants::{self, Account as Accounted, Ends};
use super::proxy::{Behavior, Proxy, Stop};
use crate::http;
use crate::world::gitea::Gitea;
use crate::world::gitea::account::Account;
use crate::world::gitea::pull_request::{PullRequest, Style};
use crate::world::gitea::settings::PASSWORD;

/// The repository.
pub const REPOSITORY: &str = "acme/app-0";

/// The login that Countersign reads and reports with.
pub const COUNTERSIGN: &str = "countersign";

/// All that Countersign's token has to be allowed.
pub const SCOPES: [&str; 3] = ["read:user", "write:repository", "write:issue"];

/// The status that a commit gets.
const CONTEXT: &str = "countersign/development";

const WEBHOOK_SECRET: &str = "a webhook secret for tests";

/// How long something that must happen may take, deaths included.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(50);

/// An installation that follows a repository on Gitea, and deploys without approvals.
#[derive(Debug)]
pub struct OnGitea {
    /// The installation.
    pub world: Development,
    /// The forge.
    pub gitea: Gitea,
    proxy: Proxy,
    ada: Account,
    round: u64,
    /// Every commit that somebody was told of.
    told: Vec<String>,
    merged: Vec<PullRequest>,
    /// How often the server was killed.
    pub killed: u64,
}

impl OnGitea {
    /// Starts both; what no webhook brought is looked for so often: every five seconds, or more rarely.
    ///
    /// # Errors
    /// When it does not get there.
    pub fn start(poll_seconds: u32) -> Result<Self> {
        let gitea = Gitea::start()?;
        gitea.organization("acme")?;
        gitea.repository("acme", PUSHED)?;
        let ada = gitea.user("ada")?;
        let countersign = gitea.user_with_token(COUNTERSIGN, &SCOPES)?;
        for account in [&ada, &countersign] {
            gitea.grant(REPOSITORY, &account.login, "write")?;
        }
        let world = Development::start(1)?;
        let local = world.installation.clone(PUSHED)?;
        local.git(&["push", "-q", &ada.git_url(REPOSITORY), "HEAD:refs/heads/main"])?;
        drop(local);
        until_pushed(&gitea)?;
        let proxy = Proxy::before_url(&gitea.url())?;
        let (told, merged) = (Vec::new(), Vec::new());
        let made = Self { world, gitea, proxy, ada, round: 0, told, merged, killed: 0 };
        made.set_token(&countersign.token)?;
        made.follow(poll_seconds)?;
        let url = format!("{}/webhooks/gitea", made.world.installation.url());
        made.gitea.webhook(REPOSITORY, &url, WEBHOOK_SECRET)?;
        Ok(made)
    }

    /// Moves the application to Gitea in the control repository.
    fn follow(&self, poll_seconds: u32) -> Result<()> {
        let installation = &self.world.installation;
        let secret = installation.folder().join("gitea-webhook-secret");
        fs::write(&secret, WEBHOOK_SECRET)?;
        let host = format!(
            "\nhosts:\n  gitea:\n    kind: gitea\n    url: {}\n    webhookSecret: \"file:{}\"\n    token: \
             \"file:{}\"\n    pollSeconds: {poll_seconds}\n",
            self.proxy.url(),
            secret.display(),
            self.token_file().display()
        );
        let commit = installation.change_control("Move it to Gitea", |control| {
            control.replace("countersign.yaml", "\nhosts:\n", &host)?;
            let person = format!(
                "\n  ada:\n    accounts: {{ gitea: {} }}\n    emails: [ada@example.com]\n    keys:",
                self.ada.id
            );
            control.replace("countersign.yaml", "\n  ada:\n    keys:", &person)?;
            let repository = format!("repository: gitea/{REPOSITORY}");
            control.replace("countersign.yaml", &format!("repository: local/{PUSHED}"), &repository)?;
            let entry = format!("\nrepositories:\n  gitea/{REPOSITORY}: {{}}\n");
            control.replace("countersign.yaml", "\nrepositories:\n", &entry)
        })?;
        installation.until_active(&commit)
    }

    fn token_file(&self) -> PathBuf {
        self.world.installation.folder().join("gitea-token")
    }

    /// Lets Countersign speak to Gitea with this token from now on.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn set_token(&self, token: &str) -> Result<()> {
        Ok(fs::write(self.token_file(), format!("{token}\n"))?)
    }

    /// Makes another token of Countersign's account that may do so much.
    ///
    /// # Errors
    /// When Gitea refuses.
    pub fn new_token(&self, name: &str, scopes: &[&str]) -> Result<String> {
        let wish = json!({ "name": name, "scopes": scopes });
        let made = self.by_password("POST", "", wish.to_string().as_bytes())?;
        let made: serde_json::Value = serde_json::from_str(&made)?;
        Ok(made["sha1"].as_str().context("the token that was made is not shown")?.to_owned())
    }

    /// Revokes a token of Countersign's account.
    ///
    /// # Errors
    /// When Gitea refuses.
    pub fn revoke_token(&self, name: &str) -> Result<()> {
        self.by_password("DELETE", &format!("/{name}"), &[]).map(drop)
    }

    fn by_password(&self, method: &str, rest: &str, body: &[u8]) -> Result<String> {
        let url = self.gitea.url();
        let address = url.strip_prefix("http://").context("Gitea is not reached over HTTP")?;
        let authorization = format!("Basic {}", STANDARD.encode(format!("{COUNTERSIGN}:{PASSWORD}")));
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let path = format!("/api/v1/users/{COUNTERSIGN}/tokens{rest}");
        let answer = http::request(address, method, &path, &headers, body)?;
        ensure!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text());
        Ok(answer.text())
    }

    /// Pushes a change to `main`; returns its commit.
    ///
    /// # Errors
    /// When it is refused.
    pub fn push(&mut self) -> Result<String> {
        self.change("main")
    }

    /// Asks to merge a change; returns its head with the pull request.
    ///
    /// # Errors
    /// When it is refused.
    pub fn propose(&mut self) -> Result<(PullRequest, String)> {
        let branch = format!("change-{}", self.round + 1);
        let head = self.change(&branch)?;
        Ok((self.ada.open(REPOSITORY, &branch, &branch)?, head))
    }

    fn change(&mut self, branch: &str) -> Result<String> {
        self.round += 1;
        let url = self.ada.git_url(REPOSITORY);
        let clone = self.world.installation.clone_url(&url, &format!("gitea/{REPOSITORY}"))?;
        let commit = Development::change(&clone, self.round)?;
        clone.push_to(branch)?;
        self.told.push(commit.clone());
        Ok(commit)
    }

    /// Merges a pull request; returns what it became.
    ///
    /// # Errors
    /// When Gitea refuses.
    pub fn merge(&mut self, request: PullRequest) -> Result<String> {
        let commit = request.merge(Style::Squash)?;
        self.told.push(commit.clone());
        self.merged.push(request);
        Ok(commit)
    }

    /// Whether a commit runs, and Gitea shows that.
    ///
    /// # Errors
    /// Says what it shows instead.
    pub fn is_deployed(&self, commit: &str) -> Result<()> {
        ensure!(self.world.runs(PUSHED, commit)?, "{:?}", self.world.state(PUSHED)?);
        let status = self.gitea.administrator().status_by(REPOSITORY, commit, CONTEXT, COUNTERSIGN)?;
        let description = status["description"].as_str().unwrap_or_default();
        ensure!(status["status"] == "success" && description.starts_with("deployed"), "it shows {status}");
        Ok(())
    }

    /// Waits until `look` succeeds. Where the proxy stopped at a request meanwhile, the server is killed and started.
    ///
    /// # Errors
    /// When it does not succeed in time; the message says what it found last.
    pub fn until(&mut self, what: &str, look: impl Fn(&Self) -> Result<()>) -> Result<()> {
        let begun = Instant::now();
        loop {
            if self.proxy.has_stopped() {
                self.world.installation.kill()?;
                self.killed += 1;
                self.proxy.behave(Behavior::Well);
                self.world.installation.serve()?;
            }
            match look(self) {
                Ok(()) => return Ok(()),
                Err(error) if begun.elapsed() > PATIENCE => bail!(
                    "waited in vain: {what} ({error:#})\nthe log of serve:\n{}\nthe log of gitea:\n{}",
                    self.world.installation.log(),
                    self.gitea.log()
                ),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Has a change proposed, previewed, merged, deployed and told, and kills the server at a request on the way;
    /// whether there were as many.
    ///
    /// # Errors
    /// When it does not end as if nothing had happened.
    pub fn dies_at(&mut self, stop: Stop) -> Result<bool> {
        let before = self.killed;
        self.proxy.stop_at(stop);
        let (request, _) = self.propose()?;
        let previewed = request.clone();
        let preview = |_: &Self| previewed.comment_by(COUNTERSIGN, &["would be allowed"]).map(drop);
        self.until("it is previewed", preview).with_context(|| format!("{stop:?}"))?;
        let commit = self.merge(request.clone())?;
        let deployed = |this: &Self| {
            this.is_deployed(&commit)?;
            request.comment_by(COUNTERSIGN, &["# app-0 in development: deployed"]).map(drop)
        };
        self.until("it is deployed", deployed).with_context(|| format!("{stop:?}"))?;
        self.proxy.behave(Behavior::Well);
        Ok(self.killed > before)
    }

    /// Stops the server, and checks all that must hold: also that Gitea shows nothing as pending, and one comment for
    /// each pull request.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn end(mut self) -> Result<Accounted> {
        self.until("all queues are empty", |this| {
            ensure!(invariants::is_drained(&this.world.installation)?, "they are not");
            Ok(())
        })?;
        self.world.installation.stop()?;
        for request in &self.merged {
            request.comment_by(COUNTERSIGN, &["# app-0 in development: deployed"])?;
        }
        for commit in &self.told {
            let statuses = self.gitea.administrator().statuses(REPOSITORY, commit)?;
            ensure!(statuses.iter().all(|status| status["status"] != "pending"), "{commit}: {statuses:?}");
        }
        let deployment = self.world.object(PUSHED, "apps/v1", "Deployment")?;
        let generation = deployment["metadata"]["generation"].as_u64();
        ensure!(generation == Some(1 + self.round), "{} changes came to {generation:?}", self.round);
        invariants::check(&self.world.installation, Ends::Once)
    }
}

/// Waits until Gitea knows what was pushed: it learns of that a moment later, and says meanwhile that an empty repository
/// has no pull requests. It is asked rarely: asked forty times a second, it once stopped answering for a minute.
fn until_pushed(gitea: &Gitea) -> Result<()> {
    let begun = Instant::now();
    let path = format!("/repos/{REPOSITORY}");
    while begun.elapsed() < PATIENCE {
        std::thread::sleep(10 * PAUSE);
        if gitea.administrator().get(&path).is_ok_and(|repository| repository["empty"] == false) {
            return Ok(());
        }
    }
    bail!("Gitea takes no notice of the first push:\n{}", gitea.log())
}
