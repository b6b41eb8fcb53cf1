use std::sync::atomic::AtomicUsize;

use super::*;
use crate::testing::server::serve;
use crate::testing::{Place, has_git};

fn never() -> GiveUp {
    Arc::new(|| false)
}

/// Gives up after so many pulses.
fn soon(pulses: usize) -> GiveUp {
    let left = AtomicUsize::new(pulses);
    Arc::new(move || {
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    })
}

fn id() -> RepositoryId {
    "forge/team/shop".parse().unwrap()
}

/// A repository to serve, the URL of the server, and where mirrors go.
struct World {
    origin: Place,
    base: String,
    kept: tempfile::TempDir,
}

impl World {
    fn new() -> Option<Self> {
        let origin = Place::new();
        let base = serve(origin.folder.path());
        has_git().then(|| Self { origin, base, kept: tempfile::tempdir().unwrap() })
    }

    fn source(&self, mode: &str) -> Source {
        Source { url: format!("{}/{mode}", self.base), credential: None, also: vec![] }
    }

    fn fetch(&self, mode: &str) -> Result<Repository, GitError> {
        Repositories::new(self.kept.path()).fetch(&id(), &self.source(mode), &Limits::default(), &never())
    }

    fn refusal(&self, mode: &str) -> GitError {
        self.fetch(mode).err().unwrap_or_else(|| panic!("{mode}: fetched"))
    }
}

#[test]
fn a_mirror_follows_its_source_also_backwards() {
    let Some(world) = World::new() else { return };
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
    assert!(opened.has(&one), "what was fetched stays readable");
}

#[test]
fn heads_of_pull_requests_are_mirrored_when_named_and_stay() {
    let Some(world) = World::new() else { return };
    let main = world.origin.commit(&[], &[("a", "1")]);
    let head = world.origin.commit(&[&main], &[("a", "2")]);
    world.origin.point("refs/heads/main", &main);
    world.origin.point("refs/pull/7/head", &head);
    assert!(!world.fetch("good").unwrap().has(&head));
    let mut source = world.source("good");
    source.also = ["refs/pull/7/head", "refs/pull/8/head"].map(|name| name.parse().unwrap()).into();
    let repositories = Repositories::new(world.kept.path());
    assert!(repositories.fetch(&id(), &source, &Limits::default(), &never()).unwrap().has(&head));
    let mirror = world.fetch("good").unwrap();
    assert_eq!(mirror.tip(&"refs/pull/7/head".parse().unwrap()).unwrap(), Some(head));
}

#[test]
fn failures_say_whether_another_try_helps() {
    let Some(world) = World::new() else { return };
    let refused = |mode: &str, wanted: &str| match world.refusal(mode) {
        GitError::Final(text) => assert!(text.contains(wanted), "{mode}: {text}"),
        other => panic!("{mode}: {other:?}"),
    };
    refused("status-404", "no repository is there");
    refused("status-403", "asks for a credential");
    refused("auth", "asks for a credential");
    refused("redirect", "to another host");
    refused("garbage", "no Git repository");
    for mode in ["status-500", "status-503", "status-429"] {
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
    let Some(world) = World::new() else { return };
    let commit = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &commit);
    assert!(world.fetch("moved").unwrap().has(&commit));
}

#[test]
fn a_credential_opens_and_is_never_shown() {
    let Some(world) = World::new() else { return };
    let commit = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &commit);
    let fetch = |secret: &str| {
        let credential = Credential { user: "user".to_owned(), secret: secret.to_owned() };
        assert!(!format!("{credential:?}").contains(secret));
        let source = Source { credential: Some(credential), ..world.source("auth") };
        Repositories::new(world.kept.path()).fetch(&id(), &source, &Limits::default(), &never())
    };
    assert!(fetch("secret").unwrap().has(&commit));
    let error = fetch("hunter2").err().unwrap();
    assert!(matches!(&error, GitError::Final(text) if text.contains("refuses the credential")), "{error:?}");
    assert!(!error.to_string().contains("hunter2"));
    assert_eq!(without_secret("https://user:hunter2@git.example.com/x"), "https://git.example.com/x");
}

#[test]
fn too_many_bytes_or_objects_end_a_fetch() {
    let Some(world) = World::new() else { return };
    let noise: String = (0..200_000_u32)
        .map(|at| char::from(b'a' + (at.wrapping_mul(2_654_435_761) >> 24) as u8 % 26))
        .collect();
    let commit = world.origin.commit(&[], &[("a", &noise), ("b", "1")]);
    world.origin.point("refs/heads/main", &commit);
    for limits in [Limits { bytes: 1000, objects: 100 }, Limits { bytes: 10_000_000, objects: 3 }] {
        let error =
            Repositories::new(world.kept.path()).fetch(&id(), &world.source("good"), &limits, &never());
        let error = error.err().unwrap();
        assert!(matches!(&error, GitError::Final(text) if text.contains("raise the limits")), "{error:?}");
    }
    assert!(world.fetch("good").unwrap().has(&commit), "a later fetch without the limit heals");
}

#[test]
fn a_silent_server_is_left_behind_and_holds_up_nothing() {
    let Some(world) = World::new() else { return };
    let repositories = Repositories::new(world.kept.path());
    for _ in 0..2 {
        let error = repositories.fetch(&id(), &world.source("silent"), &Limits::default(), &soon(3)).err();
        assert!(
            matches!(&error, Some(GitError::Retry(text)) if text.contains("stopped answering")),
            "{error:?}"
        );
    }
}

#[test]
fn fetches_of_one_repository_take_turns() {
    let Some(world) = World::new() else { return };
    let commit = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &commit);
    let (repositories, source) = (Repositories::new(world.kept.path()), world.source("good"));
    std::thread::scope(|scope| {
        let fetch = || repositories.fetch(&id(), &source, &Limits::default(), &never()).unwrap().has(&commit);
        let all: Vec<_> = (0..4).map(|_| scope.spawn(fetch)).collect();
        for one in all {
            assert!(one.join().unwrap());
        }
    });
    let path = repositories.mirror(&id(), &source).with_extension("lock");
    let held = lock(&path, &never()).unwrap();
    let error = repositories.fetch(&id(), &world.source("good"), &Limits::default(), &soon(2)).err();
    assert!(matches!(&error, Some(GitError::Retry(text)) if text.contains("still running")), "{error:?}");
    drop(held);
    assert!(world.fetch("good").is_ok());
}

#[test]
fn a_broken_mirror_is_made_anew() {
    let Some(world) = World::new() else { return };
    let commit = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &commit);
    let repositories = Repositories::new(world.kept.path());
    let mirror = repositories.mirror(&id(), &world.source("good"));
    fs::create_dir_all(&mirror).unwrap();
    fs::write(mirror.join("HEAD"), "nonsense").unwrap();
    assert!(world.fetch("good").unwrap().has(&commit));
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
        assert!(repositories.fetch(&id(), &source, &Limits::default(), &never()).unwrap().has(&commit));
        assert!(repositories.open(&id(), &source).unwrap().has(&commit));
    }
    assert!(!kept.path().join("never-made").exists());
    assert!(origin.snapshot() == before);
    let ssh = Source { url: "ssh://git@example.com/x".to_owned(), credential: None, also: vec![] };
    let error = repositories.fetch(&id(), &ssh, &Limits::default(), &never()).err().unwrap().to_string();
    assert!(error.contains("ssh is not read") && error.contains("https"), "{error}");
}
