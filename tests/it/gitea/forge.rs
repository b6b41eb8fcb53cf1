//! A Gitea with the sample application, and an installation that follows it.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use countersign_tests::installation::clone::WorkingClone;
use countersign_tests::installation::{Installation, PEOPLE};
use countersign_tests::world::gitea::Gitea;
use countersign_tests::world::gitea::account::Account;
use countersign_tests::world::gitea::pull_request::PullRequest;

/// The repository of the application on Gitea.
pub const SHOP: &str = "acme/shop";

/// The login that Countersign reads and reports with.
pub const COUNTERSIGN: &str = "countersign";

/// What Countersign's own token may do, and no more.
const SCOPES: [&str; 3] = ["read:user", "write:repository", "write:issue"];

/// How long something that must happen may take. It takes a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(100);

/// The deployed sample, on Gitea.
pub struct Forge {
    pub installation: Installation,
    pub gitea: Gitea,
    /// Those whose approvals count, by account: ada, grace and alan.
    pub people: Vec<Account>,
}

impl Forge {
    /// Starts both, with the sample deployed as its baseline says and its repository on Gitea.
    pub fn start() -> Result<Self> {
        let gitea = Gitea::start()?;
        gitea.organization("acme")?;
        gitea.repository("acme", "shop")?;
        let people = PEOPLE.iter().map(|name| gitea.user(name)).collect::<Result<Vec<_>>>()?;
        let countersign = gitea.user_with_token(COUNTERSIGN, &SCOPES)?;
        for person in people.iter().chain([&countersign]) {
            gitea.grant(SHOP, &person.login, "write")?;
        }
        let installation = Installation::start()?;
        let local = installation.clone("shop")?;
        local.git(&["push", "-q", &people[0].git_url(SHOP), "HEAD:refs/heads/main"])?;
        drop(local);
        let forge = Self { installation, gitea, people };
        let commit = forge.configure(&countersign)?;
        forge.installation.until_active(&commit)?;
        let url = format!("{}/webhooks/gitea", forge.installation.url());
        forge.gitea.webhook(SHOP, &url, WEBHOOK_SECRET)?;
        Ok(forge)
    }

    /// Lets Gitea tell of statuses too.
    pub fn tell_of_statuses(&self) -> Result<()> {
        let url = format!("{}/webhooks/gitea", self.installation.url());
        self.gitea.webhook_of(&["status"], SHOP, &url, WEBHOOK_SECRET)
    }

    /// Moves the application to Gitea in the control repository; returns the change's commit.
    fn configure(&self, countersign: &Account) -> Result<String> {
        let folder = self.installation.folder();
        let (token, secret) = (folder.join("gitea-token"), folder.join("gitea-webhook-secret"));
        fs::write(&token, format!("{}\n", countersign.token))?;
        fs::write(&secret, WEBHOOK_SECRET)?;
        let host = format!(
            "\nhosts:\n  gitea:\n    kind: gitea\n    url: {}\n    webhookSecret: \"file:{}\"\n    token: \"file:{}\"\n",
            self.gitea.url(),
            secret.display(),
            token.display()
        );
        self.installation.change_control("Move the shop to Gitea", |control| {
            control.replace("countersign.yaml", "\nhosts:\n", &host)?;
            for account in &self.people {
                let (name, id) = (&account.login, account.id);
                let person = format!(
                    "\n  {name}:\n    accounts: {{ gitea: {id} }}\n    emails: [{name}@example.com]\n    keys:"
                );
                control.replace("countersign.yaml", &format!("\n  {name}:\n    keys:"), &person)?;
            }
            let repository = "repository: local/shop";
            control.replace("countersign.yaml", repository, &format!("repository: gitea/{SHOP}"))?;
            control.replace("countersign.yaml", "\nrepositories:\n", &format!("\nrepositories:\n  gitea/{SHOP}: {{}}\n"))
        })
    }

    /// The account of a person.
    pub fn person(&self, name: &str) -> Result<&Account> {
        self.people.iter().find(|account| account.login == name).with_context(|| format!("nobody is {name}"))
    }

    /// A person's clone of the application.
    pub fn clone(&self, name: &str) -> Result<WorkingClone<'_>> {
        let account = self.person(name)?;
        self.installation.clone_url(&account.git_url(SHOP), &format!("gitea/{SHOP}"))
    }

    /// Pushes what is checked out to a branch, and asks to merge it.
    pub fn open(&self, name: &str, clone: &WorkingClone<'_>, branch: &str) -> Result<PullRequest> {
        clone.push_to(branch)?;
        self.person(name)?.open(SHOP, branch, &format!("{name} wants {branch}"))
    }

    /// A pull request of one commit by ada, on a branch of its own, that changes what staging greets with.
    pub fn greeting(&self, greeting: &str) -> Result<(PullRequest, String)> {
        let shop = self.clone("ada")?;
        let commit = shop.greet("ada", "staging", greeting)?;
        Ok((self.open("ada", &shop, &format!("greet-{greeting}"))?, commit))
    }

    /// Waits until the status of an environment on a commit, set by Countersign, is `state`; returns its description.
    pub fn until_status(&self, commit: &str, environment: &str, state: &str) -> Result<String> {
        let context = format!("countersign/{environment}");
        self.until(&format!("{context} on {commit} is {state}"), || {
            let status = self.gitea.administrator().status_by(SHOP, commit, &context, COUNTERSIGN)?;
            ensure!(status["status"] == state, "it is {status}");
            Ok(status["description"].as_str().unwrap_or_default().to_owned())
        })
    }

    /// Waits until the one comment of Countersign on a pull request holds all of `texts`; returns it.
    pub fn until_comment(&self, request: &PullRequest, texts: &[&str]) -> Result<String> {
        self.until(&format!("the comment on {} says {texts:?}", request.number), || {
            request.comment_by(COUNTERSIGN, texts)
        })
    }

    /// Waits until `look` succeeds.
    pub fn until<T>(&self, what: &str, look: impl Fn() -> Result<T>) -> Result<T> {
        let begun = Instant::now();
        loop {
            match look() {
                Ok(found) => return Ok(found),
                Err(error) if begun.elapsed() > PATIENCE => bail!(
                    "waited in vain: {what} ({error:#})\nthe log of serve:\n{}\nthe log of gitea:\n{}",
                    self.installation.log(),
                    self.gitea.log()
                ),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Approves a commit by a statement signed with a person's own key, which needs no forge.
    pub fn approve_signed(&self, name: &str, commit: &str) -> Result<()> {
        let url = self.installation.url();
        self.clone(name)?.say(name, &["approve", commit, "--server", &url]).map(drop)
    }

    /// How many webhooks of Gitea were taken so far.
    fn taken(&self) -> usize {
        self.installation.log().matches("webhook host=\"gitea\"").count()
    }

    /// Lets something happen that Gitea tells of, and waits until all that follows from it is done.
    pub fn until_settled<T>(&self, happens: impl FnOnce() -> Result<T>) -> Result<T> {
        let before = self.taken();
        let happened = happens()?;
        self.until("Gitea tells of it", || {
            ensure!(self.taken() > before, "it does not");
            Ok(())
        })?;
        self.until("all queues are empty", || {
            let status = self.installation.status()?;
            let queues = status["queues"].as_array().cloned().unwrap_or_default();
            let waits = |queue: &&serde_json::Value| {
                ["visible", "inFlight", "delayed"].iter().any(|what| queue[*what] != 0)
            };
            let waiting: Vec<_> = queues.iter().filter(waits).collect();
            ensure!(waiting.is_empty(), "{waiting:?} are not");
            Ok(())
        })?;
        Ok(happened)
    }
}

/// What Gitea signs its webhooks with.
const WEBHOOK_SECRET: &str = "a webhook secret for tests";
