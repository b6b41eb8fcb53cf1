//! A cluster that demands a witness takes nothing that the witness has not seen.

use anyhow::{Context as _, Result, ensure};
use countersign_tests::installation::{Installation, STAGING};

use super::verify_log;

#[test]
fn nothing_is_applied_that_the_witness_has_not_cosigned() -> Result<()> {
    let mut installation = Installation::start()?;
    let key = installation.json(&["audit", "key", "--data", "data"])?["vkey"].clone();
    let key = key.as_str().context("the log has no vkey")?.to_owned();
    let witness = installation.witness(&key)?;
    let once = installation.json(&witness.arguments(&["--once"]))?;
    let vkey = once["vkey"].as_str().context("the witness has no vkey")?.to_owned();
    ensure!(once["cosigned"].as_u64() > Some(0), "{once}");

    installation.stop()?;
    let added = installation.json(&["cluster", "add", "local", "--data", "data", "--witness", &vkey])?;
    ensure!(added["witnesses"][0] == "witness.example", "{added}");
    installation.serve_with(&["--witness", &witness.url()])?;
    let commit = {
        let shop = installation.clone("shop")?;
        let commit = shop.greet("ada", "staging", "Welcome")?;
        shop.propose("ada")?;
        shop.approve("grace", &commit)?;
        shop.push()?;
        commit
    };
    installation
        .until_target(STAGING, "is authorized", |state| state["wanted"]["commit"] == commit.as_str())?;
    installation.until("apply waits for the witness", || {
        Ok(installation.log().contains("this cluster demands a witness").then_some(()))
    })?;
    ensure!(installation.target(STAGING)?["running"]["commit"] != commit.as_str(), "it was applied");

    let running = witness.start(&installation)?;
    installation.until_runs(STAGING, &commit)?;
    drop(running);
    installation.stop()?;
    // The next change waits again, and goes on by itself when the witness is back: nothing is left behind.
    installation.serve_with(&["--witness", &witness.url()])?;
    let _running = witness.start(&installation)?;
    let commit = {
        let shop = installation.clone("shop")?;
        let commit = shop.greet("ada", "staging", "Again")?;
        shop.propose("ada")?;
        shop.approve("grace", &commit)?;
        shop.push()?;
        commit
    };
    installation.until_runs(STAGING, &commit)?;
    installation.stop()?;
    verify_log(&installation)
}
