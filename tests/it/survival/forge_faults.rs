//! A real Gitea that refuses Countersign's token: what was on its way becomes a dead letter, is shown with its reason,
//! and goes on once the token is mended.

use anyhow::{Context, Result, ensure};
use countersign_core::leaf::Record;
use countersign_tests::survival::invariants;
use countersign_tests::survival::on_gitea::{COUNTERSIGN, OnGitea, REPOSITORY, SCOPES};
use serde_json::Value;

#[test]
fn a_forge_that_refuses_the_token_is_shown_and_what_it_held_up_is_redriven() -> Result<()> {
    let mut forge = OnGitea::start(3600)?;
    let good = forge.new_token("good", &SCOPES)?;

    // 403: a token that may fetch, and not read what was said of a pull request.
    forge.set_token(&forge.new_token("less", &["read:user", "write:repository"])?)?;
    let (request, _) = forge.propose()?;
    let commit = forge.merge(request.clone())?;
    until_shown(&mut forge, "events", &["403", "may not do this", "read:issue"])?;
    ensure!(forge.is_deployed(&commit).is_err(), "it was deployed though nobody could be asked");
    let leaves = invariants::leaves(&forge.world.installation)?;
    let rejected = leaves.iter().any(|(_, leaf)| match &leaf.record {
        Record::Rejected(record) => record.queue == "events" && record.reason.contains("403"),
        _ => false,
    });
    ensure!(rejected, "the log does not hold it");
    forge.set_token(&good)?;
    redrive(&mut forge, "events", &commit)?;
    let deployed = |_: &OnGitea| request.comment_by(COUNTERSIGN, &["deployed"]).map(drop);
    forge.until("its pull request says so", deployed)?;

    // 401: a token that is revoked while a report is on its way.
    let commit = dies_before_it_reports(&mut forge)?;
    forge.revoke_token("good")?;
    forge.world.installation.serve()?;
    until_shown(&mut forge, "reports", &["401", "expired or been revoked"])?;
    forge.set_token(&forge.new_token("better", &SCOPES)?)?;
    redrive(&mut forge, "reports", &commit)?;

    // 404: an account that lost its access to the repository meanwhile.
    let commit = dies_before_it_reports(&mut forge)?;
    forge.gitea.revoke(REPOSITORY, COUNTERSIGN)?;
    forge.world.installation.serve()?;
    until_shown(&mut forge, "reports", &["404", "may not see it"])?;
    forge.gitea.grant(REPOSITORY, COUNTERSIGN, "write")?;
    redrive(&mut forge, "reports", &commit)?;
    let audit = forge.world.installation.json(&["audit", "verify", "--data", "data"])?;
    ensure!(audit["clean"] == true, "{audit}");
    Ok(())
}

/// The dead letters of a queue, as `countersign status` shows them.
fn letters(forge: &OnGitea, queue: &str) -> Result<Vec<Value>> {
    let status = forge.world.installation.status()?;
    let letters = status["deadLetters"].as_array().context("status has no dead letters")?;
    Ok(letters.iter().filter(|letter| letter["queue"] == queue).cloned().collect())
}

fn counted(forge: &OnGitea, queue: &str) -> Result<u64> {
    let name = format!("countersign_queue_messages{{queue=\"{queue}\",state=\"dead\"}}");
    forge.world.installation.counted(&name)
}

/// Waits until `countersign status` shows a dead letter of a queue with this in its reason, and `/metrics` counts it.
fn until_shown(forge: &mut OnGitea, queue: &str, reason: &[&str]) -> Result<()> {
    forge.until(&format!("{queue}: a dead letter that says {reason:?}"), |forge| {
        let letters = letters(forge, queue)?;
        let says = |letter: &Value| {
            let why = letter["reason"].as_str().unwrap_or_default();
            reason.iter().all(|part| why.contains(part))
        };
        ensure!(letters.iter().any(says), "there are {letters:?}");
        let counted = counted(forge, queue)?;
        ensure!(counted > 0, "it is not counted");
        Ok(())
    })
}

/// Redrives a queue until nothing of it dies any more, the commit is deployed, and Gitea shows that.
fn redrive(forge: &mut OnGitea, queue: &str, commit: &str) -> Result<()> {
    forge.until(&format!("{commit} is deployed"), |forge| {
        if !letters(forge, queue)?.is_empty() {
            forge.world.installation.json(&["dlq", "redrive", queue, "--all", "--data", "data"])?;
        }
        forge.is_deployed(commit)?;
        ensure!(letters(forge, queue)?.is_empty() && counted(forge, queue)? == 0, "there are more letters");
        Ok(())
    })
}

/// Pushes a change, and lets the server die once it was authorized and before Gitea was told.
fn dies_before_it_reports(forge: &mut OnGitea) -> Result<String> {
    forge.world.installation.faults()?.kill_at("forge.report/before", 1)?;
    let commit = forge.push()?;
    let begun = std::time::Instant::now();
    while !forge.world.installation.has_died()? {
        ensure!(begun.elapsed().as_secs() < 60, "it tells nobody:\n{}", forge.world.installation.log());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Ok(commit)
}
