//! `countersign doctor` on a real installation.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use countersign_tests::installation::Installation;
use serde_json::Value;

/// What `doctor` finds that is wrong or should be looked after.
fn found(installation: &Installation) -> Result<(Option<i32>, Vec<Value>)> {
    let output = installation.run(&["doctor", "--data", "data", "--output", "json"])?;
    let document: Value = serde_json::from_slice(&output.stdout)?;
    let findings = document["findings"].as_array().context("there are no findings")?;
    let wrong = findings.iter().filter(|finding| finding["grade"] != "good").cloned().collect();
    Ok((output.status.code(), wrong))
}

#[test]
fn an_installation_is_in_order_and_what_is_broken_is_named() -> Result<()> {
    let mut installation = Installation::start()?;
    let (code, wrong) = found(&installation)?;
    ensure!((code, wrong.len()) == (Some(0), 0), "{wrong:?}");

    installation.stop()?;
    let (code, wrong) = found(&installation)?;
    ensure!(code == Some(0) && wrong.len() == 1 && wrong[0]["area"] == "process", "{wrong:?}");

    let secret = installation.data().join("keys/webhook-local");
    fs::rename(&secret, secret.with_extension("away"))?;
    let repository = installation.repository("shop");
    fs::rename(&repository, repository.with_extension("away"))?;
    fs::set_permissions(installation.data(), fs::Permissions::from_mode(0o755))?;
    let (code, wrong) = found(&installation)?;
    let areas: Vec<_> =
        wrong.iter().filter(|one| one["grade"] == "problem").map(|one| &one["area"]).collect();
    ensure!(code == Some(1) && areas == ["folder", "secret", "repository"], "{wrong:?}");
    ensure!(wrong.iter().all(|finding| finding["mend"].is_string()), "{wrong:?}");
    Ok(())
}
