//! One decision's story, put together from its leaf and the blobs that the leaf cites.

use countersign_core::decision::Decision;
use countersign_core::digest::Digest;
use countersign_core::facts::{Facts, ObjectDiff, Operation};
use countersign_core::keys;
use countersign_core::outcome::{Action, Outcome, OutcomeResult};
use countersign_core::ports::store::{self, Store as _};
use countersign_core::time::Timestamp;
use countersign_local::store::LocalStore;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::find::Found;
use super::replay::{Replayed, again};
use crate::commands::judged;
use crate::commands::reading::Installation;
use crate::commands::shown::{self, Cell, clean, short, table};
use crate::output::{Paint, paint};

/// A decision with everything that is kept of it.
pub struct Story {
    found: Found,
    /// The whole decision, if its blob was not deleted.
    decision: Option<Decision>,
    /// What it would change, if its facts were not deleted.
    diff: Option<Vec<ObjectDiff>>,
    /// Details of its outcomes, in the order of the leaves.
    details: Vec<Option<Outcome>>,
    replayed: Option<Replayed>,
}

impl Story {
    /// Reads what is kept of a decision. Blobs name people and can be deleted: the leaf stays.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read(installation: &Installation, found: Found, replay: bool) -> anyhow::Result<Self> {
        let store = &installation.store;
        let decision: Option<Decision> = kept(store, &found.record.decision).await?;
        let facts: Option<Facts> = store::get_json(store, &keys::facts(&found.record.attempt)).await?;
        let mut details = Vec::new();
        for (_, _, outcome) in &found.outcomes {
            details.push(kept(store, &outcome.details).await?);
        }
        let replayed = match (&decision, replay) {
            (Some(decision), true) => Some(again(store, decision).await?),
            (None, true) => Some(Replayed::Impossible("the decision's blob was deleted".to_owned())),
            (_, false) => None,
        };
        Ok(Self { found, decision, diff: facts.map(|facts| facts.diff), details, replayed })
    }

    /// Whether a replay was tried and did not come out the same.
    #[must_use]
    pub fn replays_differently(&self) -> bool {
        matches!(self.replayed, Some(Replayed::Different(_)))
    }

    /// For programs.
    #[must_use]
    pub fn document(&self) -> Value {
        let outcomes = self.found.outcomes.iter().zip(&self.details).map(|((index, time, record), details)| {
            json!({ "index": index, "time": time, "record": record, "details": details })
        });
        json!({
            "index": self.found.index,
            "time": self.found.time,
            "record": self.found.record,
            "decision": self.decision,
            "diff": self.diff,
            "outcomes": outcomes.collect::<Vec<_>>(),
            "replay": self.replayed.as_ref().map(|replayed| match replayed {
                Replayed::Same => json!({ "result": "same" }),
                Replayed::Different(why) => json!({ "result": "different", "why": why }),
                Replayed::Impossible(why) => json!({ "result": "impossible", "why": why }),
            }),
        })
    }

    /// For people.
    #[must_use]
    pub fn text(&self, colored: bool) -> String {
        let mut parts = vec![self.head(colored), self.summary(colored)];
        match &self.decision {
            Some(decision) => {
                let section = |title: &str, text: String| {
                    (!text.is_empty()).then(|| format!("{}\n{text}", paint(Paint::Bold, title, colored)))
                };
                parts.extend(section("rules", judged::rules(decision, &|_, _| None, colored)));
                parts.extend(section("approvals", judged::approvals(&decision.approvals, colored)));
                parts.extend(section("statuses", judged::statuses(&decision.statuses, colored)));
                parts.extend(section("explained", explained(decision)));
                parts.extend(section(
                    "changes",
                    judged::diff(self.diff.as_deref().unwrap_or_default(), colored),
                ));
            }
            None => parts.push("the decision's blob was deleted: only what the log says is left".to_owned()),
        }
        parts.extend(self.outcomes(colored));
        parts.extend(self.replayed.as_ref().map(|replayed| replayed_text(replayed, colored)));
        parts.join("\n\n")
    }

    fn head(&self, colored: bool) -> String {
        let record = &self.found.record;
        let verdict = shown::verdict(record.verdict);
        let title = format!("{} at {}", record.target, short(record.commit.as_str()));
        format!(
            "{}: {}\n{}",
            paint(Paint::Bold, &title, colored),
            verdict.painted(colored),
            clean(&record.reason)
        )
    }

    fn summary(&self, colored: bool) -> String {
        let record = &self.found.record;
        let disposition = shown::disposition(record.disposition, record.verdict);
        let rows: Vec<(&str, Cell)> = vec![
            (
                "leaf",
                format!(
                    "{}  recorded {}, the look began {}",
                    self.found.index, self.found.time, record.began
                )
                .into(),
            ),
            ("logged as", disposition),
            ("asks to", operation(record.operation).into()),
            ("follows", clean(&format!("{} {}", record.follows.repository, record.follows.reference)).into()),
            ("commit", record.commit.to_string().into()),
            (
                "manifest",
                record.manifest.map_or_else(|| "none".to_owned(), |digest| digest.to_string()).into(),
            ),
            ("bundle", record.bundle.to_string().into()),
            ("attempt", record.attempt.to_string().into()),
            ("decision", record.decision.to_string().into()),
            ("engine", clean(&record.engine).into()),
            ("trace", clean(&record.trace).into()),
        ];
        let rows: Vec<_> =
            rows.into_iter().map(|(label, cell)| vec![(label, Paint::Dim).into(), cell]).collect();
        table(&rows, colored)
    }

    fn outcomes(&self, colored: bool) -> Option<String> {
        if self.found.outcomes.is_empty() {
            return None;
        }
        let mut lines = vec![paint(Paint::Bold, "what became of it", colored)];
        for ((index, time, record), details) in self.found.outcomes.iter().zip(&self.details) {
            lines.push(happened(*index, *time, &shown::outcome(&record.result), colored));
            lines.extend(details.iter().flat_map(done));
        }
        Some(lines.join("\n"))
    }
}

/// A blob, or nothing if it was deleted. One that is not what its digest names is an error.
async fn kept<T: DeserializeOwned>(store: &LocalStore, digest: &Digest) -> anyhow::Result<Option<T>> {
    match store.get(&keys::blob(digest)).await? {
        Some(_) => Ok(Some(store::get_blob(store, keys::blob, digest).await?)),
        None => Ok(None),
    }
}

fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Deploy => "deploy",
        Operation::Rollback => "roll back",
        Operation::Remove => "remove",
        Operation::Activate => "activate a bundle",
        Operation::Hold => "hold",
        Operation::Release => "release",
    }
}

fn explained(decision: &Decision) -> String {
    let row = |used: &countersign_core::decision::ExplainedHead| {
        let by = format!("by the reviewed head {}", short(used.head.as_str()));
        vec![Cell::from(format!("    {}", short(used.commit.as_str()))), by.into()]
    };
    table(&decision.explained.iter().map(row).collect::<Vec<_>>(), false)
}

fn happened(index: u64, time: Timestamp, result: &Cell, colored: bool) -> String {
    format!("  {time}  {}  (leaf {index})", result.painted(colored))
}

/// What was done, object by object; what needed nothing is not told.
fn done(outcome: &Outcome) -> Vec<String> {
    let mut lines = vec![format!("    {}", clean(&outcome.summary))];
    for object in &outcome.objects {
        let action = match object.action {
            Action::Created => "created",
            Action::Configured => "configured",
            Action::Unchanged => "unchanged",
            Action::Deleted => "deleted",
            Action::Skipped => "skipped",
            Action::Observed => "observed",
        };
        let quiet = match object.action {
            Action::Observed => outcome.result == OutcomeResult::Healthy,
            Action::Unchanged => object.message.is_none(),
            Action::Created | Action::Configured | Action::Deleted | Action::Skipped => false,
        };
        if !quiet {
            let message =
                object.message.as_deref().map(|message| format!(": {}", clean(message))).unwrap_or_default();
            lines.push(format!("      {action} {}{message}", clean(&object.key.to_string())));
        }
    }
    lines
}

fn replayed_text(replayed: &Replayed, colored: bool) -> String {
    let (word, meaning, why) = match replayed {
        Replayed::Same => {
            ("same", Paint::Good, "the same facts and bundle give this decision again, byte for byte")
        }
        Replayed::Different(why) => ("different", Paint::Bad, why.as_str()),
        Replayed::Impossible(why) => ("impossible", Paint::Open, why.as_str()),
    };
    format!("{} {}: {}", paint(Paint::Bold, "replay", colored), paint(meaning, word, colored), clean(why))
}

#[cfg(test)]
mod tests;
