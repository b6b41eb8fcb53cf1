//! Whose approval counts, and whose does not: the report says why, person by person, and what is missing.

use anyhow::{Context, Result, ensure};
use countersign_tests::installation::STAGING;
use countersign_tests::world::gitea::pull_request::{PullRequest, Style};
use serde_json::json;

use super::forge::{Forge, SHOP};

/// What a report says where nobody's approval counts.
const NONE_COUNTS: &str = "has 0 of 1 approvals (nobody)";

/// Merges, and waits until it is denied because of `why`; nothing may run that was not reviewed.
fn is_denied(forge: &Forge, request: &PullRequest, why: &[&str]) -> Result<()> {
    let before = forge.installation.target(STAGING)?["running"]["commit"].clone();
    let merged = request.merge(Style::Merge)?;
    forge.until_status(&merged, "staging", "failure")?;
    forge.until_comment(request, &[&["Denied: nothing was deployed."], why].concat())?;
    let after = &forge.installation.target(STAGING)?["running"]["commit"];
    ensure!(*after == before, "{after} runs");
    Ok(())
}

#[test]
fn an_author_does_not_count_under_a_second_login() -> Result<()> {
    let forge = Forge::start()?;
    let second = forge.gitea.user("ada-at-home")?;
    forge.gitea.grant(SHOP, &second.login, "write")?;
    let (request, head) = forge.greeting("Alone")?;
    request.seen_by(&second).approve(&head)?;
    let who = format!("ada-at-home (account {})", second.id);
    let why = format!("`{who}` on `{}`, not signed: **does not count**", &head[..12]);
    let texts =
        [NONE_COUNTS, "who can approve: alan, grace", &why, "nobody whom the control repository knows"];
    forge.until_comment(&request, &texts)?;
    is_denied(&forge, &request, &texts)
}

#[test]
fn a_co_author_a_pusher_and_a_forged_author_do_not_count() -> Result<()> {
    let forge = Forge::start()?;
    let shop = forge.clone("ada")?;
    shop.greet("ada", "staging", "Together")?;
    shop.git_as(
        "ada",
        &["commit", "-q", "--amend", "-m", "Together\n\nCo-authored-by: Alan <alan@example.com>"],
    )?;
    let head = shop.head()?;
    let request = forge.open("ada", &shop, "together")?;
    request.seen_by(forge.person("alan")?).approve(&head)?;
    let co_author = format!("alan approved {}, but is a co-author of commit {0}", &head[..8]);
    forge.until_comment(&request, &[NONE_COUNTS, "who can approve: grace", &co_author])?;

    // Whoever writes another's address into a commit takes that person's approval away, and gains none.
    shop.git(&[
        "-c",
        "user.name=Grace",
        "-c",
        "user.email=grace@example.com",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "Mine",
    ])?;
    let forged = shop.head()?;
    shop.push_to("together")?;
    request.seen_by(forge.person("grace")?).approve(&forged)?;
    let author = format!("grace approved {}, but is the author of commit {0}", &forged[..8]);
    forge.until_comment(&request, &[NONE_COUNTS, "who can approve: nobody", &author])?;
    is_denied(&forge, &request, &[NONE_COUNTS, &author])
}

#[test]
fn whoever_pushed_to_another_s_pull_request_does_not_count() -> Result<()> {
    let forge = Forge::start()?;
    let (request, _) = forge.greeting("Shared")?;
    // Pushed by grace, and written in ada's name.
    let shop = forge.clone("grace")?;
    shop.git(&["checkout", "-q", "greet-Shared"])?;
    let head = shop.greet("ada", "staging", "Altered")?;
    shop.push_to("greet-Shared")?;
    request.seen_by(forge.person("grace")?).approve(&head)?;
    let why = format!("grace approved {}, but pushed to the pull request", &head[..8]);
    forge.until_comment(&request, &[NONE_COUNTS, "who can approve: alan", &why])?;
    is_denied(&forge, &request, &[&why])
}

/// Lets grace push a commit that says ada wrote it to a new branch; returns the commit.
fn forged(forge: &Forge, branch: &str) -> Result<String> {
    let shop = forge.clone("grace")?;
    shop.greet("ada", "staging", "Forged")?;
    let (name, email) = ("user.name=ada", "user.email=ada@example.com");
    shop.git(&["-c", name, "-c", email, "commit", "-q", "--amend", "--no-gpg-sign", "--no-edit"])?;
    shop.push_to(branch)?;
    shop.head()
}

#[test]
fn whoever_pushed_before_the_pull_request_was_opened_does_not_count() -> Result<()> {
    let forge = Forge::start()?;
    let head = forged(&forge, "early")?;
    let request = forge.person("ada")?.open(SHOP, "early", "ada wants what grace pushed")?;
    request.seen_by(forge.person("grace")?).approve(&head)?;
    let why = format!("grace approved {}, but pushed to the pull request", &head[..8]);
    forge.until_comment(&request, &[NONE_COUNTS, "who can approve: alan", &why])?;

    // What ada pushes on top of it changes nothing about that.
    let shop = forge.clone("ada")?;
    shop.git(&["checkout", "-q", "early"])?;
    let later = shop.greet("ada", "staging", "Later")?;
    shop.push_to("early")?;
    request.seen_by(forge.person("grace")?).approve(&later)?;
    let still = format!("grace approved {}, but pushed to the pull request", &later[..8]);
    forge.until_comment(&request, &[NONE_COUNTS, "who can approve: alan", &still])?;
    is_denied(&forge, &request, &[NONE_COUNTS, &still])
}

#[test]
fn where_a_push_is_not_told_of_nobody_counts() -> Result<()> {
    let forge = Forge::start()?;
    forge.person("grace")?.patch("/user/settings", &json!({ "hide_activity": true }))?;
    forged(&forge, "hidden")?;
    let shop = forge.clone("ada")?;
    shop.git(&["checkout", "-q", "hidden"])?;
    let head = shop.greet("ada", "staging", "Shown")?;
    let request = forge.open("ada", &shop, "hidden")?;
    request.seen_by(forge.person("alan")?).approve(&head)?;
    let why = format!("alan approved {}, but who pushed to its branch is not known", &head[..8]);
    forge.until_comment(&request, &[NONE_COUNTS, "who can approve: nobody", &why])?;
    is_denied(&forge, &request, &[NONE_COUNTS, &why])
}

#[test]
fn an_approval_of_what_was_amended_since_does_not_count() -> Result<()> {
    let forge = Forge::start()?;
    let shop = forge.clone("ada")?;
    let reviewed = shop.greet("ada", "staging", "Harmless")?;
    let request = forge.open("ada", &shop, "amended")?;
    request.seen_by(forge.person("grace")?).approve(&reviewed)?;
    forge.until_status(&reviewed, "staging", "success")?;
    shop.replace("deploy/staging/configmap.yaml", "greeting: Harmless", "greeting: Harmful")?;
    shop.git(&["add", "--all"])?;
    shop.git_as("ada", &["commit", "-q", "--amend", "--no-edit"])?;
    let amended = shop.head()?;
    shop.push_to("amended")?;
    forge.until_status(&amended, "staging", "pending")?;
    let why = format!("grace approved {}, but the proposed head is {} now", &reviewed[..8], &amended[..8]);
    forge.until_comment(&request, &[NONE_COUNTS, "who can approve: alan, grace", &why])?;
    is_denied(&forge, &request, &[&why])
}

#[test]
fn a_merge_that_was_edited_by_hand_is_not_what_was_reviewed() -> Result<()> {
    let forge = Forge::start()?;
    let (request, head) = forge.greeting("Reviewed")?;
    request.seen_by(forge.person("grace")?).approve(&head)?;
    forge.until_status(&head, "staging", "success")?;
    let shop = forge.clone("ada")?;
    shop.git_as("ada", &["merge", "-q", "--no-ff", "--no-commit", "origin/greet-Reviewed"])?;
    shop.replace("deploy/staging/configmap.yaml", "greeting: Reviewed", "greeting: Edited")?;
    let merge = shop.commit_all("ada", "Merge it")?;
    shop.push()?;
    forge.until_status(&merge, "staging", "failure")?;
    let rode = format!("commit {} (Merge it) rode along", &merge[..8]);
    let edited = format!("{} is not the merge of {} as it was reviewed", &merge[..8], &head[..8]);
    let why = format!("grace approved {}, but nothing here is the merge of exactly that head", &head[..8]);
    forge.until_comment(&request, &["Denied: nothing was deployed.", &rode, &edited, &why])?;
    ensure!(forge.installation.target(STAGING)?["running"]["commit"] != merge.as_str(), "it runs");
    Ok(())
}

#[test]
fn whoever_left_the_team_does_not_count_any_more() -> Result<()> {
    let forge = Forge::start()?;
    let (request, head) = forge.greeting("Former")?;
    request.seen_by(forge.person("alan")?).approve(&head)?;
    forge.until_status(&head, "staging", "success")?;
    let left = forge.installation.change_control("Let alan go", |control| {
        control.replace("countersign.yaml", "members: [ada, alan, grace]", "members: [ada, grace]")
    })?;
    forge.installation.until_active(&left)?;
    let why = format!("alan approved {}, but is in no team that may approve here (platform)", &head[..8]);
    is_denied(&forge, &request, &[NONE_COUNTS, "who can approve: grace", &why])
}

#[test]
fn an_account_counts_by_its_number_whatever_it_is_called() -> Result<()> {
    let forge = Forge::start()?;
    let (request, head) = forge.greeting("Renamed")?;
    // The real grace gets another name, and somebody else takes hers.
    forge.gitea.rename("grace", "hopper")?;
    let impostor = forge.gitea.user("impostor")?;
    forge.gitea.grant(SHOP, "impostor", "write")?;
    forge.gitea.rename("impostor", "grace")?;
    request.seen_by(&impostor).approve(&head)?;
    let who = format!("grace (account {})", impostor.id);
    forge.until_comment(&request, &[NONE_COUNTS, &who, "nobody whom the control repository knows"])?;
    let grace = forge.person("grace")?;
    request.seen_by(grace).approve(&head)?;
    let renamed = format!("grace (`hopper (account {})`)", grace.id);
    forge.until_comment(&request, &["would be allowed", &renamed, "**counts**, grace approved"]).map(drop)
}

#[test]
fn an_account_that_was_made_anew_does_not_count() -> Result<()> {
    let forge = Forge::start()?;
    let (request, head) = forge.greeting("Recreated")?;
    request.seen_by(forge.person("alan")?).approve(&head)?;
    forge.until_status(&head, "staging", "success")?;
    forge.gitea.delete_user("alan")?;
    let anew = forge.gitea.user("alan")?;
    ensure!(anew.id != forge.person("alan")?.id, "Gitea gives a number twice");
    forge.gitea.grant(SHOP, "alan", "write")?;
    request.seen_by(&anew).approve(&head)?;
    let who = format!("`alan (account {})`", anew.id);
    let texts = [NONE_COUNTS, &who, "nobody whom the control repository knows by account or key"];
    forge.until_comment(&request, &texts)?;
    is_denied(&forge, &request, &texts)
}

#[test]
fn an_approval_that_is_dismissed_or_replaced_does_not_count() -> Result<()> {
    let forge = Forge::start()?;
    let (request, head) = forge.greeting("Regretted")?;
    let (grace, alan) = (forge.person("grace")?, forge.person("alan")?);
    let review = request.seen_by(grace).approve(&head)?;
    forge.until_status(&head, "staging", "success")?;
    request.seen_by(forge.gitea.administrator()).dismiss(review)?;
    request.seen_by(alan).approve(&head)?;
    let dismissed = format!("grace approved {}, but the approval was dismissed", &head[..8]);
    forge.until_comment(&request, &["would be allowed", &dismissed])?;
    request.seen_by(alan).request_changes(&head)?;
    // Gitea takes an approval back when the same person asks for changes.
    let replaced = format!("alan approved {}, but the approval was dismissed", &head[..8]);
    forge.until_comment(&request, &[NONE_COUNTS, &dismissed, &replaced])?;
    is_denied(&forge, &request, &[&dismissed, &replaced])
}

#[test]
fn a_status_that_somebody_else_set_allows_nothing() -> Result<()> {
    let forge = Forge::start()?;
    let (request, head) = forge.greeting("Forged")?;
    forge.until_status(&head, "staging", "pending")?;
    let ada = forge.person("ada")?;
    ada.set_status(SHOP, &head, "countersign/staging", "success")?;
    let merged = request.merge(Style::Squash)?;
    ada.set_status(SHOP, &merged, "countersign/staging", "success")?;
    forge.until_comment(&request, &["Denied: nothing was deployed.", NONE_COUNTS])?;
    let running = forge.installation.target(STAGING)?["running"]["commit"].clone();
    ensure!(running != merged.as_str(), "a forged status deployed it");
    // The next report takes the forged one's place.
    forge.approve_signed("grace", &head)?;
    forge.installation.until_runs(STAGING, &merged)?;
    forge.until_status(&merged, "staging", "success").context("the forged status stays").map(drop)
}
