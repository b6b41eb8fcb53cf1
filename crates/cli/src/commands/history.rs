//! `countersign history`: what the log says happened, the newest first.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use countersign_core::leaf::{Leaf, Record};
use countersign_core::names::Target;
use serde_json::json;

use super::block_on;
use super::reading::{Installation, newest_first};
use super::shown::{Cell, clean, disposition, heading, outcome, short, table};
use crate::output::{Paint, Printed, colored};

/// The most characters of a reason that are shown to people.
const MAX_REASON: usize = 100;

/// Arguments of `history`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  countersign history --data /var/lib/countersign\n  \
    countersign history shop/production/east --data /var/lib/countersign --limit 100")]
pub struct HistoryArguments {
    /// Only this target: APPLICATION/ENVIRONMENT/CLUSTER, or `control`.
    #[arg(value_name = "TARGET")]
    pub target: Option<Target>,
    /// The data folder of the installation; `serve` may be running.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The most entries to show.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

/// Shows decisions and outcomes.
///
/// # Errors
/// When the installation cannot be read.
pub fn run(arguments: &HistoryArguments) -> anyhow::Result<Printed> {
    let installation = Installation::open(&arguments.data)?;
    let mut entries = Vec::new();
    let size = block_on(async {
        let mut view = installation.log().await?;
        let size = view.size();
        newest_first(&mut view, size, |index, leaf| {
            if entries.len() >= arguments.limit {
                return ControlFlow::Break(());
            }
            if concerns(&leaf.record, arguments.target.as_ref()) {
                entries.push((index, leaf));
            }
            ControlFlow::Continue(())
        })
        .await?;
        Ok(size)
    })?;
    let shown: Vec<_> = entries.iter().map(|(index, leaf)| json!({ "index": index, "leaf": leaf })).collect();
    let document = json!({ "size": size, "entries": shown });
    let text = match (entries.is_empty(), &arguments.target) {
        (true, Some(target)) => format!("the log says nothing of {target}"),
        (true, None) => "nothing is shown: --limit is 0".to_owned(),
        (false, _) => text(&entries, colored()),
    };
    Printed::done(text, &document)
}

fn concerns(record: &Record, target: Option<&Target>) -> bool {
    let Some(target) = target else { return true };
    match record {
        Record::Decision(decision) => decision.target == *target,
        Record::Outcome(outcome) => outcome.target == *target,
        Record::Rejected(rejected) => rejected.target.as_ref() == Some(target),
        Record::Genesis(_) | Record::Rotation(_) => false,
    }
}

fn text(entries: &[(u64, Leaf)], colored: bool) -> String {
    let mut rows = vec![heading(&["leaf", "time", "target", "commit", "what", "why"])];
    rows.extend(entries.iter().map(|(index, leaf)| row(*index, leaf)));
    table(&rows, colored)
}

fn row(index: u64, leaf: &Leaf) -> Vec<Cell> {
    let [target, commit, what, why] = match &leaf.record {
        Record::Decision(record) => [
            record.target.to_string().into(),
            short(record.commit.as_str()).into(),
            disposition(record.disposition, record.verdict),
            reason(&record.reason).into(),
        ],
        Record::Outcome(record) => {
            let of = record
                .sequence
                .map_or_else(|| "of no leaf".to_owned(), |sequence| format!("of leaf {sequence}"));
            [record.target.to_string().into(), "".into(), outcome(&record.result), of.into()]
        }
        Record::Genesis(record) => {
            let why = format!(
                "bundle {} from commit {}",
                short(&record.bundle.to_string()),
                short(record.commit.as_str())
            );
            ["".into(), "".into(), "genesis".into(), why.into()]
        }
        Record::Rotation(record) => {
            let why = format!("other keys sign from here on: epoch {}", record.epoch);
            ["".into(), "".into(), "rotation".into(), why.into()]
        }
        Record::Rejected(record) => {
            let why = format!("{}: {}", clean(&record.queue), reason(&record.reason));
            let target = record.target.as_ref().map(ToString::to_string).unwrap_or_default();
            [target.into(), "".into(), ("rejected", Paint::Bad).into(), why.into()]
        }
    };
    vec![index.to_string().into(), leaf.time.to_string().into(), target, commit, what, why]
}

/// A reason that fits on the line; `explain` tells all of it.
fn reason(text: &str) -> String {
    let text = clean(text);
    match text.char_indices().nth(MAX_REASON) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::digest::Digest;

    use super::*;

    #[test]
    fn every_kind_of_leaf_is_one_line() {
        let digest = Digest::of(b"");
        let target = json!({ "application": "shop", "environment": "staging", "cluster": "east" });
        let leaf = |record: serde_json::Value| -> Leaf {
            serde_json::from_value(json!({ "v": 1, "time": "2026-11-20T22:00:00Z", "record": record }))
                .unwrap()
        };
        let entries = [
            (
                2,
                leaf(
                    json!({ "kind": "outcome", "id": digest, "attempt": digest, "target": target, "sequence": 1,
                    "result": { "is": "refused", "check": "inclusion" }, "details": digest }),
                ),
            ),
            (
                1,
                leaf(
                    json!({ "kind": "rejected", "id": digest, "queue": "decisions", "reason": format!("a\n{}", "b".repeat(200)), "body": digest }),
                ),
            ),
            (
                0,
                leaf(json!({ "kind": "genesis", "genesis": digest, "bundle": digest, "origin": "o",
                    "commit": "1234567890abcdef1234567890abcdef12345678" })),
            ),
        ];
        let text = text(&entries, false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[1].starts_with("2     2026-11-20T22:00:00.000Z  shop/staging/east"), "{text}");
        assert!(lines[1].ends_with("refused: inclusion  of leaf 1"), "{text}");
        assert!(lines[2].contains("decisions: a bbb") && lines[2].ends_with("bbb…"), "{text}");
        assert!(lines[3].ends_with("bundle e3b0c44298fc from commit 1234567890ab"), "{text}");
    }

    #[test]
    fn a_target_sees_only_its_own() {
        let record: Record =
            serde_json::from_value(json!({ "kind": "rejected", "id": Digest::of(b""), "queue": "q",
            "reason": "r", "body": Digest::of(b"") }))
            .unwrap();
        assert!(concerns(&record, None));
        assert!(!concerns(&record, Some(&Target::control())));
    }
}
