//! Every style of merging: what was reviewed is what is merged, and what is not is denied.

use anyhow::{Result, ensure};
use countersign_tests::installation::STAGING;
use countersign_tests::world::gitea::pull_request::Style;

use super::forge::Forge;

#[test]
fn every_style_of_merging_deploys_what_was_reviewed() -> Result<()> {
    let forge = Forge::start()?;
    // Opened before all others, so that it must really be moved onto them.
    let shop = forge.clone("alan")?;
    shop.replace("deploy/staging/deployment.yaml", "cpu: 100m", "cpu: 60m")?;
    let less = shop.commit_all("alan", "Ask for less")?;
    let less = (forge.open("alan", &shop, "less")?, less);
    for style in [Style::Merge, Style::Squash, Style::Rebase, Style::FastForward] {
        let (request, head) =
            if style == Style::Rebase { less.clone() } else { forge.greeting(style.name())? };
        request.seen_by(forge.person("grace")?).approve(&head)?;
        forge.until_status(&head, "staging", "success")?;
        let merged = request.merge(style)?;
        ensure!((merged == head) == (style == Style::FastForward), "{style:?} made {merged} of {head}");
        forge.installation.until_runs(STAGING, &merged)?;
        forge.until_status(&merged, "staging", "success")?;
        forge.until_comment(&request, &["# shop in staging: deployed", "Deployed and healthy."])?;
    }
    Ok(())
}

#[test]
fn a_branch_that_is_behind_is_previewed_as_it_will_be_merged() -> Result<()> {
    let forge = Forge::start()?;
    // Both begin at the same commit; the second one is merged first.
    let (behind, head) = forge.greeting("Behind")?;
    let shop = forge.clone("alan")?;
    shop.replace("deploy/staging/deployment.yaml", "cpu: 100m", "cpu: 60m")?;
    let first = shop.commit_all("alan", "Ask for less")?;
    let request = forge.open("alan", &shop, "less")?;
    request.seen_by(forge.person("grace")?).approve(&first)?;
    forge.until_status(&first, "staging", "success")?;
    let merged = request.merge(Style::Merge)?;
    forge.installation.until_runs(STAGING, &merged)?;

    // Looked at again, it is no rollback of what was merged meanwhile: only its own change would come.
    behind.seen_by(forge.person("grace")?).approve(&head)?;
    forge.until_status(&head, "staging", "success")?;
    let comment = forge.until_comment(&behind, &["would be allowed", "`/data/greeting`"])?;
    ensure!(!comment.contains("going back") && !comment.contains("cpu"), "{comment}");
    let merged = behind.merge(Style::Merge)?;
    forge.installation.until_runs(STAGING, &merged).map(drop)
}

#[test]
fn a_branch_that_conflicts_is_told_where() -> Result<()> {
    let forge = Forge::start()?;
    let (behind, head) = forge.greeting("One")?;
    let (request, other) = forge.greeting("Two")?;
    request.seen_by(forge.person("grace")?).approve(&other)?;
    forge.until_status(&other, "staging", "success")?;
    let merged = request.merge(Style::Merge)?;
    forge.installation.until_runs(STAGING, &merged)?;
    behind.seen_by(forge.person("grace")?).approve(&head)?;
    let texts =
        ["Preview: policy would deny", "deploy/staging/configmap.yaml", "changed on both sides", "rebase"];
    forge.until_comment(&behind, &texts)?;
    forge.until_status(&head, "staging", "failure").map(drop)
}
