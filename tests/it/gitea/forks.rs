//! Pull requests of forks: looked at when a member says so, shown nothing that runs, and approved by nobody.

use anyhow::{Result, ensure};
use countersign_core::review::FORK_PREVIEW_LABEL;
use countersign_tests::installation::STAGING;
use countersign_tests::world::gitea::pull_request::Style;

use super::forge::{Forge, SHOP};

#[test]
fn a_fork_waits_for_a_members_label_and_its_approvals_do_not_count() -> Result<()> {
    let forge = Forge::start()?;
    let stranger = forge.gitea.user("stranger")?;
    forge.gitea.grant(SHOP, &stranger.login, "read")?;
    let fork = stranger.fork(SHOP)?;
    let clone = forge.installation.clone_url(&stranger.git_url(&fork), "gitea/acme/shop")?;
    let head = clone.greet("ada", "staging", "Stranger")?;
    clone.push_to("gift")?;
    let request = forge.until_settled(|| stranger.open(SHOP, "stranger:gift", "A gift"))?;
    // An approval does not start a look either.
    forge.until_settled(|| request.seen_by(forge.person("grace")?).approve(&head))?;
    let statuses = forge.gitea.administrator().statuses(SHOP, &head)?;
    ensure!(statuses.is_empty() && request.comments()?.is_empty(), "it was looked at: {statuses:?}");
    let by_stranger = request.label(FORK_PREVIEW_LABEL);
    ensure!(by_stranger.is_err(), "a stranger sets labels");

    request.seen_by(forge.person("ada")?).label(FORK_PREVIEW_LABEL)?;
    let why = "its pull request comes from a fork, and who pushed to a fork is not known";
    let texts = ["`/data/greeting`", "**does not count**, grace approved", why];
    let comment = forge.until_comment(&request, &texts)?;
    ensure!(!comment.contains("on the cluster"), "it shows what runs: {comment}");

    let merged = request.seen_by(forge.person("ada")?).merge(Style::Merge)?;
    forge.until_status(&merged, "staging", "failure")?;
    forge.until_comment(&request, &["Denied: nothing was deployed.", why])?;
    ensure!(forge.installation.target(STAGING)?["running"]["commit"] != merged.as_str(), "it runs");
    Ok(())
}
