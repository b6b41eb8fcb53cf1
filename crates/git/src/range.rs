//! The way from what was last authorized to a commit, along first parents.

use countersign_core::facts::{Range, Relation};
use countersign_core::names::CommitId;
use git2::Oid;

use crate::error::GitError;
use crate::repository::{Item, Repository, commit_id};

/// First parents that are walked at most.
const MAX_WALK: usize = 20_000;

/// Commits before the first altering one that are kept, so that a run which began with them is found.
const LEAD: usize = 20;

impl Repository {
    /// The way from `from` to `to`, as seen by a target whose inputs lie at `paths`; at the root
    /// if there are none. Explanations are empty.
    ///
    /// Without `from`, and where `to` does not descend from it, the way is `to` alone. Otherwise it is the
    /// first-parent path after `from`; commits that alter nothing are left out where many of them lead it. If
    /// `from` was merged from the side, the path begins after the newest first-parent commit that leads to
    /// `from`, and if the inputs differ between these two, the commit counts as diverging.
    ///
    /// # Errors
    /// [`GitError::Gone`] when `to` is not here; when the way has more than `limit` commits.
    pub fn range(
        &self,
        from: Option<&CommitId>,
        to: &CommitId,
        paths: &[String],
        limit: usize,
    ) -> Result<Range, GitError> {
        let tip = self.find(to)?;
        let Some(from) = from else { return self.tip_alone(None, tip, Relation::Initial, true) };
        if from == to {
            return Ok(way(from, Relation::Same));
        }
        let Some(start) = self.found(from)? else {
            let alone = self.tip_alone(Some(from), tip, Relation::Diverges, true)?;
            return Ok(Range { from_gone: true, ..alone });
        };
        let (at_start, at_tip) = (self.inputs(start, paths)?, self.inputs(tip, paths)?);
        let diverging = || self.tip_alone(Some(from), tip, Relation::Diverges, at_start != at_tip);
        if !self.reaches(tip, start)? {
            return diverging();
        }
        let Some((base, path)) = self.first_parents(start, tip)? else { return diverging() };
        if base != start && self.inputs(base, paths)? != at_start {
            return diverging();
        }
        let altering = self.altering(base, &path, paths)?;
        let Some(first) = altering.iter().position(|alters| *alters) else {
            return Ok(way(from, Relation::Same));
        };
        let lead = first.saturating_sub(LEAD);
        let (path, altering) =
            (path.get(lead..).unwrap_or_default(), altering.get(lead..).unwrap_or_default());
        if path.len() > limit {
            return Err(self.too_long(from, to, path.len(), limit));
        }
        let altering = path.iter().zip(altering).filter(|(_, alters)| **alters).map(|(id, _)| commit_id(*id));
        Ok(Range {
            commits: path.iter().map(|id| self.facts_of(*id)).collect::<Result<_, _>>()?,
            altering: altering.collect(),
            ..way(from, Relation::Descends)
        })
    }

    /// The way that is one commit.
    fn tip_alone(
        &self,
        from: Option<&CommitId>,
        tip: Oid,
        relation: Relation,
        alters: bool,
    ) -> Result<Range, GitError> {
        let altering = if alters { vec![commit_id(tip)] } else { Vec::new() };
        let commits = vec![self.facts_of(tip)?];
        Ok(Range {
            from: from.cloned(),
            from_gone: false,
            relation,
            commits,
            altering,
            explanations: Vec::new(),
        })
    }

    /// What lies at each path.
    fn inputs(&self, commit: Oid, paths: &[String]) -> Result<Vec<Option<Item>>, GitError> {
        let root = self.root(commit)?;
        // Without a path everything is an input: nothing may go unnoticed because nobody named it.
        if paths.is_empty() {
            return Ok(vec![self.item_at(root, "")?]);
        }
        paths.iter().map(|path| self.item_at(root, path)).collect()
    }

    /// For each commit of `path`, whether it differs from the one before at any of `paths`.
    fn altering(&self, base: Oid, path: &[Oid], paths: &[String]) -> Result<Vec<bool>, GitError> {
        let mut before = self.inputs(base, paths)?;
        let mut altering = Vec::with_capacity(path.len());
        for commit in path {
            let now = self.inputs(*commit, paths)?;
            altering.push(now != before);
            before = now;
        }
        Ok(altering)
    }

    /// The newest commit on `tip`'s first-parent path that is `start` or leads to it, and the path after it,
    /// oldest first; `None` if there is no such commit.
    fn first_parents(&self, start: Oid, tip: Oid) -> Result<Option<(Oid, Vec<Oid>)>, GitError> {
        let mut path = vec![tip];
        while let Some(last) = path.last().copied().filter(|last| *last != start) {
            if path.len() > MAX_WALK {
                return Err(self.too_long(&commit_id(start), &commit_id(tip), path.len(), MAX_WALK));
            }
            let commit = self.reaching(|| format!("reading commit {last}"), || self.git.find_commit(last))?;
            match commit.parent_id(0) {
                Ok(parent) => path.push(parent),
                Err(_) => break,
            }
        }
        // Once one commit of the path leads to `start`, all older ones do.
        let (mut older, mut newer) = (path.len(), 0);
        while newer < older {
            let middle = usize::midpoint(newer, older);
            match path.get(middle) {
                Some(commit) if !self.reaches(start, *commit)? => newer = middle + 1,
                _ => older = middle,
            }
        }
        let Some(base) = path.get(newer).copied() else { return Ok(None) };
        path.truncate(newer);
        path.reverse();
        Ok(Some((base, path)))
    }

    fn too_long(&self, from: &CommitId, to: &CommitId, length: usize, limit: usize) -> GitError {
        GitError::Final(format!(
            "{}: {length} commits lie between {from} and {to}, at most {limit} can be explained at once: set `baseline` in countersign.yaml to a newer commit, or deploy in steps",
            self.place()
        ))
    }
}

fn way(from: &CommitId, relation: Relation) -> Range {
    Range {
        from: Some(from.clone()),
        relation,
        commits: Vec::new(),
        altering: Vec::new(),
        explanations: Vec::new(),
        from_gone: false,
    }
}

#[cfg(test)]
mod tests;
