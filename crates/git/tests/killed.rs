//! Several processes fetch into one folder and are killed at any time: what is there stays usable.

#[path = "../src/testing/server.rs"]
mod server;

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use countersign_git::mirror::{Bounds, Depths, GiveUp, Limits, Repositories, Source};
use countersign_git::repository::Repository;
use git2::{Oid, Signature, Time};

/// What a fetching process is told: the URL and the folder.
const TOLD: [&str; 2] = ["COUNTERSIGN_TEST_URL", "COUNTERSIGN_TEST_FOLDER"];

/// How often a process is killed.
const KILLS: u64 = 40;

/// So little of the history at a time that all of it comes in parts.
const DEPTHS: Depths = Depths { first: 3, one: 3, step: 4, most: 8 };

fn fetch(url: &str, folder: &str) -> Result<Repository, String> {
    let bounds = Bounds { all: u64::MAX, one: 40_000 };
    let source = Source { url: url.to_owned(), credential: None, also: vec![] };
    let never: GiveUp = Arc::new(|| false);
    let id = "forge/team/shop".parse().map_err(|error| format!("{error}"))?;
    let repositories = Repositories::bounded(folder, bounds).reaching(DEPTHS);
    repositories.fetch(&id, &source, &Limits::default(), &never).map_err(|error| error.to_string())
}

/// Fetches until it is killed; a test only where another test starts it as a process.
#[test]
fn fetching_process() {
    let [Ok(url), Ok(folder)] = TOLD.map(std::env::var) else { return };
    loop {
        let fetched = fetch(&url, &folder).and_then(|found| {
            let main = "refs/heads/main".parse().map_err(|error| format!("{error}"))?;
            let tip = found.tip(&main).map_err(|error| error.to_string())?.ok_or("no tip")?;
            found.proposed(&tip, &[], usize::MAX).map(drop).map_err(|error| error.to_string())
        });
        if let Err(error) = fetched {
            println!("{error}");
            std::process::exit(3);
        }
    }
}

fn start(url: &str, folder: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fetching_process", "--nocapture"])
        .envs(TOLD.into_iter().zip([url, folder]))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Commits something that does not compress.
fn commit(git: &git2::Repository, at: u64) -> Oid {
    let mut noise = at.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bytes: Vec<u8> = (0..4_000)
        .map(|_| {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise.to_le_bytes()[3]
        })
        .collect();
    let mut tree = git.treebuilder(None).unwrap();
    tree.insert("a", git.blob(&bytes).unwrap(), 0o100_644).unwrap();
    let tree = git.find_tree(tree.write().unwrap()).unwrap();
    let who = Signature::new("Ann", "ann@example.com", &Time::new(1_700_000_000, 0)).unwrap();
    let before = git.refname_to_id("refs/heads/main").ok().map(|id| git.find_commit(id).unwrap());
    let parents: Vec<_> = before.iter().collect();
    git.commit(Some("refs/heads/main"), &who, &who, &format!("{at}"), &tree, &parents).unwrap()
}

#[test]
fn processes_that_are_killed_leave_a_mirror_that_works() {
    let (origin, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let git = git2::Repository::init_bare(origin.path()).unwrap();
    commit(&git, 0);
    let served = server::serve(origin.path());
    let url = format!("{}/good", served.base);
    let folder = kept.path().to_str().unwrap();
    let mut running = [start(&url, folder), start(&url, folder)];
    for at in 1..=KILLS {
        commit(&git, at);
        std::thread::sleep(Duration::from_millis(at * 37 % 90));
        let one = &mut running[usize::try_from(at % 2).unwrap()];
        if let Some(status) = one.try_wait().unwrap() {
            let mut said = String::new();
            std::io::Read::read_to_string(one.stdout.as_mut().unwrap(), &mut said).unwrap();
            panic!("it ended by itself with {status}: {said}");
        }
        one.kill().unwrap();
        one.wait().unwrap();
        *one = start(&url, folder);
    }
    for mut one in running {
        one.kill().unwrap();
        one.wait().unwrap();
    }
    assert!(!served.requests.lock().unwrap().is_empty(), "nothing was ever fetched");
    let last = commit(&git, KILLS + 1);
    let found = fetch(&url, folder).unwrap();
    let tip = found.tip(&"refs/heads/main".parse().unwrap()).unwrap().unwrap();
    assert_eq!(tip.as_str(), last.to_string());
    let all = found.proposed(&tip, &[], usize::MAX).unwrap();
    assert_eq!(all.len() as u64, KILLS + 2, "the whole history");
    drop(found);
    let mirrors = std::fs::read_dir(kept.path()).unwrap().flatten().map(|entry| entry.path());
    let mirrors: Vec<_> = mirrors.filter(|path| path.extension().is_some_and(|one| one == "git")).collect();
    assert_eq!(mirrors.len(), 1);
    let check = Command::new("git").arg("-C").arg(&mirrors[0]).args(["fsck", "--strict"]).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
