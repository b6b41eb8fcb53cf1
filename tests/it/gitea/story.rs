//! From the first push of a pull request to *deployed*, and what a pull request shows that ends otherwise.

use anyhow::{Result, ensure};
use countersign_tests::installation::STAGING;
use countersign_tests::world::gitea::pull_request::Style;

use super::forge::{Forge, SHOP};

/// A file that a rule speaks of.
const DEPLOYMENT: &str = "deploy/staging/deployment.yaml";

#[test]
fn a_developer_is_told_what_is_wrong_mends_it_and_sees_it_deployed() -> Result<()> {
    let forge = Forge::start()?;
    let shop = forge.clone("ada")?;
    let text = shop.read(DEPLOYMENT)?;
    let image = text.lines().find_map(|line| line.trim_start().strip_prefix("image: ")).unwrap_or_default();
    let line = text.lines().position(|line| line.contains("image: ")).map_or(0, |at| at + 1);
    shop.replace(DEPLOYMENT, image, "registry.example.com/shop/web:1.5.0")?;
    let wrong = shop.commit_all("ada", "Use version 1.5.0")?;
    let request = forge.open("ada", &shop, "newer")?;
    forge.until_status(&wrong, "staging", "failure")?;
    let place = format!("`{DEPLOYMENT}:{line}`");
    let texts = ["Preview: policy would deny", &place, "Why: ", "What to do: ", "Rule `images.pinned`"];
    forge.until_comment(&request, &texts)?;

    // The same change as policy wants it.
    let pinned = format!("registry.example.com/shop/web:1.5.0@sha256:{}", "a".repeat(64));
    shop.replace(DEPLOYMENT, "registry.example.com/shop/web:1.5.0", &pinned)?;
    shop.git(&["add", "--all"])?;
    shop.git_as("ada", &["commit", "-q", "--amend", "--no-edit"])?;
    let mended = shop.head()?;
    shop.push_to("newer")?;
    forge.until_status(&mended, "staging", "pending")?;
    let texts = ["only reviews are missing", "has 0 of 1 approvals", "who can approve: alan, grace"];
    let comment = forge.until_comment(&request, &texts)?;
    ensure!(
        comment.contains("`/spec/template/spec/containers/0/image`"),
        "what would change is not told: {comment}"
    );
    ensure!(!comment.contains("images.pinned"), "what was mended is still told: {comment}");

    request.seen_by(forge.person("grace")?).approve(&mended)?;
    forge.until_status(&mended, "staging", "success")?;
    forge.until_comment(&request, &["would be allowed", "grace (`grace (account", "**counts**"])?;
    let merged = request.merge(Style::Merge)?;
    forge.installation.until_runs(STAGING, &merged)?;
    let told = forge.until_status(&merged, "staging", "success")?;
    ensure!(told.starts_with("deployed"), "{told}");
    forge.until_comment(&request, &["# shop in staging: deployed", "Deployed and healthy."])?;
    let audit = forge.installation.json(&["audit", "verify", "--data", "data"])?;
    ensure!(audit["clean"] == true, "{audit}");
    Ok(())
}

#[test]
fn a_denial_after_the_merge_is_told_where_it_was_merged() -> Result<()> {
    let forge = Forge::start()?;
    let (request, head) = forge.greeting("Unreviewed")?;
    forge.until_status(&head, "staging", "pending")?;
    let merged = request.merge(Style::Squash)?;
    let told = forge.until_status(&merged, "staging", "failure")?;
    ensure!(told.starts_with("denied"), "{told}");
    forge.until_comment(&request, &["Denied: nothing was deployed.", "who can approve: alan, grace"])?;
    // Nobody waits for the reviews of a head that is merged: what counts from now on is what it became.
    forge.until_status(&head, "staging", "failure")?;
    ensure!(forge.installation.target(STAGING)?["running"]["commit"] != merged.as_str(), "it runs");

    // Gitea takes no review of what is merged. A signed approval still counts: it is of the same head.
    ensure!(request.seen_by(forge.person("grace")?).approve(&head).is_err(), "Gitea takes a late review");
    forge.approve_signed("grace", &head)?;
    forge.installation.until_runs(STAGING, &merged)?;
    forge.until_status(&merged, "staging", "success")?;
    forge.until_comment(&request, &["# shop in staging: deployed"]).map(drop)
}

#[test]
fn a_pull_request_that_is_closed_waits_for_nothing() -> Result<()> {
    let forge = Forge::start()?;
    let (request, head) = forge.greeting("Abandoned")?;
    forge.until_status(&head, "staging", "pending")?;
    request.close()?;
    forge.until_status(&head, "staging", "failure")?;
    // A report that was on its way meanwhile is told in the same light.
    let (request, head) = forge.greeting("Hasty")?;
    forge.until_settled(|| request.close())?;
    let statuses = forge.gitea.administrator().statuses(SHOP, &head)?;
    ensure!(statuses.iter().all(|status| status["status"] != "pending"), "{statuses:?}");
    Ok(())
}

#[test]
fn a_secret_is_masked_in_what_is_told() -> Result<()> {
    let forge = Forge::start()?;
    let shop = forge.clone("ada")?;
    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: web\nstringData:\n  password: hunter2-in-the-clear\n";
    shop.write("deploy/staging/secret.yaml", secret)?;
    let head = shop.commit_all("ada", "Add a password")?;
    let request = forge.open("ada", &shop, "secret")?;
    forge.until_comment(&request, &["Secret shop-staging/web"])?;
    let comments = request.comments()?;
    let statuses = forge.gitea.administrator().statuses(SHOP, &head)?;
    let told = format!("{comments:?}{statuses:?}{}", forge.installation.log());
    ensure!(!told.contains("hunter2") && !told.contains("aHVudGVyMi"), "the password is told");
    Ok(())
}

#[test]
fn a_comment_that_somebody_edits_or_repeats_is_mended() -> Result<()> {
    let forge = Forge::start()?;
    let (request, head) = forge.greeting("Edited")?;
    forge.until_status(&head, "staging", "pending")?;
    let comment = forge.until_comment(&request, &["only reviews are missing"])?;
    // A copy of its marks by someone else is not taken for its own.
    let path = format!("/repos/{SHOP}/issues/{}/comments", request.number);
    forge
        .person("ada")?
        .post(&path, &serde_json::json!({ "body": comment.replace("waiting", "deployed") }))?;
    request.seen_by(forge.person("grace")?).approve(&head)?;
    forge.until_comment(&request, &["would be allowed"])?;
    ensure!(request.comments()?.len() == 2, "somebody else's comment was touched");
    Ok(())
}
