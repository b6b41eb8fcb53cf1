use super::*;
use crate::fixture::{commit, commit_facts, facts};
use countersign_core::decision::Approval;
use countersign_core::digest::Digest;
use countersign_core::facts::{Explanation, Facts, Range};
use countersign_core::review::PullRequestState;

use crate::approval::proposals::Proposal;

/// Facts from commit 0 through `path` of which `altering` alter, with runs as `(after, to, head)`.
fn range(path: &str, altering: &str, runs: &[(char, char, char)]) -> Facts {
    let mut facts = facts(Digest::of(b"bundle"));
    let mut before = '0';
    let mut commits = Vec::new();
    for digit in path.chars() {
        commits.push(commit_facts(digit, before, "a@example.com"));
        before = digit;
    }
    facts.change.commit = commit(before);
    facts.range = Range {
        from: Some(commit('0')),
        relation: Relation::Descends,
        commits,
        altering: altering.chars().map(commit).collect(),
        from_gone: false,
        explanations: runs
            .iter()
            .map(|(after, to, head)| Explanation {
                after: commit(*after),
                to: commit(*to),
                head: commit(*head),
            })
            .collect(),
    };
    facts
}

/// Heads that may explain, with the number of people who approved each.
fn evidence(heads: &[(char, usize)]) -> Evidence {
    let mut evidence = Evidence::default();
    for (head, approvers) in heads {
        evidence.proposals.push(Proposal {
            id: head.to_string(),
            title: String::new(),
            url: None,
            author: None,
            author_shown_as: String::new(),
            base: "refs/heads/main".parse().unwrap(),
            head: commit(*head),
            fork: false,
            state: PullRequestState::Merged,
            labels: Vec::new(),
            signed: false,
            refused: None,
            parties: Vec::new(),
        });
        evidence.approvals.extend((0..*approvers).map(|number| Approval {
            id: number.to_string(),
            person: Some(format!("p{number}").parse().unwrap()),
            shown_as: String::new(),
            head: commit(*head),
            signed: false,
            counts: true,
            reason: String::new(),
        }));
    }
    evidence
}

/// Heads and unexplained commits, each by its digit.
fn chosen(facts: &Facts, evidence: &Evidence) -> (String, String) {
    digits(&choose(facts, evidence, false))
}

fn digits(path: &Path) -> (String, String) {
    let digit = |commit: &CommitId| commit.as_str().chars().next().unwrap();
    (path.heads.iter().map(|used| digit(&used.head)).collect(), path.unexplained.iter().map(digit).collect())
}

fn both(heads: &str, unexplained: &str) -> (String, String) {
    (heads.to_owned(), unexplained.to_owned())
}

#[test]
fn a_path_may_begin_where_what_was_authorized_was_merged_from_the_side() {
    let mut facts = range("12", "1", &[('0', '2', 'a')]);
    facts.range.from = Some(commit('9'));
    let (heads, unexplained) = chosen(&facts, &evidence(&[('a', 1)]));
    assert_eq!((heads.as_str(), unexplained.as_str()), ("a", ""));
}

#[test]
fn a_commit_that_alters_and_is_not_explained_rides_along() {
    let facts = range("123", "123", &[('0', '1', 'a'), ('2', '3', 'c')]);
    assert_eq!(chosen(&facts, &evidence(&[('a', 1), ('c', 1)])), both("ac", "2"));
}

#[test]
fn a_commit_that_alters_nothing_is_free() {
    let facts = range("123", "13", &[('0', '1', 'a'), ('1', '2', 'b'), ('2', '3', 'c')]);
    assert_eq!(chosen(&facts, &evidence(&[('a', 1), ('b', 1), ('c', 1)])), both("ac", ""));
    assert_eq!(chosen(&range("123", "", &[]), &evidence(&[])), both("", ""));
}

#[test]
fn a_run_of_several_commits_is_explained_by_one_head() {
    let facts = range("123", "123", &[('0', '3', 'a')]);
    assert_eq!(chosen(&facts, &evidence(&[('a', 1)])), both("a", ""));
}

#[test]
fn the_way_whose_weakest_head_has_most_approvals_is_taken() {
    let runs = [('0', '1', 'a'), ('1', '2', 'b'), ('0', '2', 'c')];
    assert_eq!(chosen(&range("12", "12", &runs), &evidence(&[('a', 3), ('b', 1), ('c', 2)])), both("c", ""));
    assert_eq!(chosen(&range("12", "12", &runs), &evidence(&[('a', 3), ('b', 2), ('c', 1)])), both("ab", ""));
    assert_eq!(chosen(&range("12", "12", &runs), &evidence(&[('a', 2), ('b', 2), ('c', 2)])), both("c", ""));
}

#[test]
fn an_unapproved_head_is_better_than_riding_along() {
    assert_eq!(chosen(&range("1", "1", &[('0', '1', 'a')]), &evidence(&[('a', 0)])), both("a", ""));
}

#[test]
fn the_order_of_the_facts_does_not_matter() {
    let runs = [('0', '1', 'a'), ('0', '1', 'b')];
    let reversed = [('0', '1', 'b'), ('0', '1', 'a')];
    let evidence = evidence(&[('a', 1), ('b', 1)]);
    assert_eq!(chosen(&range("1", "1", &runs), &evidence), chosen(&range("1", "1", &reversed), &evidence));
}

#[test]
fn a_head_that_explained_another_commit_explains_no_more() {
    let mut facts = range("1", "1", &[('0', '1', 'a')]);
    let evidence = evidence(&[('a', 2)]);
    facts.history.used_heads.insert(commit('a'), commit('9'));
    assert_eq!(chosen(&facts, &evidence), both("", "1"));
    facts.history.used_heads.insert(commit('a'), commit('1'));
    assert_eq!(chosen(&facts, &evidence), both("a", ""));
}

#[test]
fn a_head_that_nobody_proposed_or_whose_proposal_is_refused_explains_nothing() {
    let facts = range("1", "1", &[('0', '1', 'a')]);
    assert_eq!(chosen(&facts, &evidence(&[])), both("", "1"));
    let mut refused = evidence(&[('a', 1)]);
    refused.proposals[0].refused = Some("closed".into());
    assert_eq!(chosen(&facts, &refused), both("", "1"));
}

#[test]
fn facts_that_do_not_hang_together_explain_nothing() {
    let mut facts = range("1", "1", &[('0', '1', 'a')]);
    facts.change.commit = commit('2');
    assert_eq!(chosen(&facts, &evidence(&[('a', 1)])), both("a", "2"));
    let mut facts = range("1", "1", &[('0', '1', 'a')]);
    facts.range.altering.push(commit('7'));
    assert_eq!(chosen(&facts, &evidence(&[('a', 1)])), both("a", "7"));
}

#[test]
fn a_tip_that_stands_alone_is_explained_by_its_own_approval() {
    for relation in [Relation::Initial, Relation::Diverges] {
        let mut facts = range("1", "1", &[('0', '1', 'a')]);
        facts.range.relation = relation;
        assert_eq!(chosen(&facts, &evidence(&[('a', 5)])), both("", "1"), "{relation:?}");
        assert_eq!(chosen(&facts, &evidence(&[('1', 1)])), both("1", ""));
        facts.history.used_heads.insert(commit('1'), commit('9'));
        assert_eq!(chosen(&facts, &evidence(&[('1', 1)])), both("", "1"));
    }
    let mut facts = range("1", "1", &[('0', '1', 'a')]);
    facts.range.from = None;
    assert_eq!(chosen(&facts, &evidence(&[('a', 5)])), both("", "1"));
}

#[test]
fn rewritten_history_that_alters_nothing_needs_no_approval() {
    let mut facts = range("1", "", &[]);
    facts.range.relation = Relation::Diverges;
    assert_eq!(chosen(&facts, &evidence(&[])), both("", ""));
    facts.range.from = None;
    assert_eq!(chosen(&facts, &evidence(&[])), both("", "1"));
}

#[test]
fn a_head_that_renders_to_the_same_objects_goes_first_where_they_must_be_exact() {
    let runs = [('0', '1', 'a'), ('1', '2', 'b'), ('1', '2', 'c')];
    let mut facts = range("123", "12", &runs);
    let evidence = evidence(&[('a', 1), ('b', 2), ('c', 1)]);
    facts.reviewed = ['b', 'c'].map(|head| (commit(head), Some(Digest::of(&[head as u8])))).into();
    facts.manifest = Some(Digest::of(b"c"));
    assert_eq!(chosen(&facts, &evidence), both("ab", ""));
    // What the first head renders to does not matter: only the last state is applied.
    assert_eq!(digits(&choose(&facts, &evidence, true)), both("ac", ""));
    facts.manifest = Some(Digest::of(b"another"));
    assert_eq!(digits(&choose(&facts, &evidence, true)), both("ab", ""), "none does: the best is named");
}
