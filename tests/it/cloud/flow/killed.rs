//! What a killed function held.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use countersign_core::keys;
use countersign_core::names::FollowedRef;
use countersign_tests::cloud::first_day::{Cloud, SHOP};
use countersign_tests::cloud::gateway::faults::Rates;
use countersign_tests::simulation::random::Random;

/// What `gather` waits for when it is killed.
const UNANSWERED: [(&str, &str); 1] = [("gather", "s3.GetObject")];

/// Its queue hides what it holds for half an hour.
const SOON: Duration = Duration::from_secs(90);

/// How long it is killed again and again: every instance that was at work is gone by then.
const KILLING: Duration = Duration::from_secs(2);

/// A function that is killed at work blocks its group for as long as it hides what it works on at once, and not for as
/// long as its queue does.
pub fn what_a_killed_function_held_comes_again_soon(cloud: &Cloud) -> Result<()> {
    let (gateway, lambda) = (&cloud.stack.services.gateway, &cloud.stack.lambda);
    let gather = cloud.stack.services.function("gather");
    let crashes = || anyhow::Ok(lambda.statistics(&gather)?.ended.get("crashed").copied().unwrap_or(0));
    let hidden = || {
        let call = ("gather".to_owned(), "sqs.ChangeMessageVisibilityBatch".to_owned());
        gateway.counts().get(&call).copied().unwrap_or(0)
    };
    let follows =
        FollowedRef { repository: format!("gitea/{SHOP}").parse()?, reference: "refs/heads/main".parse()? };
    let (before, hidden_before) = (crashes()?, hidden());
    gateway.faults().set(Rates { unanswered: &UNANSWERED, ..Rates::default() });
    let shop = cloud.clone("ada")?;
    shop.write("notes.md", "What no target is made of.\n")?;
    let commit = shop.commit_all("ada", "Take a note")?;
    shop.push()?;
    cloud.until("gather waits for an answer, and hides what it holds", || {
        let waits = gateway.suffered().keys().any(|(function, ..)| function == "gather");
        ensure!(waits && lambda.is_at_work(&gather) && hidden() > hidden_before, "not yet");
        Ok(())
    })?;
    let (mut random, begun) = (Random::new(1, "killed"), Instant::now());
    gateway.faults().set(Rates::default());
    while begun.elapsed() < KILLING && lambda.is_at_work(&gather) {
        lambda.kill(&gather, &mut random);
        std::thread::sleep(Duration::from_millis(20));
    }
    cloud.until("gather is killed", || {
        ensure!(crashes()? > before, "it is not");
        Ok(())
    })?;
    cloud.until("what it held is looked at", || {
        let seen = cloud.kept(&keys::seen_tip(&follows))?;
        ensure!(seen["tip"] == commit.as_str(), "{seen}");
        Ok(())
    })?;
    ensure!(begun.elapsed() < SOON, "its group was blocked for {:?}", begun.elapsed());
    Ok(())
}
