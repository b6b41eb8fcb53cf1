//! What people do with pull requests.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::account::Account;

/// How long the server may take until it knows whether a pull request can be merged.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(50);

/// A pull request, as one person sees it.
#[derive(Clone, Debug)]
pub struct PullRequest {
    /// Who acts.
    pub by: Account,
    /// The repository that it asks to change, as `acme/shop`.
    pub repository: String,
    /// Its number.
    pub number: u64,
}

/// How a pull request becomes a part of its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A commit with two parents.
    Merge,
    /// One commit with the tree of all.
    Squash,
    /// A copy of each commit.
    Rebase,
    /// The very commits.
    FastForward,
}

impl Style {
    /// The name that the server has for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Squash => "squash",
            Self::Rebase => "rebase",
            Self::FastForward => "fast-forward-only",
        }
    }
}

impl Account {
    /// Asks to bring the branch `head` (`LOGIN:BRANCH` for one of a fork) into `main`.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn open(&self, repository: &str, head: &str, title: &str) -> Result<PullRequest> {
        let wish = json!({ "head": head, "base": "main", "title": title });
        let begun = Instant::now();
        // The server learns of a pushed branch a moment after the push has ended, and knows no such branch before.
        let made = loop {
            match self.post(&format!("/repos/{repository}/pulls"), &wish) {
                Err(error) if format!("{error:#}").contains(" 404") && begun.elapsed() < PATIENCE => {
                    thread::sleep(PAUSE);
                }
                answer => break answer?,
            }
        };
        let number = made["number"].as_u64().context("the pull request has no number")?;
        Ok(PullRequest { by: self.clone(), repository: repository.to_owned(), number })
    }
}

impl PullRequest {
    /// The same pull request, with another person acting.
    #[must_use]
    pub fn seen_by(&self, other: &Account) -> Self {
        Self { by: other.clone(), ..self.clone() }
    }

    fn path(&self, rest: &str) -> String {
        format!("/repos/{}/pulls/{}{rest}", self.repository, self.number)
    }

    fn issue(&self, rest: &str) -> String {
        format!("/repos/{}/issues/{}{rest}", self.repository, self.number)
    }

    /// What the server says of it.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn read(&self) -> Result<Value> {
        self.by.get(&self.path(""))
    }

    /// Approves `commit`; returns the review's number.
    ///
    /// # Errors
    /// When the server refuses, as it does an approval by who opened it.
    pub fn approve(&self, commit: &str) -> Result<u64> {
        self.review("APPROVED", commit)
    }

    /// Asks for changes; returns the review's number.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn request_changes(&self, commit: &str) -> Result<u64> {
        self.review("REQUEST_CHANGES", commit)
    }

    fn review(&self, event: &str, commit: &str) -> Result<u64> {
        let review = json!({ "event": event, "commit_id": commit, "body": "I read it" });
        let made = self.by.post(&self.path("/reviews"), &review)?;
        made["id"].as_u64().context("the review has no number")
    }

    /// Takes a review away.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn dismiss(&self, review: u64) -> Result<()> {
        let why = json!({ "message": "no longer true" });
        self.by.post(&self.path(&format!("/reviews/{review}/dismissals")), &why).map(drop)
    }

    /// Adds a label, which is made if there is none of that name.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn label(&self, name: &str) -> Result<()> {
        let labels = format!("/repos/{}/labels", self.repository);
        let found = self.by.get(&labels)?;
        let known = found.as_array().into_iter().flatten().find(|label| label["name"] == name);
        let id = match known {
            Some(label) => label["id"].clone(),
            None => self.by.post(&labels, &json!({ "name": name, "color": "#00aabb" }))?["id"].clone(),
        };
        self.by.post(&self.issue("/labels"), &json!({ "labels": [id] })).map(drop)
    }

    /// Closes it without merging.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn close(&self) -> Result<()> {
        self.by.patch(&self.path(""), &json!({ "state": "closed" })).map(drop)
    }

    /// Merges it; returns the commit that its base is at afterwards.
    ///
    /// # Errors
    /// When the server refuses, for good or for too long.
    pub fn merge(&self, style: Style) -> Result<String> {
        let begun = Instant::now();
        let wish = json!({ "do": style.name(), "delete_branch_after_merge": true });
        while let Err(error) = self.by.post(&self.path("/merge"), &wish) {
            // The server looks for conflicts in the background, and refuses until it knows.
            let text = format!("{error:#}");
            if begun.elapsed() > PATIENCE || !(text.contains("answered 405") || text.contains("try again")) {
                bail!("it cannot be merged by {}: {text}", style.name());
            }
            thread::sleep(PAUSE);
        }
        let base = self.by.get(&format!("/repos/{}/branches/main", self.repository))?;
        Ok(base["commit"]["id"].as_str().context("the base has no commit")?.to_owned())
    }

    /// The comments on it, with who wrote each.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn comments(&self) -> Result<Vec<(String, String)>> {
        let found = self.by.get(&self.issue("/comments"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let each = found.as_array().into_iter().flatten();
        Ok(each.map(|comment| (text(&comment["user"]["login"]), text(&comment["body"]))).collect())
    }

    /// The one comment of this login on it, which must hold all of `texts`.
    ///
    /// # Errors
    /// When there are none or several, or it does not say so; the message shows what it says.
    pub fn comment_by(&self, login: &str, texts: &[&str]) -> Result<String> {
        let mut comments = self.comments()?;
        comments.retain(|(author, _)| author == login);
        ensure!(comments.len() == 1, "there are {} comments, not one: {comments:?}", comments.len());
        let (_, text) = comments.remove(0);
        let missing: Vec<_> = texts.iter().filter(|part| !text.contains(**part)).collect();
        ensure!(missing.is_empty(), "it does not say {missing:?}:\n{text}");
        Ok(text)
    }
}
