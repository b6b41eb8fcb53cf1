//! Which pull requests could have led to the commits that have to be explained.
//!
//! A forge says of a merged pull request which commit it became, and of every one which head it has. Where
//! that accounts for all commits, no other pull request can matter. Where it does not (someone merged by hand,
//! or the forge has not noticed yet), the head of any open one may be the explanation, which only Git can tell.

use std::collections::BTreeSet;

use countersign_core::names::CommitId;
use countersign_core::review::{Identity, PullRequest, PullRequestState};

/// The most open pull requests that are read closely because none accounts for a commit.
const MAX_OTHERS: usize = 100;

/// The most commits whose pull request is asked for one by one.
pub(crate) const MAX_COMMITS: usize = 50;

/// Requests at once.
pub(crate) const AT_ONCE: usize = 8;

/// A pull request, and the commit that it became when it was merged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    /// The pull request; who reviewed it may still be missing.
    pub(crate) pull: PullRequest,
    /// The last commit that merging it made on its base.
    pub(crate) became: Option<CommitId>,
}

/// Pull requests as they are found, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    found: Vec<Candidate>,
    known: BTreeSet<String>,
}

impl Candidates {
    /// Adds what is not known yet.
    pub(crate) fn add(&mut self, found: impl IntoIterator<Item = Candidate>) {
        for candidate in found {
            if self.known.insert(candidate.pull.id.clone()) {
                self.found.push(candidate);
            }
        }
    }

    /// The commits that no pull request accounts for directly, newest first.
    pub(crate) fn unaccounted<'a>(&self, commits: &'a [CommitId]) -> Vec<&'a CommitId> {
        let heads = self.heads();
        let became = self.became();
        commits.iter().rev().filter(|commit| !heads.contains(commit) && !became.contains(commit)).collect()
    }

    /// Whether everything that leads to the last of `commits`, which are in order, is accounted for. A head on
    /// the way brought all before it.
    pub(crate) fn account_for(&self, commits: &[CommitId]) -> bool {
        let heads = self.heads();
        let became = self.became();
        commits
            .iter()
            .rev()
            .take_while(|commit| !heads.contains(commit))
            .all(|commit| became.contains(commit))
    }

    /// Those that can take part: all that account for a commit or share a head with one that does, and,
    /// where some commit is not accounted for, open ones, those first that were found first.
    pub(crate) fn take_part(self, commits: &[CommitId]) -> Vec<PullRequest> {
        let accounted = self.account_for(commits);
        let direct = |candidate: &Candidate| {
            commits.contains(&candidate.pull.head)
                || candidate.became.as_ref().is_some_and(|commit| commits.contains(commit))
        };
        let heads: BTreeSet<_> =
            self.found.iter().filter(|one| direct(one)).map(|one| one.pull.head.clone()).collect();
        let mut others = 0;
        let mut kept = Vec::new();
        for candidate in self.found {
            if heads.contains(&candidate.pull.head) {
                kept.push(candidate.pull);
            } else if !accounted && candidate.pull.state == PullRequestState::Open && others < MAX_OTHERS {
                others += 1;
                kept.push(candidate.pull);
            }
        }
        kept
    }

    fn heads(&self) -> BTreeSet<&CommitId> {
        self.found.iter().map(|candidate| &candidate.pull.head).collect()
    }

    fn became(&self) -> BTreeSet<&CommitId> {
        self.found.iter().filter_map(|candidate| candidate.became.as_ref()).collect()
    }
}

/// Each identity once, in order.
pub(crate) fn distinct(identities: impl Iterator<Item = Identity>) -> Vec<Identity> {
    let mut kept: Vec<Identity> = Vec::new();
    for identity in identities {
        if !kept.contains(&identity) {
            kept.push(identity);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(digit: char) -> CommitId {
        digit.to_string().repeat(40).parse().unwrap()
    }

    fn candidate(id: &str, head: char, state: PullRequestState, became: Option<char>) -> Candidate {
        let pull = PullRequest {
            id: id.to_owned(),
            title: String::new(),
            url: None,
            author: Identity::default(),
            base: "refs/heads/main".parse().unwrap(),
            head: commit(head),
            fork: false,
            state,
            pushers: Vec::new(),
            contributors: Vec::new(),
            reviews: Vec::new(),
            labels: Vec::new(),
        };
        Candidate { pull, became: became.map(commit) }
    }

    fn some() -> Candidates {
        let mut candidates = Candidates::default();
        candidates.add([
            candidate("1", 'a', PullRequestState::Merged, Some('1')),
            candidate("2", 'b', PullRequestState::Merged, Some('2')),
            candidate("3", 'c', PullRequestState::Open, None),
            candidate("4", 'd', PullRequestState::Closed, None),
            candidate("5", 'a', PullRequestState::Closed, None),
            candidate("1", 'f', PullRequestState::Open, None),
        ]);
        candidates
    }

    fn part(commits: &str) -> String {
        let commits: Vec<_> = commits.chars().map(commit).collect();
        some().take_part(&commits).into_iter().map(|pull| pull.id).collect()
    }

    #[test]
    fn only_what_accounts_for_a_commit_takes_part() {
        assert_eq!(part("12"), "125", "a closed one with the same head says who took part");
        assert_eq!(part("2"), "2");
    }

    #[test]
    fn an_open_one_may_explain_what_nothing_accounts_for() {
        assert_eq!(part("19"), "135");
        assert_eq!(part("9"), "3");
    }

    #[test]
    fn a_head_on_the_way_brought_all_before_it() {
        assert_eq!(part("98c"), "3");
        assert_eq!(part("9c2"), "23");
        let commits = [commit('9'), commit('c')];
        assert_eq!(some().unaccounted(&commits), [&commit('9')]);
    }
}
