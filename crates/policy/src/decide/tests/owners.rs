//! Owners of files are among those who approve, where the environment asks for it.

use countersign_core::owners::{CodeOwners, OwnedFiles};

use super::*;

/// What comes of head `b`, which Grace approved, where its files belong to `owner`, known as Linus.
fn decide_where_owned_by(owner: &str, change: impl FnOnce(&mut Facts)) -> Decision {
    let mut configuration = configuration();
    for environment in configuration.environments.values_mut() {
        environment.approvals.code_owners = true;
    }
    for (name, handle) in [("grace", "@grace"), ("linus", "@linus")] {
        let person = configuration.people.get_mut(&name.parse().unwrap()).unwrap();
        person.handles = [handle.to_owned()].into();
    }
    let facts = changed(|f| {
        f.owners = vec![CodeOwners {
            head: commit('b'),
            commit: commit('c'),
            base: Some(commit('a')),
            file: Some("CODEOWNERS".into()),
            owned: vec![OwnedFiles {
                line: 2,
                section: None,
                owners: vec![owner.into()],
                approvals: 1,
                paths: vec!["deploy/web.yaml".into()],
                more: 0,
            }],
            problem: None,
        }];
        change(f);
    });
    let rules = starter();
    let ground = Ground { digest: bundle(), configuration: &configuration, rules: &rules, waivers: &[] };
    decide_on(ground, &facts, digest(), &VerifiedSignatures::default(), Mode::Enforce)
}

#[test]
fn an_owner_among_those_who_approve_is_enough() {
    let decision = decide_where_owned_by("@grace", |_| {});
    assert_eq!(decision.verdict, Verdict::Allowed, "{}", decision.reason);
}

#[test]
fn an_approval_of_somebody_else_is_not() {
    for (owner, expected) in [
        (
            "@linus",
            "bbbbbbbb changes deploy/web.yaml, of @linus (CODEOWNERS:2), and has 0 of 1 approvals of theirs (nobody); who can approve: linus",
        ),
        // Ada opened the pull request: she owns it, and does not approve it.
        ("ada@example.com", "who can approve: nobody"),
        ("@stranger", "who can approve: nobody (and 1 more finding)"),
    ] {
        let decision = decide_where_owned_by(owner, |_| {});
        assert_eq!(decision.verdict, Verdict::Denied);
        assert!(decision.reason.contains(expected), "{}", decision.reason);
    }
}

#[test]
fn what_cannot_be_told_or_was_not_looked_for_denies() {
    let unreadable = |f: &mut Facts| f.owners[0].problem = Some("CODEOWNERS: it is not UTF-8".into());
    let decision = decide_where_owned_by("@grace", unreadable);
    assert!(
        decision.reason.contains("nobody can tell who owns what bbbbbbbb changes"),
        "{}",
        decision.reason
    );
    let decision = decide_where_owned_by("@grace", |f| f.owners.clear());
    assert!(decision.reason.contains("it was not looked for"), "{}", decision.reason);
    assert_eq!(decide(&changed(|_| {}), Mode::Enforce).verdict, Verdict::Allowed, "nobody asks elsewhere");
}
