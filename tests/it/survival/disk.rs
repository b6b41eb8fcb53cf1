//! A disk that is full.

use anyhow::{Result, ensure};
use countersign_tests::survival::development::Development;
use countersign_tests::survival::invariants::{self, Ends};

#[test]
fn a_full_disk_is_named_loses_nothing_and_is_recovered_from() -> Result<()> {
    let mut world = Development::start(1)?;
    let faults = world.installation.faults()?;
    faults.full(true)?;
    let commit = {
        let clone = world.installation.clone("app-0")?;
        let commit = Development::change(&clone, 1)?;
        clone.push()?;
        commit
    };
    world.installation.until("the log names the full disk", || {
        Ok(world.installation.log().contains("is full: make room on it").then_some(()))
    })?;
    ensure!(!world.runs("app-0", &commit)?, "it was deployed without a place for its log entry");
    let answer = world.installation.get("/healthz")?;
    ensure!(answer.status == 200, "it does not answer any more: {}", answer.text());
    faults.full(false)?;
    // The forge delivers again what was not taken; here the next push brings it along.
    let clone = world.installation.clone("app-0")?;
    let next = Development::change(&clone, 2)?;
    clone.push()?;
    drop(clone);
    world.until_runs("app-0", &next)?;
    world.installation.stop()?;
    invariants::check(&world.installation, Ends::AlsoAgain).map(drop)
}
