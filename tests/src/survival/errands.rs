//! What is asked of an installation while it is killed, and when that is done.

use std::cell::Cell;

use anyhow::{Context as _, Result, ensure};
use countersign_core::outcome::OutcomeResult;

use super::development::{Development, now};
use crate::installation::STAGING;
use crate::installation::clone::WorkingClone;

/// The application that is pushed to.
pub(super) const PUSHED: &str = "app-0";

/// The application that is removed, and comes back.
const REMOVED: &str = "app-1";

/// A manifest whose object has another name in each round, so that the one before it is pruned.
pub(super) const EXTRA: &str = "deploy/staging/extra.yaml";

/// What is broken for a change that fails at first: its inventory is claimed by then.
const BROKEN: &str = "cluster.apply/before";

/// What is done to make the server pass points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errand {
    /// A commit is pushed, and deployed.
    Push,
    /// A commit is pushed that has one object less, which is pruned, and one more.
    Prune,
    /// A commit is pushed that the cluster does not take at first; the retry brings it.
    Retry,
    /// The branch goes back to the commit before.
    GoBack,
    /// The rules change, and become active.
    Rules,
    /// A target is held, and released.
    Hold,
    /// An application is removed, and comes back.
    Remove,
}

/// Each of them.
pub const ALL: [Errand; 7] =
    [Errand::Push, Errand::Prune, Errand::Retry, Errand::GoBack, Errand::Rules, Errand::Hold, Errand::Remove];

/// An errand that was begun.
#[derive(Debug)]
pub(super) struct Begun {
    /// When it is done.
    pub done: Done,
    /// Whether it alters the deployment of [`PUSHED`].
    pub alters: bool,
}

impl Errand {
    /// Begins it, as the `round`-th.
    pub(super) fn begin(self, world: &Development, round: u64) -> Result<Begun> {
        let done = match self {
            Self::Push | Self::Prune | Self::Retry | Self::GoBack => return self.push(world, round),
            Self::Rules => {
                let size = &world.installation.status()?["log"]["size"];
                let commit = world.installation.change_control("Say how long the log is", |control| {
                    let rules = control.read("countersign.yaml")?;
                    control.write("countersign.yaml", &format!("{rules}# The log has {size} leaves.\n"))
                })?;
                Done::Active(commit)
            }
            Self::Hold => Done::Held { accepted: Cell::new(say_hold(world)) },
            Self::Remove => {
                change_placement(world, "Remove it", PLACED, GONE)?;
                Done::Removed
            }
        };
        Ok(Begun { done, alters: false })
    }

    fn push(self, world: &Development, round: u64) -> Result<Begun> {
        let clone = world.installation.clone(PUSHED)?;
        let before = replicas(&clone)?;
        let parent = if self == Self::GoBack {
            clone.git(&["rev-parse", "-q", "--verify", "HEAD~1"]).ok()
        } else {
            None
        };
        if let Some(parent) = parent {
            clone.git(&["reset", "-q", "--hard", &parent])?;
            clone.push_forced(&parent)?;
            return Ok(Begun { alters: replicas(&clone)? != before, done: Done::Runs(parent) });
        }
        if self == Self::Prune {
            let name = format!("extra-{round}");
            clone.write(EXTRA, &format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"))?;
        }
        let commit = Development::change(&clone, round)?;
        if self == Self::Retry {
            world.installation.faults()?.break_at(BROKEN)?;
        }
        clone.push()?;
        Ok(Begun { alters: replicas(&clone)? != before, done: Done::Runs(commit) })
    }
}

fn replicas(clone: &WorkingClone<'_>) -> Result<String> {
    let text = clone.read("deploy/staging/deployment.yaml")?;
    let line = text.lines().find(|line| line.starts_with("  replicas:"));
    Ok(line.context("no replicas")?.to_owned())
}

/// Asks for a target to be held; whether the server accepted that.
fn say_hold(world: &Development) -> bool {
    let url = world.installation.url();
    let say = ["hold", STAGING, "--reason", "a kill", "--server", &url];
    world.installation.clone("shop").is_ok_and(|shop| shop.say("grace", &say).is_ok())
}

/// How an application that is there is placed, and one that is to be removed.
const PLACED: &str = "        namespaces: [app-1]\n";
const GONE: &str = "        namespaces: [app-1]\n        state: removed\n";

fn change_placement(world: &Development, why: &str, from: &str, to: &str) -> Result<String> {
    world.installation.change_control(why, |control| control.replace("countersign.yaml", from, to))
}

/// When an errand is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// When this commit of the application runs, and whoever pushed it was told.
    Runs(String),
    /// When the bundle of this commit of the control repository is active.
    Active(String),
    /// When the target is held. Whoever asks for it asks again until that is accepted, and then no more.
    Held {
        /// Whether it was.
        accepted: Cell<bool>,
    },
    /// When nothing of the application is left.
    Removed,
}

impl Done {
    /// Whether it is done. What was broken for it is mended once that was noticed.
    pub(super) fn holds(&self, world: &Development) -> Result<bool> {
        let installation = &world.installation;
        Ok(match self {
            Self::Runs(commit) => {
                mend(world, commit)?;
                let runs = world.runs(PUSHED, commit)?;
                ensure!(runs, "{:?}", world.state(PUSHED)?);
                let report = installation.report(PUSHED, commit, "development")?;
                // Its title says so also where a repeated look found nothing left to do.
                let told = report.lines().next().is_some_and(|title| title.ends_with(": deployed"));
                ensure!(told, "the report is still:\n{report}");
                true
            }
            Self::Active(commit) => installation.status()?["activeBundle"]["commit"] == commit.as_str(),
            Self::Held { accepted } => {
                let held = installation.target(STAGING)?["hold"].is_object();
                if !held && !accepted.get() {
                    accepted.set(say_hold(world));
                }
                held
            }
            Self::Removed => {
                let state = world.state(REMOVED)?;
                let result = state.and_then(|state| state.outcome).map(|outcome| outcome.result);
                ensure!(result == Some(OutcomeResult::Removed), "{REMOVED}: {result:?}");
                true
            }
        })
    }

    /// Takes back what was done, where the next errand needs that.
    pub(super) fn undo(&self, world: &Development) -> Result<()> {
        let installation = &world.installation;
        match self {
            Self::Held { .. } => {
                installation.clone("shop")?.say("grace", &["release", STAGING])?;
                installation.until_target(STAGING, "is released", |state| state["hold"].is_null()).map(drop)
            }
            Self::Removed => {
                let commit = change_placement(world, "Bring it back", GONE, PLACED)?;
                installation.until_active(&commit)?;
                world.until_runs(REMOVED, &installation.clone(REMOVED)?.head()?)
            }
            Self::Runs(_) | Self::Active(_) => Ok(()),
        }
    }
}

/// Mends what was broken once the log has a failure of this commit, and sets the clock to when it is tried again.
fn mend(world: &Development, commit: &str) -> Result<()> {
    let Some(state) = world.state(PUSHED)? else { return Ok(()) };
    let wanted = state.wanted.is_some_and(|wanted| wanted.commit.as_str() == commit);
    let failed = state.outcome.is_some_and(|outcome| outcome.result == OutcomeResult::Failed);
    let Some(due) = state.due.filter(|_| wanted && failed) else { return Ok(()) };
    let faults = world.installation.faults()?;
    faults.mend()?;
    let needed = due.as_millis().div_euclid(1000) + 1 - now().as_millis().div_euclid(1000);
    if needed > faults.ahead()? {
        faults.clock(needed)?;
    }
    Ok(())
}
