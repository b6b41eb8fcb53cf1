//! A disk that is full.

use anyhow::{Context as _, Result, ensure};
use countersign_tests::installation::http::pushed;
use countersign_tests::survival::development::Development;
use countersign_tests::survival::invariants::{self, Ends};

/// How many webhooks a disk takes at most that is full.
const MOST: u32 = 500;

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
    // A few may still find room in the pages that there are.
    let tell = |delivery: u32| {
        let body = pushed(&format!("while-it-is-full-{delivery}"), "app-0", &commit).to_string();
        world.installation.webhook(body.as_bytes())
    };
    let mut refused = None;
    for delivery in 0..MOST {
        let answer = tell(delivery)?;
        if answer.status != 200 {
            refused = Some((delivery, answer));
            break;
        }
    }
    let (delivery, answer) = refused.context("every webhook was taken")?;
    let said = answer.text();
    ensure!(
        answer.status == 503 && said.contains("deliver again"),
        "{} instead of 503: {said}",
        answer.status
    );
    faults.full(false)?;
    // The forge delivers again what was not taken.
    let answer = tell(delivery)?;
    ensure!(answer.status == 200, "{} instead of 200: {}", answer.status, answer.text());
    world.until_runs("app-0", &commit)?;
    let clone = world.installation.clone("app-0")?;
    let next = Development::change(&clone, 2)?;
    clone.push()?;
    drop(clone);
    world.until_runs("app-0", &next)?;
    world.installation.stop()?;
    invariants::check(&world.installation, Ends::AlsoAgain).map(drop)
}
