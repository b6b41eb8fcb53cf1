use git2::{Signature, Time};

use countersign_core::facts::ChangeKind;

use super::*;
use crate::testing::Place;

#[test]
fn tips_lead_through_tags_and_missing_references_are_none() {
    let place = Place::new();
    let commit = place.commit(&[], &[("a", "1")]);
    place.point("refs/heads/main", &commit);
    let object = place.git.find_object(Oid::from_str(commit.as_str()).unwrap(), None).unwrap();
    let who = Signature::new("a", "a@example.com", &Time::new(0, 0)).unwrap();
    place.git.tag("v1", &object, &who, "one", false).unwrap();
    place.git.reference("refs/tags/blob", place.git.blob(b"x").unwrap(), false, "").unwrap();
    let repository = place.open();
    let tip = |name: &str| repository.tip(&name.parse().unwrap());
    assert_eq!(tip("refs/heads/main").unwrap(), Some(commit.clone()));
    assert_eq!(tip("refs/tags/v1").unwrap(), Some(commit.clone()));
    assert_eq!(tip("refs/heads/none").unwrap(), None);
    assert!(tip("refs/tags/blob").unwrap_err().to_string().contains("does not lead to a commit"));
    let names: Vec<_> =
        repository.references().unwrap().into_iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["refs/heads/main", "refs/tags/v1"]);
}

#[test]
fn only_commits_of_a_sensible_size_are_commits() {
    let place = Place::new();
    let tree = place.write_tree(&[("a", "1")]);
    let long = place.commit_tree(&[], tree, &"x".repeat(MAX_COMMIT));
    let repository = place.open();
    assert!(!repository.has(&commit_id(tree)).unwrap());
    assert!(repository.commit(&commit_id(tree)).unwrap_err().to_string().contains("is a tree"));
    assert!(repository.commit(&long).unwrap_err().to_string().contains("shorten its message"));
    let gone: CommitId = "1".repeat(64).parse().unwrap();
    assert_eq!(repository.commit(&gone), Err(GitError::Gone(gone)));
}

#[test]
fn a_commit_is_told_with_its_people() {
    let place = Place::new();
    let root = place.commit(&[], &[("a", "1")]);
    let message = "  Subject \n\nBody\n\nCo-authored-by: Bob <bob@example.com>\n";
    let commit = place.commit_tree(&[&root], place.write_tree(&[("a", "2")]), message);
    let facts = place.open().commit(&commit).unwrap();
    assert_eq!((facts.subject.as_str(), facts.parents), ("Subject", vec![root]));
    assert_eq!((facts.author.name.as_str(), facts.author.email.as_str()), ("Ann", "ann@example.com"));
    assert_eq!(facts.committer.time.as_millis(), 1_700_000_120_000);
    assert_eq!(facts.co_authors, ["bob@example.com"]);
    assert_eq!((facts.signature, facts.signed_payload), (None, None));
}

#[test]
fn a_signature_is_told_with_the_bytes_that_it_is_over() {
    let place = Place::new();
    let plain = place.commit(&[], &[("a", "1")]);
    let odb = place.git.odb().unwrap();
    let raw = odb.read(Oid::from_str(plain.as_str()).unwrap()).unwrap().data().to_vec();
    let text = String::from_utf8(raw.clone()).unwrap();
    let signed = place.git.commit_signed(&text, "-----BEGIN X\n\nabc\n-----END X", None).unwrap();
    let facts = place.open().commit(&commit_id(signed)).unwrap();
    assert_eq!(facts.signature.as_deref(), Some("-----BEGIN X\n\nabc\n-----END X\n"));
    let (_, payload) = place.git.extract_signature(&signed, None).unwrap();
    use base64::Engine as _;
    let told = base64::engine::general_purpose::STANDARD.decode(facts.signed_payload.unwrap()).unwrap();
    assert_eq!((told.as_slice(), told.as_slice()), (&*payload, raw.as_slice()));
}

#[test]
fn a_large_folder_has_what_a_small_one_has() {
    let place = Place::new();
    let names: Vec<_> = (0..200).map(|number| format!("apps/app-{number}/a")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let (large, small) = (place.commit(&[], &files), place.commit(&[], &files[..1]));
    let changed = place.commit(&[], &[&files[1..], &[("apps/app-0/a", "2")]].concat());
    let repository = place.open();
    let at = |commit, path| repository.object_at(commit, path).unwrap();
    for _ in 0..2 {
        assert_eq!(at(&large, "apps/app-0"), at(&small, "apps/app-0"));
        assert_ne!(at(&large, "apps/app-0"), at(&changed, "apps/app-0"), "each tree has entries of its own");
        assert_eq!(at(&large, "apps/app-199/a"), at(&changed, "apps/app-199/a"));
        assert_eq!((at(&large, "apps/none"), at(&small, "apps/app-1")), (None, None));
    }
}

#[test]
fn what_lies_at_a_path_is_equal_exactly_if_everything_there_is() {
    let place = Place::new();
    let one = place.commit(&[], &[("deploy/a", "1"), ("x", "1")]);
    let two = place.commit(&[], &[("deploy/a", "1"), ("x", "2")]);
    let link = place.commit(&[], &[("deploy/a@", "1"), ("x", "1")]);
    let repository = place.open();
    let at = |commit, path| repository.object_at(commit, path).unwrap();
    assert_eq!(at(&one, "deploy"), at(&two, "deploy"));
    assert_ne!(at(&one, ""), at(&two, ""));
    assert_ne!(at(&one, "deploy/a"), at(&link, "deploy/a"));
    for nothing in ["none", "deploy/none", "x/below", "deploy/", "/deploy", "deploy/../x"] {
        assert_eq!(at(&one, nothing), None, "{nothing}");
    }
}

#[test]
fn changed_files_are_those_below_the_paths() {
    let place = Place::new();
    let one = place.commit(&[], &[("deploy/a", "1"), ("deploy/b", "1"), ("deployment/c", "1"), ("x", "1")]);
    let two =
        place.commit(&[&one], &[("deploy/a", "2"), ("deploy/d", "1"), ("deployment/c", "2"), ("x", "2")]);
    let repository = place.open();
    let changed = |from, paths: &[&str]| -> Vec<_> {
        let paths: Vec<_> = paths.iter().map(|path| (*path).to_owned()).collect();
        let changes = repository.changed_files(from, &two, &paths).unwrap();
        changes.into_iter().map(|change| (change.path, change.change)).collect()
    };
    let entry = |path: &str, change| (path.to_owned(), change);
    let wanted = [
        entry("deploy/a", ChangeKind::Changed),
        entry("deploy/b", ChangeKind::Removed),
        entry("deploy/d", ChangeKind::Added),
    ];
    assert_eq!(changed(Some(&one), &["deploy"]), wanted);
    assert_eq!(changed(Some(&one), &["deploy*"]), [], "a path is no pattern");
    assert_eq!(changed(Some(&one), &[]).len(), 5);
    assert_eq!(changed(Some(&one), &["", "deploy"]).len(), 5);
    assert_eq!(changed(None, &["x"]), [entry("x", ChangeKind::Added)]);
}

#[test]
fn a_proposal_brings_what_its_base_does_not_have() {
    let place = Place::new();
    let root = place.commit(&[], &[("a", "1")]);
    let one = place.commit(&[&root], &[("a", "2")]);
    let two = place.commit(&[&one], &[("a", "3")]);
    let main = place.commit(&[&root], &[("b", "1")]);
    let repository = place.open();
    let ids = |hidden: &[CommitId], limit| {
        let found = repository.proposed(&two, hidden, limit);
        found.map(|found| found.into_iter().map(|commit| commit.id).collect::<Vec<_>>())
    };
    assert_eq!(ids(std::slice::from_ref(&main), 2).unwrap(), [one.clone(), two.clone()]);
    assert_eq!(ids(&[main.clone(), one], 2).unwrap(), std::slice::from_ref(&two));
    assert!(
        ids(&["1".repeat(40).parse().unwrap()], 2).unwrap_err().to_string().contains("more than 2 commits")
    );
    assert!(repository.descends(&two, &root).unwrap() && repository.descends(&two, &two).unwrap());
    assert!(!repository.descends(&two, &main).unwrap());
}

#[test]
fn what_is_no_repository_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| Repository::open(path).err().unwrap().to_string();
    assert!(error(folder.path()).contains("no Git repository is there"));
    assert!(error(&folder.path().join("none")).contains("no Git repository is there"));
    let inside = Place::new();
    assert!(
        error(&inside.folder.path().join("objects")).contains("no Git repository"),
        "folders above are not searched"
    );
}

#[test]
fn a_repository_with_a_working_folder_is_read_as_well() {
    let folder = tempfile::tempdir().unwrap();
    git2::Repository::init(folder.path()).unwrap();
    assert_eq!(Repository::open(folder.path()).unwrap().references().unwrap(), []);
}
