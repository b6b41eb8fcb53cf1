//! Which explanations carry the range: the way through its runs on which nothing rides along and whose
//! weakest head has the most approvals.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::decision::ExplainedHead;
use countersign_core::facts::{Facts, Range, Relation};
use countersign_core::names::CommitId;

use crate::approval::Evidence;

/// How the range is explained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// The heads that carry it, oldest run first.
    pub heads: Vec<ExplainedHead>,
    /// Altering commits that nothing explains, oldest first.
    pub unexplained: Vec<CommitId>,
}

/// Chooses the path through the range of `facts`. Where objects must be `exact`, one that ends in a head
/// that renders to them goes before any other.
#[must_use]
pub fn choose(facts: &Facts, evidence: &Evidence, exact: bool) -> Path {
    match &facts.range.from {
        // History that was rewritten without altering the target brings nothing to be reviewed.
        Some(_) if facts.range.altering.is_empty() && facts.range.relation == Relation::Diverges => {
            Path::default()
        }
        Some(from) if !facts.range.stands_alone() => {
            let reviewed = exact.then(|| through(facts, evidence, from, is_as_reviewed));
            let reviewed = reviewed.filter(|path| path.unexplained.is_empty());
            reviewed.unwrap_or_else(|| through(facts, evidence, from, |_, _| true))
        }
        _ => by_itself(facts, evidence),
    }
}

/// Whether the objects of `facts` are those that `head` renders to.
#[must_use]
pub fn is_as_reviewed(facts: &Facts, head: &CommitId) -> bool {
    *head == facts.change.commit || facts.reviewed.get(head) == Some(&facts.manifest)
}

/// A tip that no authorized state leads to is explained only by an approval of that very commit.
fn by_itself(facts: &Facts, evidence: &Evidence) -> Path {
    let tip = &facts.change.commit;
    let used_elsewhere = facts.history.used_heads.get(tip).is_some_and(|commit| commit != tip);
    if used_elsewhere || evidence.approvers(tip).is_empty() {
        return Path { heads: Vec::new(), unexplained: vec![tip.clone()] };
    }
    let itself = ExplainedHead { head: tip.clone(), commit: tip.clone() };
    Path { heads: vec![itself], unexplained: Vec::new() }
}

/// The best way to a commit so far.
#[derive(Clone)]
struct Way {
    unexplained: Vec<CommitId>,
    /// Approvals of the weakest head; the most there are where no head was needed.
    weakest: usize,
    heads: Vec<ExplainedHead>,
}

impl Way {
    fn is_better_than(&self, other: &Self) -> bool {
        let rank = |way: &Self| (way.unexplained.len(), usize::MAX - way.weakest, way.heads.len());
        let names = |way: &Self| way.heads.iter().map(|used| used.head.clone()).collect::<Vec<_>>();
        (rank(self), names(self)) < (rank(other), names(other))
    }
}

/// Walks the commits in their order. Each is reached from the one before it, for free if it alters
/// nothing, or by a run that a head explains. The heads of runs that reach the last altering commit have
/// to be `fit`.
fn through(
    facts: &Facts,
    evidence: &Evidence,
    from: &CommitId,
    fit: impl Fn(&Facts, &CommitId) -> bool,
) -> Path {
    let range = &facts.range;
    let altering: BTreeSet<_> = range.altering.iter().collect();
    let mut runs: BTreeMap<&CommitId, Vec<(&CommitId, &CommitId)>> = BTreeMap::new();
    let ends = ends(range);
    for run in &range.explanations {
        let used = facts.history.used_heads.get(&run.head);
        let fits = !ends.contains(&run.to) || fit(facts, &run.head);
        if fits && evidence.explains(&run.head) && used.is_none_or(|commit| *commit == run.to) {
            runs.entry(&run.to).or_default().push((&run.after, &run.head));
        }
    }
    let start = Way { unexplained: Vec::new(), weakest: usize::MAX, heads: Vec::new() };
    // Where `from` was merged from the side, or many commits that alter nothing are left out, the path begins at another
    // commit, at which all that the target reads is the same.
    let begins = range.commits.first().and_then(|commit| commit.parents.first());
    let mut reached: BTreeMap<&CommitId, Way> =
        [Some(from), begins].into_iter().flatten().map(|begin| (begin, start.clone())).collect();
    let mut last = start;
    for commit in &range.commits {
        let mut best = last;
        if altering.contains(&commit.id) {
            best.unexplained.push(commit.id.clone());
        }
        for (after, head) in runs.get(&commit.id).into_iter().flatten() {
            let Some(before) = reached.get(after) else { continue };
            let mut way = before.clone();
            way.weakest = way.weakest.min(evidence.approvers(head).len());
            way.heads.push(ExplainedHead { head: (*head).clone(), commit: commit.id.clone() });
            if way.is_better_than(&best) {
                best = way;
            }
        }
        reached.insert(&commit.id, best.clone());
        last = best;
    }
    let mut unexplained = last.unexplained;
    let walked: BTreeSet<_> = range.commits.iter().map(|commit| &commit.id).chain([from]).collect();
    // Facts that do not hang together explain nothing.
    let strays = range.altering.iter().filter(|commit| !walked.contains(commit));
    unexplained.extend(strays.cloned());
    let end = range.commits.last().map_or(from, |commit| &commit.id);
    if *end != facts.change.commit
        && range.relation == Relation::Descends
        && !unexplained.contains(&facts.change.commit)
    {
        unexplained.push(facts.change.commit.clone());
    }
    Path { heads: last.heads, unexplained }
}

/// The last altering commit, and all that follow it.
fn ends(range: &Range) -> BTreeSet<&CommitId> {
    let last = range.commits.iter().rposition(|commit| range.altering.contains(&commit.id));
    range.commits.iter().skip(last.unwrap_or_default()).map(|commit| &commit.id).collect()
}

#[cfg(test)]
mod tests;
