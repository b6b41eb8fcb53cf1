use countersign_core::digest::Digest;

use super::*;
use crate::testing::Place;

fn repository() -> RepositoryId {
    "local/shop".parse().unwrap()
}

fn statement(payload: &str) -> SignedStatement {
    let signature = "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n".to_owned();
    SignedStatement { payload: payload.to_owned(), signature }
}

fn approval(of: &str) -> SignedStatement {
    statement(&format!(
        r#"{{"v":1,"repository":"{of}","time":"2026-11-20T22:00:00Z","nonce":"n","says":{{"kind":"approve","head":"{}"}}}}"#,
        "1".repeat(40)
    ))
}

fn id(digit: char) -> CommitId {
    digit.to_string().repeat(40).parse().unwrap()
}

/// The refusal's reason when a blob of these bytes is pushed as a new `reference`.
fn push(reference: &str, bytes: &[u8]) -> Result<(), String> {
    let read =
        |_: &CommitId, limit: u64| Ok(Some(bytes.to_vec()).filter(|bytes| bytes.len() as u64 <= limit));
    check_update(&repository(), reference, None, Some(&id('a')), read).map_err(|refusal| refusal.to_string())
}

fn name_of(statement: &SignedStatement) -> String {
    format!("{STATEMENTS}{}", statement.id().hex())
}

#[test]
fn a_statement_may_be_added_under_its_own_name() {
    let good = approval("local/shop");
    assert_eq!(push(&name_of(&good), &good.to_bytes()), Ok(()));
}

#[test]
fn what_is_no_statement_of_this_repository_is_refused() {
    let good = approval("local/shop");
    let upper = format!("{STATEMENTS}{}", good.id().hex().to_uppercase());
    for name in [
        format!("{STATEMENTS}{}", Digest::of(b"other").hex()),
        upper,
        format!("{}/x", name_of(&good)),
        STATEMENTS.to_owned(),
    ] {
        let refusal = push(&name, &good.to_bytes()).unwrap_err();
        assert!(refusal.contains("not the SHA-256"), "{refusal}");
    }
    let other = approval("local/other");
    assert!(push(&name_of(&other), &other.to_bytes()).unwrap_err().contains("speaks of local/other"));
    let unknown = statement(&good.payload.replace("approve", "bless"));
    assert!(push(&name_of(&unknown), &unknown.to_bytes()).unwrap_err().contains("bless"));
    let newer = statement(&good.payload.replace("\"v\":1", "\"v\":2"));
    assert!(push(&name_of(&newer), &newer.to_bytes()).unwrap_err().contains("version 2"));
    let text = format!("{STATEMENTS}{}", Digest::of(b"text").hex());
    assert!(push(&text, b"text").unwrap_err().contains("not a statement"));
    let long = vec![b'a'; MAX_STATEMENT + 1];
    assert!(
        push(&format!("{STATEMENTS}{}", Digest::of(&long).hex()), &long).unwrap_err().contains("at most")
    );
}

#[test]
fn a_statement_is_never_moved_nor_deleted() {
    let good = approval("local/shop");
    let read = |_: &CommitId, _: u64| Ok(Some(good.to_bytes()));
    let update = |old: Option<char>, new: Option<char>| {
        let (old, new) = (old.map(id), new.map(id));
        check_update(&repository(), &name_of(&good), old.as_ref(), new.as_ref(), read)
            .map_err(|refusal| refusal.reason)
    };
    assert!(update(Some('a'), Some('a')).unwrap_err().contains("never changes"));
    assert!(update(Some('a'), Some('b')).unwrap_err().contains("never changes"));
    assert!(update(Some('a'), None).unwrap_err().contains("never deleted"));
    assert!(update(None, None).is_err());
}

#[test]
fn only_countersign_writes_the_rest_below_its_name() {
    for name in [
        "refs/countersign/reports/1",
        "refs/countersign",
        "refs/countersign/x",
        "refs/Countersign/Statements/1",
    ] {
        assert!(push(name, b"").unwrap_err().contains("only Countersign"), "{name}");
    }
    for name in ["refs/heads/main", "refs/tags/v1", "refs/countersigned/x", "refs/heads/refs/countersign/x"] {
        assert_eq!(push(name, b""), Ok(()), "{name}");
    }
}

#[test]
fn a_pushed_blob_is_read_from_where_git_keeps_it_meanwhile() {
    let place = Place::new();
    let kept = place.git.blob(b"kept").unwrap();
    let tree = place.write_tree(&[("a", "a")]);
    let other = Place::new();
    let pushed = other.git.blob(b"pushed").unwrap();
    let quarantine = other.folder.path().join("objects");
    let read = |quarantine, id: Oid, limit| {
        read_blob(place.folder.path(), quarantine, &id.to_string().parse().unwrap(), limit)
    };
    assert_eq!(read(None, kept, 10).unwrap().unwrap(), b"kept");
    assert!(read(None, pushed, 10).is_err());
    assert_eq!(read(Some(&*quarantine), pushed, 10).unwrap().unwrap(), b"pushed");
    assert_eq!(read(Some(&*quarantine), pushed, 5).unwrap(), None);
    assert_eq!(read(None, tree, 100).unwrap(), None);
}

#[test]
fn a_written_statement_is_found_again() {
    let place = Place::new();
    let good = approval("local/shop");
    let reference = write_statement(place.folder.path(), &good).unwrap();
    assert_eq!(write_statement(place.folder.path(), &good).unwrap(), reference);
    assert_eq!(reference.as_str(), name_of(&good));
    assert_eq!(place.open().statements(&repository()).unwrap().found, [good]);
}
