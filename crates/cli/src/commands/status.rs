//! `countersign status`: what is wanted, what runs, what waits, and what is stuck.

mod cloud;
mod embedded;

use clap::Args;
use countersign_core::configuration::Configuration;
use countersign_core::leaf::Disposition;
use countersign_core::names::Target;
use countersign_core::outcome::Outcome;
use countersign_core::target::{ActiveBundle, LatestDrift, TargetState};
use countersign_core::time::Timestamp;
use countersign_local::queue::Depth;
use serde_json::{Value, json};

use super::aws::Aws;
use super::dlq::letters::{self, Letter};
use super::place::{Form, Place};
use super::shown::{Cell, clean, counted, disposition, heading, outcome, prose, short, table};
use crate::installation::now;
use crate::output::{Paint, Printed, colored, paint};

/// The most objects of a target whose drift is told one by one; `explain` tells of all.
const DRIFTED_OBJECTS: usize = 10;

/// Arguments of `status`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  countersign status --data /var/lib/countersign\n  \
    countersign status --aws countersign     # by the aws command, with your own credentials")]
pub struct StatusArguments {
    /// Of which installation.
    #[command(flatten)]
    pub place: Place,
}

/// How an installation stands, of either form.
struct Standing {
    origin: String,
    size: u64,
    /// When the newest leaf was appended.
    appended: Option<Timestamp>,
    active: Option<ActiveBundle>,
    targets: Vec<Known>,
    queues: Vec<(String, Depth)>,
    /// Queues that these credentials cannot see, as those of a cluster in another account.
    elsewhere: Vec<String>,
    dead: Vec<Letter>,
}

/// Shows how everything stands.
///
/// # Errors
/// When the installation cannot be read.
pub fn run(arguments: &StatusArguments) -> anyhow::Result<Printed> {
    let form = arguments.place.form();
    let standing = match form {
        Form::Embedded(data) => embedded::read(data)?,
        Form::Cloud(installation) => cloud::read(&Aws::new("aws"), installation)?,
    };
    printed(&standing, form)
}

fn printed(standing: &Standing, form: Form<'_>) -> anyhow::Result<Printed> {
    let Standing { origin, size, appended, active, targets, queues, elsewhere, dead } = standing;
    let document = json!({
        "log": { "origin": origin, "size": size, "appended": appended },
        "activeBundle": active,
        "targets": targets.iter().map(document).collect::<Vec<_>>(),
        "queues": queues.iter().map(|(name, depth)| queue_document(name, depth)).collect::<Vec<_>>(),
        "queuesElsewhere": elsewhere,
        "deadLetters": dead.iter().map(letters::document).collect::<Vec<_>>(),
    });
    let on = colored();
    let parts = [
        summary(standing),
        targets_text(targets, on),
        queues_text(queues, elsewhere, on),
        letters::text(dead, form, on),
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
fn all_targets(mut known: Vec<Known>, configuration: Option<&Configuration>) -> Vec<Known> {
    for configured in configuration.into_iter().flat_map(Configuration::targets) {
        if !known.iter().any(|known| known.target == configured.target) {
            known.push(Known { target: configured.target, state: None, drift: None });
        }
    }
    known.sort_by(|one, other| one.target.cmp(&other.target));
    known
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

fn summary(standing: &Standing) -> String {
    let bundle = match &standing.active {
        Some(active) => format!(
            "{}  active since leaf {}, from commit {}",
            short(&active.bundle.to_string()),
            active.index,
            short(active.commit.as_str())
        ),
        None => "none is active".to_owned(),
    };
    let appended = standing.appended.map(|time| format!(", the last of {time}, {} ago", age(time)));
    let (origin, size) = (clean(&standing.origin), standing.size);
    format!("log     {origin}, {size} leaves{}\nbundle  {bundle}", appended.unwrap_or_default())
}

/// How long ago something was, in its largest whole unit.
fn age(time: Timestamp) -> String {
    let seconds = now().since(time).as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let (count, unit) = units
        .iter()
        .find(|(length, _)| seconds >= *length)
        .map_or((seconds, "second"), |(length, unit)| (seconds / length, unit));
    counted(usize::try_from(count).unwrap_or(usize::MAX), unit)
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
        let failures = counted(usize::try_from(state.failures).unwrap_or(usize::MAX), "failure");
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

fn queues_text(depths: &[(String, Depth)], elsewhere: &[String], colored: bool) -> String {
    let shown = busy_text(depths, colored);
    if elsewhere.is_empty() {
        return shown;
    }
    let told = format!("{}, as that of a cluster's account: not looked at", elsewhere.join(", "));
    format!("{shown}\n{}", prose(0, "other account", &told))
}

fn busy_text(depths: &[(String, Depth)], colored: bool) -> String {
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
