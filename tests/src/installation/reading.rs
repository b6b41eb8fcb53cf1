//! How an installation stands, as its commands and its reports tell.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{Installation, PATIENCE, PAUSE, output};

impl Installation {
    /// What `countersign status` prints.
    ///
    /// # Errors
    /// When it fails.
    pub fn status(&self) -> Result<Value> {
        self.json(&["status", "--data", "data"])
    }

    /// The state of a target in `countersign status`; null if it was never looked at.
    ///
    /// # Errors
    /// When the command fails, or knows no such target.
    pub fn target(&self, target: &str) -> Result<Value> {
        let status = self.status()?;
        let targets = status["targets"].as_array().context("status has no targets")?;
        let found = targets.iter().find(|one| one["target"] == target);
        Ok(found.with_context(|| format!("status does not know {target}"))?["state"].clone())
    }

    /// What the log says happened, the newest first.
    ///
    /// # Errors
    /// When `countersign history` fails.
    pub fn history(&self) -> Result<Vec<Value>> {
        let history = self.json(&["history", "--data", "data", "--limit", "1000000"])?;
        Ok(history["entries"].as_array().context("history has no entries")?.clone())
    }

    /// Waits until `look` finds something. What it fails with meanwhile is shown if the wait is in vain.
    ///
    /// # Errors
    /// When it finds nothing in time.
    pub fn until<T>(&self, what: &str, look: impl Fn() -> Result<Option<T>>) -> Result<T> {
        self.until_within(PATIENCE, what, look)
    }

    /// As [`Installation::until`], for something that takes its time.
    ///
    /// # Errors
    /// As [`Installation::until`].
    pub fn until_within<T>(
        &self,
        patience: Duration,
        what: &str,
        look: impl Fn() -> Result<Option<T>>,
    ) -> Result<T> {
        let begun = Instant::now();
        loop {
            let found = look();
            if let Ok(Some(found)) = found {
                return Ok(found);
            }
            if begun.elapsed() > patience {
                let last = found.err().map_or_else(String::new, |error| format!(" ({error:#})"));
                bail!("waited in vain: {what}{last}\nthe log of serve:\n{}", self.log());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until a target's state is as wished; returns it.
    ///
    /// # Errors
    /// When it does not get there in time.
    pub fn until_target(&self, target: &str, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
        self.until(&format!("{target} {what}"), || Ok(Some(self.target(target)?).filter(&is)))
    }

    /// Waits until what is wanted of a target runs and is healthy; returns its state.
    ///
    /// # Errors
    /// When it does not get there in time.
    pub fn until_healthy(&self, target: &str) -> Result<Value> {
        self.until_target(target, "becomes healthy", |state| state["outcome"]["result"]["is"] == "healthy")
    }

    /// Waits until a commit runs as a target, and is healthy.
    ///
    /// # Errors
    /// When it does not get there in time.
    pub fn until_runs(&self, target: &str, commit: &str) -> Result<Value> {
        self.until_target(target, &format!("runs {commit}"), |state| {
            state["running"]["commit"] == commit && state["outcome"]["result"]["is"] == "healthy"
        })
    }

    /// The report on a commit of `shop` in an environment, once it holds every one of `texts`.
    ///
    /// # Errors
    /// When it does not say so in time; the message holds what it said last.
    pub fn reported(&self, commit: &str, environment: &str, texts: &[&str]) -> Result<String> {
        self.reported_in("shop", commit, environment, texts)
    }

    /// As [`Installation::reported`], in another repository.
    ///
    /// # Errors
    /// As [`Installation::reported`].
    pub fn reported_in(
        &self,
        repository: &str,
        commit: &str,
        environment: &str,
        texts: &[&str],
    ) -> Result<String> {
        let what = format!("the report on {commit} in {environment} says {texts:?}");
        self.until(&what, || {
            let report = self.report(repository, commit, environment)?;
            let missing: Vec<_> = texts.iter().filter(|text| !report.contains(**text)).collect();
            ensure!(missing.is_empty(), "it does not say {missing:?}:\n{report}");
            Ok(Some(report))
        })
    }

    /// The report on a commit as it is now.
    ///
    /// # Errors
    /// When there is none.
    pub fn report(&self, repository: &str, commit: &str, environment: &str) -> Result<String> {
        let reference = format!("refs/countersign/reports/{commit}:{environment}.md");
        let mut git = self.git_command();
        git.arg("-C").arg(self.repository(repository)).args(["cat-file", "blob", &reference]);
        output(&mut git)
    }
}
