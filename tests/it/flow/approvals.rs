//! Whose approval counts, and for how long.

use anyhow::Result;
use countersign_tests::installation::{Installation, STAGING};

#[test]
fn nobody_approves_their_own_change() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    let commit = shop.greet("ada", "staging", "Welcome")?;
    shop.propose("ada")?;
    shop.approve("ada", &commit)?;
    shop.push()?;
    let texts =
        ["Denied: nothing was deployed.", "**does not count**, ada approved", "who can approve: alan, grace"];
    installation.reported(&commit, "staging", &texts)?;
    // Who wrote a commit of it cannot approve it either, whoever proposed it.
    let second = shop.greet("grace", "staging", "Good morning")?;
    shop.propose("ada")?;
    shop.approve("grace", &second)?;
    installation
        .reported(&second, "staging", &["**does not count**, grace approved", "who can approve: alan"])
        .map(drop)
}

#[test]
fn an_unsigned_commit_cannot_be_approved_on_a_plain_host() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    shop.replace("deploy/staging/configmap.yaml", "log-level: debug", "log-level: info")?;
    shop.git(&["add", "--all"])?;
    shop.git_as("ada", &["commit", "-q", "--no-gpg-sign", "-m", "Log more"])?;
    let commit = shop.head()?;
    shop.propose("ada")?;
    shop.approve("grace", &commit)?;
    shop.push()?;
    installation.reported(&commit, "staging", &["**does not count**, grace approved", "not signed"])?;
    Ok(())
}

#[test]
fn an_approval_is_bound_to_the_head_it_was_given_for() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    let reviewed = shop.greet("ada", "staging", "Welcome")?;
    shop.propose("ada")?;
    shop.approve("grace", &reviewed)?;
    installation.reported(&reviewed, "staging", &["would be allowed"])?;
    let slipped_in = shop.greet("ada", "staging", "Begone")?;
    shop.propose("ada")?;
    shop.push()?;
    installation.reported(&slipped_in, "staging", &["Denied: nothing was deployed."])?;
    shop.approve("grace", &slipped_in)?;
    installation.until_runs(STAGING, &slipped_in).map(drop)
}

#[test]
fn an_approval_that_is_taken_back_does_not_count() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    let commit = shop.greet("ada", "staging", "Welcome")?;
    shop.propose("ada")?;
    let approval = shop.approve("grace", &commit)?;
    installation.reported(&commit, "staging", &["would be allowed"])?;
    shop.say("grace", &["dismiss", &approval])?;
    installation.reported(
        &commit,
        "staging",
        &["waiting for reviews", "**does not count**, grace approved"],
    )?;
    shop.push()?;
    installation.reported(&commit, "staging", &["Denied: nothing was deployed."])?;
    shop.approve("alan", &commit)?;
    installation.until_runs(STAGING, &commit).map(drop)
}

#[test]
fn a_proposal_that_is_closed_explains_nothing() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    let commit = shop.greet("ada", "staging", "Welcome")?;
    let proposal = shop.propose("ada")?;
    shop.approve("grace", &commit)?;
    installation.reported(&commit, "staging", &["would be allowed"])?;
    shop.say("ada", &["close", &proposal])?;
    shop.push()?;
    installation.reported(&commit, "staging", &["Denied: nothing was deployed.", "closed"])?;
    shop.propose("ada")?;
    installation.until_runs(STAGING, &commit).map(drop)
}

#[test]
fn merges_squashes_and_rebases_count_as_the_reviewed_head() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    let base = shop.head()?;

    // Two proposals from the same start: the first is merged, the second squashed onto that.
    let first = shop.greet("ada", "staging", "Welcome")?;
    shop.propose("ada")?;
    shop.approve("grace", &first)?;
    shop.git(&["checkout", "-q", "-b", "second", &base])?;
    shop.replace("deploy/staging/deployment.yaml", "cpu: 100m", "cpu: 60m")?;
    let second = shop.commit_all("alan", "Ask for less")?;
    shop.propose("alan")?;
    shop.approve("grace", &second)?;

    shop.git(&["checkout", "-q", "-b", "merged", &base])?;
    shop.git_as("ada", &["merge", "-q", "--no-ff", "-m", "Merge the first", &first])?;
    let merged = shop.head()?;
    shop.push()?;
    installation.until_runs(STAGING, &merged)?;

    shop.git_as("ada", &["merge", "-q", "--squash", &second])?;
    let squashed = shop.commit_all("ada", "Ask for less (squashed)")?;
    shop.push()?;
    installation.until_runs(STAGING, &squashed)?;

    shop.git(&["checkout", "-q", "-b", "third", &base])?;
    shop.replace("deploy/staging/service.yaml", "port: 80\n", "port: 81\n")?;
    let third = shop.commit_all("ada", "Listen elsewhere")?;
    shop.propose("ada")?;
    shop.approve("grace", &third)?;
    shop.git(&["checkout", "-q", "merged"])?;
    shop.git_as("alan", &["cherry-pick", &third])?;
    let rebased = shop.head()?;
    shop.push()?;
    installation.until_runs(STAGING, &rebased).map(drop)
}

#[test]
fn an_exact_environment_takes_no_merge_that_nobody_saw() -> Result<()> {
    let installation = Installation::start()?;
    let exact = installation.change_control("Take only what was reviewed", |control| {
        control.replace(
            "countersign.yaml",
            "  staging:\n    approvals:",
            "  staging:\n    exact: true\n    approvals:",
        )
    })?;
    installation.until_active(&exact)?;
    let shop = installation.clone("shop")?;
    let base = shop.head()?;
    let first = shop.greet("ada", "staging", "Welcome")?;
    shop.propose("ada")?;
    shop.approve("grace", &first)?;
    shop.push()?;
    installation.until_runs(STAGING, &first)?;

    shop.git(&["checkout", "-q", "-b", "second", &base])?;
    shop.replace("deploy/staging/deployment.yaml", "cpu: 100m", "cpu: 60m")?;
    let second = shop.commit_all("alan", "Ask for less")?;
    shop.propose("alan")?;
    shop.approve("grace", &second)?;
    shop.git(&["checkout", "-q", "-b", "merged", &first])?;
    shop.git_as("alan", &["merge", "-q", "--no-ff", "-m", "Merge the second", &second])?;
    let merged = shop.head()?;
    shop.push()?;
    let texts = ["Denied: nothing was deployed.", "renders to other objects", "Rule `countersign.exact`"];
    installation.reported(&merged, "staging", &texts)?;
    // Approved as it is, the very same commit may go.
    shop.propose("alan")?;
    shop.approve("grace", &merged)?;
    installation.until_runs(STAGING, &merged).map(drop)
}
