//! The short form of the load test. `countersign-load` is the long one.

use std::time::Duration;

use anyhow::{Result, ensure};
use countersign_tests::survival::load::Load;

#[test]
fn pushes_at_a_steady_pace_all_arrive_though_calls_fail() -> Result<()> {
    let load = Load { time: Duration::from_secs(10), rate: 20.0, repositories: 5, bad: 5, failing: 1 };
    let figures = load.run()?;
    ensure!(figures.pushes >= 190, "{figures}");
    ensure!(figures.deployed.max > Duration::ZERO, "nothing was seen to be deployed: {figures}");
    Ok(())
}
