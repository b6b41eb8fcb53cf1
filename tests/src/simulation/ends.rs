//! What holds in the end, when nothing goes wrong any more and all is at rest.

use std::collections::BTreeMap;

use countersign_core::configuration::{Configuration, PlacementState};
use countersign_core::facts::{ObjectKey, Operation};
use countersign_core::keys;
use countersign_core::leaf::{DecisionRecord, Disposition, Record};
use countersign_core::names::{AttemptId, Target};
use countersign_core::outcome::OutcomeResult;
use countersign_core::ports::cluster::Cluster as _;
use countersign_core::ports::store;
use countersign_core::target::{ActiveBundle, TargetState};
use serde_json::Value;

use super::forge::result_name;
use super::immediate;
use super::installation::{PLACES, shop};
use super::repository::Files;
use super::workers::World;

/// Holds everything against what it must be in the end.
pub fn check(world: &World) {
    for (queue, letter) in world.queue.dead() {
        world.sim.violate(format!("a dead letter of {queue}: {}: {}", letter.reason, letter.body));
    }
    let active: Option<ActiveBundle> =
        immediate(store::get_json(&world.store, keys::ACTIVE_BUNDLE)).ok().flatten();
    let configuration = active.and_then(|active| {
        let bytes = world.store.peek(&keys::bundle_configuration(&active.bundle))?;
        serde_json::from_slice::<Configuration>(&bytes).ok()
    });
    let Some(configuration) = configuration else {
        return world.sim.violate("no bundle is active in the end");
    };
    let files = {
        let model = world.forge.model();
        let bare = &model.repositories[&shop()];
        bare.files(&bare.tip())
    };
    for target in configuration.targets() {
        let removed = target.placement.state == PlacementState::Removed;
        let heals = target.environment.self_heal;
        if let Err(why) = settled(world, &target.target, removed)
            .and_then(|running| shown(world, &target.target, running, &files, (removed, heals)))
        {
            world.sim.violate(format!("in the end {}: {why}", target.target));
        }
    }
    if let Err(why) = told(world) {
        world.sim.violate(format!("in the end {why}"));
    }
}

/// What is wanted runs; the attempt that it does by.
fn settled(world: &World, target: &Target, removed: bool) -> Result<Option<AttemptId>, String> {
    let state: Option<TargetState> =
        immediate(store::get_json(&world.store, &keys::target(target))).map_err(|error| error.to_string())?;
    let Some(state) = state else { return Err("was never looked at".to_owned()) };
    if !state.is_settled() {
        return Err(format!(
            "is not settled: latest {:?} {:?} ({}), wanted {:?}, running {:?}, outcome {:?}",
            state.latest.verdict,
            state.latest.disposition,
            state.latest.reason,
            state.wanted.map(|wanted| wanted.sequence),
            state.running.map(|running| running.sequence),
            state.outcome.map(|outcome| outcome.result),
        ));
    }
    if state.hold.is_some() {
        return Err("is held, and was released".to_owned());
    }
    let ended = state.outcome.as_ref().map(|outcome| &outcome.result);
    // Where nothing was ever deployed, a removal is done without an attempt that could end.
    if removed && state.wanted.is_none() {
        return Ok(None);
    }
    match ended {
        Some(OutcomeResult::Healthy | OutcomeResult::Removed) => {
            Ok(state.running.map(|running| running.attempt))
        }
        _ => Err(format!("is said to be {}", result_name(ended))),
    }
}

/// The cluster holds exactly what the branch does.
fn shown(
    world: &World,
    target: &Target,
    running: Option<AttemptId>,
    files: &Files,
    (removed, heals): (bool, bool),
) -> Result<(), String> {
    let place = PLACES.iter().position(|(_, application, environment)| {
        *application == target.application.as_str() && *environment == target.environment.as_str()
    });
    let place = place.ok_or("is nowhere")?;
    let folder = PLACES[place].0;
    let cluster = world
        .clusters
        .iter()
        .find(|cluster| cluster.name == target.cluster.as_str())
        .ok_or("has no cluster")?;
    let mut differs = None;
    for (file, is_extra) in [("main.yaml", false), ("extra.yaml", true)] {
        let text = files.get(&format!("{folder}/{file}")).filter(|_| !removed);
        let key = shown_as(place, is_extra);
        let object = immediate(cluster.inner.get(&key)).map_err(|error| error.to_string())?;
        let expected = text.map(|text| value_in(&String::from_utf8_lossy(text)));
        let found = object.as_ref().map(value_of);
        if expected != found {
            differs = Some(format!("{key} is {found:?}, and the branch says {expected:?}"));
        }
    }
    // Where drift is not put back, it is told, and stays told exactly as long as it is there.
    let told = running.is_some_and(|running| drift(world, running));
    match differs {
        Some(differs) if heals || !told => Err(differs),
        None if told => Err("is said to drift, and does not".to_owned()),
        _ => Ok(()),
    }
}

/// Whether drift from what the target runs was told last, of the attempt that runs: what a later change took over is
/// nothing that drifts.
fn drift(world: &World, running: AttemptId) -> bool {
    let seen = world.watch.seen();
    let last = seen.leaves.iter().rev().find_map(|leaf| match &leaf.record {
        Record::Outcome(record) if record.attempt == running && record.result.is_drift() => {
            Some(&record.result)
        }
        _ => None,
    });
    matches!(last, Some(OutcomeResult::Drifted { .. }))
}

/// What names the main or the extra object of a place.
#[must_use]
pub fn shown_as(place: usize, is_extra: bool) -> ObjectKey {
    let (_, application, environment) = PLACES[place];
    let is_cart = application == "cart";
    let (api_version, kind) =
        if is_cart && !is_extra { ("apps/v1", "Deployment") } else { ("v1", "ConfigMap") };
    ObjectKey {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: Some(if is_cart { "cart".to_owned() } else { format!("web-{environment}") }),
        name: if is_extra { format!("{application}-extra") } else { application.to_owned() },
    }
}

/// Gives an object another value.
pub fn set_value(object: &mut Value, value: &str) {
    match object.pointer_mut("/spec/template/spec/containers/0/image") {
        Some(image) => *image = format!("registry.example/cart:{value}").into(),
        None => object["data"]["value"] = value.into(),
    }
}

/// The value that tells changes apart, as a file holds it.
fn value_in(text: &str) -> String {
    let after =
        text.split_once("value: \"").or_else(|| text.split_once("cart:v")).map_or("", |(_, after)| after);
    match text.split_once("registry.example/cart:") {
        Some((_, image)) => image.trim().to_owned(),
        None => after.split('"').next().unwrap_or_default().to_owned(),
    }
}

/// The same, as an object holds it.
fn value_of(object: &Value) -> String {
    let image = object.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str);
    match image {
        Some(image) => image.trim_start_matches("registry.example/cart:").to_owned(),
        None => object["data"]["value"].as_str().unwrap_or_default().to_owned(),
    }
}

/// What a repository's commit was last decided to be in an environment, by target.
type Expected<'a> = BTreeMap<(String, String, String), BTreeMap<String, &'a DecisionRecord>>;

/// Every commit shows what was last recorded of it, and nothing is left pending.
fn told(world: &World) -> Result<(), String> {
    let seen = world.watch.seen();
    let mut expected = Expected::new();
    let mut results: BTreeMap<AttemptId, OutcomeResult> = BTreeMap::new();
    for leaf in &seen.leaves {
        match &leaf.record {
            Record::Decision(record) => expect(&mut expected, record),
            Record::Outcome(record) => {
                if record.result.is_drift() {
                    continue;
                }
                let known = results.get(&record.attempt);
                let is_known =
                    known.is_some_and(|known| known.is_end() || *known == OutcomeResult::Unhealthy);
                let late = record.result == OutcomeResult::Applied && is_known;
                if !late && !known.is_some_and(OutcomeResult::is_end) {
                    results.insert(record.attempt, record.result.clone());
                }
            }
            Record::Genesis(_) | Record::Rejected(_) | Record::Rotation(_) => {}
        }
    }
    let model = world.forge.model();
    for (key, targets) in &expected {
        let Some(told) = model.told.get(key) else { return Err(format!("nothing was told of {key:?}")) };
        for (target, record) in targets {
            let at = format!("what was told of commit {} at {target}", key.1);
            let Some(state) = told.get(target) else { return Err(format!("{at} is nothing")) };
            if (state.verdict, state.disposition) != (record.verdict, record.disposition) {
                return Err(format!(
                    "{at} is {:?} {:?}, and the log says {:?} {:?}",
                    state.verdict, state.disposition, record.verdict, record.disposition
                ));
            }
            let works =
                matches!(record.operation, Operation::Deploy | Operation::Rollback | Operation::Remove);
            let effect = matches!(record.disposition, Disposition::Authorized | Disposition::Unchanged);
            if !works || !effect {
                continue;
            }
            let ended = results.get(&state.attempt);
            // Where nothing was ever deployed, a removal is done without an attempt that could end.
            let nothing_there =
                (record.operation, record.disposition) == (Operation::Remove, Disposition::Unchanged);
            if nothing_there && ended.is_none() && state.outcome.is_none() {
                continue;
            }
            let said = state.outcome.as_ref().map(|outcome| &outcome.result);
            if said != ended || matches!(ended, None | Some(OutcomeResult::Applied)) {
                return Err(format!(
                    "{at} is {}, and the log says {}",
                    result_name(said),
                    result_name(ended)
                ));
            }
        }
    }
    Ok(())
}

fn expect<'a>(expected: &mut Expected<'a>, record: &'a DecisionRecord) {
    let command = matches!(record.operation, Operation::Hold | Operation::Release);
    if command || record.disposition == Disposition::Superseded {
        return;
    }
    let key = (
        record.follows.repository.to_string(),
        record.commit.to_string(),
        record.target.environment.to_string(),
    );
    let targets = expected.entry(key).or_default();
    let target = record.target.to_string();
    // Of two previews the one that was asked for later knows all that the other does.
    let stays = targets
        .get(&target)
        .is_some_and(|known| known.disposition != Disposition::Preview || known.began > record.began);
    if !(stays && record.disposition == Disposition::Preview) {
        targets.insert(target, record);
    }
}
