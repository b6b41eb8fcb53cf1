//! What no webhook told of: a push past the repository's hook is found by `poll`.

use std::fs;

use anyhow::{Result, ensure};
use countersign_tests::installation::{Installation, STAGING};

use super::verify_log;

#[test]
fn a_hold_that_was_pushed_while_the_server_was_down_is_found_and_no_second_time() -> Result<()> {
    let mut installation = Installation::start()?;
    installation.stop()?;
    installation.clone("shop")?.say("grace", &["hold", STAGING, "--reason", "an incident"])?;
    installation.serve()?;
    installation.until_target(STAGING, "is held", |state| state["hold"]["reason"] == "an incident")?;
    installation.clone("shop")?.say("grace", &["release", STAGING])?;
    installation.until_target(STAGING, "is released", |state| state["hold"].is_null())?;
    installation.stop()?;
    installation.serve()?;
    std::thread::sleep(std::time::Duration::from_secs(3));
    ensure!(installation.target(STAGING)?["hold"].is_null(), "it was carried out again");
    installation.stop()?;
    let history = installation.history()?;
    let holds = history.iter().filter(|entry| entry["leaf"]["record"]["operation"] == "hold").count();
    ensure!(holds == 1, "it was recorded {holds} times");
    verify_log(&installation)
}

#[test]
fn a_push_whose_webhook_never_arrived_is_deployed() -> Result<()> {
    let mut installation = Installation::start()?;
    let often = installation.change_control("Look more often", |control| {
        control.replace("countersign.yaml", "    kind: plain\n", "    kind: plain\n    pollSeconds: 5\n")
    })?;
    installation.until_active(&often)?;
    let shop = installation.clone("shop")?;
    let commit = shop.greet("ada", "staging", "Unheard")?;
    // Without its hooks the repository takes everything, and tells nobody.
    let hooks = installation.repository("shop").join("hooks");
    fs::rename(&hooks, hooks.with_extension("away"))?;
    let counted = installation.counted("countersign_requests_total")?;
    shop.propose("ada")?;
    shop.approve("grace", &commit)?;
    shop.push()?;
    installation.until_runs(STAGING, &commit)?;
    ensure!(installation.counted("countersign_requests_total")? == counted, "somebody told of it");
    installation.stop()?;
    verify_log(&installation)
}
