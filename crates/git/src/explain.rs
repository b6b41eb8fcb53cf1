//! Which reviewed heads explain which runs of first-parent commits.
//!
//! A run after P that ends in C is explained by a head H when C's tree equals the conflict-free merge of P
//! and H. So a merge commit, a squash, a rebase and a fast-forward are alike, and what was edited by hand on
//! the way is not explained.

mod merge;
mod renames;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::facts::{Explanation, Range, Relation};
use countersign_core::names::CommitId;
use git2::Oid;

use self::merge::Merger;
use crate::error::GitError;
use crate::repository::{Repository, commit_id};

/// Commits that a head may bring; a head that brings more explains nothing.
const MAX_HEAD: usize = 10_000;

/// Commits that the whole range may bring with its merges.
const MAX_BROUGHT: usize = 200_000;

/// Pairs of a start and a head that are merged at most.
const MAX_MERGES: usize = 50_000;

impl Repository {
    /// Every run of `range` that alters the target and that one of `heads` explains. Heads that are not here
    /// explain nothing, nor does a head that the start of a run contains already.
    ///
    /// Where the range is one commit (nothing was authorized yet, or history diverges), only that very commit
    /// explains itself; the run then names it as its start as well.
    ///
    /// # Errors
    /// When the repository cannot be read, or the merges to be tried are too many.
    pub fn explain(&self, range: &Range, heads: &[CommitId]) -> Result<Vec<Explanation>, GitError> {
        match range.relation {
            Relation::Same => Ok(Vec::new()),
            Relation::Initial | Relation::Diverges => Ok(itself(range, heads)),
            Relation::Descends => match Path::of(self, range)? {
                Some(path) => path.explain(heads),
                None => Ok(Vec::new()),
            },
        }
    }
}

fn itself(range: &Range, heads: &[CommitId]) -> Vec<Explanation> {
    let tip = range.commits.last().map(|commit| &commit.id).filter(|tip| heads.contains(tip));
    let explains = |tip: &CommitId| Explanation { after: tip.clone(), to: tip.clone(), head: tip.clone() };
    tip.map(explains).into_iter().collect()
}

/// The first-parent path: its start and every commit after it, each with its tree.
struct Path<'r> {
    repository: &'r Repository,
    merger: Merger<'r>,
    steps: Vec<Step>,
    /// The steps at which each tree is reached.
    by_tree: BTreeMap<Oid, Vec<usize>>,
}

struct Step {
    commit: Oid,
    tree: Oid,
    /// How many commits up to here alter the target.
    altering: usize,
    /// What this commit leads to and the one before does not, itself included.
    brought: BTreeSet<Oid>,
}

impl<'r> Path<'r> {
    fn of(repository: &'r Repository, range: &Range) -> Result<Option<Self>, GitError> {
        let Some(first) = range.commits.first().and_then(|commit| commit.parents.first()) else {
            return Ok(None);
        };
        let altering: BTreeSet<_> = range.altering.iter().collect();
        let mut path =
            Self { repository, merger: Merger::new(repository), steps: Vec::new(), by_tree: BTreeMap::new() };
        let (mut count, mut room) = (0, MAX_BROUGHT);
        for commit in std::iter::once(first).chain(range.commits.iter().map(|commit| &commit.id)) {
            let id = repository.find(commit)?;
            let tree = repository.root(id)?;
            count += usize::from(altering.contains(commit));
            let brought = match path.steps.last() {
                Some(before) => repository.between(id, &[before.commit], room)?.ok_or_else(too_many)?,
                None => Vec::new(),
            };
            room -= brought.len();
            path.by_tree.entry(tree).or_default().push(path.steps.len());
            path.steps.push(Step {
                commit: id,
                tree,
                altering: count,
                brought: brought.into_iter().collect(),
            });
        }
        Ok(Some(path))
    }

    fn explain(&self, heads: &[CommitId]) -> Result<Vec<Explanation>, GitError> {
        let mut here = BTreeSet::new();
        for head in heads {
            here.extend(self.repository.found(head)?);
        }
        let mut explanations = Vec::new();
        let mut room = MAX_MERGES;
        for head in here {
            self.explain_by(head, &mut room, &mut explanations)?;
        }
        Ok(explanations)
    }

    /// The runs that one head explains.
    fn explain_by(&self, head: Oid, room: &mut usize, found: &mut Vec<Explanation>) -> Result<(), GitError> {
        let (Some(start), Some(end)) = (self.steps.first(), self.steps.last()) else { return Ok(()) };
        let Some(reached) = self.repository.between(head, &[start.commit], MAX_HEAD)? else { return Ok(()) };
        let reached: BTreeSet<_> = reached.into_iter().collect();
        let is_step = self.steps.iter().any(|step| step.commit == head);
        let mut bases = None;
        for (at, step) in self.steps.iter().enumerate() {
            if step.altering == end.altering || step.brought.contains(&head) || reached.is_empty() {
                break; // Nothing is altered any more, or the head is contained from here on.
            }
            // The best common ancestors change only with a step that brings some of what the head leads to.
            let known = bases.take().filter(|_| step.brought.is_disjoint(&reached));
            let at_step = match known {
                Some(known) => known,
                None => self.merger.bases(step.commit, head)?,
            };
            *room = room.checked_sub(1).ok_or_else(too_many)?;
            if let Some(clean) = self.merger.merge(&at_step, step.commit, head)? {
                let runs = self.runs(at, clean.tree, (head, &reached));
                // A head that changes nothing explains nothing, unless it is that very commit.
                let says_something = !runs.is_empty() && (clean.tree != step.tree || is_step);
                if says_something && self.merger.confirms(&clean, &at_step, step.commit, head)? {
                    found.extend(runs);
                }
            }
            bases = Some(at_step);
        }
        Ok(())
    }

    /// The runs from a step to every later one that has the merged tree, as far as they alter the target. A head that
    /// was built upon a commit was not merged to become it: who reviewed the head was not shown what that one holds.
    fn runs(&self, start: usize, tree: Oid, (head, reached): (Oid, &BTreeSet<Oid>)) -> Vec<Explanation> {
        let Some(after) = self.steps.get(start) else { return Vec::new() };
        let ends = self.by_tree.get(&tree).into_iter().flatten().filter(|end| **end > start);
        let ends = ends.filter_map(|end| self.steps.get(*end)).filter(|to| to.altering > after.altering);
        let ends = ends.filter(|to| to.commit == head || !reached.contains(&to.commit));
        ends.map(|to| Explanation {
            after: commit_id(after.commit),
            to: commit_id(to.commit),
            head: commit_id(head),
        })
        .collect()
    }
}

fn too_many() -> GitError {
    GitError::Final(format!(
        "too many commits and proposals lie between what was last authorized and this commit (more than {MAX_MERGES} merges, or {MAX_BROUGHT} commits): set `baseline` in countersign.yaml to a newer commit, or deploy in steps"
    ))
}

#[cfg(test)]
mod tests;
