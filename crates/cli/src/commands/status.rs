//! `countersign status`: what is wanted, what runs, what waits, and what is stuck.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use countersign_core::configuration::Configuration;
use countersign_core::keys;
use countersign_core::leaf::Disposition;
use countersign_core::message::QueueName;
use countersign_core::names::Target;
use countersign_core::outcome::Outcome;
use countersign_core::ports::store::{self, Store as _};
use countersign_core::target::{ActiveBundle, LatestDrift, TargetState};
use countersign_local::queue::{Depth, LocalQueue};
use serde_json::{Value, json};

use super::block_on;
use super::dlq::letters;
use super::reading::Installation;
use super::shown::{Cell, clean, disposition, heading, outcome, prose, short, table};
use crate::installation::now;
use crate::output::{Paint, Printed, colored, paint};

/// The most objects of a target whose drift is told one by one; `explain` tells of all.
const DRIFTED_OBJECTS: usize = 10;

/// Arguments of `status`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  countersign status --data /var/lib/countersign")]
pub struct StatusArguments {
    /// The data folder of the installation; `serve` may be running.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// Shows how everything stands.
///
/// # Errors
/// When the installation cannot be read.
pub fn run(arguments: &StatusArguments) -> anyhow::Result<Printed> {
    let installation = Installation::open(&arguments.data)?;
    let (active, size) =
        block_on(async { Ok((installation.active().await?, installation.log().await?.size())) })?;
    let targets = block_on(targets(&installation, active.as_ref().map(|(_, configuration)| configuration)))?;
    let clusters = active.iter().flat_map(|(_, configuration)| configuration.clusters.keys());
    // Only counts are asked for, so how often a message may come does not matter here.
    let queue = LocalQueue::new(&installation.database, Arc::new(now), u32::MAX);
    let names = QueueName::all(clusters);
    let mut depths = Vec::new();
    for name in &names {
        depths.push((name.to_string(), queue.depth(name)?));
    }
    let dead = letters::of(&queue, &names)?;
    let origin = &installation.genesis.origin;
    let active = active.map(|(active, _)| active);
    let document = json!({
        "log": { "origin": origin, "size": size },
        "activeBundle": active,
        "targets": targets.iter().map(document).collect::<Vec<_>>(),
        "queues": depths.iter().map(|(name, depth)| queue_document(name, depth)).collect::<Vec<_>>(),
        "deadLetters": dead.iter().map(letters::document).collect::<Vec<_>>(),
    });
    let on = colored();
    let parts = [
        summary(origin, size, active.as_ref()),
        targets_text(&targets, on),
        queues_text(&depths, on),
        letters::text(&dead, on),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Printed::done(parts.join("\n\n"), &document)
}

/// A target with what is known of it.
struct Known {
    target: Target,
    /// Its state, if it was ever looked at.
    state: Option<TargetState>,
    /// The last report of drift, while it runs something else than was authorized.
    drift: Option<Outcome>,
}

/// Every target that has a state, and those that are configured and were never looked at.
async fn targets(
    installation: &Installation,
    configuration: Option<&Configuration>,
) -> anyhow::Result<Vec<Known>> {
    let mut known: Vec<Known> = Vec::new();
    for key in installation.store.list(keys::TARGETS, None, usize::MAX).await? {
        let state: Option<TargetState> = store::get_json(&installation.store, &key).await?;
        if let Some(state) = state {
            let drift = drift(installation, &state).await?;
            known.push(Known { target: state.target.clone(), state: Some(state), drift });
        }
    }
    for configured in configuration.into_iter().flat_map(Configuration::targets) {
        if !known.iter().any(|known| known.target == configured.target) {
            known.push(Known { target: configured.target, state: None, drift: None });
        }
    }
    known.sort_by(|one, other| one.target.cmp(&other.target));
    Ok(known)
}

/// How a target differs from what was authorized. The report is a blob, which may have been deleted.
async fn drift(installation: &Installation, state: &TargetState) -> anyhow::Result<Option<Outcome>> {
    let Some(drift) = &state.drift else { return Ok(None) };
    let (store, details) = (&installation.store, &drift.details);
    match store.get(&keys::blob(details)).await? {
        Some(_) => Ok(Some(store::get_blob(store, keys::blob, details).await?)),
        None => Ok(None),
    }
}

fn document(known: &Known) -> Value {
    let settled = known.state.as_ref().is_some_and(TargetState::is_settled);
    json!({
        "target": known.target.to_string(), "settled": settled, "state": known.state, "drift": known.drift,
    })
}

fn queue_document(name: &str, depth: &Depth) -> Value {
    json!({
        "queue": name, "visible": depth.visible, "inFlight": depth.in_flight, "delayed": depth.delayed,
        "dead": depth.dead, "oldest": depth.oldest,
    })
}

fn summary(origin: &str, size: u64, active: Option<&ActiveBundle>) -> String {
    let bundle = match active {
        Some(active) => format!(
            "{}  active since leaf {}, from commit {}",
            short(&active.bundle.to_string()),
            active.index,
            short(active.commit.as_str())
        ),
        None => "none is active".to_owned(),
    };
    format!("log     {}, {size} leaves\nbundle  {bundle}", clean(origin))
}

fn targets_text(targets: &[Known], colored: bool) -> String {
    if targets.is_empty() {
        return "no target is configured".to_owned();
    }
    let mut rows = vec![heading(&["target", "wanted", "running", "outcome", "latest", "looked at"])];
    rows.extend(targets.iter().map(row));
    let table = table(&rows, colored);
    let notes = std::iter::once(Vec::new()).chain(targets.iter().map(|known| notes(known, colored)));
    let lines =
        table.lines().zip(notes).flat_map(|(line, notes)| std::iter::once(line.to_owned()).chain(notes));
    lines.collect::<Vec<_>>().join("\n")
}

fn row(known: &Known) -> Vec<Cell> {
    let name = Cell::from(known.target.to_string());
    let Some(state) = &known.state else {
        return vec![name, "-".into(), "-".into(), "-".into(), "not looked at yet".into()];
    };
    let commit = |authorized: Option<&countersign_core::target::Authorized>| {
        Cell::from(authorized.map_or("-", |authorized| short(authorized.commit.as_str())))
    };
    vec![
        name,
        commit(state.wanted.as_ref()),
        commit(state.running.as_ref()),
        match (&state.drift, &state.outcome) {
            (Some(_), _) => ("drifted", Paint::Bad).into(),
            (None, Some(latest)) => outcome(&latest.result),
            (None, None) => "-".into(),
        },
        disposition(state.latest.disposition, state.latest.verdict),
        state.latest.began.to_string().into(),
    ]
}

/// What a person has to know of a target besides.
fn notes(known: &Known, colored: bool) -> Vec<String> {
    let Some(state) = &known.state else { return Vec::new() };
    let mut notes = Vec::new();
    if let Some(drift) = &state.drift {
        notes.extend(drift_notes(drift, known.drift.as_ref()));
    }
    if let Some(hold) = &state.hold {
        let text = prose(2, "held", &format!("since {}: {}", hold.since, hold.reason));
        notes.push(paint(Paint::Open, &text, colored));
    }
    if matches!(state.latest.disposition, Disposition::Refused | Disposition::Superseded) {
        let at = short(state.latest.commit.as_str());
        notes.push(prose(2, "why", &format!("{at}: {}", state.latest.reason)));
    }
    if let Some(due) = state.due {
        let failures =
            super::shown::counted(usize::try_from(state.failures).unwrap_or(usize::MAX), "failure");
        notes.push(prose(2, "next", &format!("look at {due}, after {failures}")));
    }
    notes
}

/// What somebody changed, object by object.
fn drift_notes(latest: &LatestDrift, report: Option<&Outcome>) -> Vec<String> {
    let summary = report.map_or("its report was deleted", |report| report.summary.as_str());
    let first = prose(2, "drift", &format!("since {}: {summary}", latest.since));
    let objects = report.into_iter().flat_map(|report| &report.objects).take(DRIFTED_OBJECTS);
    let told = objects.map(|object| {
        let how = object.message.as_deref().unwrap_or_default();
        prose(2, "", &format!("{}: {how}", object.key))
    });
    std::iter::once(first).chain(told).collect()
}

fn queues_text(depths: &[(String, Depth)], colored: bool) -> String {
    let waits = |depth: &Depth| depth.visible + depth.in_flight + depth.delayed + depth.dead > 0;
    let busy: Vec<_> = depths.iter().filter(|(_, depth)| waits(depth)).collect();
    if busy.is_empty() {
        return "all queues are empty".to_owned();
    }
    let mut rows = vec![heading(&["queue", "visible", "in flight", "delayed", "dead", "oldest"])];
    rows.extend(busy.into_iter().map(|(name, depth)| {
        let dead = depth.dead.to_string();
        vec![
            name.as_str().into(),
            depth.visible.to_string().into(),
            depth.in_flight.to_string().into(),
            depth.delayed.to_string().into(),
            if depth.dead > 0 { (dead.as_str(), Paint::Bad).into() } else { dead.into() },
            depth.oldest.map_or_else(|| "-".to_owned(), |oldest| oldest.to_string()).into(),
        ]
    }));
    table(&rows, colored)
}

#[cfg(test)]
mod tests;
