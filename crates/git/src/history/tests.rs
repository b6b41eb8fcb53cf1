//! Answers about a mirror that has a part of a history are those of the whole history.

mod random;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_core::facts::Relation;
use countersign_core::names::CommitId;
use git2::Oid;

use crate::error::GitError;
use crate::mirror::{Depths, Source, boundary};
use crate::repository::Repository;
use crate::testing::server::serve;
use crate::testing::world::{World, id};

/// Little enough for histories of a test to go beyond it.
const LITTLE: Depths = Depths { first: 8, one: 4, step: 8, most: 16 };

fn world() -> Option<World> {
    World::new(LITTLE)
}

impl World {
    /// So many commits on a branch, the first one first.
    fn line(&self, branch: &str, from: Option<&CommitId>, length: usize) -> Vec<CommitId> {
        let mut line: Vec<CommitId> = Vec::new();
        for at in 0..length {
            let parent = line.last().or(from);
            let content = format!("{branch} {at}");
            line.push(self.origin.commit(parent.as_slice(), &[("deploy/a", &content), ("b", "1")]));
        }
        self.origin.point(&format!("refs/heads/{branch}"), line.last().unwrap());
        line
    }

    fn git(&self, words: &[&str]) {
        let done = Command::new("git").arg("-C").arg(self.origin.folder.path()).args(words).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

fn mirror(repository: &Repository) -> PathBuf {
    repository.git.path().to_owned()
}

/// Where the history of a mirror is cut off.
fn cut(repository: &Repository) -> BTreeSet<Oid> {
    boundary::read(&mirror(repository)).unwrap()
}

fn commits(repository: &Repository) -> usize {
    let odb = repository.git.odb().unwrap();
    let mut found = BTreeSet::new();
    odb.foreach(|id| {
        found.extend(repository.git.find_commit(*id).ok().map(|commit| commit.id()));
        true
    })
    .unwrap();
    found.len()
}

#[test]
fn of_a_long_history_the_newest_part_comes_first_and_more_when_it_is_asked_for() {
    let Some(world) = world() else { return };
    let line = world.line("main", None, 100);
    let tip = &line[99];
    let found = world.fetch("good").unwrap();
    assert_eq!((commits(&found), cut(&found).len()), (4, 1));
    world.requests();
    assert_eq!(found.tree_id(tip).unwrap(), world.origin.open().tree_id(tip).unwrap());
    assert!(!found.holds(&line[90]));
    assert_eq!(world.requests().len(), 0, "the tip is here");

    let deploy = ["deploy".to_owned()];
    let range = found.range(Some(&line[90]), tip, &deploy, 50).unwrap();
    assert_eq!(range, world.origin.open().range(Some(&line[90]), tip, &deploy, 50).unwrap());
    assert_eq!((range.relation, range.commits.len()), (Relation::Descends, 9));
    assert_eq!(world.requests().len(), 2, "the commit itself, and what lies between");
    assert!(!found.holds(&line[50]), "no more than is needed");

    assert_eq!(found.proposed(tip, &[], 1000).unwrap().len(), 100);
    assert_eq!(cut(&found), BTreeSet::new(), "all of it is here");
    world.requests();
    let unknown: CommitId = "1".repeat(40).parse().unwrap();
    assert!(!found.has(&unknown).unwrap());
    assert_eq!(world.requests().len(), 0, "where all is here, nothing is asked");
}

#[test]
fn a_push_brings_what_is_new_and_joins_what_is_here() {
    let Some(world) = world() else { return };
    let line = world.line("main", None, 50);
    let before = cut(&world.fetch("good").unwrap());
    let pushed = world.line("main", line.last(), 2);
    let found = world.fetch("good").unwrap();
    assert_eq!((commits(&found), cut(&found)), (6, before));
    // More than is fetched at once: what lies between is brought when it is asked for.
    let more = world.line("main", pushed.last(), 20);
    let found = world.fetch("good").unwrap();
    assert_eq!(cut(&found).len(), 2);
    let range = found.range(line.last(), more.last().unwrap(), &[], 50).unwrap();
    assert_eq!((range.relation, range.commits.len()), (Relation::Descends, 22));
    let branch = world.line("side", line.get(5), 1);
    let found = world.fetch("good").unwrap();
    assert!(!found.holds(&line[1]), "a branch from long ago brings as little of its history");
    assert!(found.descends(&branch[0], &line[1]).unwrap());
}

#[test]
fn a_commit_that_nobody_has_is_gone() {
    let Some(world) = world() else { return };
    let line = world.line("main", None, 30);
    for mode in ["good", "old"] {
        let found = world.fetch(mode).unwrap();
        assert!(!cut(&found).is_empty());
        let unknown: CommitId = "1".repeat(40).parse().unwrap();
        assert!(!found.has(&unknown).unwrap(), "{mode}");
        let range = found.range(Some(&unknown), &line[29], &[], 50).unwrap();
        assert_eq!((range.relation, range.from_gone), (Relation::Diverges, true), "{mode}");
        world.requests();
        assert!(!found.has(&unknown).unwrap());
        assert_eq!(world.requests().len(), 0, "{mode}: it is asked for once");
    }
}

#[test]
fn a_server_without_depth_gives_all() {
    let Some(world) = world() else { return };
    let line = world.line("main", None, 30);
    for mode in ["flat", "oldflat"] {
        let found = world.fetch(mode).unwrap();
        assert_eq!((commits(&found), cut(&found).len()), (30, 0), "{mode}");
    }
    // A server that gave a part, and is replaced by one that cannot.
    let found = world.fetch("good").unwrap();
    let (place, url) = (mirror(&found), world.source("good").url);
    drop(found);
    let replaced = world.fetch("flat").map(|found| mirror(&found)).unwrap();
    fs::remove_dir_all(&replaced).unwrap();
    fs::rename(&place, &replaced).unwrap();
    let more = world.line("main", line.last(), 1);
    let found = world.fetch("flat").unwrap();
    assert_eq!((commits(&found), cut(&found).len()), (31, 0), "{url}");
    assert!(found.descends(&more[0], &line[0]).unwrap());
}

#[test]
fn a_rewritten_branch_is_told_from_what_descends() {
    let Some(world) = world() else { return };
    for mode in ["good", "old"] {
        let line = world.line("main", None, 40);
        world.fetch(mode).unwrap();
        let forced = world.line("main", line.get(30), 6);
        let found = world.fetch(mode).unwrap();
        let range = found.range(line.last(), forced.last().unwrap(), &[], 50).unwrap();
        assert_eq!((range.relation, range.from_gone), (Relation::Diverges, false), "{mode}");
    }
}

#[test]
fn what_builds_on_a_history_that_the_server_forgot_is_fetched_anew() {
    let Some(world) = world() else { return };
    for mode in ["good", "old"] {
        let line = world.line("main", None, 40);
        world.fetch(mode).unwrap();
        let other = world.line("main", None, 20);
        world.git(&["gc", "--prune=now", "--quiet"]);
        let found = world.fetch(mode).unwrap();
        assert!(found.holds(&line[39]), "{mode}: the tip of before is here");
        let range = found.range(line.last(), &other[19], &[], 50);
        assert!(matches!(&range, Err(GitError::Retry(why)) if why.contains("anew")), "{mode}: {range:?}");
        drop(found);
        // A child that another test forked this moment keeps the mirror in use until it runs a program of its own.
        let anew = || world.fetch(mode).unwrap().range(line.last(), &other[19], &[], 50);
        let is_answer =
            |range: &Result<_, _>| !matches!(range, Err(GitError::Retry(why)) if why.contains("anew"));
        let range = std::iter::repeat_with(anew).take(5).find(is_answer).unwrap().unwrap();
        assert_eq!((range.relation, range.from_gone), (Relation::Diverges, true), "{mode}");
    }
}

#[test]
fn a_server_that_has_a_part_itself_gives_that_and_no_wrong_answer() {
    let Some(world) = world() else { return };
    let line = world.line("main", None, 40);
    let part = tempfile::tempdir().unwrap();
    let url = format!("file://{}", world.origin.folder.path().display());
    let words = ["clone", "--quiet", "--bare", "--depth", "10", "--branch", "main", &url];
    let done = Command::new("git").args(words).arg(part.path().join("x.git")).output().unwrap();
    assert!(done.status.success());
    let served = serve(&part.path().join("x.git"));
    let world = World { served, ..world };
    let found = world.fetch("good").unwrap();
    assert!(found.tree(&line[39]).is_ok());
    assert!(found.descends(&line[39], &line[33]).unwrap());
    for _ in 0..2 {
        let found = world.fetch("good").unwrap();
        let error = found.proposed(&line[39], &[], 1000).unwrap_err();
        assert!(matches!(&error, GitError::Denied(why) if why.contains("shallow copy")), "{error:?}");
    }
    assert!(matches!(world.fetch("old"), Err(GitError::Denied(_))));
    let source = Source { url: part.path().join("x.git").display().to_string(), ..world.source("") };
    let local = world.repositories().open(&id(), &source);
    assert!(matches!(local.err(), Some(GitError::Denied(why)) if why.contains("unshallow")));
}

#[test]
fn what_was_not_fetched_is_not_told_as_missing_where_nothing_may_be_asked() {
    let Some(world) = world() else { return };
    let line = world.line("main", None, 40);
    drop(world.fetch("good").unwrap());
    let kept = world.repositories().open(&id(), &world.source("good")).unwrap();
    world.requests();
    assert!(kept.tree(&line[39]).is_ok());
    for error in [kept.has(&line[2]).unwrap_err(), kept.proposed(&line[39], &[], 1000).unwrap_err()] {
        assert!(matches!(&error, GitError::Retry(why) if why.contains("not fetched")), "{error:?}");
    }
    assert_eq!(world.requests().len(), 0);
}

#[test]
fn a_kill_between_any_two_steps_leaves_what_the_next_fetch_heals() {
    let Some(world) = world() else { return };
    let line = world.line("main", None, 40);
    let place = mirror(&world.fetch("good").unwrap());
    let stray: String = (0..3).map(|at| format!("{at:040x}\n")).collect();
    let append = |name: &str, text: &str| {
        let known = fs::read_to_string(place.join(name)).unwrap_or_default();
        fs::write(place.join(name), known + text).unwrap();
    };
    let remove = |name: &str| fs::remove_file(place.join(name)).unwrap();
    let steps: [(&str, &dyn Fn()); 5] = [
        ("the boundary, and not its pack", &|| append("boundary", &stray)),
        ("half of a boundary beside it", &|| append("boundary.new", "12345")),
        ("the pack, and not its references", &|| remove("packed-refs")),
        ("a damaged boundary", &|| append("boundary", "12345\n")),
        ("no packs", &|| fs::remove_dir_all(place.join("objects/pack")).unwrap()),
    ];
    for (what, step) in steps {
        step();
        let found = world.fetch("good").unwrap();
        assert_eq!(found.tip(&"refs/heads/main".parse().unwrap()).unwrap().as_ref(), line.last(), "{what}");
        assert_eq!(found.proposed(&line[39], &[], 1000).unwrap().len(), 40, "{what}");
        assert!(!Path::new(&place).join("fetch-anew").exists(), "{what}");
        drop(found);
        fs::remove_dir_all(&place).unwrap();
        assert!(!cut(&world.fetch("good").unwrap()).is_empty());
    }
}

#[test]
fn two_that_read_one_mirror_both_see_what_either_brings() {
    let Some(world) = world() else { return };
    let line = world.line("main", None, 60);
    let (one, other) = (world.fetch("good").unwrap(), world.fetch("good").unwrap());
    assert_eq!(one.proposed(&line[59], &[], 1000).unwrap().len(), 60);
    world.requests();
    assert_eq!(other.proposed(&line[59], &[], 1000).unwrap().len(), 60);
    assert!(other.has(&line[0]).unwrap());
    assert_eq!(world.requests().len(), 0);
}
