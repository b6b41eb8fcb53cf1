//! Previews: what a pull request would bring to its base, looked at as if it were merged now.

use countersign_core::active::BundleConfiguration;
use countersign_core::configuration::HostKind;
use countersign_core::facts::{Explanation, FileChange, Position, Problem, Range, Relation};
use countersign_core::names::{CommitId, FollowedRef, Target, TreeId};
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::Store;
use countersign_core::review::{CommitFacts, FORK_PREVIEW_LABEL};
use countersign_core::stage::StageError;
use countersign_git::error::GitError;
use countersign_git::merged::{Merge, Merged};
use countersign_git::repository::Repository;
use countersign_git::tree::CommitTree;

use crate::look::Look;
use crate::reading::{Reading, of_git};
use crate::{Gatherer, Looks};

/// How a pull request is looked at.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The tip of the branch that it asks to change.
    pub base: CommitId,
    /// Whether its head lives in another repository. Then nothing that runs is shown.
    pub fork: bool,
}

/// The pull request that an event speaks of.
#[derive(Clone, Copy, Debug)]
pub struct Proposed<'a> {
    /// The forge's number, or the digest of the proposing statement.
    pub id: &'a str,
    /// The head to look at, where the event tells it.
    pub head: Option<&'a CommitId>,
    /// Whether the head lives in another repository, where the event tells it.
    pub fork: Option<bool>,
}

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// Looks at what a pull request would change. Nothing that it finds is ever authorized.
    pub(crate) async fn preview_looks<'b>(
        &self,
        active: &'b BundleConfiguration,
        base: FollowedRef,
        proposed: Proposed<'_>,
    ) -> Result<Option<Looks<'b>>, StageError> {
        let followers = active.index().following(&base);
        let is_control = active.configuration.control_ref().as_ref() == Some(&base);
        let Some(head) = proposed.head.filter(|_| is_control || followers.is_some()) else { return Ok(None) };
        let reading = self.read(active, &base.repository).await?;
        let Some(tip) = reading.repository.tip(&base.reference).map_err(of_git)? else { return Ok(None) };
        let fork = match self.may_look(&reading, &base, &proposed, head).await? {
            Looked::At { fork } => fork,
            Looked::Waits => return Ok(None),
        };
        self.bring(&reading, &[(proposed.id, head)]).await?;
        if !reading.repository.has(head).map_err(of_git)?
            || reading.repository.descends(&tip, head).map_err(of_git)?
        {
            return Ok(None);
        }
        let preview = Preview { base: tip, fork };
        let (content, _) = Content::merged(&reading.repository, &preview, head).map_err(of_git)?;
        let files = content.changed_files(&preview.base, &[]).map_err(of_git)?;
        self.read_inputs(&reading, &base).await?;
        let paths = files.iter().map(|file| file.path.as_str());
        let touched = followers.map(|followers| reading.touched(&base, followers, paths)).unwrap_or_default();
        let look = |target: Target| Look {
            target,
            commit: head.clone(),
            preview: Some(preview.clone()),
            command: None,
        };
        let mut looks: Vec<_> = touched.into_iter().map(look).collect();
        if is_control {
            looks.push(look(Target::control()));
        }
        drop(content);
        Ok(Some(Looks { reading, looks, seen: None, previewed: Some(proposed.id.to_owned()) }))
    }

    /// Whether a pull request is looked at. One of a fork waits until a member labels it: its author need not be
    /// anyone who may use this installation's time.
    async fn may_look(
        &self,
        reading: &Reading<'_>,
        base: &FollowedRef,
        proposed: &Proposed<'_>,
        head: &CommitId,
    ) -> Result<Looked, StageError> {
        let kind = reading.active.configuration.hosts.get(&base.repository.host).map(|host| host.kind);
        let no_forks = kind == Some(HostKind::Plain) && proposed.fork.is_none();
        if proposed.fork == Some(false) || no_forks {
            return Ok(Looked::At { fork: false });
        }
        let evidence = self.evidence(reading, &base.reference, std::slice::from_ref(head)).await?;
        let told = evidence.pull_requests.iter().find(|request| request.id == proposed.id);
        let fork = proposed.fork.or(told.map(|request| request.fork)).unwrap_or(true);
        let labeled =
            told.is_some_and(|request| request.labels.iter().any(|name| name == FORK_PREVIEW_LABEL));
        Ok(if fork && !labeled { Looked::Waits } else { Looked::At { fork } })
    }
}

/// Whether a pull request is looked at now.
enum Looked {
    At { fork: bool },
    Waits,
}

/// The files that a look is about.
pub enum Content<'r> {
    /// Those of a commit.
    Commit(&'r Repository, CommitId),
    /// Those that merging a pull request would give.
    Merge(Box<Merged>),
}

impl<'r> Content<'r> {
    /// The files of a look's commit; of a preview, those that the merge would have. Where that has conflicts,
    /// the head's own, and what is wrong.
    pub fn of(repository: &'r Repository, look: &Look) -> Result<(Self, Option<Problem>), GitError> {
        match &look.preview {
            Some(preview) => Self::merged(repository, preview, &look.commit),
            None => Ok((Self::Commit(repository, look.commit.clone()), None)),
        }
    }

    fn merged(
        repository: &'r Repository,
        preview: &Preview,
        head: &CommitId,
    ) -> Result<(Self, Option<Problem>), GitError> {
        match repository.merged(&preview.base, head)? {
            Merge::Clean(merged) => Ok((Self::Merge(Box::new(merged)), None)),
            Merge::Conflict(paths) => {
                let problem = Problem {
                    message: format!("{} was changed on both sides, in different ways", paths.join(", ")),
                    at: Position { file: paths.first().cloned().unwrap_or_default(), line: 1 },
                    help: Some("merge the base into the branch, or rebase it".to_owned()),
                };
                Ok((Self::Commit(repository, head.clone()), Some(problem)))
            }
        }
    }

    /// The root tree.
    pub fn tree_id(&self) -> Result<TreeId, GitError> {
        match self {
            Self::Commit(repository, commit) => repository.tree_id(commit),
            Self::Merge(merged) => merged.tree_id(),
        }
    }

    /// The files.
    pub fn tree(&self) -> Result<CommitTree<'_>, GitError> {
        match self {
            Self::Commit(repository, commit) => repository.tree(commit),
            Self::Merge(merged) => Ok(merged.tree()),
        }
    }

    /// What lies at a path, as mode and object id.
    pub fn object_at(&self, path: &str) -> Result<Option<String>, GitError> {
        match self {
            Self::Commit(repository, commit) => repository.object_at(commit, path),
            Self::Merge(merged) => merged.object_at(path),
        }
    }

    /// Files that differ from those of a commit.
    pub fn changed_files(&self, from: &CommitId, paths: &[String]) -> Result<Vec<FileChange>, GitError> {
        match self {
            Self::Commit(repository, commit) => repository.changed_files(Some(from), commit, paths),
            Self::Merge(merged) => merged.changed_files(from, paths),
        }
    }
}

/// Adds the merge to the way up to its base, as the one step that it will be, explained by the head. A base that
/// stands alone has no way that a step could be added to: then the head itself is asked about.
pub fn add_step(range: &mut Range, head: CommitFacts) {
    let id = head.id.clone();
    let after = match (&range.from, range.relation) {
        (Some(from), Relation::Same | Relation::Descends) => {
            range.commits.last().map_or_else(|| from.clone(), |last| last.id.clone())
        }
        _ => {
            range.explanations = vec![Explanation { after: id.clone(), to: id.clone(), head: id.clone() }];
            (range.commits, range.altering) = (vec![head], vec![id]);
            return;
        }
    };
    range.relation = Relation::Descends;
    range.explanations.push(Explanation { after, to: id.clone(), head: id.clone() });
    range.altering.push(id);
    range.commits.push(head);
}
