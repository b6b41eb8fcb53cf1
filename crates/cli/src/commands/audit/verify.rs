//! `audit verify`: a whole log, from wherever it is, under a key that is trusted.

use std::path::Path;

use anyhow::bail;
use countersign_core::digest::Digest;
use countersign_core::leaf::Record;
use countersign_core::ports::store::Store;
use countersign_ledger::audit::{AuditReport, Problem, audit};
use countersign_ledger::error::LedgerError;
use countersign_ledger::folder::Folder;
use countersign_ledger::log;
use countersign_local::database::Database;
use countersign_local::store::LocalStore;
use serde_json::{Value, json};

use super::VerifyArguments;
use super::key::{Trusted, trusted};
use crate::commands::block_on;
use crate::commands::reading::parsed;
use crate::commands::shown::{Cell, clean, table};
use crate::output::{Conclusion, Paint, Printed, colored, paint};
use crate::remote::Remote;

/// The most problems that are shown to people.
const MAX_SHOWN: usize = 20;

/// Verifies the log that the arguments name.
///
/// # Errors
/// When it cannot be read, or no key is given.
pub fn run(arguments: &VerifyArguments) -> anyhow::Result<Printed> {
    let trusted = trusted(arguments)?;
    let found = block_on(async {
        match (&arguments.data, &arguments.log) {
            (Some(data), _) => verify(&LocalStore::new(&Database::open_read_only(data)?), &trusted).await,
            (None, Some(log)) if log.contains("://") => verify(&Remote::log(log)?, &trusted).await,
            (None, Some(log)) => verify(&folder(Path::new(log))?, &trusted).await,
            (None, None) => bail!("give --data DIR or --log DIR-OR-URL"),
        }
    })?;
    let clean = found.is_clean();
    Ok(Printed {
        text: text(&found, &trusted, colored()),
        document: document(&found, &trusted),
        conclusion: if clean { Conclusion::Done } else { Conclusion::Denied },
    })
}

/// An exported log, by its own folder or by the folder that holds it as `log`.
fn folder(path: &Path) -> anyhow::Result<Folder> {
    let inside = path.join("log");
    let found = [path, &inside].into_iter().find(|folder| folder.join("checkpoint").is_file());
    match found {
        Some(found) => Ok(Folder::new(found)),
        None => bail!(
            "{}: no checkpoint here: give the folder that countersign audit export wrote",
            path.display()
        ),
    }
}

/// What came of verifying a log.
pub enum Verified {
    /// It was followed to its end.
    Audited(AuditReport),
    /// Its checkpoint is not to be believed: nothing under it was looked at.
    Unbelievable(String),
}

impl Verified {
    fn is_clean(&self) -> bool {
        matches!(self, Self::Audited(report) if report.is_clean())
    }
}

/// Audits a log, and compares leaf 0 with the genesis that is trusted.
///
/// # Errors
/// When it cannot be read.
pub async fn verify(store: &impl Store, trusted: &Trusted) -> anyhow::Result<Verified> {
    let mut report = match audit(store, &trusted.keys).await {
        Ok(report) => report,
        Err(
            error @ (LedgerError::Signature(_) | LedgerError::Corrupt { .. } | LedgerError::Malformed { .. }),
        ) => {
            return Ok(Verified::Unbelievable(error.to_string()));
        }
        Err(LedgerError::Missing { key, size: 0 }) => bail!("{key}: there is no log here: check the address"),
        Err(error) => return Err(error.into()),
    };
    if let Some(genesis) = trusted.genesis.filter(|_| report.is_clean() && report.checkpoint.size > 0)
        && let Some(what) = another_beginning(store, trusted, &genesis).await?
    {
        report.found += 1;
        report.problems.push(Problem { leaf: Some(0), what });
    }
    Ok(Verified::Audited(report))
}

/// What is wrong with leaf 0, if it does not cite the genesis that is trusted.
async fn another_beginning(
    store: &impl Store,
    trusted: &Trusted,
    genesis: &Digest,
) -> anyhow::Result<Option<String>> {
    let Some(mut view) = log::open(store, &trusted.keys).await? else { return Ok(None) };
    let leaf = parsed(0, &view.leaf(0).await?)?;
    Ok(match leaf.record {
        Record::Genesis(record) if record.genesis == *genesis => None,
        Record::Genesis(record) => {
            Some(format!("it cites genesis {}, and {genesis} is trusted", record.genesis))
        }
        _ => Some("it is no genesis".to_owned()),
    })
}

fn document(found: &Verified, trusted: &Trusted) -> Value {
    let (key, root) = (trusted.newest(), &trusted.root);
    match found {
        Verified::Audited(report) => json!({
            "clean": report.is_clean(), "key": key, "rootKey": root,
            "origin": report.checkpoint.origin, "size": report.checkpoint.size, "root": report.checkpoint.root,
            "counts": report.counts, "found": report.found,
            "problems": report.problems.iter().map(|problem| json!({ "leaf": problem.leaf, "what": problem.what }))
                .collect::<Vec<_>>(),
        }),
        Verified::Unbelievable(why) => json!({
            "clean": false, "key": key, "rootKey": root, "found": 1, "counts": {},
            "problems": [{ "leaf": null, "what": why }],
        }),
    }
}

fn text(found: &Verified, trusted: &Trusted, colored: bool) -> String {
    let report = match found {
        Verified::Audited(report) => report,
        Verified::Unbelievable(why) => {
            return format!("{}: {}", paint(Paint::Bad, "not clean", colored), clean(why));
        }
    };
    let mut rows: Vec<Vec<Cell>> = vec![
        vec!["log".into(), clean(&report.checkpoint.origin).into()],
        vec!["size".into(), format!("{} leaves", report.checkpoint.size).into()],
        vec!["root".into(), report.checkpoint.root.hex().into()],
        vec!["key".into(), trusted.newest().into()],
    ];
    rows.extend(trusted.root.iter().map(|root| vec!["signed by".into(), format!("root key {root}").into()]));
    let counts =
        report.counts.iter().map(|(kind, count)| vec![format!("  {kind}").into(), count.to_string().into()]);
    let mut text =
        format!("{}\n\n{}\n\n", table(&rows, colored), table(&counts.collect::<Vec<_>>(), colored));
    for problem in report.problems.iter().take(MAX_SHOWN) {
        let place = problem.leaf.map_or_else(|| "tree".to_owned(), |leaf| format!("leaf {leaf}"));
        text += &format!("{}: {}\n", paint(Paint::Bad, &place, colored), clean(&problem.what));
    }
    text + &conclusion(report, colored)
}

fn conclusion(report: &AuditReport, colored: bool) -> String {
    match report.found {
        0 => {
            format!("{}: every leaf and every tile is as it was signed", paint(Paint::Good, "clean", colored))
        }
        1 => format!("{}: 1 problem", paint(Paint::Bad, "not clean", colored)),
        many => {
            let first = if many > MAX_SHOWN as u64 {
                format!(", the first {MAX_SHOWN} are shown")
            } else {
                String::new()
            };
            format!("{}: {many} problems{first}", paint(Paint::Bad, "not clean", colored))
        }
    }
}

#[cfg(test)]
mod tests;
