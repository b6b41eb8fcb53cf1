//! What it costs to see that a push does not touch an application: its closure is looked up in the new commit.

#[expect(dead_code, reason = "how often a build is measured says nothing here")]
#[path = "../../../crates/render/benches/builds/workloads.rs"]
mod workloads;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use countersign_core::digest::Digest;
use countersign_core::names::CommitId;
use countersign_git::repository::Repository;
use countersign_render::budget::Budget;
use countersign_render::rendered::render;
use git2::Oid;

const TIMES: u32 = 2_000;

fn main() {
    println!("{:<22} {:>8} {:>12}", "unchanged application", "paths", "one look, µs");
    for workload in workloads::workloads() {
        let folder = tempfile::tempdir().unwrap();
        let git = git2::Repository::init_bare(folder.path()).unwrap();
        let mut files = workload.files.clone();
        // What is beside it in a repository of some size.
        files.extend((0..1_000).map(|number| (format!("others/{number}/all.yaml"), format!("{number}"))));
        let before = commit(&git, &files);
        files.insert("others/7/all.yaml".to_owned(), "changed".to_owned());
        let after = commit(&git, &files);
        let repository = Repository::open(folder.path()).unwrap();
        let budget = Budget::for_objects(20_000);
        let rendered = render(&repository.tree(&before).unwrap(), workload.run, &[], &budget).unwrap();
        let paths = rendered.closure.paths();
        let known = closure(&repository, &before, &paths);
        let begun = Instant::now();
        for _ in 0..TIMES {
            assert_eq!(closure(&repository, &after, &paths), known);
        }
        let took = begun.elapsed() / TIMES;
        println!("{:<22} {:>8} {:>12.1}", workload.name, paths.len(), took.as_secs_f64() * 1e6);
    }
}

/// What is at the paths that an application is rendered from, as the stage compares it.
fn closure(repository: &Repository, commit: &CommitId, paths: &BTreeSet<String>) -> Digest {
    let at = |path| repository.object_at(commit, path).unwrap().unwrap_or_default();
    let parts: Vec<String> = paths.iter().flat_map(|path| [path.clone(), at(path)]).collect();
    Digest::of_parts(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn commit(git: &git2::Repository, files: &BTreeMap<String, String>) -> CommitId {
    let tree = git.find_tree(write(git, files)).unwrap();
    let who = git2::Signature::new("Ann", "ann@example.com", &git2::Time::new(1_700_000_000, 0)).unwrap();
    git.commit(None, &who, &who, "a change", &tree, &[]).unwrap().to_string().parse().unwrap()
}

fn write(git: &git2::Repository, files: &BTreeMap<String, String>) -> Oid {
    let mut folders: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    let mut builder = git.treebuilder(None).unwrap();
    for (path, text) in files {
        match path.split_once('/') {
            Some((folder, rest)) => {
                folders.entry(folder).or_default().insert(rest.to_owned(), text.clone());
            }
            None => {
                builder.insert(path, git.blob(text.as_bytes()).unwrap(), 0o100_644).unwrap();
            }
        }
    }
    for (folder, files) in folders {
        builder.insert(folder, write(git, &files), 0o040_000).unwrap();
    }
    builder.write().unwrap()
}
