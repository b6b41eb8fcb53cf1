//! Reports as references: what a developer fetches to see why.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use countersign_core::ports::forge::Report;
use countersign_core::report::{headline, markdown};
use countersign_core::statement::REPORTS;
use countersign_core::time::Timestamp;
use git2::{ErrorCode, Oid, Signature, Time};
use serde_json::json;

use crate::error::GitError;
use crate::repository::Repository;

/// How often a report is written again when another environment's was written meanwhile.
const TRIES: u32 = 20;

/// How much longer each wait for other writers is.
const PAUSE: Duration = Duration::from_millis(5);

/// Targets whose reason the commit's message gives before the rest is counted.
const MAX_REASONS: usize = 100;

/// The version of the JSON form.
const VERSION: u32 = 1;

/// Replaces what was told before of the same commit in the same environment. Equal content is not written.
pub(super) fn write(found: &Repository, report: &Report) -> Result<(), GitError> {
    let name = format!("{REPORTS}{}", report.commit);
    let lock = found.git.commondir().join(format!("{name}.lock"));
    let held = identity(&lock);
    for tried in 0..TRIES {
        if try_write(found, report, &name)? {
            return Ok(());
        }
        std::thread::sleep(PAUSE * tried);
    }
    // Nobody but us writes these references, and holds one for so long: whoever made this lock was killed.
    if held.is_some() && held == identity(&lock) {
        let removed = std::fs::remove_file(&lock);
        removed.map_err(|error| GitError::Retry(format!("{}: {error}: remove it", lock.display())))?;
        if try_write(found, report, &name)? {
            return Ok(());
        }
    }
    Err(GitError::Retry(format!("{}: {name} is being written by others all the time", found.place())))
}

/// What tells one lock of a reference from the next; none where there is no lock.
fn identity(lock: &Path) -> Option<(u64, i64, i64)> {
    let metadata = std::fs::metadata(lock).ok()?;
    Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
}

/// Whether the report stands there now; false if another writer came between.
fn try_write(found: &Repository, report: &Report, name: &str) -> Result<bool, GitError> {
    let git = &found.git;
    let failed = |error: git2::Error| found.failed(&format!("writing {name}"), &error);
    let current = match git.find_reference(name) {
        Ok(reference) => Some(reference.peel_to_commit().map_err(failed)?),
        Err(error) if error.code() == ErrorCode::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    let before = current.as_ref().map(git2::Commit::tree).transpose().map_err(failed)?;
    let mut builder = git.treebuilder(before.as_ref()).map_err(failed)?;
    for (ending, bytes) in [("md", markdown(report)), ("json", machine_readable(report)?)] {
        let blob = git.blob(bytes.as_bytes()).map_err(failed)?;
        builder.insert(format!("{}.{ending}", report.environment), blob, 0o100_644).map_err(failed)?;
    }
    let tree = builder.write().map_err(failed)?;
    if before.is_some_and(|before| before.id() == tree) {
        return Ok(true);
    }
    let commit = commit(git, report, tree).map_err(failed)?;
    let moved = match current {
        Some(current) => git.reference_matching(name, commit, true, current.id(), "countersign: report"),
        None => git.reference(name, commit, false, "countersign: report"),
    };
    match moved {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.code(), ErrorCode::Modified | ErrorCode::Exists | ErrorCode::Locked) => {
            Ok(false)
        }
        Err(error) => Err(failed(error)),
    }
}

/// A commit without parents, so that `git show` displays every file, dated by what it tells of.
fn commit(git: &git2::Repository, report: &Report, tree: Oid) -> Result<Oid, git2::Error> {
    let seconds = newest(report).as_millis().div_euclid(1000);
    let author = Signature::new("Countersign", "countersign@localhost", &Time::new(seconds, 0))?;
    let mut message = format!("{}: {}\n\n", report.environment, headline(report));
    for (target, state) in report.states().take(MAX_REASONS) {
        message += &format!("{target}: {}\n", state.reason);
    }
    if let Some(more) = report.states().count().checked_sub(MAX_REASONS).filter(|more| *more > 0) {
        message += &format!("and {more} more\n");
    }
    let tree = git.find_tree(tree)?;
    git.commit(None, &author, &author, &message, &tree, &[])
}

/// The time of the newest thing that the report tells of.
fn newest(report: &Report) -> Timestamp {
    let began = report.targets.iter().map(|target| target.decision.began);
    let ended = report.states().filter_map(|(_, state)| state.outcome.as_ref()).map(|outcome| outcome.time);
    began.chain(ended).max().unwrap_or_default()
}

fn machine_readable(report: &Report) -> Result<String, GitError> {
    let told = report.targets.iter().map(|target| {
        json!({
            "target": target.target,
            "state": target.state,
            "decision": target.decision,
            "outcome": target.outcome,
        })
    });
    let others = report.others.iter().map(|(target, state)| json!({ "target": target, "state": state }));
    let targets: Vec<_> = told.chain(others).collect();
    let document = json!({
        "v": VERSION,
        "repository": report.repository,
        "commit": report.commit,
        "environment": report.environment,
        "verdict": report.verdict(),
        "targets": targets,
    });
    let text = serde_json::to_string_pretty(&document);
    Ok(text.map_err(|error| GitError::Final(format!("the report cannot be written as JSON: {error}")))?
        + "\n")
}
