//! Bases in other repositories: of those that the configuration allows, at the commits that they are pinned to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use countersign_core::configuration::{Configuration, TargetConfiguration};
use countersign_core::names::{CommitId, RepositoryId};
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::Store;
use countersign_core::stage::StageError;
use countersign_git::error::GitError;
use countersign_git::mirror::{Repositories, Source};
use countersign_git::tree::KeptTree;
use countersign_render::remote::{Found, NotFound, RemoteBase, Remotes};

use crate::Gatherer;
use crate::preview::Content;
use crate::reading::{Made, Reading, of_git};

/// The most commits of other repositories that the targets of one event may be built on.
const MAX_BASES: usize = 50;

/// A commit of another repository.
type Pinned = (RepositoryId, CommitId);

/// The repository of `configuration` that a base is in, and its folder there.
///
/// # Errors
/// When no repository there has it, or the one that does gives no bases to others.
pub fn allowed(configuration: &Configuration, base: &RemoteBase) -> Result<(RepositoryId, String), NotFound> {
    let mut closed = None;
    let mut found: Option<(RepositoryId, String)> = None;
    for (id, repository) in &configuration.repositories {
        let url = configuration.git_url(id);
        let Some(folder) = url.and_then(|url| base.folder_in(&url)) else { continue };
        if !repository.bases {
            closed = Some(id);
        } else if found.as_ref().is_none_or(|(_, other)| folder.len() < other.len()) {
            found = Some((id.clone(), folder));
        }
    }
    found.ok_or_else(|| match closed {
        Some(id) => NotFound::new(
            format!("the repository {id} gives no bases to others"),
            "let its entry under repositories in countersign.yaml say `bases: true`, or copy the base here",
        ),
        None => NotFound::new(
            format!("the remote base {:?} is in no repository of countersign.yaml", base.url),
            "name its repository there, under repositories, with `bases: true`, or copy the base here",
        ),
    })
}

/// What renders may be built on, as far as it is here. What is not is noted, fetched, and asked for again.
pub struct Bases<'a> {
    configuration: &'a Configuration,
    repositories: Repositories,
    missing: RefCell<BTreeSet<Pinned>>,
    /// What was looked for in vain, and why.
    failed: RefCell<BTreeMap<Pinned, NotFound>>,
}

impl<'a> Bases<'a> {
    pub(crate) fn new(configuration: &'a Configuration, repositories: &Repositories) -> Self {
        Self {
            configuration,
            repositories: repositories.clone(),
            missing: RefCell::default(),
            failed: RefCell::default(),
        }
    }

    /// The files of a commit that is here and may be used.
    fn open(&self, (id, commit): &Pinned) -> Option<KeptTree> {
        let url = self.configuration.git_url(id)?;
        let source = Source { url, credential: None, also: Vec::new() };
        let repository = self.repositories.open(id, &source).ok()?;
        let usable = repository.is_on_reference(commit).ok()?;
        repository.into_tree(commit).ok().filter(|_| usable)
    }

    /// Why a commit is not used, after its repository was fetched.
    fn why_not(&self, pinned: &Pinned) -> Option<NotFound> {
        let (id, commit) = pinned;
        if self.open(pinned).is_some() {
            return None;
        }
        // What only a pull request brought may be anyone's, and would pass for the repository's own.
        Some(NotFound::new(
            format!("the commit {commit} is on no branch and under no tag of {id}"),
            "pin the base to a commit that is on a branch or under a tag there",
        ))
    }

    fn take_missing(&self) -> BTreeSet<Pinned> {
        self.missing.take()
    }
}

impl Remotes for Bases<'_> {
    fn find(&self, base: &RemoteBase) -> Result<Found, NotFound> {
        let (id, folder) = allowed(self.configuration, base)?;
        let commit = base.commit.parse().map_err(|error| {
            NotFound::new(format!("{error}"), "pin the base to the id of a commit, with 40 digits")
        })?;
        let pinned = (id, commit);
        if let Some(why) = self.failed.borrow().get(&pinned) {
            return Err(why.clone());
        }
        if let Some(tree) = self.open(&pinned) {
            return Ok(Found { repository: pinned.0.to_string(), tree: Box::new(tree), folder });
        }
        let why = NotFound::new(format!("the base of {} is not fetched yet", pinned.0), "look again");
        self.missing.borrow_mut().insert(pinned);
        Err(why)
    }
}

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// What a target renders to in `content`. Bases that are not here are fetched, until none is missing.
    pub(crate) async fn rendered(
        &self,
        reading: &Reading<'_>,
        target: &TargetConfiguration<'_>,
        content: &Content<'_>,
    ) -> Result<Made, StageError> {
        loop {
            let made = reading.render(target, content, self.budget)?;
            let missing = reading.bases.take_missing();
            if missing.is_empty() {
                return Ok(made);
            }
            // Each turn finds each of these, or says for good why it does not.
            self.bring_bases(reading, missing).await?;
        }
    }

    async fn bring_bases(&self, reading: &Reading<'_>, missing: BTreeSet<Pinned>) -> Result<(), StageError> {
        let mut repositories: BTreeMap<RepositoryId, Vec<&CommitId>> = BTreeMap::new();
        for (id, commit) in &missing {
            repositories.entry(id.clone()).or_default().push(commit);
        }
        let mut refused: BTreeMap<RepositoryId, String> = BTreeMap::new();
        for (id, commits) in repositories {
            let source = self.source(reading.active, &id).await?;
            let fetched = self.fetch(&id, &source).and_then(|repository| {
                // What shows that they may be used is fetched too.
                let brought = |commit| match repository.is_on_reference(commit) {
                    Ok(_) | Err(GitError::Gone(_)) => Ok(()),
                    Err(error) => Err(error),
                };
                commits.into_iter().try_for_each(brought)
            });
            match fetched {
                Ok(()) => {}
                Err(error @ GitError::Retry(_)) => return Err(of_git(error)),
                Err(error) => {
                    refused.insert(id, error.to_string());
                }
            }
        }
        let mut failed = reading.bases.failed.borrow_mut();
        for pinned in missing {
            let why = match refused.get(&pinned.0) {
                Some(error) => Some(NotFound::new(
                    format!("the base of {} cannot be read: {error}", pinned.0),
                    "check the repository's url and token in countersign.yaml",
                )),
                None if failed.len() >= MAX_BASES => Some(NotFound::new(
                    format!("more than {MAX_BASES} commits of other repositories are missing"),
                    "pin bases of one repository to one commit",
                )),
                None => reading.bases.why_not(&pinned),
            };
            failed.extend(why.map(|why| (pinned, why)));
        }
        Ok(())
    }
}
