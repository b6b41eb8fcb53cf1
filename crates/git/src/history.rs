//! The part of a mirror's history that is not here yet.
//!
//! A mirror has commits whose parents were left on the server. libgit2 does not know of that: whatever walks beyond
//! such a commit finds an object missing and fails. Only then is more brought, and the question asked again. So an
//! answer either saw none of what is missing, and is the one that the whole history gives, or there is none.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::PathBuf;

use countersign_core::names::RepositoryId;
use git2::{ErrorClass, Oid};

use crate::error::GitError;
use crate::mirror::deepen::{Brought, Missing};
use crate::mirror::{Depths, GiveUp, Limits, Repositories, Source, boundary};
use crate::repository::Repository;
use crate::wire::object_id;

/// How many commits are asked for by their ids before the whole history is brought.
const MAX_ASKED: usize = 8;

/// Where more of a history comes from.
pub(crate) struct Origin {
    pub(crate) repositories: Repositories,
    pub(crate) id: RepositoryId,
    pub(crate) source: Source,
    pub(crate) limits: Limits,
    pub(crate) give_up: GiveUp,
}

/// What is known of the history of a mirror.
pub(crate) struct History {
    mirror: PathBuf,
    /// None where nothing may be asked for.
    origin: Option<Origin>,
    /// How often a walk went beyond what was here.
    steps: Cell<u32>,
    /// How many commits were asked for by their ids.
    asked: Cell<usize>,
    /// Those of them that the server does not have.
    unknown: RefCell<BTreeSet<Oid>>,
    /// Whether all that the server has was asked for.
    complete: Cell<bool>,
}

impl History {
    pub(crate) fn new(mirror: PathBuf, origin: Option<Origin>) -> Self {
        Self {
            mirror,
            origin,
            steps: Cell::default(),
            asked: Cell::default(),
            unknown: RefCell::default(),
            complete: Cell::default(),
        }
    }

    /// Whether all of it is here. A boundary that cannot be read is none that could be trusted.
    fn is_whole(&self) -> bool {
        boundary::read(&self.mirror).is_some_and(|boundary| boundary.is_empty())
    }

    /// Brings a commit that somebody named. Whether it is here then; that it is not means that the server does not
    /// have it, or leads to it from no reference.
    fn bring(&self, git: &git2::Repository, commit: Oid) -> Result<bool, GitError> {
        if self.complete.get() || self.is_whole() {
            // Another process may have brought all of it since it was looked for.
            return Ok(git.odb().is_ok_and(|odb| odb.exists(commit)));
        }
        if self.unknown.borrow().contains(&commit) {
            return Ok(false);
        }
        self.asked.set(self.asked.get() + 1);
        let depth = self.depths().filter(|_| self.asked.get() <= MAX_ASKED).map(|depths| depths.one);
        let brought = self.ask(commit, depth)?;
        if brought != Brought::Here {
            self.unknown.borrow_mut().insert(commit);
        }
        Ok(brought == Brought::Here)
    }

    /// Brings a commit that a walk came to.
    fn reach(&self, commit: Oid) -> Result<(), GitError> {
        let step = self.depths().and_then(|depths| depths.of_step(self.steps.get()));
        self.steps.set(self.steps.get() + 1);
        let mut brought = match step.filter(|_| !self.complete.get()) {
            Some(depth) => self.ask(commit, Some(depth))?,
            None => Brought::Unknown,
        };
        if brought == Brought::Unknown && !self.complete.get() {
            brought = self.ask(commit, None)?;
        }
        match (brought, &self.origin) {
            (Brought::Unknown, Some(origin)) => {
                origin.repositories.give_up(origin)?;
                Err(GitError::Retry(format!(
                    "{}: the server no longer has {commit}, which what was fetched before builds on: the mirror is made anew",
                    origin.id
                )))
            }
            _ => Ok(()),
        }
    }

    fn depths(&self) -> Option<Depths> {
        self.origin.as_ref().map(|origin| origin.repositories.depths())
    }

    fn ask(&self, commit: Oid, depth: Option<u32>) -> Result<Brought, GitError> {
        let Some(origin) = &self.origin else {
            return Err(GitError::Retry(format!(
                "{}: commit {commit} is not here, and may lie in the part of the history that was not fetched: it is fetched when the repository is read again",
                self.mirror.display()
            )));
        };
        let ask = |depth| origin.repositories.deepen(origin, Missing { commit, depth });
        if let Some(depth) = depth {
            let brought = ask(Some(depth))?;
            if brought != Brought::NotSingly {
                return Ok(brought);
            }
        }
        let brought = ask(None)?;
        self.complete.set(true);
        Ok(brought)
    }
}

impl Repository {
    /// Asks the library something about the history, which is brought as far as the answer needs it.
    pub(crate) fn reaching<T>(
        &self,
        what: impl Fn() -> String,
        ask: impl Fn() -> Result<T, git2::Error>,
    ) -> Result<T, GitError> {
        let mut last = None;
        loop {
            let error = match ask() {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let beyond = self.beyond(&error).filter(|(_, commit)| last != Some(*commit));
            let Some((history, commit)) = beyond else { return Err(self.failed(&what(), &error)) };
            last = Some(commit);
            if !self.git.odb().is_ok_and(|odb| odb.exists(commit)) {
                history.reach(commit)?;
            }
        }
    }

    /// The commit before the boundary that a failure is about, if it is about one.
    fn beyond(&self, error: &git2::Error) -> Option<(&History, Oid)> {
        let history = self.history.as_ref().filter(|_| error.class() == ErrorClass::Odb)?;
        let named = error.message().rsplit_once('(')?.1.trim_end_matches(')');
        let missing = object_id(named)?;
        let odb = self.git.odb().ok()?;
        let before = |commit: Oid| {
            let commit = self.git.find_commit(commit);
            commit.is_ok_and(|commit| commit.parent_ids().any(|parent| parent == missing))
        };
        let known = odb.exists(missing) || boundary::read(&history.mirror)?.into_iter().any(before);
        known.then_some((history, missing))
    }

    /// Whether a commit that is not here could be brought.
    pub(crate) fn brings(&self, commit: Oid) -> Result<bool, GitError> {
        self.history.as_ref().map_or(Ok(false), |history| history.bring(&self.git, commit))
    }
}

#[cfg(test)]
mod tests;
