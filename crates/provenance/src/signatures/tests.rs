use std::collections::BTreeMap;

use countersign_core::facts::{Range, Relation};
use countersign_core::time::Timestamp;
use serde_json::json;
use ssh_key::{Algorithm, LineEnding, PrivateKey};

use super::*;

/// A private key in OpenSSH form, and its public line.
fn key() -> (String, String) {
    let key = PrivateKey::random(&mut rand_core::OsRng, Algorithm::Ed25519).unwrap();
    (key.to_openssh(LineEnding::LF).unwrap().to_string(), key.public_key().to_openssh().unwrap())
}

fn configuration(people: serde_json::Value) -> Configuration {
    let approvals = json!({ "count": 1 });
    let control = json!({ "repository": "local/control", "branch": "main", "approvals": approvals });
    serde_json::from_value(json!({ "version": 1, "control": control, "hosts": {}, "people": people }))
        .unwrap()
}

fn facts(commits: Vec<CommitFacts>, statements: Vec<SignedStatement>) -> Facts {
    let id = "1".repeat(40);
    let digest = countersign_core::digest::Digest::of(b"");
    let mut facts: Facts = serde_json::from_value(json!({
        "v": 1, "attempt": digest, "cause": { "event": "e", "kind": "pushed" },
        "time": "2026-11-20T22:00:00Z",
        "target": {
            "application": "shop", "environment": "staging", "cluster": "east",
            "follows": { "repository": "local/shop", "reference": "refs/heads/main" },
            "path": "deploy", "namespaces": ["shop"], "clusterKinds": [], "adopt": false
        },
        "bundle": digest, "preview": false,
        "change": { "operation": "deploy", "commit": id, "tree": id, "closure": digest },
        "range": { "relation": "initial", "commits": [], "altering": [], "explanations": [] },
        "files": [], "pullRequests": [], "statements": [], "proposed": {},
        "render": { "result": "none" }, "objects": [], "images": [], "diff": [], "conflicts": [],
        "history": { "usedHeads": {} }
    }))
    .unwrap();
    facts.statements = statements;
    facts.range = Range {
        from: None,
        from_gone: false,
        relation: Relation::Initial,
        commits,
        altering: vec![],
        explanations: vec![],
    };
    facts
}

/// A commit whose payload is signed by `private` after it passed through `sign`.
fn commit(id: char, signed: impl Fn(&str) -> String) -> CommitFacts {
    let tree = "a".repeat(40);
    let parent = "b".repeat(40);
    let payload = format!(
        "tree {tree}\nparent {parent}\nauthor Ann <ann@example.com> 1700000000 +0100\n\
         committer Bob <bob@example.com> 1700000001 +0000\n\nsubject\n"
    );
    let who = |name: &str, email: &str, seconds: i64| Signature {
        name: name.to_owned(),
        email: email.to_owned(),
        time: Timestamp::from_millis(seconds * 1000),
    };
    CommitFacts {
        id: id.to_string().repeat(40).parse().unwrap(),
        tree: tree.parse().unwrap(),
        parents: vec![parent.parse().unwrap()],
        author: who("Ann", "ann@example.com", 1_700_000_000),
        committer: who("Bob", "bob@example.com", 1_700_000_001),
        co_authors: vec![],
        subject: "subject".to_owned(),
        signature: Some(signed(&payload)),
        signed_payload: Some(STANDARD.encode(payload)),
    }
}

#[test]
fn a_statement_is_attributed_to_the_owner_of_its_key() {
    let (private, public) = key();
    let (stranger, _) = key();
    let made_by = |private: &str, payload: &str| SignedStatement {
        payload: payload.to_owned(),
        signature: sshsig::sign(private, NAMESPACE, payload.as_bytes()).unwrap(),
    };
    let known = made_by(&private, "{\"a\":1}");
    let unknown = made_by(&stranger, "{\"a\":1}");
    let forged = SignedStatement { payload: "{\"a\":2}".to_owned(), signature: known.signature.clone() };
    let facts = facts(vec![], vec![known.clone(), unknown.clone(), forged.clone()]);
    let verified = verify_signatures(&facts, &configuration(json!({ "ann": { "keys": [public.clone()] } })));
    assert_eq!(verified.statements[&known.id()].person, Some("ann".parse().unwrap()));
    assert_eq!(verified.statements[&known.id()].fingerprint, sshsig::fingerprint(&public).unwrap());
    assert_eq!(verified.statements[&unknown.id()].person, None);
    assert!(verified.refused[&forged.id().to_string()].contains("does not verify"));
}

#[test]
fn a_commit_signature_must_be_over_that_commit() {
    let (private, public) = key();
    let good = commit('1', |payload| sshsig::sign(&private, GIT, payload.as_bytes()).unwrap());
    let mut moved = CommitFacts { id: "2".repeat(40).parse().unwrap(), ..good.clone() };
    moved.tree = "c".repeat(40).parse().unwrap();
    let mut orphan = CommitFacts { id: "3".repeat(40).parse().unwrap(), ..good.clone() };
    orphan.parents.clear();
    let other = commit('4', |payload| sshsig::sign(&private, NAMESPACE, payload.as_bytes()).unwrap());
    let mut unsigned = CommitFacts { id: "5".repeat(40).parse().unwrap(), ..good.clone() };
    unsigned.signature = None;
    let mut facts = facts(vec![good.clone(), moved.clone(), orphan.clone(), unsigned.clone()], vec![]);
    facts.proposed = BTreeMap::from([(other.id.clone(), vec![other.clone(), good.clone()])]);
    let verified = verify_signatures(&facts, &configuration(json!({ "ann": { "keys": [public] } })));
    assert_eq!(verified.commits.keys().collect::<Vec<_>>(), [&good.id]);
    assert!(verified.refused[moved.id.as_str()].contains("another commit"));
    assert!(verified.refused[orphan.id.as_str()].contains("another commit"));
    assert!(verified.refused[other.id.as_str()].contains("namespace"));
    assert!(!verified.refused.contains_key(unsigned.id.as_str()));
}

#[test]
fn other_kinds_of_signature_are_refused_with_what_to_do() {
    let cases = [
        ("-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----", "OpenPGP, which is not read yet"),
        ("-----BEGIN SIGNED MESSAGE-----\nx", "X.509"),
        ("nonsense", "gpg.format=ssh"),
        ("-----BEGIN SSH SIGNATURE-----\n-----BEGIN PGP SIGNATURE-----", "more than one signature block"),
    ];
    for (signature, wanted) in cases {
        let commit = commit('1', |_| signature.to_owned());
        let verified = verify_signatures(&facts(vec![commit.clone()], vec![]), &configuration(json!({})));
        let reason = &verified.refused[commit.id.as_str()];
        assert!(reason.contains(wanted), "{wanted}: {reason}");
        assert!(verified.commits.is_empty());
    }
}

#[test]
fn a_key_of_two_people_counts_for_neither() {
    let (private, public) = key();
    let commit = commit('1', |payload| sshsig::sign(&private, GIT, payload.as_bytes()).unwrap());
    let people = json!({ "ann": { "keys": [public.clone(), "no key"] }, "bob": { "keys": [public] } });
    let verified = verify_signatures(&facts(vec![commit.clone()], vec![]), &configuration(people));
    assert!(verified.refused[commit.id.as_str()].contains("ann and for bob"));
}
