//! Commits that `git commit -S` signs with an SSH key are read so that their signatures verify.

use std::path::Path;
use std::process::Command;

use countersign_git::repository::Repository;
use countersign_provenance::{signatures, sshsig};

/// Runs a command in `folder` without anyone's configuration.
fn run(folder: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_DATE", "1700000000 +0130")
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_commit_that_git_signs_verifies_and_a_changed_one_does_not() {
    let there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !there("git") || !there("ssh-keygen") {
        assert!(std::env::var("CI").is_err(), "git or ssh-keygen is not installed");
        println!("git or ssh-keygen is not installed: this test had nothing to sign with");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    run(path, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "key"]);
    let key = path.join("key");
    let public = std::fs::read_to_string(path.join("key.pub")).unwrap();
    run(path, "git", &["init", "-q", "-b", "main", "work"]);
    let work = path.join("work");
    let sign = format!("user.signingKey={}", key.display());
    let git = |more: &[&str]| {
        let who = ["-c", "user.name=Ann Ümlaut", "-c", "user.email=ann@example.com", "-c", "gpg.format=ssh"];
        run(&work, "git", &[&who[..], &["-c", &sign, "commit", "-q", "--allow-empty"], more].concat());
    };
    git(&["-S", "-m", "signed\n\nbody"]);
    git(&["-m", "unsigned"]);
    git(&["-S", "-m", "signed again"]);
    let repository = Repository::open(&work).unwrap();
    let tip = repository.tip(&"refs/heads/main".parse().unwrap()).unwrap().unwrap();
    let commits = repository.proposed(&tip, &[], 10).unwrap();
    let wanted = sshsig::fingerprint(&public).unwrap();
    let verified: Vec<_> = commits.iter().map(signatures::verify_commit).collect();
    assert_eq!(verified, [Some(Ok(wanted.clone())), None, Some(Ok(wanted))]);
    let mut changed = commits[0].clone();
    changed.author.email = "eve@example.com".to_owned();
    assert!(signatures::verify_commit(&changed).unwrap().is_err());
}
