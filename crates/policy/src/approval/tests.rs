use super::*;
use crate::fixture::{
    account, approval, at, commit, commit_facts, configuration, facts, plain, pull_request, say, signatory,
};
use countersign_core::digest::Digest;
use countersign_core::review::{Identity, PullRequestState, Review, ReviewVerdict};
use countersign_core::statement::Says;

mod plain_git;

fn bundle() -> Digest {
    Digest::of(b"bundle")
}

fn weigh_under(configuration: &Configuration, facts: &Facts, signatures: &VerifiedSignatures) -> Evidence {
    let requirement = Requirement::of(configuration, facts).unwrap();
    Evidence::weigh(configuration, facts, signatures, &requirement)
}

fn weigh(facts: &Facts) -> Evidence {
    weigh_under(&configuration(), facts, &VerifiedSignatures::default())
}

/// What comes of Grace's approval in facts changed by `change`.
fn only(change: impl FnOnce(&mut Facts)) -> (bool, String) {
    let mut facts = facts(bundle());
    change(&mut facts);
    let evidence = weigh(&facts);
    let of_grace = evidence.approvals.iter().find(|approval| approval.id == "r1").unwrap();
    (of_grace.counts, of_grace.reason.clone())
}

fn refused(change: impl FnOnce(&mut Facts), expected: &str) {
    let (counts, reason) = only(change);
    assert!(!counts && reason.contains(expected), "{counts} {reason}");
}

#[test]
fn an_approval_by_another_member_counts() {
    assert_eq!(only(|_| {}), (true, "grace approved bbbbbbbb".to_owned()));
}

#[test]
fn an_approval_of_what_was_merged_otherwise_does_not_count() {
    refused(|f| f.range.explanations.clear(), "but nothing here is the merge of exactly that head");
}

#[test]
fn who_took_part_does_not_count() {
    refused(
        |f| f.pull_requests[0].author = account(2),
        "grace approved bbbbbbbb, but opened the pull request",
    );
    refused(|f| f.pull_requests[0].pushers = vec![account(2)], "pushed to the pull request");
    let unknown = || vec![account(1), Identity::default()];
    refused(|f| f.pull_requests[0].pushers = unknown(), "who pushed to its branch is not known");
    refused(|f| f.pull_requests[0].contributors = vec![account(2)], "wrote or committed a commit");
    let commits = |f: &mut Facts| f.proposed.get_mut(&commit('b')).unwrap().clone();
    let set = |f: &mut Facts, commits| drop(f.proposed.insert(commit('b'), commits));
    for (expected, edit) in [
        (
            "is the author of commit bbbbbbbb",
            (|c| c.author.email = "Grace@Example.com ".into())
                as fn(&mut countersign_core::review::CommitFacts),
        ),
        ("is the committer of commit bbbbbbbb", |c| c.committer.email = "grace@example.com".into()),
        ("is a co-author of commit bbbbbbbb", |c| c.co_authors = vec!["grace@example.com".into()]),
        ("is the author of", |c| c.author.email = "2+grace@users.noreply.forge.example".into()),
        ("is the author of", |c| c.author.email = "2-grace@users.noreply.gitlab.com".into()),
    ] {
        refused(
            |f| {
                let mut of_head = commits(f);
                edit(&mut of_head[0]);
                set(f, of_head);
            },
            expected,
        );
    }
    refused(
        |f| {
            let mut of_head = commits(f);
            of_head.push(commit_facts('5', 'b', "grace@example.com"));
            set(f, of_head);
        },
        "commit 55555555",
    );
}

#[test]
fn a_key_that_signed_a_commit_excludes_whatever_the_commit_says() {
    let mut signatures = VerifiedSignatures::default();
    signatures.commits.insert(commit('b'), signatory(Some("grace")));
    let evidence = weigh_under(&configuration(), &facts(bundle()), &signatures);
    assert!(!evidence.approvals[0].counts && evidence.approvals[0].reason.contains("signed commit bbbbbbbb"));
}

#[test]
fn a_key_that_a_forge_names_excludes_and_never_counts() {
    let mut configuration = configuration();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g".to_owned();
    let fingerprint = people::fingerprint(&key).unwrap();
    assert!(fingerprint.starts_with("SHA256:") && fingerprint.len() == 50, "{fingerprint}");
    configuration.people.get_mut(&"grace".parse().unwrap()).unwrap().keys.push(key);
    let by_key = Identity { account: None, login: None, key: Some(fingerprint) };
    let mut excluded = facts(bundle());
    excluded.pull_requests[0].pushers = vec![by_key.clone()];
    assert!(!weigh_under(&configuration, &excluded, &VerifiedSignatures::default()).approvals[0].counts);
    let mut claimed = facts(bundle());
    claimed.pull_requests[0].reviews[0].reviewer = by_key;
    assert!(!weigh_under(&configuration, &claimed, &VerifiedSignatures::default()).approvals[0].counts);
}

#[test]
fn strangers_and_people_of_no_team_do_not_count() {
    refused(
        |f| f.pull_requests[0].reviews[0].reviewer = account(99),
        "login99 (account 99) approved bbbbbbbb, but is nobody",
    );
    refused(
        |f| f.pull_requests[0].reviews[0].reviewer = account(5),
        "edsger approved bbbbbbbb, but is in no team that may approve here (shop)",
    );
    refused(|f| f.pull_requests[0].reviews[0].reviewer = account(4), "margaret approved");
    refused(
        |f| {
            f.pull_requests[0].reviews[0].reviewer =
                Identity { account: None, login: Some("login2".into()), key: None }
        },
        "is nobody",
    );
}

#[test]
fn a_listed_team_may_approve_too() {
    let mut configuration = configuration();
    let environment = configuration.environments.get_mut(&"production".parse().unwrap()).unwrap();
    environment.approvals.teams = vec!["sre".parse().unwrap()];
    let mut facts = facts(bundle());
    facts.pull_requests[0].reviews.push(approval("r2", 4, 'b', 20));
    let evidence = weigh_under(&configuration, &facts, &VerifiedSignatures::default());
    assert!(evidence.approvals.iter().all(|approval| approval.counts), "{:?}", evidence.approvals);
}

#[test]
fn an_approval_is_bound_to_its_head() {
    refused(
        |f| f.pull_requests[0].reviews[0].commit = commit('9'),
        "grace approved 99999999, but the proposed head is bbbbbbbb now",
    );
}

#[test]
fn the_latest_word_of_a_person_wins() {
    let changes = |seconds| {
        let mut review = approval("r2", 2, 'b', seconds);
        review.verdict = ReviewVerdict::ChangesRequested;
        review
    };
    refused(|f| f.pull_requests[0].reviews.push(changes(20)), "requested changes later");
    // Whatever order their ids have as text.
    for id in ["9", "r0", "r2"] {
        let at_once = |f: &mut Facts| {
            let id = id.to_owned();
            f.pull_requests[0].reviews.push(Review { id, ..changes(10) });
        };
        refused(at_once, "requested changes later");
    }
    assert!(
        only(|f| f.pull_requests[0].reviews.insert(0, changes(5))).0,
        "approved after requesting changes"
    );
    let comment = || {
        let mut review = approval("r2", 2, 'b', 20);
        review.verdict = ReviewVerdict::Commented;
        review
    };
    assert!(only(|f| f.pull_requests[0].reviews.push(comment())).0, "a comment takes nothing back");
    refused(|f| f.pull_requests[0].reviews.push(approval("r2", 2, 'b', 20)), "approved again later");
    let elsewhere = |f: &mut Facts| {
        let mut other = pull_request();
        other.id = "8".into();
        other.reviews = vec![changes(20)];
        f.pull_requests.push(other);
    };
    refused(elsewhere, "requested changes later");
}

#[test]
fn a_dismissed_approval_does_not_count_and_revives_nothing() {
    refused(|f| f.pull_requests[0].reviews[0].dismissed = true, "was dismissed");
    let later = |f: &mut Facts| {
        let mut review = approval("r2", 2, 'b', 20);
        review.dismissed = true;
        f.pull_requests[0].reviews.push(review);
    };
    refused(later, "approved again later");
}

#[test]
fn a_proposal_for_something_else_carries_no_approval() {
    refused(|f| f.pull_requests[0].fork = true, "comes from a fork");
    refused(|f| f.pull_requests[0].state = PullRequestState::Closed, "closed without merging");
    refused(
        |f| f.pull_requests[0].base = "refs/heads/sandbox".parse().unwrap(),
        "asks to change refs/heads/sandbox",
    );
}

#[test]
fn an_approval_of_a_fork_stays_one_beside_a_pull_request_of_the_same_head() {
    let fork = |f: &mut Facts| {
        let mut fork = pull_request();
        (fork.id, fork.fork) = ("8".into(), true);
        fork.reviews = vec![approval("r8", 2, 'b', 20)];
        f.pull_requests.push(fork);
    };
    let mut beside = facts(bundle());
    fork(&mut beside);
    let approvals = weigh_under(&configuration(), &beside, &VerifiedSignatures::default()).approvals;
    let counts: Vec<_> = approvals.iter().map(|approval| (approval.id.as_str(), approval.counts)).collect();
    assert_eq!(counts, [("r1", true), ("r8", false)]);
    assert!(approvals[1].reason.contains("comes from a fork"), "{}", approvals[1].reason);
    beside.pull_requests[0].reviews.clear();
    for relation in [beside.range.relation, Relation::Initial, Relation::Diverges] {
        beside.range.relation = relation;
        beside.change.commit = commit('b');
        let evidence = weigh_under(&configuration(), &beside, &VerifiedSignatures::default());
        assert_eq!(evidence.approvers(&commit('b')).len(), 0, "{relation:?}");
    }
}

#[test]
fn what_is_not_known_does_not_count() {
    refused(|f| f.proposed.clear(), "are not known");
    refused(|f| drop(f.proposed.insert(commit('b'), Vec::new())), "are not known");
}

#[test]
fn what_a_forge_says_of_signatures_is_not_believed() {
    let mut configuration = configuration();
    configuration.environments.get_mut(&"production".parse().unwrap()).unwrap().approvals.signed = true;
    let mut facts = facts(bundle());
    facts.pull_requests[0].reviews[0].signed = true;
    let mut signatures = VerifiedSignatures::default();
    let evidence = weigh_under(&configuration, &facts, &signatures);
    assert!(!evidence.approvals[0].counts && evidence.approvals[0].reason.contains("only approvals signed"));
    say(&mut facts, &mut signatures, Some("linus"), 20, Says::Approve { head: commit('b') });
    let evidence = weigh_under(&configuration, &facts, &signatures);
    let signed: Vec<_> = evidence.approvers(&commit('b')).into_iter().map(PersonName::as_str).collect();
    assert_eq!(signed, ["linus"]);
}

#[test]
fn the_first_commit_is_approved_by_someone_who_did_not_write_it() {
    let (mut facts, mut signatures) = (plain(bundle()), VerifiedSignatures::default());
    facts.range.relation = Relation::Initial;
    facts.range.from = None;
    facts.range.commits = vec![commit_facts('c', 'a', "ada@example.com")];
    say(&mut facts, &mut signatures, Some("ada"), 1, Says::Approve { head: commit('c') });
    let weigh = |facts: &Facts, signatures: &VerifiedSignatures| {
        let evidence = weigh_under(&configuration(), facts, signatures);
        evidence.approvers(&commit('c')).len()
    };
    assert_eq!(weigh(&facts, &signatures), 0, "the author");
    say(&mut facts, &mut signatures, Some("grace"), 1, Says::Approve { head: commit('c') });
    assert_eq!(weigh(&facts, &signatures), 1);
    facts.range.commits.clear();
    assert_eq!(weigh(&facts, &signatures), 0, "nobody knows who wrote it");
}

#[test]
fn going_back_needs_an_approval_that_is_newer_than_what_runs() {
    let (mut facts, mut signatures) = (plain(bundle()), VerifiedSignatures::default());
    facts.range.relation = Relation::Diverges;
    say(&mut facts, &mut signatures, Some("grace"), 10, Says::Approve { head: commit('c') });
    for (authorized_at, used, counts) in [
        (Some(at(5)), false, 1),
        (Some(at(10)), false, 0),
        (Some(at(20)), false, 0),
        (None, false, 1),
        (None, true, 0),
        (Some(at(5)), true, 1),
    ] {
        facts.history.authorized_at = authorized_at;
        facts.history.used_heads = used.then(|| (commit('c'), commit('c'))).into_iter().collect();
        let evidence = weigh_under(&configuration(), &facts, &signatures);
        assert_eq!(evidence.approvers(&commit('c')).len(), counts, "{authorized_at:?} {used}");
    }
}
