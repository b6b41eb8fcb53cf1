use countersign_core::owners::CodeOwners;

use super::*;
use crate::fixture::{commit, configuration, facts};

fn files(owners: &[&str]) -> OwnedFiles {
    OwnedFiles {
        line: 3,
        section: None,
        owners: owners.iter().map(|owner| (*owner).to_owned()).collect(),
        approvals: 1,
        paths: vec!["deploy/web.yaml".to_owned()],
        more: 0,
    }
}

fn facts_with(owned: Vec<OwnedFiles>, problem: Option<&str>) -> Facts {
    let mut facts = facts(countersign_core::digest::Digest::of(b"bundle"));
    facts.owners = vec![CodeOwners {
        head: commit('b'),
        commit: commit('c'),
        base: Some(commit('a')),
        file: Some("CODEOWNERS".to_owned()),
        owned,
        problem: problem.map(str::to_owned),
    }];
    facts
}

#[test]
fn names_mean_people_and_teams_of_the_control_repository() {
    let mut configuration = configuration();
    let person = |name: &str| name.parse::<PersonName>().unwrap();
    configuration.people.get_mut(&person("grace")).unwrap().handles = ["@Grace".to_owned()].into();
    configuration.teams.get_mut(&"sre".parse().unwrap()).unwrap().handles = ["@acme/sre".to_owned()].into();
    let (grace, linus, margaret) = (person("grace"), person("linus"), person("margaret"));
    for (owners, approvers, could_approve, unknown) in [
        (&["@grace"][..], &[&grace][..], &[][..], &[][..]),
        (&["@ACME/SRE"], &[], &[&margaret], &[]),
        (&["Linus@Example.com"], &[], &[&linus], &[]),
        (&["@grace", "@acme/sre"], &[&grace], &[&margaret], &[]),
        // A person's name in the control repository is no name of a CODEOWNERS file.
        (&["@linus", "@edsger"], &[], &[], &["@linus", "@edsger"]),
    ] {
        let facts = facts_with(vec![files(owners)], None);
        let handles = Handles::of(&configuration);
        let owned =
            handles.owned(&facts, &commit('b'), &commit('c'), &[&grace], &[&linus, &margaret]).unwrap();
        assert_eq!(owned[0].approvers, approvers, "{owners:?}");
        assert_eq!(owned[0].could_approve, could_approve, "{owners:?}");
        assert_eq!(owned[0].unknown, unknown, "{owners:?}");
    }
}

#[test]
fn files_are_shown_with_whose_they_are() {
    let many = OwnedFiles { paths: vec!["a".into(), "b".into()], more: 7, ..files(&["@grace", "@acme/sre"]) };
    assert_eq!(shown("CODEOWNERS", &many), "a, b and 7 more files, of @grace @acme/sre (CODEOWNERS:3)");
    assert_eq!(shown("CODEOWNERS", &files(&["@o"])), "deploy/web.yaml, of @o (CODEOWNERS:3)");
}

#[test]
fn what_was_not_looked_for_or_cannot_be_told_is_not_nothing() {
    let configuration = configuration();
    let handles = Handles::of(&configuration);
    let unreadable = facts_with(Vec::new(), Some("CODEOWNERS: it is not UTF-8"));
    let of = |facts: &Facts, head| {
        handles.owned(facts, &commit(head), &commit('c'), &[], &[]).map(|_| ()).err().map(str::to_owned)
    };
    assert_eq!(of(&unreadable, 'b').as_deref(), Some("CODEOWNERS: it is not UTF-8"));
    assert_eq!(of(&unreadable, 'd').as_deref(), Some("it was not looked for"));
    assert_eq!(of(&facts_with(Vec::new(), None), 'b'), None, "nothing is owned");
}
