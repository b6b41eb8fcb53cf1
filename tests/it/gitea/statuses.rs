//! Statuses of other applications: each counts only from the account that the control repository expects.

use anyhow::{Result, ensure};
use countersign_tests::installation::STAGING;
use countersign_tests::world::gitea::account::Account;
use countersign_tests::world::gitea::pull_request::Style;

use super::forge::{Forge, SHOP};

/// The context of the status that staging asks for.
const BUILD: &str = "ci/build";

/// A shop whose staging asks for a status of the account `ci`.
fn checked() -> Result<(Forge, Account)> {
    let forge = Forge::start()?;
    let ci = forge.gitea.user("ci")?;
    forge.gitea.grant(SHOP, &ci.login, "write")?;
    let asks = format!(
        "\nstatuses:\n  build:\n    context: {BUILD}\n    accounts: {{ gitea: {} }}\nenvironments:\n",
        ci.id
    );
    let changed = forge.installation.change_control("Ask for a build", |control| {
        control.replace("countersign.yaml", "\nenvironments:\n", &asks)?;
        control.replace(
            "countersign.yaml",
            "\n  staging:\n    approvals:",
            "\n  staging:\n    statuses: [build]\n    approvals:",
        )
    })?;
    forge.installation.until_active(&changed)?;
    forge.tell_of_statuses()?;
    Ok((forge, ci))
}

#[test]
fn a_status_by_an_unexpected_account_does_not_count_and_the_report_says_why() -> Result<()> {
    let (forge, ci) = checked()?;
    let (ada, grace) = (forge.person("ada")?, forge.person("grace")?);
    let (request, head) = forge.greeting("Checked")?;
    request.seen_by(grace).approve(&head)?;
    let missing = format!("has no status build (\"{BUILD}\") of account {} yet", ci.id);
    forge.until_comment(&request, &["Preview: only statuses are missing.", &missing])?;
    forge.until_status(&head, "staging", "pending")?;

    // Whoever may push can set any status: it is listed, and opens nothing.
    ada.set_status(SHOP, &head, BUILD, "success")?;
    let said = format!("ada (account {}) says success of {}", ada.id, &head[..8]);
    let only = format!("but only account {} is expected to say so", ci.id);
    let counts_not = format!("`{BUILD}` on `{}`: **does not count**", &head[..12]);
    forge.until_comment(&request, &["only statuses are missing", &missing, &said, &only, &counts_not])?;

    // Merged all the same: nothing is deployed, and it is not failed either, since the build may still come.
    let merged = request.merge(Style::Squash)?;
    forge.until_comment(&request, &["Not deployed: only statuses are missing.", &said, &only])?;
    forge.until_status(&merged, "staging", "pending")?;
    let running = forge.installation.target(STAGING)?["running"]["commit"].clone();
    ensure!(running != merged.as_str(), "a forged status deployed it");

    // A failure denies, and the word of the expected account is all that is needed to mend it.
    ci.set_status(SHOP, &head, BUILD, "failure")?;
    let failed = format!("build says no of {}", &head[..8]);
    forge.until_comment(&request, &["Denied: nothing was deployed.", &failed])?;
    forge.until_status(&merged, "staging", "failure")?;
    ci.set_status(SHOP, &head, BUILD, "pending")?;
    forge.until_comment(&request, &[&format!("{} waits for build: ci", &head[..8])])?;
    forge.until_status(&merged, "staging", "pending")?;
    ci.set_status(SHOP, &head, BUILD, "success")?;
    forge.installation.until_runs(STAGING, &merged)?;
    forge.until_status(&merged, "staging", "success")?;
    let counts = format!("**counts**, ci (account {}) says success", ci.id);
    forge.until_comment(&request, &[&counts, &only]).map(drop)
}

#[test]
fn an_expected_account_counts_by_its_number_and_for_the_reviewed_head_alone() -> Result<()> {
    let (forge, ci) = checked()?;
    let (request, head) = forge.greeting("Built")?;
    request.seen_by(forge.person("grace")?).approve(&head)?;
    // The real ci gets another name, and somebody else takes its own.
    forge.gitea.rename("ci", "builder")?;
    let impostor = forge.gitea.user("impostor")?;
    forge.gitea.grant(SHOP, "impostor", "write")?;
    forge.gitea.rename("impostor", "ci")?;
    impostor.set_status(SHOP, &head, BUILD, "success")?;
    let taken = format!("ci (account {}) says success", impostor.id);
    forge.until_comment(&request, &["only statuses are missing", "**does not count**", &taken])?;
    ci.set_status(SHOP, &head, BUILD, "success")?;
    forge.until_comment(
        &request,
        &["would be allowed", &format!("**counts**, builder (account {})", ci.id)],
    )?;

    // What was built is not what is amended to.
    let shop = forge.clone("ada")?;
    shop.git(&["checkout", "-q", "greet-Built"])?;
    let amended = shop.greet("ada", "staging", "Rebuilt")?;
    shop.push_to("greet-Built")?;
    request.seen_by(forge.person("grace")?).approve(&amended)?;
    let missing = format!("{} has no status build", &amended[..8]);
    forge.until_comment(&request, &["only statuses are missing", &missing]).map(drop)
}
