//! What history cannot be used for: riding along, bringing old bytes back, going back unseen.

use anyhow::{Result, ensure};
use countersign_tests::installation::{Installation, STAGING};

use super::verify_log;

#[test]
fn an_unapproved_commit_cannot_ride_along() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    let base = shop.head()?;
    let hidden = shop.greet("ada", "staging", "Backdoor")?;
    shop.push()?;
    installation.reported(&hidden, "staging", &["Denied: nothing was deployed.", "rode along"])?;

    // Proposed from before the hidden commit, and approved as it is there.
    shop.git(&["checkout", "-q", "-b", "good", &base])?;
    shop.replace("deploy/staging/deployment.yaml", "cpu: 100m", "cpu: 60m")?;
    let good = shop.commit_all("alan", "Ask for less")?;
    shop.propose("alan")?;
    shop.approve("grace", &good)?;
    let what = format!("commit {} (Greet with Backdoor in staging) rode along", &hidden[..8]);
    installation.reported(&good, "staging", &["Preview: only reviews are missing.", &what])?;
    shop.git(&["checkout", "-q", "-b", "both", &hidden])?;
    shop.git_as("alan", &["merge", "-q", "--no-ff", "-m", "Merge it", &good])?;
    let merge = shop.head()?;
    shop.push()?;
    installation.reported(&merge, "staging", &["Denied: nothing was deployed.", &what])?;
    let running = &installation.target(STAGING)?["running"]["commit"];
    ensure!(*running == base.as_str(), "{running} runs");

    // It is mended by having what rode along reviewed.
    shop.git(&["checkout", "-q", &hidden])?;
    shop.propose("ada")?;
    shop.approve("grace", &hidden)?;
    installation.until_runs(STAGING, &merge)?;
    verify_log(&installation)
}

#[test]
fn an_old_approval_cannot_bring_old_bytes_back() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    let base = shop.head()?;
    let old = shop.greet("ada", "staging", "Old")?;
    shop.propose("ada")?;
    shop.approve("grace", &old)?;
    shop.git(&["checkout", "-q", "-b", "line", &base])?;
    shop.git_as("ada", &["merge", "-q", "--squash", &old])?;
    let squashed = shop.commit_all("ada", "Squash it")?;
    shop.push()?;
    installation.until_runs(STAGING, &squashed)?;

    shop.git_as("ada", &["revert", "--no-edit", &squashed])?;
    let reverted = shop.head()?;
    shop.propose("ada")?;
    shop.approve("grace", &reverted)?;
    shop.push()?;
    installation.until_runs(STAGING, &reverted)?;

    // The old head merges cleanly once more, and gives the very bytes that were approved then.
    shop.git_as("ada", &["merge", "-q", "--squash", &old])?;
    let again = shop.commit_all("ada", "Squash it again")?;
    shop.push()?;
    let why = format!("{} would, but has explained {} before", &old[..8], &squashed[..8]);
    installation.reported(&again, "staging", &["Denied: nothing was deployed.", &why])?;
    // Nor does reverting the revert, without a review of its own.
    shop.git(&["reset", "-q", "--hard", &reverted])?;
    shop.git_as("ada", &["revert", "--no-edit", &reverted])?;
    let undone = shop.head()?;
    shop.push_forced(&undone)?;
    installation.reported(&undone, "staging", &["Denied: nothing was deployed."])?;
    let running = &installation.target(STAGING)?["running"]["commit"];
    ensure!(*running == reverted.as_str(), "{running} runs");
    Ok(())
}

#[test]
fn going_back_is_a_rollback_that_needs_its_own_approval() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    let mut commits = Vec::new();
    for greeting in ["One", "Two"] {
        let commit = shop.greet("ada", "staging", greeting)?;
        shop.propose("ada")?;
        shop.approve("grace", &commit)?;
        shop.push()?;
        installation.until_runs(STAGING, &commit)?;
        commits.push(commit);
    }
    let first = &commits[0];
    shop.push_forced(first)?;
    let texts = ["Denied: nothing was deployed.", "going back needs an approval of", "does not count"];
    installation.reported(first, "staging", &texts)?;
    ensure!(installation.target(STAGING)?["running"]["commit"] == commits[1].as_str(), "it went back alone");

    shop.approve("grace", first)?;
    let state = installation.until_runs(STAGING, first)?;
    ensure!(state["running"]["operation"] == "rollback", "{state}");
    verify_log(&installation)
}
