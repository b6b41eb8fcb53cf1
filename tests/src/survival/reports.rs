//! What people were told in the end: no report is left pending.

use anyhow::{Context as _, Result, ensure};
use countersign_core::report::Standing;
use countersign_core::statement::REPORTS;
use git2::Repository;

use crate::installation::Installation;

/// How a commit may stand when nothing is under way any more.
const FINAL: [Standing; 5] = [
    Standing::Denied,
    Standing::Abandoned,
    Standing::WouldBeAllowed,
    Standing::Deployed,
    Standing::Overtaken,
];

/// Checks that every report in a repository on this machine says how it ended; returns how many there are.
///
/// # Errors
/// Names a report that does not.
pub fn are_final(installation: &Installation, repository: &str) -> Result<usize> {
    let git = Repository::open_bare(installation.repository(repository))?;
    let mut reports = 0;
    for reference in git.references_glob(&format!("{REPORTS}*"))? {
        let reference = reference?;
        let name = reference.name().context("a reference has no name")?.to_owned();
        for entry in &reference.peel_to_tree()? {
            let file = entry.name().context("a report has no name")?;
            if !file.ends_with(".md") {
                continue;
            }
            let blob = entry.to_object(&git)?.peel_to_blob()?;
            let text = String::from_utf8_lossy(blob.content()).into_owned();
            let words = text.lines().next().and_then(|title| title.rsplit(": ").next()).unwrap_or_default();
            ensure!(
                FINAL.iter().any(|standing| standing.words() == words),
                "{repository}: {name} is left as {words:?}:\n{text}"
            );
            reports += 1;
        }
    }
    Ok(reports)
}
