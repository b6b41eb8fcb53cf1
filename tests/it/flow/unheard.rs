//! What no webhook told of: a push past the repository's hook is found by `poll`.

use std::fs;

use anyhow::{Result, ensure};
use countersign_tests::installation::{Installation, STAGING};

use super::verify_log;

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
