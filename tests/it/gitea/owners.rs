//! Code owners: who has to approve is said by the branch that a change is brought to, and never by the change.

use anyhow::{Result, ensure};
use countersign_tests::installation::STAGING;
use countersign_tests::world::gitea::pull_request::Style;

use super::forge::Forge;

/// A shop whose manifests for staging belong to Grace, and whose staging asks its owners.
fn owned() -> Result<Forge> {
    let forge = Forge::start()?;
    let shop = forge.clone("ada")?;
    shop.write("CODEOWNERS", "deploy/staging/.* @grace-of-acme\nCODEOWNERS @grace-of-acme\n")?;
    let head = shop.commit_all("ada", "Say who owns what")?;
    // It is reviewed like every other change: from the moment that owners are asked, it is a part of what is decided on.
    let request = forge.open("ada", &shop, "owners")?;
    request.seen_by(forge.person("grace")?).approve(&head)?;
    request.merge(Style::Merge)?;
    let changed = forge.installation.change_control("Ask the owners", |control| {
        let staging = "  staging:\n    approvals:\n      count: 1\n";
        control.replace("countersign.yaml", staging, &format!("{staging}      codeOwners: true\n"))?;
        control.replace("countersign.yaml", "\n  grace:\n", "\n  grace:\n    handles: [\"@grace-of-acme\"]\n")
    })?;
    forge.installation.until_active(&changed)?;
    Ok(forge)
}

#[test]
fn an_owner_has_to_approve_and_the_report_says_who_it_is() -> Result<()> {
    let forge = owned()?;
    let (request, head) = forge.greeting("Owned")?;
    request.seen_by(forge.person("alan")?).approve(&head)?;
    let asks = format!(
        "{} changes deploy/staging/configmap.yaml, of @\u{200b}grace-of-acme (CODEOWNERS:1), and has 0 of 1 approvals",
        &head[..8]
    );
    forge.until_comment(
        &request,
        &["only reviews are missing", "**counts**, alan approved", &asks, "who can approve: grace"],
    )?;
    request.seen_by(forge.person("grace")?).approve(&head)?;
    forge.until_status(&head, "staging", "success")?;
    let merged = request.merge(Style::Merge)?;
    forge.installation.until_runs(STAGING, &merged).map(drop)
}

#[test]
fn nobody_changes_the_owners_that_judge_the_change() -> Result<()> {
    let forge = owned()?;
    let shop = forge.clone("ada")?;
    shop.write("CODEOWNERS", "deploy/staging/.* @alan-of-acme\n")?;
    let head = shop.greet("ada", "staging", "Mine")?;
    let request = forge.open("ada", &shop, "mine")?;
    request.seen_by(forge.person("alan")?).approve(&head)?;
    let texts = ["only reviews are missing", "CODEOWNERS:1", "CODEOWNERS:2", "who can approve: grace"];
    forge.until_comment(&request, &texts)?;
    let before = forge.installation.target(STAGING)?["running"]["commit"].clone();
    let merged = request.merge(Style::Squash)?;
    forge.until_comment(&request, &["Denied: nothing was deployed.", "who can approve: grace"])?;
    forge.until_status(&merged, "staging", "failure")?;
    let after = &forge.installation.target(STAGING)?["running"]["commit"];
    ensure!(*after == before, "{after} runs");
    forge.approve_signed("grace", &head)?;
    forge.installation.until_runs(STAGING, &merged).map(drop)
}
