//! Pushes at a pace that `git push` does not reach: the commit is made and the branch moved in this process, and the
//! server is told as the receive hook tells it.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use git2::{ObjectType, Repository, Signature};

use crate::http::Answer;
use crate::installation::Installation;
use crate::installation::http::pushed;

/// One application's repository, which only this value pushes to.
pub struct Pusher<'a> {
    installation: &'a Installation,
    name: String,
    path: PathBuf,
    pushes: u64,
}

impl<'a> Pusher<'a> {
    /// Whoever pushes to the repository of this name.
    #[must_use]
    pub fn new(installation: &'a Installation, name: &str) -> Self {
        Self { installation, name: name.to_owned(), path: installation.repository(name), pushes: 0 }
    }

    /// Moves `main` to a new commit that replaces the config map; returns the commit.
    ///
    /// # Errors
    /// When the repository cannot be written.
    pub fn commit(&mut self, map: &str) -> Result<String> {
        let repository = Repository::open_bare(&self.path)?;
        let head = repository.find_reference("refs/heads/main")?.peel_to_commit()?;
        let blob = repository.blob(map.as_bytes())?;
        let path = ["deploy", "staging", "configmap.yaml"];
        let tree = replaced(&repository, Some(head.tree()?), &path, blob)?;
        self.pushes += 1;
        let who = Signature::now("ada", "ada@example.com")?;
        let message = format!("Push {}", self.pushes);
        let tree = repository.find_tree(tree)?;
        let commit = repository.commit(Some("refs/heads/main"), &who, &who, &message, &tree, &[&head])?;
        Ok(commit.to_string())
    }

    /// Tells the server of the newest commit; `delivery` names this telling among all of this repository.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn tell(&self, delivery: &str, commit: &str) -> Result<Answer> {
        let body = pushed(&format!("{}-{delivery}", self.name), &self.name, commit).to_string();
        self.installation.webhook(body.as_bytes())
    }

    /// Pushes a config map with this greeting; returns the commit.
    ///
    /// # Errors
    /// When the repository cannot be written, or the server does not take it.
    pub fn push(&mut self, greeting: &str) -> Result<String> {
        let commit = self.commit(&config_map(greeting))?;
        let answer = self.tell(&self.pushes.to_string(), &commit)?;
        ensure!(answer.status == 200, "{} instead of 200: {}", answer.status, answer.text());
        Ok(commit)
    }
}

/// The config map of the sample with another greeting.
#[must_use]
pub fn config_map(greeting: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  labels:\n    app.kubernetes.io/name: web\ndata:\n  \
         greeting: {greeting}\n  log-level: debug\n"
    )
}

fn replaced(
    repository: &Repository,
    tree: Option<git2::Tree<'_>>,
    path: &[&str],
    blob: git2::Oid,
) -> Result<git2::Oid> {
    let (first, rest) = path.split_first().context("a path has a name")?;
    let mut builder = repository.treebuilder(tree.as_ref())?;
    if rest.is_empty() {
        builder.insert(first, blob, 0o100_644)?;
    } else {
        let inner = tree.as_ref().and_then(|tree| tree.get_name(first));
        let inner = inner.filter(|entry| entry.kind() == Some(ObjectType::Tree));
        let inner = inner.map(|entry| repository.find_tree(entry.id())).transpose()?;
        builder.insert(first, replaced(repository, inner, rest, blob)?, 0o040_000)?;
    }
    Ok(builder.write()?)
}
