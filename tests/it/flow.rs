//! The path of a change, end to end: people push and sign, and the cluster changes or does not.

use anyhow::{Result, ensure};
use countersign_tests::installation::{Installation, PRODUCTION, STAGING};
use serde_json::Value;

mod approvals;
mod control;
mod doctor;
mod drift;
mod history;
mod restart;
mod rotation;
mod unheard;
mod witness;

/// The number of the first line of `text` that holds `part`.
fn line_of(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).map_or(0, |index| index + 1)
}

/// The index of the leaf that was last decided about a target.
fn latest(installation: &Installation, target: &str) -> Result<Value> {
    Ok(installation.target(target)?["latest"].clone())
}

/// The log of an installation must verify from its first leaf to its last.
fn verify_log(installation: &Installation) -> Result<()> {
    let audit = installation.json(&["audit", "verify", "--data", "data"])?;
    ensure!(audit["clean"] == true, "the log does not verify: {audit}");
    Ok(())
}

#[test]
fn the_baseline_is_deployed_at_start() -> Result<()> {
    let mut installation = Installation::start()?;
    let baseline = installation.clone("shop")?.head()?;
    for environment in ["staging", "production"] {
        installation.reported(&baseline, environment, &["deployed", "ConfigMap shop-", "Service shop-"])?;
    }
    verify_log(&installation)?;
    installation.stop()?;
    verify_log(&installation)
}

#[test]
fn a_denied_change_names_its_file_and_line() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    let file = "deploy/staging/deployment.yaml";
    let text = shop.read(file)?;
    let image = text.lines().find_map(|line| line.trim_start().strip_prefix("image: ")).unwrap_or_default();
    shop.replace(file, image, "registry.example.com/shop/web:latest")?;
    let commit = shop.commit_all("ada", "Take the latest image")?;
    let place = format!("`{file}:{}`", line_of(&text, "image:"));

    shop.propose("ada")?;
    installation.reported(&commit, "staging", &["Preview: policy would deny this change.", &place])?;
    shop.push()?;
    let texts = ["Denied: nothing was deployed.", &place, "What to do: ", "Rule `images.pinned`"];
    installation.reported(&commit, "staging", &texts)?;
    let state = installation.target(STAGING)?;
    ensure!(
        state["running"]["commit"] != commit.as_str() && state["latest"]["verdict"] == "denied",
        "{state}"
    );
    Ok(())
}

#[test]
fn what_cannot_be_rendered_is_denied_with_its_place() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    shop.write(
        "deploy/staging/twice.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\n",
    )?;
    let commit = shop.commit_all("ada", "Name it twice")?;
    shop.push()?;
    installation.reported(
        &commit,
        "staging",
        &["Denied: nothing was deployed.", "`deploy/staging/twice.yaml:5`"],
    )?;
    let objects = &installation.target(STAGING)?["running"];
    ensure!(objects["commit"] != commit.as_str(), "it runs");
    Ok(())
}

#[test]
fn a_change_is_previewed_approved_and_deployed() -> Result<()> {
    let mut installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    let untouched = latest(&installation, PRODUCTION)?;
    let commit = shop.greet("ada", "staging", "Welcome")?;

    shop.propose("ada")?;
    installation.reported(
        &commit,
        "staging",
        &["waiting for reviews", "Preview: only reviews are missing."],
    )?;
    shop.approve("grace", &commit)?;
    installation.reported(&commit, "staging", &["would be allowed", "**counts**, grace approved"])?;
    ensure!(installation.target(STAGING)?["running"]["commit"] != commit.as_str(), "a preview was deployed");
    shop.push()?;
    installation.until_runs(STAGING, &commit)?;
    installation.reported(&commit, "staging", &["deployed", "Deployed and healthy.", "approved by grace"])?;

    ensure!(latest(&installation, PRODUCTION)? == untouched, "an untouched application was decided again");
    installation.stop()?;
    verify_log(&installation)
}

#[test]
fn production_waits_for_its_second_approval() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    let commit = shop.greet("ada", "production", "Welcome")?;
    shop.propose("ada")?;
    shop.approve("grace", &commit)?;
    shop.push()?;
    let texts = ["Denied: nothing was deployed.", "has 1 of 2 approvals (grace); who can approve: alan"];
    installation.reported(&commit, "production", &texts)?;
    shop.approve("alan", &commit)?;
    installation.until_runs(PRODUCTION, &commit)?;
    installation.reported(&commit, "production", &["approved by alan, grace"]).map(drop)
}
