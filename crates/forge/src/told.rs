//! What every forge is told of a report, before it is put in the forge's own shape.

use std::collections::BTreeSet;

use countersign_core::names::{CommitId, Reference};
use countersign_core::ports::forge::Report;
use countersign_core::report::{Standing, markdown, standing};

use crate::comment::Section;

/// The most changes that came along with a commit whose pull requests are told too, newest first.
const MAX_BROUGHT: usize = 20;

/// What is told.
pub(crate) struct Told {
    /// Names the status of this environment, now and at every later report.
    pub(crate) context: String,
    /// The commits whose pull requests are told: the commit itself and, unless it is only a preview, those that
    /// came along with it, their heads, and what was approved on the way.
    pub(crate) commits: BTreeSet<CommitId>,
    /// The branches that the targets follow: a pull request for another branch is about something else.
    bases: BTreeSet<Reference>,
    /// What the comment says.
    pub(crate) section: Section,
    /// How the commit stands.
    pub(crate) standing: Standing,
    /// Whether it is only a preview, which ends with its pull request.
    preview: bool,
    /// Why, where one reason says it all.
    reason: Option<String>,
}

impl Told {
    /// What is told of `report`.
    pub(crate) fn of(report: &Report) -> Self {
        let decided = || report.targets.iter().filter(|target| !target.state.preview);
        // Whoever approved a head that was merged otherwise is told, on its pull request, why that does not count.
        let approved = decided()
            .flat_map(|target| target.decision.approvals.iter().rev().take(MAX_BROUGHT))
            .map(|approval| &approval.head);
        let brought = decided()
            .flat_map(|target| target.decision.explained.iter().rev().take(MAX_BROUGHT))
            .flat_map(|explained| [&explained.head, &explained.commit]);
        let bases = report.targets.iter().map(|target| target.decision.follows.reference.clone());
        let index = report.states().map(|(_, state)| state.index).max().unwrap_or_default();
        Self {
            context: format!("countersign/{}", report.environment),
            commits: brought.chain(approved).chain([&report.commit]).cloned().collect(),
            bases: bases.collect(),
            section: Section { environment: report.environment.clone(), index, text: markdown(report) },
            standing: standing(report),
            preview: report.targets.iter().all(|target| target.state.preview),
            reason: reason(report),
        }
    }

    /// Whether a pull request with this base and head, that became this commit, is told.
    pub(crate) fn concerns(
        &self,
        base: Option<&Reference>,
        head: Option<&CommitId>,
        became: Option<&CommitId>,
    ) -> bool {
        let is_told = |commit: &CommitId| self.commits.contains(commit);
        base.is_some_and(|base| self.bases.contains(base))
            && (head.is_some_and(is_told) || became.is_some_and(is_told))
    }

    /// In the light of how the pull requests of this head ended: `open` says of each whether it has not. What no
    /// open one waits for must not be shown as awaited.
    pub(crate) fn in_light_of(mut self, open: impl IntoIterator<Item = bool>) -> Self {
        let open: Vec<_> = open.into_iter().collect();
        let waits = matches!(self.standing, Standing::Waiting | Standing::Checking) && self.preview;
        if waits && !open.is_empty() && !open.contains(&true) {
            self.standing = Standing::Abandoned;
        }
        self
    }

    /// In one line of at most `limit` characters.
    pub(crate) fn description(&self, limit: usize) -> String {
        let words = self.standing.words();
        let line =
            self.reason.as_ref().map_or_else(|| words.to_owned(), |reason| format!("{words}: {reason}"));
        if line.chars().count() <= limit {
            return line;
        }
        let kept: String = line.chars().take(limit.saturating_sub(1)).collect();
        format!("{}…", kept.trim_end())
    }
}

/// Why the commit stands as it does, where one reason says it all.
fn reason(report: &Report) -> Option<String> {
    let reasons: BTreeSet<_> = report.states().map(|(_, state)| state.reason.trim()).collect();
    let only = reasons.first().filter(|reason| reasons.len() == 1 && !reason.is_empty())?;
    Some(only.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use countersign_core::decision::ExplainedHead;

    use super::*;
    use crate::testing::{commit, report};

    fn told(preview: bool) -> Told {
        let mut report = report('c', "staging", 5, "denied");
        report.targets[0].state.preview = preview;
        report.targets[0].decision.explained = vec![ExplainedHead { head: commit('a'), commit: commit('b') }];
        Told::of(&report)
    }

    #[test]
    fn what_came_along_is_told_too_but_not_of_a_preview() {
        let (main, other) = ("refs/heads/main".parse().unwrap(), "refs/heads/other".parse().unwrap());
        let concerned = |told: &Told, base: &Reference, head, became: Option<char>| {
            told.concerns(Some(base), Some(&commit(head)), became.map(commit).as_ref())
        };
        let decided = told(false);
        assert!(concerned(&decided, &main, 'c', None), "its head");
        assert!(concerned(&decided, &main, 'a', Some('b')), "merged before, and decided together");
        assert!(concerned(&decided, &main, 'f', Some('c')), "what became it");
        assert!(!concerned(&decided, &other, 'c', None), "for another branch");
        assert!(!concerned(&decided, &main, 'f', None));
        let preview = told(true);
        assert!(concerned(&preview, &main, 'c', None));
        assert!(!concerned(&preview, &main, 'a', Some('b')), "someone else's");
    }

    #[test]
    fn a_description_keeps_to_its_limit() {
        assert_eq!(told(false).description(100), "denied: because of 5");
        assert_eq!(told(false).description(10), "denied: b…");
    }
}
