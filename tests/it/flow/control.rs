//! Changes of the control repository, and commands: who may change the rules, and what follows.

use anyhow::{Result, ensure};
use countersign_tests::installation::{Installation, STAGING};

use super::line_of;

/// The name of the control repository as a target.
const CONTROL: &str = "control";

/// A rule that denies everything.
const LOCK: &str = "# METADATA
# title: Nothing moves
# description: Denies every change.
# custom:
#   severity: error
#   remedy: None.
#   controls: [SOC2 CC8.1]
package access.lock

import rego.v1

deny contains {\"message\": \"nothing moves\"}
";

/// Its test.
const LOCK_TEST: &str = "package access.lock

import rego.v1

test_everything_is_denied if {
\tcount(deny) == 1
}
";

#[test]
fn nobody_changes_the_rules_alone() -> Result<()> {
    let installation = Installation::start()?;
    let control = installation.clone("control")?;
    let before = installation.status()?["activeBundle"]["bundle"].clone();
    control.replace("data/registries.yaml", "registry.example.com/shop", "evil.example.com")?;
    let commit = control.commit_all("ada", "Allow every image")?;
    control.propose("ada")?;
    control.approve("ada", &commit)?;
    control.push()?;
    let texts = ["**does not count**, ada approved", "nobody else approved"];
    installation.reported_in("control", &commit, "control", &texts)?;
    ensure!(installation.status()?["activeBundle"]["bundle"] == before, "another bundle is active");

    control.approve("grace", &commit)?;
    installation.until_active(&commit)?;
    ensure!(installation.status()?["activeBundle"]["bundle"] != before, "the same bundle is active");
    // The sample's images come from a registry that is no longer allowed: a look at everything says so.
    installation
        .until_target(STAGING, "is denied now", |state| state["latest"]["verdict"] == "denied")
        .map(drop)
}

#[test]
fn an_invalid_configuration_is_denied_with_its_line() -> Result<()> {
    let installation = Installation::start()?;
    let control = installation.clone("control")?;
    control.replace("countersign.yaml", "teams:\n", "teems:\n")?;
    let line = line_of(&control.read("countersign.yaml")?, "teems:");
    let commit = control.commit_all("ada", "Mistype")?;
    control.propose("ada")?;
    control.approve("grace", &commit)?;
    control.push()?;
    let place = format!("`countersign.yaml:{line}`");
    installation.reported_in("control", &commit, "control", &["Denied: nothing was activated.", &place])?;
    ensure!(installation.status()?["activeBundle"]["commit"] != commit.as_str(), "it is active");

    // What is invalid holds up nothing: changes are decided under the bundle that is still active.
    let shop = installation.clone("shop")?;
    let commit = shop.greet("ada", "staging", "Welcome")?;
    shop.propose("ada")?;
    shop.approve("grace", &commit)?;
    shop.push()?;
    installation.until_runs(STAGING, &commit).map(drop)
}

#[test]
fn a_bundle_that_denies_its_own_repair_is_mended_by_the_root_key() -> Result<()> {
    let installation = Installation::start()?;
    let locked = installation.change_control("Lock everything", |control| {
        control.write("policies/access/lock/lock.rego", LOCK)?;
        control.write("policies/access/lock/lock_test.rego", LOCK_TEST)
    })?;
    installation.until_active(&locked)?;
    let repair = installation.change_control("Unlock", |control| {
        control.git(&["rm", "-q", "-r", "policies/access/lock"]).map(drop)
    })?;
    installation.reported_in(
        "control",
        &repair,
        "control",
        &["Denied: nothing was activated.", "nothing moves"],
    )?;

    let control = installation.clone("control")?;
    let folder = control.folder().to_string_lossy().into_owned();
    let recover = |key: &str| {
        let url = installation.url();
        let place =
            ["--data", "data", "--control", &folder, "--commit", "HEAD", "--server", &url, "--root-key", key];
        installation.run(&[&["recover"], place.as_slice()].concat())
    };
    let by_another = recover("data/keys/log.pem")?;
    ensure!(!by_another.status.success(), "another key than the root key recovered");
    let by_root = recover("root.pem")?;
    ensure!(by_root.status.success(), "{}", String::from_utf8_lossy(&by_root.stderr));
    installation.until_active(&repair)?;
    installation
        .until_target(STAGING, "is allowed again", |state| state["latest"]["verdict"] == "allowed")?;
    super::verify_log(&installation)
}

#[test]
fn a_removal_is_asked_for_in_the_control_repository() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    // Without its files, nothing is deleted: an empty render is denied.
    shop.git(&["rm", "-q", "-r", "deploy/staging"])?;
    let emptied = shop.commit_all("ada", "Remove the files")?;
    shop.propose("ada")?;
    shop.approve("grace", &emptied)?;
    shop.push()?;
    installation.reported(&emptied, "staging", &["Denied: nothing was deployed."])?;
    ensure!(installation.target(STAGING)?["running"]["operation"] == "deploy", "it was removed");

    let asked = installation.change_control("Remove staging", |control| {
        let namespaces = "        namespaces: [shop-staging]\n";
        control.replace("countersign.yaml", namespaces, &format!("{namespaces}        state: removed\n"))
    })?;
    installation.until_active(&asked)?;
    let removed = |state: &serde_json::Value| state["outcome"]["result"]["is"] == "removed";
    installation.until_target(STAGING, "is removed", removed)?;
    let texts = ["Removed: everything that it owned is deleted.", "ConfigMap shop-staging/web` deleted"];
    installation.reported(&emptied, "staging", &texts)?;
    super::verify_log(&installation)
}

#[test]
fn a_held_target_takes_no_change_until_it_is_released() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    shop.say("grace", &["hold", STAGING, "--reason", "incident 42"])?;
    installation.until_target(STAGING, "is held", |state| state["hold"]["reason"] == "incident 42")?;
    let commit = shop.greet("ada", "staging", "Welcome")?;
    shop.propose("ada")?;
    shop.approve("grace", &commit)?;
    shop.push()?;
    installation.reported(&commit, "staging", &["Denied: nothing was deployed.", "incident 42"])?;
    let running = &installation.target(STAGING)?["running"]["commit"];
    ensure!(*running != commit.as_str(), "a held target changed");
    shop.say("ada", &["release", STAGING, "--server", &installation.url()])?;
    installation.until_runs(STAGING, &commit).map(drop)
}

#[test]
fn no_object_has_two_owners() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    let tip = shop.head()?;
    let added = installation.change_control("Deploy it twice", |control| {
        let text = control.read("countersign.yaml")?;
        let twin = format!(
            "  twin:\n    team: platform\n    repository: local/shop\n    environments:\n      staging:\n        \
             path: deploy/staging\n        branch: main\n        namespaces: [shop-staging]\n        baseline: \"{tip}\"\n"
        );
        control.write("countersign.yaml", &text.replace("applications:\n", &format!("applications:\n{twin}")))
    })?;
    installation.until_active(&added)?;
    let texts = ["is owned by shop in staging on local already", "## twin/staging/local"];
    installation.reported(&tip, "staging", &texts)?;
    let twin = installation.target("twin/staging/local")?;
    ensure!(twin["wanted"].is_null() && twin["latest"]["verdict"] == "denied", "{twin}");
    ensure!(
        installation.target(CONTROL)?["latest"]["verdict"] == "allowed",
        "the control repository is not settled"
    );
    Ok(())
}
