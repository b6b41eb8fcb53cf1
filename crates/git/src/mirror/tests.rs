mod full;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::testing::Place;
use crate::testing::world::{World, id, never};

/// Gives up after so many pulses.
fn soon(pulses: usize) -> GiveUp {
    let left = AtomicUsize::new(pulses);
    Arc::new(move || {
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    })
}

/// Text that no pack makes much smaller.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + (state >> 58) as u8)
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn world() -> Option<World> {
    World::new(Depths::default())
}

impl World {
    fn refusal(&self, mode: &str) -> GitError {
        self.fetch(mode).err().unwrap_or_else(|| panic!("{mode}: fetched"))
    }
}

#[test]
fn a_mirror_follows_its_source_also_backwards() {
    let Some(world) = world() else { return };
    let one = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &one);
    world.origin.point("refs/heads/old", &one);
    world.origin.point("refs/pull/7/head", &one);
    let blob = world.origin.git.blob(b"s").unwrap();
    let statement = format!("refs/countersign/statements/{}", "0".repeat(64));
    world.origin.git.reference(&statement, blob, false, "").unwrap();
    let names = |repository: &Repository| -> Vec<String> {
        repository.git.references().unwrap().map(|found| found.unwrap().name().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&world.fetch("good").unwrap()), [&*statement, "refs/heads/main", "refs/heads/old"]);

    let two = world.origin.commit(&[], &[("a", "forced")]);
    world.origin.point("refs/heads/main", &two);
    world.origin.point("refs/tags/v1", &two);
    for gone in ["refs/heads/old", &statement] {
        world.origin.git.find_reference(gone).unwrap().delete().unwrap();
    }
    let mirror = world.fetch("good").unwrap();
    assert_eq!(names(&mirror), ["refs/heads/main", "refs/tags/v1"]);
    assert_eq!(mirror.tip(&"refs/heads/main".parse().unwrap()).unwrap(), Some(two));
    let opened = Repositories::new(world.kept.path()).open(&id(), &world.source("good")).unwrap();
    assert!(opened.has(&one).unwrap(), "what was fetched stays readable");
}

#[test]
fn heads_of_pull_requests_are_mirrored_when_named_and_stay() {
    let Some(world) = world() else { return };
    let main = world.origin.commit(&[], &[("a", "1")]);
    let head = world.origin.commit(&[&main], &[("a", "2")]);
    world.origin.point("refs/heads/main", &main);
    world.origin.point("refs/pull/7/head", &head);
    assert!(!world.fetch("good").unwrap().has(&head).unwrap());
    let mut source = world.source("good");
    source.also = ["refs/pull/7/head", "refs/pull/8/head"].map(|name| name.parse().unwrap()).into();
    let repositories = Repositories::new(world.kept.path());
    assert!(repositories.fetch(&id(), &source, &Limits::default(), &never()).unwrap().has(&head).unwrap());
    let mirror = world.fetch("good").unwrap();
    assert_eq!(mirror.tip(&"refs/pull/7/head".parse().unwrap()).unwrap(), Some(head));
}

#[test]
fn failures_say_whether_another_try_helps() {
    let Some(world) = world() else { return };
    let one = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &one);
    let refused = |mode: &str, wanted: &str| match world.refusal(mode) {
        GitError::Denied(text) => assert!(text.contains(wanted), "{mode}: {text}"),
        other => panic!("{mode}: {other:?}"),
    };
    refused("status-404", "no repository is there");
    refused("status-403", "asks for a credential");
    refused("auth", "asks for a credential");
    let error = world.refusal("redirect");
    assert!(matches!(&error, GitError::Final(text) if text.contains("to another host")), "{error:?}");
    refused("garbage", "no Git repository");
    refused("page", "no Git repository");
    refused("flip", "no Git repository");
    for mode in ["status-500", "status-503", "status-429", "cut"] {
        let error = world.refusal(mode);
        assert!(matches!(error, GitError::Retry(_)), "{mode}: {error:?}");
    }
    let nobody = Source { url: "http://127.0.0.1:9/x".to_owned(), credential: None, also: vec![] };
    let error =
        Repositories::new(world.kept.path()).fetch(&id(), &nobody, &Limits::default(), &never()).err();
    assert!(matches!(error, Some(GitError::Retry(_))), "{error:?}");
}

#[test]
fn a_repository_that_moved_on_its_host_is_found() {
    let Some(world) = world() else { return };
    let commit = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &commit);
    assert!(world.fetch("moved").unwrap().has(&commit).unwrap());
}

#[test]
fn a_credential_opens_and_is_never_shown_or_given_to_another_host() {
    let Some(world) = world() else { return };
    let commit = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &commit);
    let fetch = |mode: &str, secret: &str| {
        let credential = GitCredential::Token { user: "user".to_owned(), secret: secret.to_owned() };
        assert!(!format!("{credential:?}").contains(secret));
        let source = Source { credential: Some(credential), ..world.source(mode) };
        Repositories::new(world.kept.path()).fetch(&id(), &source, &Limits::default(), &never())
    };
    assert!(fetch("auth", "secret").unwrap().has(&commit).unwrap());
    for entry in walk(world.kept.path()) {
        let bytes = fs::read(entry).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("secret"), "it is kept nowhere");
    }
    let error = fetch("auth", "hunter2").err().unwrap();
    assert!(matches!(&error, GitError::Denied(text) if text.contains("refuses the credential")), "{error:?}");
    assert!(!error.to_string().contains("hunter2"));
    world.requests();
    let error = fetch("redirect", "secret").err().unwrap();
    assert!(matches!(&error, GitError::Final(text) if text.contains("another host")), "{error:?}");
    assert_eq!(world.requests(), ["GET /redirect/info/refs with a credential"]);
    assert_eq!(without_secret("https://user:hunter2@git.example.com/x"), "https://git.example.com/x");
    assert_eq!(without_secret("https://user:a@b@git.example.com/x"), "https://git.example.com/x");
}

fn walk(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_server_that_only_speaks_the_old_protocol_is_understood() {
    let Some(world) = world() else { return };
    let one = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &one);
    let tagged = world.origin.git.find_object(git2::Oid::from_str(one.as_str()).unwrap(), None).unwrap();
    let who = git2::Signature::now("Ann", "ann@example.com").unwrap();
    world.origin.git.tag("v1", &tagged, &who, "annotated", false).unwrap();
    assert!(world.fetch("old").unwrap().has(&one).unwrap());
    let two = world.origin.commit(&[&one], &[("a", "2")]);
    world.origin.point("refs/heads/main", &two);
    for mode in ["old", "good"] {
        let mirror = world.fetch(mode).unwrap();
        assert_eq!(mirror.tip(&"refs/heads/main".parse().unwrap()).unwrap(), Some(two.clone()));
        assert_eq!(
            mirror.tip(&"refs/tags/v1".parse().unwrap()).unwrap(),
            Some(one.clone()),
            "{mode}: peeled"
        );
    }
}

#[test]
fn a_look_at_what_did_not_change_is_one_request_and_a_change_is_two() {
    let Some(world) = world() else { return };
    let one = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &one);
    let repositories = Repositories::new(world.kept.path());
    let fetch = || repositories.fetch(&id(), &world.source("good"), &Limits::default(), &never()).unwrap();
    fetch();
    assert_eq!(world.requests().len(), 3, "greeting, references, pack");
    fetch();
    assert_eq!(world.requests(), ["POST /good/git-upload-pack"]);
    world.origin.point("refs/heads/main", &world.origin.commit(&[&one], &[("a", "2")]));
    fetch();
    assert_eq!(world.requests().len(), 2);
    let prefixes = ["refs/heads/main".to_owned()];
    repositories.tips(&id(), &world.source("good"), &prefixes, &never()).unwrap();
    assert_eq!(world.requests(), ["POST /good/git-upload-pack"]);
}

#[test]
fn tips_are_told_without_fetching_alike_near_and_far() {
    let Some(world) = world() else { return };
    let one = world.origin.commit(&[], &[("a", "1")]);
    for name in ["refs/heads/main", "refs/heads/mainly", "refs/heads/other", "refs/pull/1/head"] {
        world.origin.point(name, &one);
    }
    let prefixes = ["refs/heads/main".to_owned(), "refs/pull/".to_owned()];
    let wanted: Vec<_> = ["refs/heads/main", "refs/heads/mainly", "refs/pull/1/head"]
        .map(|name| (name.to_owned(), one.to_string()))
        .into();
    let local = world.origin.folder.path().to_str().unwrap().to_owned();
    for source in [world.source("good"), world.source("old"), Source { url: local, ..world.source("good") }] {
        let repositories = Repositories::new(world.kept.path().join("nothing"));
        let found = repositories.tips(&id(), &source, &prefixes, &never()).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), wanted, "{}", source.url);
    }
    assert!(!world.kept.path().join("nothing").exists());
}

#[test]
fn an_incremental_fetch_brings_only_what_is_new() {
    let Some(world) = world() else { return };
    let noise = noise(200_000);
    let one = world.origin.commit(&[], &[("a", &noise)]);
    world.origin.point("refs/heads/main", &one);
    world.fetch("good").unwrap();
    // The branch is rewritten from a commit before its tip, which the server forgets.
    let two = world.origin.commit(&[&one], &[("a", &noise), ("b", "2")]);
    world.origin.point("refs/heads/main", &two);
    world.fetch("good").unwrap();
    let three = world.origin.commit(&[&one], &[("a", &noise), ("b", "3")]);
    world.origin.point("refs/heads/main", &three);
    for mode in ["good", "old"] {
        let small = Limits { bytes: 10_000, objects: 5 };
        let repositories = Repositories::new(world.kept.path());
        let source = Source { url: world.source("good").url, ..world.source(mode) };
        assert!(repositories.fetch(&id(), &source, &small, &never()).unwrap().has(&three).unwrap());
    }
}

#[test]
fn too_many_bytes_or_objects_end_a_fetch() {
    let Some(world) = world() else { return };
    let noise = noise(200_000);
    let commit = world.origin.commit(&[], &[("a", &noise), ("b", "1")]);
    world.origin.point("refs/heads/main", &commit);
    for limits in [Limits { bytes: 1000, objects: 100 }, Limits { bytes: 10_000_000, objects: 3 }] {
        let error =
            Repositories::new(world.kept.path()).fetch(&id(), &world.source("good"), &limits, &never());
        let error = error.err().unwrap();
        assert!(matches!(&error, GitError::Final(text) if text.contains("raise the limits")), "{error:?}");
    }
    assert!(world.fetch("good").unwrap().has(&commit).unwrap(), "a later fetch without the limit heals");
}

#[test]
fn a_server_that_hangs_or_drips_is_left_at_the_deadline_and_holds_up_nothing() {
    let Some(world) = world() else { return };
    let commit = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &commit);
    let repositories = Repositories::new(world.kept.path());
    for mode in ["silent", "drip", "halt", "silent"] {
        let error = repositories.fetch(&id(), &world.source(mode), &Limits::default(), &soon(5)).err();
        assert!(
            matches!(&error, Some(GitError::Retry(text)) if text.contains("stopped answering")),
            "{mode}: {error:?}"
        );
    }
    assert!(world.fetch("good").is_ok());
}

#[test]
fn mirrors_beyond_their_bound_go_by_their_last_use_and_never_while_read() {
    let Some(world) = world() else { return };
    let commit = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &commit);
    let bounds = Bounds { all: 0, one: u64::MAX };
    let repositories = Repositories::bounded(world.kept.path(), bounds);
    let fetch = |name: &str| {
        let id = format!("forge/team/{name}").parse().unwrap();
        repositories.fetch(&id, &world.source("good"), &Limits::default(), &never()).unwrap()
    };
    let mirrors = || walk(world.kept.path()).iter().filter(|path| path.ends_with("HEAD")).count();
    let read = fetch("one");
    drop(fetch("two"));
    assert_eq!(mirrors(), 2, "the one that was just fetched is in use too");
    drop(fetch("three"));
    assert_eq!(mirrors(), 2, "two went, one is read");
    assert!(read.commit(&commit).is_ok());
    drop(read);
    drop(fetch("four"));
    assert_eq!(mirrors(), 1);
    assert!(fetch("one").has(&commit).unwrap(), "what went is fetched again");
}

#[test]
fn a_mirror_beyond_its_own_bound_is_fetched_anew_unless_it_is_read() {
    let Some(world) = world() else { return };
    let one = world.origin.commit(&[], &[("a", "1")]);
    let two = world.origin.commit(&[], &[("a", "2")]);
    world.origin.point("refs/heads/main", &one);
    let bounds = Bounds { all: u64::MAX, one: 1 };
    let repositories = Repositories::bounded(world.kept.path(), bounds);
    let fetch = || repositories.fetch(&id(), &world.source("good"), &Limits::default(), &never()).unwrap();
    let read = fetch();
    world.origin.point("refs/heads/main", &two);
    assert!(fetch().has(&one).unwrap(), "it is read, and stays");
    drop(read);
    let mirror = fetch();
    assert!(mirror.has(&two).unwrap() && !mirror.has(&one).unwrap());
}

#[test]
fn what_a_killed_fetch_left_is_healed_by_the_next() {
    let Some(world) = world() else { return };
    let one = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &one);
    world.fetch("good").unwrap();
    let mirror = Repositories::new(world.kept.path()).mirror(&id(), &world.source("good")).path();
    let heal = |what: &str| {
        let mirror = world.fetch("good").unwrap();
        assert_eq!(mirror.tip(&"refs/heads/main".parse().unwrap()).unwrap(), Some(one.clone()), "{what}");
        assert!(mirror.commit(&one).is_ok(), "{what}");
    };
    fs::write(mirror.join("objects/pack/pack_unfinished"), "x").unwrap();
    heal("an unfinished pack");
    fs::write(mirror.join("packed-refs.new"), "half a l").unwrap();
    heal("unfinished references");
    fs::write(mirror.join("packed-refs"), "half a l").unwrap();
    heal("damaged references");
    fs::remove_file(mirror.join("packed-refs")).unwrap();
    heal("no references");
    fs::write(mirror.join("fetch-anew"), "").unwrap();
    heal("a pack that could not be put together");
    assert!(!mirror.join("fetch-anew").exists());
    fs::remove_dir_all(mirror.join("objects/pack")).unwrap();
    heal("no packs");
}

#[test]
fn fetches_of_one_repository_take_turns() {
    let Some(world) = world() else { return };
    let commit = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &commit);
    let (repositories, source) = (Repositories::new(world.kept.path()), world.source("good"));
    std::thread::scope(|scope| {
        let fetch = || {
            repositories.fetch(&id(), &source, &Limits::default(), &never()).unwrap().has(&commit).unwrap()
        };
        let all: Vec<_> = (0..4).map(|_| scope.spawn(fetch)).collect();
        for one in all {
            assert!(one.join().unwrap());
        }
    });
    let held = repositories.mirror(&id(), &source).begin_fetch(&never()).unwrap();
    let error = repositories.fetch(&id(), &world.source("good"), &Limits::default(), &soon(2)).err();
    assert!(matches!(&error, Some(GitError::Retry(text)) if text.contains("still running")), "{error:?}");
    drop(held);
    assert!(world.fetch("good").is_ok());
}

#[test]
fn a_broken_mirror_is_made_anew() {
    let Some(world) = world() else { return };
    let commit = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &commit);
    let repositories = Repositories::new(world.kept.path());
    let mirror = repositories.mirror(&id(), &world.source("good")).path();
    fs::create_dir_all(&mirror).unwrap();
    fs::write(mirror.join("HEAD"), "nonsense").unwrap();
    assert!(world.fetch("good").unwrap().has(&commit).unwrap());
}

#[test]
fn a_local_folder_is_read_in_place() {
    let origin = Place::new();
    let commit = origin.commit(&[], &[("a", "1")]);
    let kept = tempfile::tempdir().unwrap();
    let repositories = Repositories::new(kept.path().join("never-made"));
    let path = origin.folder.path().to_str().unwrap();
    let before = origin.snapshot();
    for url in [path.to_owned(), format!("file://{path}")] {
        let source = Source { url, credential: None, also: vec![] };
        assert!(
            repositories.fetch(&id(), &source, &Limits::default(), &never()).unwrap().has(&commit).unwrap()
        );
        assert!(repositories.open(&id(), &source).unwrap().has(&commit).unwrap());
    }
    assert!(!kept.path().join("never-made").exists());
    assert!(origin.snapshot() == before);
    let ftp = Source { url: "ftp://git@example.com/x".to_owned(), credential: None, also: vec![] };
    let error = repositories.fetch(&id(), &ftp, &Limits::default(), &never()).err().unwrap().to_string();
    assert!(error.contains("ftp is not read") && error.contains("https"), "{error}");
}
