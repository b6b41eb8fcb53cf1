//! One event's reading of one repository: the configuration used, the repository as fetched, evidence kept.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use countersign_core::active::BundleConfiguration;
use countersign_core::configuration::index::Followers;
use countersign_core::configuration::{HostKind, TargetConfiguration};
use countersign_core::digest::Digest;
use countersign_core::facts::{ObjectKey, Problem};
use countersign_core::names::{CommitId, FollowedRef, Reference, RepositoryId, Target};
use countersign_core::ports::forge::{Evidence, ForgeRead};
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::{self, Store, Write};
use countersign_core::review::{PullRequest, PullRequestState, Status};
use countersign_core::stage::StageError;
use countersign_core::statement::SignedStatement;
use countersign_core::{digest, keys, ports};
use countersign_git::error::GitError;
use countersign_git::mirror::{Limits, Repositories, Source};
use countersign_git::owners::places;
use countersign_git::repository::Repository;
use countersign_render::budget::Budget;
use countersign_render::rendered::{Options, Rendered, inputs, render_with};

use crate::Gatherer;
use crate::bases::Bases;
use crate::candidates::{self, Inputs};
use crate::preview::Content;

/// One event's reading.
pub struct Reading<'a> {
    /// The configuration that is active, with its bundle.
    pub active: &'a BundleConfiguration,
    /// The repository's name.
    pub id: RepositoryId,
    /// The repository as it was fetched for this event.
    pub repository: Repository,
    evidence: RefCell<BTreeMap<Vec<CommitId>, Evidence>>,
    /// What programs said, by the commit.
    pub statuses: RefCell<BTreeMap<CommitId, Vec<Status>>>,
    writes: RefCell<Vec<Write>>,
    /// The objects of decisions that were read for this event.
    pub owned: RefCell<BTreeMap<Digest, Arc<Vec<ObjectKey>>>>,
    /// Other repositories that kustomizations are built on.
    pub bases: Bases<'a>,
    /// What the targets of a ref were rendered from, and whether that is to be stored again.
    known: RefCell<BTreeMap<FollowedRef, (Inputs, bool)>>,
}

/// What a target renders to, and the paths that this depends on: its own, or whatever its kustomization reads.
pub struct Made {
    /// The objects, or what is wrong.
    pub result: Result<Rendered, Vec<Problem>>,
    /// The paths.
    pub inputs: BTreeSet<String>,
}

/// Statements by command are read in pages of this many.
const PAGE: usize = 1_000;

/// The most pull requests that `poll` is told of to look at again.
const MAX_ENDED: usize = 50;

/// Heads of pull requests that one look fetches beside branches.
const MAX_HEADS: usize = 200;

impl<'a> Reading<'a> {
    fn new(
        active: &'a BundleConfiguration,
        id: &RepositoryId,
        repository: Repository,
        repositories: &Repositories,
    ) -> Self {
        Self {
            active,
            id: id.clone(),
            repository,
            evidence: RefCell::default(),
            statuses: RefCell::default(),
            writes: RefCell::default(),
            owned: RefCell::default(),
            bases: Bases::new(&active.configuration, repositories),
            known: RefCell::default(),
        }
    }

    /// A commit, if it is in the repository.
    pub fn present<'c>(&self, commit: Option<&'c CommitId>) -> Result<Option<&'c CommitId>, StageError> {
        let Some(commit) = commit else { return Ok(None) };
        Ok(self.repository.has(commit).map_err(of_git)?.then_some(commit))
    }

    /// Writes something at the latest before the facts that name it.
    pub fn later(&self, write: Write) {
        self.writes.borrow_mut().push(write);
    }

    /// What is to be written by now.
    pub fn take_writes(&self) -> Vec<Write> {
        self.writes.take()
    }

    /// A pull request as the forge told of it for this event, if it was asked.
    pub fn told(&self, id: &str) -> Option<PullRequest> {
        let evidence = self.evidence.borrow();
        evidence
            .values()
            .flat_map(|evidence| &evidence.pull_requests)
            .find(|request| request.id == id)
            .cloned()
    }

    /// The pull requests that had ended, of those that the forge told of for this event.
    pub fn ended(&self) -> Vec<PullRequest> {
        let evidence = self.evidence.borrow();
        evidence
            .values()
            .flat_map(|evidence| &evidence.pull_requests)
            .filter(|request| request.state != PullRequestState::Open)
            .take(MAX_ENDED)
            .cloned()
            .collect()
    }

    /// The targets of a ref that one of the changed `paths` touches.
    pub fn touched<'p>(
        &self,
        follows: &FollowedRef,
        followers: &Followers,
        paths: impl Iterator<Item = &'p str>,
    ) -> BTreeSet<Target> {
        let known = self.known.borrow();
        let none = Inputs::new();
        candidates::touched(followers, known.get(follows).map_or(&none, |(inputs, _)| inputs), paths)
    }

    /// What a target was rendered from when it was last looked at, if that is more than what is at its own path.
    pub fn known_inputs(&self, follows: &FollowedRef, target: &Target) -> Option<BTreeSet<String>> {
        self.known.borrow().get(follows)?.0.get(&target.to_string()).cloned()
    }

    /// Notes what a target is rendered from, unless that is only what is at its own path.
    pub fn note_inputs(
        &self,
        follows: &FollowedRef,
        target: &TargetConfiguration<'_>,
        inputs: &BTreeSet<String>,
    ) {
        let mut known = self.known.borrow_mut();
        let (known, changed) = known.entry(follows.clone()).or_default();
        let name = target.target.to_string();
        let own = inputs.len() == 1 && inputs.contains(&target.placement.path);
        *changed |= match own {
            true => known.remove(&name).is_some(),
            false => known.insert(name, inputs.clone()).as_ref() != Some(inputs),
        };
    }

    /// What is to be stored of what targets are rendered from.
    pub fn take_inputs(&self) -> Result<Vec<Write>, StageError> {
        let mut writes = Vec::new();
        for (follows, (inputs, changed)) in self.known.borrow_mut().iter_mut() {
            if std::mem::take(changed) {
                let bytes = digest::canonical_json(inputs).map_err(|error| {
                    StageError::Final(format!("paths cannot be written as JSON: {error}"))
                })?;
                writes.push(Write::Put { key: keys::inputs(follows), bytes });
            }
        }
        Ok(writes)
    }

    /// What the target renders to in `content`, with the bases that are here.
    pub fn render(
        &self,
        target: &TargetConfiguration<'_>,
        content: &Content<'_>,
        budget: &Budget,
    ) -> Result<Made, StageError> {
        let tree = content.tree().map_err(of_git)?;
        let (path, namespaces) = (&target.placement.path, &target.placement.namespaces);
        let options = Options { remotes: Some(&self.bases), ..Options::new(namespaces, budget) };
        let result = render_with(&tree, path, &options);
        let read = match &result {
            Ok(rendered) => rendered.closure.paths(),
            Err(_) => inputs(&tree, path, &options),
        };
        let mut inputs = if read.len() == 1 { BTreeSet::from([path.clone()]) } else { read };
        // Who owns the files is a part of what is decided on: whoever changes it is reviewed.
        if target.environment.approvals.code_owners {
            inputs.extend(self.owners_files());
        }
        Ok(Made { result, inputs })
    }

    /// The kind of the repository's host.
    pub fn host_kind(&self) -> HostKind {
        self.active.configuration.hosts.get(&self.id.host).map_or(HostKind::Plain, |host| host.kind)
    }

    /// Where the repository's CODEOWNERS may lie.
    pub fn owners_files(&self) -> impl Iterator<Item = String> {
        places(self.host_kind()).iter().map(|place| (*place).to_owned())
    }

    /// What the target's inputs hash to in `content`: what is at their paths, and what placing depends on.
    pub fn closure(
        &self,
        target: &TargetConfiguration<'_>,
        inputs: &BTreeSet<String>,
        content: &Content<'_>,
    ) -> Result<Digest, StageError> {
        let mut parts = vec!["closure".to_owned()];
        for path in inputs {
            let at = content.object_at(path).map_err(of_git)?;
            parts.extend([path.clone(), at.unwrap_or_else(|| "nothing".to_owned())]);
        }
        parts.extend(target.placement.namespaces.iter().cloned());
        Ok(Digest::of_parts(&parts.iter().map(String::as_str).collect::<Vec<_>>()))
    }
}

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// Fetches a repository.
    pub(crate) async fn read<'b>(
        &self,
        active: &'b BundleConfiguration,
        id: &RepositoryId,
    ) -> Result<Reading<'b>, StageError> {
        let source = self.source(active, id).await?;
        let repository = self.fetch(id, &source).map_err(of_git)?;
        Ok(Reading::new(active, id, repository, self.repositories))
    }

    /// Fetches from a source. The forge hears when what it gave to open it is denied.
    pub(crate) fn fetch(&self, id: &RepositoryId, source: &Source) -> Result<Repository, GitError> {
        let fetched = self.repositories.fetch(id, source, &Limits::default(), &(self.fetch_deadline)());
        if matches!(fetched, Err(GitError::Denied(_))) {
            self.forge.git_denied(id);
        }
        fetched
    }

    /// Where a repository is, with what opens it.
    pub(crate) async fn source(
        &self,
        active: &BundleConfiguration,
        id: &RepositoryId,
    ) -> Result<Source, StageError> {
        Ok(Source { credential: self.forge.git_credential(id).await?, ..place(active, id)? })
    }

    /// A repository as it was fetched last.
    pub(crate) fn read_kept<'b>(
        &self,
        active: &'b BundleConfiguration,
        id: &RepositoryId,
    ) -> Result<Reading<'b>, StageError> {
        let repository = self.repositories.open(id, &place(active, id)?).map_err(of_git)?;
        Ok(Reading::new(active, id, repository, self.repositories))
    }

    /// Reads what the targets of a ref were rendered from when they were last looked at, once for one event.
    pub(crate) async fn read_inputs(
        &self,
        reading: &Reading<'_>,
        follows: &FollowedRef,
    ) -> Result<(), StageError> {
        if !reading.known.borrow().contains_key(follows) {
            let stored: Option<Inputs> = store::get_json(self.store, &keys::inputs(follows)).await?;
            let known = (stored.unwrap_or_default(), false);
            reading.known.borrow_mut().insert(follows.clone(), known);
        }
        Ok(())
    }

    /// Fetches the heads of pull requests that are not here: their branches are gone, or live in a fork. A head
    /// that the forge does not give any more stays away, and explains nothing.
    pub(crate) async fn bring(
        &self,
        reading: &Reading<'_>,
        heads: &[(&str, &CommitId)],
    ) -> Result<(), StageError> {
        let kind = reading.active.configuration.hosts.get(&reading.id.host).map(|host| host.kind);
        let missing = heads.iter().filter(|(_, head)| !reading.repository.holds(head));
        let also: Vec<_> = missing.filter_map(|(id, _)| head_reference(kind?, id)).take(MAX_HEADS).collect();
        if also.is_empty() {
            return Ok(());
        }
        let source = Source { also, ..self.source(reading.active, &reading.id).await? };
        self.fetch(&reading.id, &source).map(drop).map_err(of_git)
    }

    /// What people said about `commits`: by the forge, and by commands. Read once for one event.
    pub(crate) async fn evidence(
        &self,
        reading: &Reading<'_>,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Evidence, StageError> {
        if let Some(known) = reading.evidence.borrow().get(commits) {
            return Ok(known.clone());
        }
        let mut evidence = self.forge.evidence(&reading.id, base, commits).await?;
        for statement in self.commanded_statements(&reading.id).await? {
            if !evidence.statements.contains(&statement) {
                evidence.statements.push(statement);
            }
        }
        reading.evidence.borrow_mut().insert(commits.to_vec(), evidence.clone());
        Ok(evidence)
    }

    async fn commanded_statements(
        &self,
        repository: &RepositoryId,
    ) -> Result<Vec<SignedStatement>, StageError> {
        let prefix = keys::statements(repository);
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.list(&prefix, after.as_deref(), PAGE).await?;
            for key in &page {
                let stored = self.store.get(key).await?;
                found.extend(stored.and_then(|stored| SignedStatement::from_bytes(&stored.bytes).ok()));
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.clone()),
                _ => return Ok(found),
            }
        }
    }
}

/// The reference under which a forge keeps the head of a pull request, also when its branch is gone.
fn head_reference(kind: HostKind, id: &str) -> Option<Reference> {
    let name = match kind {
        HostKind::Gitea | HostKind::Github => format!("refs/pull/{id}/head"),
        HostKind::Gitlab => format!("refs/merge-requests/{id}/head"),
        HostKind::Plain => return None,
    };
    name.parse().ok()
}

/// Where a repository is.
fn place(active: &BundleConfiguration, id: &RepositoryId) -> Result<Source, StageError> {
    let url = active.configuration.git_url(id).ok_or_else(|| {
        StageError::Final(format!("{id}: its host is not in countersign.yaml: add it under hosts"))
    })?;
    Ok(Source { url, credential: None, also: Vec::new() })
}

/// A repository's failure: what may come back is retried, anything else can never succeed.
pub fn of_git(error: GitError) -> StageError {
    ports::PortError::from(error).into()
}
