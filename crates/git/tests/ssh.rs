//! What is said over a session of `ssh`: Git's own server program answers, and a script stands in for `ssh`, which
//! needs another machine. The script insists on the options that make a session safe.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use countersign_core::ports::forge::GitCredential;
use countersign_git::mirror::{Depths, GiveUp, Limits, Repositories, Source};
use git2::{Signature, Time};

/// What a fetching process is told: the path of the repository, the folder for mirrors, how often it is asked to
/// give up until it does.
const TOLD: [&str; 3] = ["COUNTERSIGN_TEST_PATH", "COUNTERSIGN_TEST_FOLDER", "COUNTERSIGN_TEST_PATIENCE"];

/// Runs what it is told on this machine, if it is told to be careful.
const CAREFUL: &str = r#"#!/bin/sh
for wanted in StrictHostKeyChecking=yes IdentitiesOnly=yes IdentityAgent=none BatchMode=yes GlobalKnownHostsFile=/dev/null; do
  case "$*" in *"$wanted"*) ;; *) echo "without $wanted" >&2; exit 9;; esac
done
files=$(printf '%s\n' "$@" | sed -n 's/^-oIdentityFile="\(.*\)\/key"$/\1/p')
test "$(cat "$files/key")" = "the key" || { echo "without a key" >&2; exit 9; }
test "$(cat "$files/known_hosts")" = "host ssh-ed25519 A" || { echo "without known hosts" >&2; exit 9; }
for last; do :; done
exec sh -c "$last"
"#;

/// Fetches once and prints what it came to; a test only where another test starts it as a process, since only a
/// process can be given another `ssh`.
#[test]
fn fetching_process() {
    let [Ok(path), Ok(folder), Ok(patience)] = TOLD.map(std::env::var) else { return };
    let credential =
        GitCredential::Ssh { key: "the key".to_owned(), known_hosts: "host ssh-ed25519 A".to_owned() };
    let source = Source { url: format!("ssh://git@host{path}"), credential: Some(credential), also: vec![] };
    let (asked, patience) = (AtomicU32::new(0), patience.parse().unwrap());
    let give_up: GiveUp = Arc::new(move || asked.fetch_add(1, Ordering::Relaxed) >= patience);
    let id = "forge/team/shop".parse().unwrap();
    let one_by_one = Depths { first: 1, one: 1, step: 1, most: 2 };
    let repositories = Repositories::new(&folder).reaching(one_by_one);
    let main = ["refs/heads/".to_owned()];
    match repositories.tips(&id, &source, &main, &give_up) {
        Ok(tips) => println!("lists {tips:?}"),
        Err(error) => println!("does not list: {error:?}"),
    }
    match repositories.fetch(&id, &source, &Limits::default(), &give_up) {
        Ok(found) => {
            let tip = found.tip(&"refs/heads/main".parse().unwrap()).unwrap();
            println!("fetched {tip:?}");
            println!("leads to {:?}", tip.map(|tip| found.proposed(&tip, &[], 1000).map(|all| all.len())));
        }
        Err(error) => println!("not fetched: {error:?}"),
    }
}

/// What a fetching process prints where `ssh` is `script`.
fn fetch(script: &str, origin: &Path, kept: &Path, patience: u32) -> String {
    let programs = tempfile::tempdir().unwrap();
    let ssh = programs.path().join("ssh");
    fs::write(&ssh, script).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let paths = std::env::var("PATH").unwrap();
    let Output { stdout, .. } = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fetching_process", "--nocapture"])
        .envs(TOLD.into_iter().zip([origin.to_str().unwrap(), kept.to_str().unwrap(), &patience.to_string()]))
        .env("PATH", format!("{}:{paths}", programs.path().display()))
        .output()
        .unwrap();
    String::from_utf8(stdout).unwrap()
}

#[test]
fn a_repository_is_listed_and_fetched_over_a_session_and_no_key_stays() {
    let (origin, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let git = git2::Repository::init_bare(origin.path()).unwrap();
    let mut commits = Vec::new();
    for text in ["1", "2", "3", "4"] {
        let mut tree = git.treebuilder(None).unwrap();
        tree.insert("a", git.blob(text.as_bytes()).unwrap(), 0o100_644).unwrap();
        let tree = git.find_tree(tree.write().unwrap()).unwrap();
        let who = Signature::new("Ann", "ann@example.com", &Time::new(1_700_000_000, 0)).unwrap();
        let before = git.refname_to_id("refs/heads/main").ok().map(|id| git.find_commit(id).unwrap());
        let parents: Vec<_> = before.iter().collect();
        commits.push(git.commit(Some("refs/heads/main"), &who, &who, text, &tree, &parents).unwrap());
        let said = fetch(CAREFUL, origin.path(), kept.path(), u32::MAX);
        let tip = commits.last().unwrap();
        assert!(said.contains(&format!("lists {{\"refs/heads/main\": \"{tip}\"}}")), "{said}");
        assert!(said.contains("fetched Some") && said.matches(&tip.to_string()).count() == 2, "{said}");
    }
    // A part at first, and the rest when it is asked for, in both versions of the protocol.
    for script in [CAREFUL.to_owned(), CAREFUL.replace("exec sh", "unset GIT_PROTOCOL; exec sh")] {
        let kept = tempfile::tempdir().unwrap();
        let said = fetch(&script, origin.path(), kept.path(), u32::MAX);
        assert!(said.contains("leads to Some(Ok(4))"), "{said}");
    }
    let left = fs::read_dir(kept.path()).unwrap().flatten().map(|entry| entry.path());
    assert!(left.into_iter().all(|path| path.extension().is_none_or(|one| one != "ssh")), "a key stays");
}

#[test]
fn what_ssh_refuses_is_said_and_one_that_hangs_is_ended() {
    let (origin, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    git2::Repository::init_bare(origin.path()).unwrap();
    let said = |script: &str, patience| fetch(script, origin.path(), kept.path(), patience);
    let stranger = said("#!/bin/sh\necho 'Host key verification failed.' >&2\nexit 255\n", u32::MAX);
    assert!(stranger.contains("Denied") && stranger.contains("cannot prove who it is"), "{stranger}");
    let refused =
        said("#!/bin/sh\necho 'git@host: Permission denied (publickey).' >&2\nexit 255\n", u32::MAX);
    assert!(refused.contains("Denied") && refused.contains("refuses the credential"), "{refused}");
    let away =
        said("#!/bin/sh\necho 'connect to host host port 22: Connection refused' >&2\nexit 255\n", u32::MAX);
    assert!(away.contains("Retry") && away.contains("Connection refused"), "{away}");
    let hanging = said("#!/bin/sh\nexec sleep 600\n", 5);
    assert!(hanging.contains("Retry") && hanging.contains("stopped answering"), "{hanging}");
}
