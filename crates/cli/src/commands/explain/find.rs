//! From what a person has in hand to the decisions that it names.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use anyhow::{anyhow, bail};
use countersign_core::digest::Digest;
use countersign_core::leaf::{DecisionRecord, OutcomeRecord, Record};
use countersign_core::names::{AttemptId, Target};
use countersign_core::time::Timestamp;
use countersign_ledger::view::View;
use countersign_local::store::LocalStore;

use crate::commands::reading::{Installation, newest_first};

/// The fewest digits that name a commit.
const MIN_DIGITS: usize = 4;

/// A decision in the log, with what became of it.
pub struct Found {
    /// Its leaf.
    pub index: u64,
    /// When it was recorded.
    pub time: Timestamp,
    /// What the leaf says.
    pub record: DecisionRecord,
    /// Outcomes of its attempt, oldest first: the leaf, its time, what it says.
    pub outcomes: Vec<(u64, Timestamp, OutcomeRecord)>,
}

/// What a person may name a decision by.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    /// Its leaf.
    Index(u64),
    /// All digits of an attempt, or of a decision's digest.
    Exact(Digest),
    /// The first digits of a commit, an attempt or a decision's digest.
    Prefix(String),
}

impl Name {
    fn parse(text: &str, size: u64) -> anyhow::Result<Self> {
        let bare = text.trim().trim_start_matches('#');
        if let Some(index) = bare.parse::<u64>().ok().filter(|index| *index < size) {
            return Ok(Self::Index(index));
        }
        let digits = bare.strip_prefix("sha256:").unwrap_or(bare).to_ascii_lowercase();
        if let Ok(digest) = format!("sha256:{digits}").parse() {
            return Ok(Self::Exact(digest));
        }
        if digits.len() >= MIN_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(Self::Prefix(digits));
        }
        Err(anyhow!(
            "{text:?}: no leaf of this log of {size} leaves, and no commit, attempt or digest: \
             give an index below {size}, or at least {MIN_DIGITS} hexadecimal digits"
        ))
    }

    fn names(&self, index: u64, record: &DecisionRecord) -> bool {
        match self {
            Self::Index(wanted) => *wanted == index,
            Self::Exact(digest) => {
                record.decision == *digest
                    || AttemptId::from_hex(&digest.hex()) == Some(record.attempt)
                    || record.commit.as_str() == digest.hex()
            }
            Self::Prefix(digits) => {
                let ids = [record.commit.to_string(), record.attempt.hex(), record.decision.hex()];
                ids.iter().any(|id| id.starts_with(digits))
            }
        }
    }

    /// Whether only one decision can have this name.
    fn is_unique(&self, record: &DecisionRecord) -> bool {
        match self {
            Self::Index(_) => true,
            Self::Exact(digest) => record.commit.as_str() != digest.hex(),
            Self::Prefix(_) => false,
        }
    }
}

/// The decisions that `text` names; of several about one target, the latest.
///
/// # Errors
/// When there is none, or the log cannot be read.
pub async fn decisions(installation: &Installation, text: &str) -> anyhow::Result<Vec<Found>> {
    let mut view = installation.log().await?;
    let name = Name::parse(text, view.size())?;
    let found = search(&mut view, &name).await?;
    if found.is_empty() {
        let what = match name {
            Name::Index(index) => format!("leaf {index} is no decision, and no outcome of one"),
            Name::Exact(_) | Name::Prefix(_) => format!("no decision in the log is named {text:?}"),
        };
        bail!("{what}: countersign history lists them");
    }
    Ok(found)
}

/// Goes from the newest leaf to the oldest, so that outcomes are met before the decision that they are of.
async fn search(view: &mut View<'_, LocalStore>, name: &Name) -> anyhow::Result<Vec<Found>> {
    let mut outcomes: BTreeMap<AttemptId, Vec<(u64, Timestamp, OutcomeRecord)>> = BTreeMap::new();
    let mut found: BTreeMap<Target, Found> = BTreeMap::new();
    // An outcome's own index names the decision that it is of.
    let mut of_outcome = None;
    let size = view.size();
    newest_first(view, size, |index, leaf| {
        let time = leaf.time;
        match leaf.record {
            Record::Outcome(record) => {
                if *name == Name::Index(index) {
                    of_outcome = Some(record.attempt);
                }
                outcomes.entry(record.attempt).or_default().push((index, time, record));
            }
            Record::Decision(record) => {
                let named = name.names(index, &record) || of_outcome == Some(record.attempt);
                if named && !found.contains_key(&record.target) {
                    let unique = name.is_unique(&record);
                    let mut outcomes = outcomes.remove(&record.attempt).unwrap_or_default();
                    outcomes.reverse();
                    found.insert(record.target.clone(), Found { index, time, record: *record, outcomes });
                    if unique {
                        return ControlFlow::Break(());
                    }
                }
            }
            Record::Genesis(_) | Record::Rejected(_) | Record::Rotation(_) => {}
        }
        ControlFlow::Continue(())
    })
    .await?;
    Ok(found.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_index_a_digest_or_first_digits() {
        assert_eq!(Name::parse("42", 100).unwrap(), Name::Index(42));
        assert_eq!(Name::parse("#42", 100).unwrap(), Name::Index(42));
        assert_eq!(
            Name::parse("4242", 100).unwrap(),
            Name::Prefix("4242".into()),
            "beyond the log it is a commit"
        );
        let digest = Digest::of(b"");
        assert_eq!(Name::parse(&digest.to_string(), 1).unwrap(), Name::Exact(digest));
        assert_eq!(Name::parse(&digest.hex(), 1).unwrap(), Name::Exact(digest));
        assert_eq!(Name::parse("ABCDEF", 1).unwrap(), Name::Prefix("abcdef".into()));
        for wrong in ["", "abc", "main", "12x4"] {
            assert!(Name::parse(wrong, 1).is_err(), "{wrong}");
        }
    }
}
