//! State that was lost is folded anew by the running functions, as `docs/OPERATIONS.md` tells.

use anyhow::{Context as _, Result, ensure};
use countersign_core::keys;
use countersign_core::leaf::Record;
use countersign_core::outcome::OutcomeResult;
use countersign_core::ports::store::Store as _;
use countersign_tests::cloud::first_day::Cloud;

/// Who works on state: each is stopped, and has its own number of executions afterwards.
const STOPPED: [(&str, Option<usize>); 3] = [("record", Some(1)), ("gather", None), ("poll", None)];

/// What is below `state/`.
const STATE: &str = "state/";

/// Everything below `state/` is lost, and is as it was. Nothing is refused by the cluster meanwhile.
pub fn lost_state_is_folded_anew(cloud: &Cloud) -> Result<()> {
    let (lambda, services) = (&cloud.stack.lambda, &cloud.stack.services);
    for (name, _) in STOPPED {
        lambda.reserve(&services.function(name), Some(0))?;
    }
    cloud.until("what was at work has ended", || {
        ensure!(
            STOPPED.iter().all(|(name, _)| !lambda.is_at_work(&services.function(name))),
            "it is at work"
        );
        Ok(())
    })?;
    let before = [cloud.target("staging")?, cloud.target("production")?];
    let leaves = cloud.leaves()?.len();
    let lost = cloud.runtime.block_on(async {
        let keys = services.store.list(STATE, None, usize::MAX).await?;
        for key in &keys {
            services.store.delete(key).await?;
        }
        anyhow::Ok(keys.len())
    })?;
    ensure!(lost > leaves, "only {lost} objects were there");
    ensure!(cloud.target("staging").is_err(), "it is still there");
    lambda.reserve(&services.function("record"), STOPPED[0].1)?;
    cloud.until("the state is folded", || {
        let settled = cloud.kept(keys::SETTLED)?.as_u64().context("no number")?;
        ensure!(usize::try_from(settled)? >= leaves, "{settled} of {leaves}");
        Ok(())
    })?;
    for (environment, before) in ["staging", "production"].into_iter().zip(before) {
        let after = cloud.target(environment)?;
        for field in ["wanted", "running", "latest", "follows", "hold"] {
            ensure!(after[field] == before[field], "{environment}: {field} is {after}, and was {before}");
        }
    }
    for (name, executions) in &STOPPED[1..] {
        lambda.reserve(&services.function(name), *executions)?;
    }
    let refused = cloud.leaves()?.into_iter().skip(leaves).find(|(_, leaf)| {
        matches!(&leaf.record, Record::Outcome(told) if matches!(told.result, OutcomeResult::Refused { .. }))
    });
    ensure!(refused.is_none(), "the cluster was sent what it refuses: {refused:?}");
    Ok(())
}
