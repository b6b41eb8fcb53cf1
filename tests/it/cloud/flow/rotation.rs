//! The log goes on with other keys, and everything with it.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::keys;
use countersign_core::leaf::Record;
use countersign_core::outcome::OutcomeResult;
use countersign_tests::cloud::first_day::{Cloud, SHOP};
use countersign_tests::world::gitea::pull_request::Style;
use serde_json::Value;

use super::{BY_HAND, change_by_hand, the_witness_cosigns};

/// What was authorized under the earlier keys is still put back, what is authorized under the new ones is applied, and
/// the log is one.
pub fn everything_goes_on_with_other_keys(cloud: &mut Cloud) -> Result<()> {
    let announced = cloud.rotate()?;
    let cloud = &*cloud;
    what_was_applied_before_is_put_back(cloud, announced)?;
    let running = a_change_is_deployed(cloud)?;
    let sequence = running["sequence"].as_u64().context("it has no sequence")?;
    ensure!(sequence > announced, "{running} is older than leaf {announced}");
    ensure!(epoch_of(cloud, &running)? == 2, "it was authorized in an earlier epoch");
    the_witness_cosigns(cloud)?;
    let audit = cloud.audit()?;
    ensure!(audit["counts"]["rotation"] == 1, "{audit}");
    Ok(())
}

fn what_was_applied_before_is_put_back(cloud: &Cloud, announced: u64) -> Result<()> {
    let running = cloud.target("staging")?["running"].clone();
    ensure!(running["sequence"].as_u64().is_some_and(|sequence| sequence < announced), "{running}");
    ensure!(epoch_of(cloud, &running)? == 1, "it was not authorized in the first epoch");
    change_by_hand(cloud)?;
    cloud.until("what was applied in the first epoch is put back", || {
        let leaves = cloud.leaves()?;
        let is_restored = leaves.iter().filter(|(index, _)| *index > announced).any(|(_, leaf)| {
            matches!(&leaf.record, Record::Outcome(told)
                if matches!(told.result, OutcomeResult::Restored { .. })
                    && serde_json::json!(told.attempt) == running["attempt"])
        });
        ensure!(is_restored, "the log says nothing of it");
        Ok(())
    })?;
    ensure!(cloud.greeting()? != BY_HAND, "what was changed by hand runs");
    Ok(())
}

/// Returns what runs then.
fn a_change_is_deployed(cloud: &Cloud) -> Result<Value> {
    let shop = cloud.clone("ada")?;
    let head = shop.greet("ada", "staging", "With other keys")?;
    shop.push_to("other-keys")?;
    let request = cloud.person("ada")?.open(SHOP, "other-keys", "Greet under other keys")?;
    request.seen_by(cloud.person("grace")?).approve(&head)?;
    cloud.until_status(&head, "staging", "success")?;
    let merged = request.merge(Style::Squash)?;
    let state = cloud.until_runs("staging", &merged)?;
    ensure!(cloud.greeting()? == "With other keys", "what is healthy is not there");
    Ok(state["running"].clone())
}

/// The epoch in the authorization of what runs.
fn epoch_of(cloud: &Cloud, running: &Value) -> Result<u64> {
    let attempt = serde_json::from_value(running["attempt"].clone())?;
    let proven = cloud.kept(&keys::authorization(&attempt))?;
    let payload = STANDARD.decode(proven["envelope"]["payload"].as_str().context("no payload")?)?;
    let statement: Value = serde_json::from_slice(&payload)?;
    statement["predicate"]["sequence"]["epoch"].as_u64().with_context(|| format!("no epoch in {statement}"))
}
