//! `make demo`, as a newcomer runs it: every claim of it is checked by the demo itself.

use std::path::Path;
use std::process::Command;

use countersign_tests::installation::program;

#[test]
fn the_demo_keeps_every_promise() {
    let told = demo("plain");
    assert!(told.contains("refused: signature") && told.contains("not clean"), "{told}");
}

#[test]
fn the_demo_keeps_every_promise_on_a_real_gitea() {
    let told = demo("gitea");
    assert!(told.contains("ada-at-home (account") && told.contains("not clean"), "{told}");
}

/// Tells the demo to its end, which must be good; returns what it told.
fn demo(forge: &str) -> String {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the project");
    let output = Command::new("bash")
        .arg(project.join("samples/demo.sh"))
        .arg(program())
        .env("CLUSTER", "simulated")
        .env("FORGE", forge)
        .env("NO_COLOR", "1")
        .env_remove("KEEP")
        .output()
        .expect("bash runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let told_wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{told_wrong}");
    told
}
