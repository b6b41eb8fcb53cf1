//! The log's keys are changed while it is used, and nobody has to begin anew.

use anyhow::{Context as _, Result, ensure};
use countersign_tests::installation::{Installation, STAGING};

use super::drift::{OFTEN, scale, told};
use super::verify_log;

fn vkey(installation: &Installation) -> Result<String> {
    let key = installation.json(&["audit", "key", "--data", "data"])?["vkey"].clone();
    Ok(key.as_str().context("the log has no vkey")?.to_owned())
}

/// What a command says that fails.
fn refused(installation: &Installation, arguments: &[&str]) -> Result<String> {
    let output = installation.run(arguments)?;
    ensure!(!output.status.success(), "it was done: {arguments:?}");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn the_keys_of_the_log_are_changed_and_everything_goes_on() -> Result<()> {
    let mut installation = Installation::start()?;
    let earlier = vkey(&installation)?;
    let rotate = ["rotate", "--data", "data", "--root-key", "root.pem"];
    installation.json(&["genesis", "key", "another.pem"])?;
    let why = refused(&installation, &["rotate", "--data", "data", "--root-key", "another.pem"])?;
    ensure!(why.contains("not the root key of this installation"), "{why}");
    let rotated = installation.json(&rotate)?;
    ensure!(rotated["epoch"] == 2, "{rotated}");
    let why = refused(&installation, &rotate)?;
    ensure!(why.contains("epoch 2 is not announced yet"), "{why}");

    // What is on its way goes on with the earlier keys until the server starts again.
    installation.stop()?;
    let added = installation.json(&["cluster", "add", "local", "--data", "data"])?;
    ensure!(added["action"] == "configured", "{added}");
    scale(&installation, 7).await?;
    installation.serve_with(&OFTEN)?;
    ensure!(installation.log().contains("the log goes on with other keys"), "{}", installation.log());
    let commit = installation.change_control("Put staging back", |control| {
        control.replace(
            "countersign.yaml",
            "  staging:\n    approvals:",
            "  staging:\n    selfHeal: true\n    approvals:",
        )
    })?;
    installation.until_active(&commit)?;
    installation.until("what was applied before is mended", || {
        Ok((told(&installation, "restored")? == 1).then_some(()))
    })?;
    let commit = {
        let shop = installation.clone("shop")?;
        let commit = shop.greet("ada", "staging", "Welcome")?;
        shop.propose("ada")?;
        shop.approve("grace", &commit)?;
        shop.push()?;
        commit
    };
    installation.until_runs(STAGING, &commit)?;

    let audit = installation.json(&["audit", "verify", "--data", "data"])?;
    ensure!(audit["clean"] == true && audit["counts"]["rotation"] == 1, "{audit}");
    ensure!(vkey(&installation)? == rotated["vkey"].as_str().unwrap_or_default(), "{rotated}");
    let by_earlier = installation.run(&["audit", "verify", "--data", "data", "--key", &earlier])?;
    ensure!(by_earlier.status.code() == Some(1), "an earlier key vouches for nothing that came later");
    installation.json(&["audit", "export", "export", "--data", "data"])?;
    let exported = ["audit", "verify", "--log", "export", "--genesis", "export/genesis.json"];
    let exported = installation.json(&exported)?;
    ensure!(exported["clean"] == true, "{exported}");

    installation.stop()?;
    for key in ["log.pem", "authorization.pem"] {
        std::fs::remove_file(installation.data().join("keys").join(key))?;
    }
    let doctor = installation.json(&["doctor", "--data", "data"])?;
    ensure!(doctor["problems"] == 0, "{doctor}");
    installation.serve()?;
    installation.until_runs(STAGING, &commit)?;
    installation.stop()?;
    verify_log(&installation)
}
