//! What happens when the server dies, or was not there.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use countersign_tests::installation::{Installation, STAGING};

use super::verify_log;

#[test]
fn a_change_survives_a_kill_right_after_its_push() -> Result<()> {
    let mut installation = Installation::start()?;
    for round in 0..3 {
        let commit = {
            let shop = installation.clone("shop")?;
            let commit = shop.greet("ada", "staging", &format!("Round{round}"))?;
            shop.propose("ada")?;
            shop.approve("grace", &commit)?;
            shop.push()?;
            commit
        };
        // Each round the server gets further before it dies.
        std::thread::sleep(std::time::Duration::from_millis(round * 60));
        installation.kill()?;
        installation.serve()?;
        installation.until_runs(STAGING, &commit)?;
        verify_log(&installation)?;
    }
    let decided = installation.history()?;
    let authorized = decided.iter().map(|entry| &entry["leaf"]["record"]).filter(|record| {
        record["kind"] == "decision"
            && record["disposition"] == "authorized"
            && record["target"]["environment"] == "staging"
    });
    ensure!(authorized.count() <= 1 + 2 * 3, "the same change was authorized again and again");
    installation.stop()?;
    verify_log(&installation)
}

#[test]
fn what_was_pushed_while_the_server_was_down_is_found() -> Result<()> {
    let mut installation = Installation::start()?;
    installation.stop()?;
    let commit = {
        let shop = installation.clone("shop")?;
        let commit = shop.greet("ada", "staging", "Welcome")?;
        shop.propose("ada")?;
        shop.approve("grace", &commit)?;
        shop.push()?;
        commit
    };
    installation.serve()?;
    installation.until_runs(STAGING, &commit)?;
    verify_log(&installation)
}

#[test]
fn a_backup_verifies_and_goes_on_where_it_was_made() -> Result<()> {
    let mut installation = Installation::start()?;
    installation.stop()?;
    let (data, backup) = (installation.data(), installation.folder().join("backup"));
    copy(&data, &backup)?;
    std::fs::remove_dir_all(&data)?;
    let (genesis, root) = ("backup/genesis.json", "backup/keys/root.pub.json");
    let audit = installation.json(&[
        "audit",
        "verify",
        "--data",
        "backup",
        "--genesis",
        genesis,
        "--root-key",
        root,
    ])?;
    ensure!(audit["clean"] == true, "{audit}");
    std::fs::rename(&backup, &data)?;
    let doctor = installation.json(&["doctor", "--data", "data"])?;
    ensure!(doctor["problems"] == 0, "{doctor}");
    let commit = {
        let shop = installation.clone("shop")?;
        let commit = shop.greet("ada", "staging", "Welcome")?;
        shop.propose("ada")?;
        shop.approve("grace", &commit)?;
        shop.push()?;
        commit
    };
    installation.serve()?;
    installation.until_runs(STAGING, &commit)?;
    installation.stop()?;
    verify_log(&installation)
}

/// Copies what a backup holds: not the mirrors, and nothing that says who works there.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("--archive").args([from, to]).status()?;
    ensure!(copied.success(), "it cannot be copied");
    for left_out in ["repositories", "countersign.lock"] {
        let path = to.join(left_out);
        if path.is_dir() {
            std::fs::remove_dir_all(path)?;
        } else if path.exists() {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}
