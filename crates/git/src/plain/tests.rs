use countersign_core::decision::Verdict;
use countersign_core::ports::forge::ReportedTarget;
use countersign_core::statement::SignedStatement;
use serde_json::{Value, json};

use super::*;
use crate::hook::write_statement;
use crate::testing::{Place, now};

fn id() -> RepositoryId {
    "local/shop".parse().unwrap()
}

fn forge(place: &Place) -> PlainForge {
    PlainForge::new([(id(), place.folder.path().to_owned())].into())
}

/// Keeps a statement; signatures are not looked at here.
fn say(place: &Place, says: Value) -> SignedStatement {
    let payload = json!({
        "v": 1, "repository": "local/shop", "time": "2026-11-20T22:00:00Z", "nonce": "n", "says": says
    });
    let signature = "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n".to_owned();
    let statement = SignedStatement { payload: payload.to_string(), signature };
    write_statement(place.folder.path(), &statement).unwrap();
    statement
}

#[test]
fn evidence_is_what_speaks_of_heads_that_take_part() {
    let place = Place::new();
    let start = place.commit(&[], &[("a", "1")]);
    let head = place.commit(&[&start], &[("a", "2")]);
    let merge = place.commit(&[&start, &head], &[("a", "2")]);
    let next = place.commit(&[&merge], &[("a", "3")]);
    let propose = |base: &str, head: &CommitId| {
        say(&place, json!({ "kind": "propose", "base": base, "head": head, "title": format!("to {base}") }))
    };
    let approve = |head: &CommitId| say(&place, json!({ "kind": "approve", "head": head }));
    let proposal = propose("refs/heads/main", &head);
    let later = propose("refs/heads/main", &next);
    propose("refs/heads/other", &head);
    propose("refs/heads/main", &"1".repeat(40).parse().unwrap());
    let approval = approve(&head);
    let of_tip = approve(&merge);
    approve(&start);
    let dismissal = say(&place, json!({ "kind": "dismiss", "approval": approval.id() }));
    let close = say(&place, json!({ "kind": "close", "proposal": proposal.id() }));
    say(&place, json!({ "kind": "close", "proposal": of_tip.id().to_string().replace('a', "b") }));
    let hold = json!({ "do": "hold", "target": { "application": "a", "environment": "b", "cluster": "c" }, "reason": "r" });
    say(&place, json!({ "kind": "command", "command": hold, "expires": "2026-11-21T22:00:00Z" }));
    let evidence = |commits: &[CommitId]| {
        let main = "refs/heads/main".parse().unwrap();
        let found = now(forge(&place).evidence(&id(), &main, commits)).unwrap();
        assert_eq!(found.pull_requests, []);
        found.statements.iter().map(SignedStatement::id).collect::<std::collections::BTreeSet<_>>()
    };
    let ids = |statements: &[&SignedStatement]| statements.iter().map(|statement| statement.id()).collect();
    assert_eq!(evidence(&[merge]), ids(&[&proposal, &later, &approval, &of_tip, &dismissal, &close]));
    assert_eq!(evidence(&[next]), ids(&[&later]), "what lies before is over");
}

#[test]
fn a_repository_without_a_folder_is_refused() {
    let error =
        now(PlainForge::default().evidence(&id(), &"refs/heads/main".parse().unwrap(), &[])).unwrap_err();
    assert!(matches!(&error, PortError::Refused(text) if text.contains("countersign.yaml")), "{error}");
}

fn report(commit: &CommitId, environment: &str, reason: &str) -> Report {
    let digest = countersign_core::digest::Digest::of(b"");
    let target = json!({ "application": "shop", "environment": environment, "cluster": "east" });
    let decision = json!({
        "v": 1, "attempt": digest, "target": target, "began": "2026-11-20T22:00:00Z", "preview": false,
        "follows": { "repository": "local/shop", "reference": "refs/heads/main" },
        "operation": "deploy", "commit": commit, "tree": commit, "closure": digest, "objects": [],
        "namespaces": [], "clusterKinds": [], "adopt": false, "facts": digest, "bundle": digest,
        "engine": "e", "verdict": "denied", "reason": reason, "rules": [], "approvals": [], "explained": []
    });
    let state = json!({
        "attempt": digest, "index": 3, "preview": false, "verdict": Verdict::Denied,
        "disposition": "refused", "reason": reason, "decision": digest
    });
    Report {
        repository: id(),
        commit: commit.clone(),
        environment: environment.parse().unwrap(),
        targets: vec![ReportedTarget {
            target: serde_json::from_value(target).unwrap(),
            state: serde_json::from_value(state).unwrap(),
            decision: serde_json::from_value(decision).unwrap(),
            diff: Vec::new(),
            outcome: None,
        }],
        others: Vec::new(),
    }
}

/// The files and the commit of what was reported.
fn told(place: &Place, commit: &CommitId) -> (BTreeMap<String, String>, git2::Oid) {
    let reference = place.git.find_reference(&format!("refs/countersign/reports/{commit}")).unwrap();
    let found = reference.peel_to_commit().unwrap();
    assert_eq!((found.parent_count(), found.time().seconds()), (0, 1_795_212_000));
    let tree = found.tree().unwrap();
    let text = |entry: &git2::TreeEntry<'_>| {
        String::from_utf8(place.git.find_blob(entry.id()).unwrap().content().to_vec()).unwrap()
    };
    (tree.iter().map(|entry| (entry.name().unwrap().to_owned(), text(&entry))).collect(), found.id())
}

#[test]
fn a_lock_that_a_killed_writer_left_holds_up_no_report() {
    let place = Place::new();
    let commit = place.commit(&[], &[("a", "1")]);
    let lock = place.folder.path().join(format!("refs/countersign/reports/{commit}.lock"));
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, "").unwrap();
    now(forge(&place).report(&report(&commit, "staging", "first"))).unwrap();
    assert!(told(&place, &commit).0["staging.md"].contains("first"));
    assert!(!lock.exists());
}

#[test]
fn a_report_is_a_reference_with_text_for_each_environment() {
    let place = Place::new();
    let commit = place.commit(&[], &[("a", "1")]);
    let forge = forge(&place);
    now(forge.report(&report(&commit, "staging", "first"))).unwrap();
    now(forge.report(&report(&commit, "production", "second"))).unwrap();
    let (files, before) = told(&place, &commit);
    assert_eq!(
        files.keys().collect::<Vec<_>>(),
        ["production.json", "production.md", "staging.json", "staging.md"]
    );
    assert!(files["staging.md"].contains("first") && files["production.md"].contains("second"));
    let read: Value = serde_json::from_str(&files["staging.json"]).unwrap();
    assert_eq!(
        (&read["v"], &read["verdict"], &read["targets"][0]["decision"]["reason"]),
        (&json!(1), &json!("denied"), &json!("first"))
    );
    let snapshot = place.snapshot();
    now(forge.report(&report(&commit, "staging", "first"))).unwrap();
    assert_eq!(told(&place, &commit).1, before, "what is told already is not told again");
    assert!(place.snapshot() == snapshot);
    now(forge.report(&report(&commit, "staging", "third"))).unwrap();
    assert!(told(&place, &commit).0["staging.md"].contains("third"));
    assert!(told(&place, &commit).0["production.md"].contains("second"));
}

#[test]
fn reports_of_several_environments_at_once_are_all_kept() {
    let place = Place::new();
    let commit = place.commit(&[], &[("a", "1")]);
    let forge = forge(&place);
    std::thread::scope(|scope| {
        for at in 0..4 {
            let (forge, commit) = (&forge, &commit);
            scope.spawn(move || {
                for time in 0..5 {
                    now(forge.report(&report(commit, &format!("stage-{at}"), &format!("reason {time}"))))
                        .unwrap();
                }
            });
        }
    });
    let (files, _) = told(&place, &commit);
    assert_eq!(files.len(), 8);
    assert!(
        files.iter().filter(|(name, _)| name.ends_with(".md")).all(|(_, text)| text.contains("reason 4"))
    );
}

#[test]
fn what_was_read_is_not_read_again_and_what_is_gone_is_forgotten() {
    let place = Place::new();
    let start = place.commit(&[], &[("a", "1")]);
    let head = place.commit(&[&start], &[("a", "2")]);
    let merge = place.commit(&[&start, &head], &[("a", "2")]);
    let proposal =
        say(&place, json!({ "kind": "propose", "base": "refs/heads/main", "head": head, "title": "one" }));
    let known = known::KnownStatements::default();
    let evidence = |commits: &[CommitId]| {
        let forge = forge(&place).knowing(known.clone());
        let found = now(forge.evidence(&id(), &"refs/heads/main".parse().unwrap(), commits)).unwrap();
        found.statements.iter().map(SignedStatement::id).collect::<Vec<_>>()
    };
    assert_eq!(evidence(std::slice::from_ref(&merge)), [proposal.id()]);
    // A statement's name is a hash of it, so that a known one is told by its name alone.
    let name = format!("{}{}", countersign_core::statement::STATEMENTS, proposal.id().hex());
    known.lock().get_mut(&id()).unwrap().statements.insert(name.clone(), None);
    assert_eq!(evidence(std::slice::from_ref(&merge)), [], "it is not read again");
    known.lock().get_mut(&id()).unwrap().statements.remove(&name);
    let next = place.commit(&[&merge], &[("a", "3")]);
    assert_eq!(evidence(std::slice::from_ref(&next)), [], "its head is contained already");
    assert_eq!(evidence(&[place.commit(&[&next], &[("a", "4")])]), [], "also in what comes later");
    assert_eq!(evidence(&[merge]), [proposal.id()], "and not in what came before");
    let approval = say(&place, json!({ "kind": "approve", "head": next }));
    assert_eq!(evidence(std::slice::from_ref(&next)), [approval.id()], "what is new is read");
    place
        .git
        .find_reference(&format!("{}{}", countersign_core::statement::STATEMENTS, approval.id().hex()))
        .unwrap()
        .delete()
        .unwrap();
    assert_eq!(evidence(&[next]), [], "what was taken away is forgotten");
}
