//! A disk that is full while a pack comes in.

use std::env;
use std::process::Command;

use super::*;

/// Set where the test may mount a disk of its own: in a namespace that ends with it.
const MAY_MOUNT: &str = "COUNTERSIGN_TEST_MAY_MOUNT";

const NAME: &str = "mirror::tests::full::a_full_disk_is_named_and_the_next_fetch_brings_all";

fn mount(options: &str, place: &Path) {
    let done = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(place).status();
    assert!(done.unwrap().success(), "a disk with {options}");
}

#[test]
fn a_full_disk_is_named_and_the_next_fetch_brings_all() {
    if env::var_os(MAY_MOUNT).is_some() {
        return fetch_to_a_full_disk();
    }
    let apart = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount"]);
        command
    };
    if !apart().arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("not tried: this system lets nobody have namespaces");
        return;
    }
    let tests = env::current_exe().unwrap();
    let ran = apart().arg(tests).args(["--exact", NAME]).env(MAY_MOUNT, "yes").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

fn fetch_to_a_full_disk() {
    let Some(world) = world() else { return };
    let small = world.origin.commit(&[], &[("a", "1")]);
    world.origin.point("refs/heads/main", &small);
    mount("size=2m", world.kept.path());
    world.fetch("good").unwrap();
    let large = world.origin.commit(&[&small], &[("a", &noise(4 << 20))]);
    world.origin.point("refs/heads/main", &large);
    for attempt in 1..=3 {
        match world.refusal("good") {
            GitError::Retry(text) => assert!(text.contains("free space"), "{attempt}: {text}"),
            other => panic!("{attempt}: {other:?}"),
        }
        let kept = world.repositories().open(&id(), &world.source("good")).unwrap();
        assert_eq!(kept.tip(&"refs/heads/main".parse().unwrap()).unwrap(), Some(small.clone()));
        assert!(kept.tree_id(&small).is_ok(), "what was there is still there");
    }
    mount("remount,size=64m", world.kept.path());
    let found = world.fetch("good").unwrap();
    assert_eq!(found.tip(&"refs/heads/main".parse().unwrap()).unwrap(), Some(large.clone()));
    assert_eq!(found.tree_id(&large).unwrap(), world.origin.open().tree_id(&large).unwrap());
}
