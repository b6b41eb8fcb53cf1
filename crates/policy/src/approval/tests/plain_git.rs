use super::*;

fn propose(head: char) -> Says {
    Says::Propose { base: "refs/heads/main".parse().unwrap(), head: commit(head), title: "Faster".into() }
}

/// Ada proposes head b, whose commit she signed; Grace approves it.
fn proposed() -> (Facts, VerifiedSignatures, Digest, Digest) {
    let (mut facts, mut signatures) = (plain(bundle()), VerifiedSignatures::default());
    signatures.commits.insert(commit('b'), signatory(Some("ada")));
    let proposal = say(&mut facts, &mut signatures, Some("ada"), 1, propose('b'));
    let approval = say(&mut facts, &mut signatures, Some("grace"), 2, Says::Approve { head: commit('b') });
    (facts, signatures, proposal, approval)
}

fn outcome(facts: &Facts, signatures: &VerifiedSignatures) -> (bool, usize, String) {
    let evidence = weigh_under(&configuration(), facts, signatures);
    let reason = evidence.approvals.iter().map(|a| a.reason.as_str()).collect::<Vec<_>>().join("; ");
    (evidence.explains(&commit('b')), evidence.approvers(&commit('b')).len(), reason)
}

#[test]
fn a_signed_proposal_is_explained_by_a_signed_approval() {
    let (facts, signatures, _, _) = proposed();
    assert_eq!(outcome(&facts, &signatures), (true, 1, "grace approved bbbbbbbb with a signature".into()));
}

#[test]
fn the_proposer_and_the_signers_of_commits_cannot_approve() {
    let (mut facts, mut signatures, _, _) = proposed();
    say(&mut facts, &mut signatures, Some("ada"), 3, Says::Approve { head: commit('b') });
    assert_eq!(outcome(&facts, &signatures).1, 1);
    signatures.commits.insert(commit('b'), signatory(Some("grace")));
    let (_, count, reason) = outcome(&facts, &signatures);
    assert!(count == 0 && reason.contains("signed commit bbbbbbbb"), "{reason}");
}

#[test]
fn a_proposal_with_an_unsigned_commit_explains_nothing() {
    let (facts, mut signatures, _, _) = proposed();
    signatures.commits.clear();
    let (explains, count, reason) = outcome(&facts, &signatures);
    assert!(
        !explains && count == 0 && reason.contains("is not signed by a known person: it has no signature"),
        "{reason}"
    );
    signatures.commits.insert(commit('b'), signatory(None));
    assert!(!outcome(&facts, &signatures).0, "a stranger's key");
    signatures.refused.insert(commit('b').to_string(), "the key is revoked".into());
    signatures.commits.clear();
    assert!(outcome(&facts, &signatures).2.contains("the key is revoked"));
}

#[test]
fn a_strangers_proposal_explains_nothing() {
    let (mut facts, mut signatures) = (plain(bundle()), VerifiedSignatures::default());
    signatures.commits.insert(commit('b'), signatory(Some("ada")));
    say(&mut facts, &mut signatures, None, 1, propose('b'));
    say(&mut facts, &mut signatures, Some("grace"), 2, Says::Approve { head: commit('b') });
    let (explains, count, reason) = outcome(&facts, &signatures);
    assert!(!explains && count == 0 && reason.contains("nobody's key"), "{reason}");
}

#[test]
fn only_the_proposer_closes_a_proposal() {
    let (mut facts, mut signatures, proposal, _) = proposed();
    say(&mut facts, &mut signatures, Some("linus"), 3, Says::Close { proposal });
    assert!(outcome(&facts, &signatures).0);
    say(&mut facts, &mut signatures, Some("ada"), 4, Says::Close { proposal });
    let (explains, count, _) = outcome(&facts, &signatures);
    assert_eq!((explains, count), (false, 0));
}

#[test]
fn an_approval_is_dismissed_by_oneself_or_by_those_who_may() {
    for (person, counts) in [("grace", 0), ("linus", 0), ("margaret", 0), ("edsger", 1)] {
        let (mut facts, mut signatures, _, approval) = proposed();
        say(&mut facts, &mut signatures, Some(person), 3, Says::Dismiss { approval });
        assert_eq!(outcome(&facts, &signatures).1, counts, "{person}");
    }
}

#[test]
fn what_is_not_verified_is_not_said() {
    let (facts, mut signatures, proposal, approval) = proposed();
    signatures.statements.remove(&approval);
    let (explains, count, reason) = outcome(&facts, &signatures);
    assert!(explains && count == 0 && reason.contains("no key was found"), "{reason}");
    signatures.statements.remove(&proposal);
    assert!(!outcome(&facts, &signatures).0);
}

#[test]
fn a_statement_of_another_repository_or_version_says_nothing_here() {
    let (mut facts, signatures, _, _) = proposed();
    facts.target.follows.repository = "local/other".parse().unwrap();
    assert_eq!((outcome(&facts, &signatures).0, outcome(&facts, &signatures).1), (false, 0));
    let (mut facts, mut signatures, _, _) = proposed();
    for statement in &mut facts.statements {
        let by = signatures.statements[&statement.id()].clone();
        statement.payload = statement.payload.replace("\"v\":1", "\"v\":2");
        signatures.statements.insert(statement.id(), by);
    }
    assert_eq!((outcome(&facts, &signatures).0, outcome(&facts, &signatures).1), (false, 0));
}

#[test]
fn what_a_plain_repository_says_of_pull_requests_is_not_believed() {
    let mut facts = plain(bundle());
    facts.pull_requests = vec![pull_request()];
    let mut configuration = configuration();
    let grace = configuration.people.get_mut(&"grace".parse().unwrap()).unwrap();
    grace.accounts.insert("local".parse().unwrap(), 2);
    let evidence = weigh_under(&configuration, &facts, &VerifiedSignatures::default());
    assert!(evidence.approvals.is_empty() && evidence.proposals.is_empty());
}
