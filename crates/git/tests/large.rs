//! Repositories with very large content, fetched over HTTP: what is kept in memory does not follow their size.
//! In a program of its own, so that its memory is nobody else's.

#[path = "../src/testing/server.rs"]
mod server;

use std::io::Write as _;
use std::sync::Arc;

use countersign_core::tree::{Tree as _, TreeError};
use countersign_git::error::GitError;
use countersign_git::mirror::{GiveUp, Limits, Repositories, Source};
use git2::{ObjectType, Oid, Repository, Signature, Time};

/// The most memory that this program took so far, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn commit(git: &Repository, tree: Oid) -> String {
    let who = Signature::new("Ann", "ann@example.com", &Time::new(1_700_000_000, 0)).unwrap();
    let tree = git.find_tree(tree).unwrap();
    git.commit(Some("refs/heads/main"), &who, &who, "large", &tree, &[]).unwrap().to_string()
}

#[test]
fn a_blob_of_a_gibibyte_is_fetched_in_little_memory_and_never_read() {
    const SIZE: usize = 1024 * 1024 * 1024;
    let (origin, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let git = Repository::init_bare(origin.path()).unwrap();
    let odb = git.odb().unwrap();
    let mut writer = odb.writer(SIZE, ObjectType::Blob).unwrap();
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..SIZE / zeros.len() {
        writer.write_all(&zeros).unwrap();
    }
    let blob = writer.finalize().unwrap();
    let mut tree = git.treebuilder(None).unwrap();
    tree.insert("large.yaml", blob, 0o100_644).unwrap();
    let commit = commit(&git, tree.write().unwrap()).parse().unwrap();
    let served = server::serve(origin.path());
    let before = peak();
    let source = Source { url: format!("{}/good", served.base), credential: None, also: vec![] };
    let never: GiveUp = Arc::new(|| false);
    let repositories = Repositories::new(kept.path());
    let id = "forge/large".parse().unwrap();
    let mirror = repositories.fetch(&id, &source, &Limits::default(), &never).unwrap();
    let tree = mirror.tree(&commit).unwrap();
    let read = tree.read("large.yaml", 1024 * 1024);
    assert!(matches!(read, Err(TreeError::TooLarge { size, .. }) if size == SIZE as u64), "{read:?}");
    let grown = peak() - before;
    assert!(grown < 128 * 1024 * 1024, "{grown} bytes more were taken");
    assert!(!served.requests.lock().unwrap().is_empty());

    let small = Limits { bytes: 10_000, ..Limits::default() };
    let refused = repositories.fetch(&"forge/other".parse().unwrap(), &source, &small, &never).err();
    assert!(matches!(&refused, Some(GitError::Final(text)) if text.contains("10000 bytes")), "{refused:?}");
}
