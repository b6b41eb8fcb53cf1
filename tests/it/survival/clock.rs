//! Clocks that jump, and authorizations that are older than they live.

use anyhow::{Context, Result, ensure};
use countersign_core::leaf::Record;
use countersign_core::outcome::{Check, OutcomeResult};
use countersign_tests::survival::development::Development;
use countersign_tests::survival::invariants::{self, Ends};

const HOUR: i64 = 3600;

#[test]
fn a_clock_that_jumps_ahead_and_back_delays_nothing() -> Result<()> {
    let mut world = Development::start(1)?;
    let faults = world.installation.faults()?;
    // Back before where it began, ahead by a day, and home again.
    for (round, offset) in [(1, -2 * HOUR), (2, 24 * HOUR), (3, -30), (4, 0)] {
        faults.clock(offset)?;
        let commit = {
            let clone = world.installation.clone("app-0")?;
            let commit = Development::change(&clone, round)?;
            clone.push()?;
            commit
        };
        world.until_runs("app-0", &commit).with_context(|| format!("the clock is {offset} s off"))?;
    }
    let leaves = invariants::leaves(&world.installation)?.len();
    // Nothing goes round in circles because its time seems to come before what was decided.
    ensure!(leaves < 60, "{leaves} leaves for four pushes");
    faults.clock(-HOUR)?;
    world.installation.stop()?;
    world.installation.serve()?;
    let clone = world.installation.clone("app-0")?;
    let commit = Development::change(&clone, 5)?;
    clone.push()?;
    world.until_runs("app-0", &commit)?;
    drop(clone);
    world.installation.stop()?;
    only_times_are_amiss(&world)?;
    invariants::account(&world.installation, Ends::Once).map(drop)
}

/// Whoever audits is told that the clock was put back, and nothing else is amiss.
fn only_times_are_amiss(world: &Development) -> Result<()> {
    let output = world.installation.run(&["audit", "verify", "--data", "data", "--output", "json"])?;
    let audit: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let problems = audit["problems"].as_array().context("an audit lists problems")?;
    let of_time = |problem: &serde_json::Value| {
        problem["what"].as_str().is_some_and(|what| what.contains("lies before that of an earlier leaf"))
    };
    ensure!(!problems.is_empty() && problems.iter().all(of_time), "{audit}");
    Ok(())
}

#[test]
fn an_authorization_that_outlived_itself_is_refused_and_made_again() -> Result<()> {
    let mut world = Development::start(1)?;
    let faults = world.installation.faults()?;
    faults.kill_at("queue.send.deploys-local+reports/after", 1)?;
    let commit = {
        let clone = world.installation.clone("app-0")?;
        let commit = Development::change(&clone, 1)?;
        clone.push()?;
        commit
    };
    let begun = std::time::Instant::now();
    while !world.installation.has_died()? {
        ensure!(begun.elapsed().as_secs() < 60, "it did not die");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    faults.clock(HOUR)?;
    world.installation.serve()?;
    // It is refused for its age, and looked at again after ten seconds.
    world.installation.until("the old authorization is refused", || {
        let leaves = invariants::leaves(&world.installation)?;
        let late = OutcomeResult::Refused { check: Check::Time };
        let refused = |record: &Record| matches!(record, Record::Outcome(outcome) if outcome.result == late);
        Ok(leaves.iter().any(|(_, leaf)| refused(&leaf.record)).then_some(()))
    })?;
    faults.clock(HOUR + 15)?;
    world.until_runs("app-0", &commit)?;
    world.installation.stop()?;
    invariants::check(&world.installation, Ends::Once).map(drop)
}
