//! For the demo: what people do with pull requests, over Gitea's REST interface. Who acts, and where, is read from
//! the settings `demo.gitea` (its URL), `demo.repository` and `demo.token` of the clone that it is run in.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, Subcommand};
use countersign_tests::world::gitea::account::Account;
use countersign_tests::world::gitea::pull_request::{PullRequest, Style};

/// Opens, shows, approves and merges pull requests.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Asks to merge a branch.
    Open {
        /// The branch.
        branch: String,
        /// What it is for.
        title: String,
    },
    /// Shows how a pull request stands: the statuses of its head, and what was commented.
    Show {
        /// Its number.
        number: u64,
    },
    /// Shows the statuses of a commit.
    Statuses {
        /// The commit.
        commit: String,
    },
    /// Approves what a pull request's head is now.
    Approve {
        /// Its number.
        number: u64,
    },
    /// Merges a pull request.
    Merge {
        /// Its number.
        number: u64,
    },
}

fn main() -> Result<()> {
    let verb = Arguments::parse().verb;
    let url = setting("demo.gitea")?;
    let repository = setting("demo.repository")?;
    let address = url.strip_prefix("http://").context("demo.gitea is no http URL")?.trim_end_matches('/');
    let me = Account::of_token(address, &setting("demo.token")?)?;
    let request = |number| PullRequest { by: me.clone(), repository: repository.clone(), number };
    match verb {
        Verb::Open { branch, title } => {
            let number = me.open(&repository, &branch, &title)?.number;
            println!("pull request {number}: {url}/{repository}/pulls/{number}");
        }
        Verb::Show { number } => show(&me, &request(number))?,
        Verb::Statuses { commit } => statuses(&me, &repository, &commit)?,
        Verb::Approve { number } => {
            let head = head(&request(number))?;
            request(number).approve(&head)?;
            println!("{} approved {head}", me.login);
        }
        Verb::Merge { number } => println!("merged as {}", request(number).merge(Style::Squash)?),
    }
    Ok(())
}

fn show(me: &Account, request: &PullRequest) -> Result<()> {
    statuses(me, &request.repository, &head(request)?)?;
    for (author, text) in request.comments()? {
        println!("{author} comments:");
        // What Countersign finds its own sections by is nothing for a reader.
        for line in text.lines().filter(|line| !line.starts_with("<!--")) {
            println!("{line}");
        }
    }
    Ok(())
}

fn statuses(me: &Account, repository: &str, commit: &str) -> Result<()> {
    for status in me.statuses(repository, commit)? {
        let text = |name: &str| status[name].as_str().unwrap_or("?").to_owned();
        println!("{}: {}, {}", text("context"), text("status"), text("description"));
    }
    Ok(())
}

fn head(request: &PullRequest) -> Result<String> {
    let found = request.read()?;
    Ok(found["head"]["sha"].as_str().context("the pull request has no head")?.to_owned())
}

fn setting(name: &str) -> Result<String> {
    let output = Command::new("git").args(["config", "--get", name]).output().context("git cannot be run")?;
    if !output.status.success() {
        bail!("there is no setting {name} here: run this in a clone that the demo made");
    }
    let value = String::from_utf8(output.stdout).context("the setting is not UTF-8")?;
    ensure!(!value.trim().is_empty(), "{name} is empty");
    Ok(value.trim().to_owned())
}
