use countersign_core::digest::Digest;
use countersign_git::hook::write_statement;
use git2::{Oid, Signature, Time};

use super::*;

/// A bare repository whose `main` has two commits; gives both.
fn repository() -> (tempfile::TempDir, CommitId, CommitId) {
    let folder = tempfile::tempdir().unwrap();
    let git = git2::Repository::init_bare(folder.path()).unwrap();
    let tree = git.find_tree(git.treebuilder(None).unwrap().write().unwrap()).unwrap();
    let author = Signature::new("a", "a@b", &Time::new(1, 0)).unwrap();
    let commit = |parents: &[Oid]| {
        let parents: Vec<_> = parents.iter().map(|id| git.find_commit(*id).unwrap()).collect();
        let parents: Vec<_> = parents.iter().collect();
        git.commit(Some("refs/heads/main"), &author, &author, "m", &tree, &parents).unwrap()
    };
    let first = commit(&[]);
    let second = commit(&[first]);
    (folder, first.to_string().parse().unwrap(), second.to_string().parse().unwrap())
}

/// Keeps an unsigned statement; gives its line as Git tells the hook, and its digest.
fn keep(folder: &Path, nonce: &str, says: &serde_json::Value) -> (Line, Digest) {
    let payload = json!({ "v": 1, "repository": "local/shop", "time": "2026-11-20T22:00:00Z", "nonce": nonce, "says": says });
    let signature = "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n".to_owned();
    let statement = SignedStatement { payload: payload.to_string(), signature };
    let reference = write_statement(folder, &statement).unwrap();
    let line =
        Line { old: None, new: Some("1".repeat(40).parse().unwrap()), reference: reference.to_string() };
    (line, statement.id())
}

fn told(folder: &Path, line: Line) -> PushedStatement {
    let push = push(folder, &"local/shop".parse().unwrap(), &[line]).unwrap();
    push.updates.into_iter().next().unwrap().statement.unwrap()
}

#[test]
fn statements_are_told_with_what_they_speak_of() {
    let (folder, _, tip) = repository();
    let folder = folder.path();
    let proposed = json!({ "kind": "propose", "base": "refs/heads/main", "head": tip, "title": "t" });
    let approves = json!({ "kind": "approve", "head": tip });
    let (approval, approval_id) = keep(folder, "1", &approves);
    let alone = told(folder, approval.clone());
    assert_eq!((alone.proposals.len(), alone.branches), (0, vec!["refs/heads/main".parse().unwrap()]));

    let (proposal, proposal_id) = keep(folder, "2", &proposed);
    assert_eq!(told(folder, proposal).proposals, []);
    let wanted = [Proposal { id: proposal_id, base: "refs/heads/main".parse().unwrap(), head: tip }];
    let with = told(folder, approval);
    assert_eq!((with.proposals.as_slice(), with.branches.len()), (wanted.as_slice(), 0));

    let (dismissal, _) = keep(folder, "3", &json!({ "kind": "dismiss", "approval": approval_id }));
    assert_eq!(told(folder, dismissal).proposals, wanted);
    let (close, _) = keep(folder, "4", &json!({ "kind": "close", "proposal": proposal_id }));
    assert_eq!(told(folder, close).proposals, wanted);
}

#[test]
fn rewritten_history_and_odd_names_are_told_as_such() {
    let (folder, first, second) = repository();
    let line = |old: &CommitId, new: &CommitId, reference: &str| Line {
        old: Some(old.clone()),
        new: Some(new.clone()),
        reference: reference.into(),
    };
    let lines = [
        line(&first, &second, "refs/heads/main"),
        line(&second, &first, "refs/heads/main"),
        line(&first, &second, "refs/heads/not a name"),
    ];
    let push = push(folder.path(), &"local/team/shop".parse().unwrap(), &lines).unwrap();
    assert_eq!(push.repository.as_str(), "team/shop");
    assert_eq!(push.updates.iter().map(|update| update.forced).collect::<Vec<_>>(), [false, true]);
}
