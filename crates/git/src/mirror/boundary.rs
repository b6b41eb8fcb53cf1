//! The commits of a mirror whose parents were left on the server.
//!
//! Git keeps such a list in a file `shallow`, and libgit2 takes its commits for first ones: what lies before would
//! silently not be there. This file has another name, so that whoever walks beyond one of its commits finds an object
//! missing, and asks for more.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use git2::{Odb, OdbLookupFlags, Oid};

use super::room;
use crate::error::GitError;
use crate::wire::object_id;

const FILE: &str = "boundary";

/// The boundary as it was written: also commits that have their parents by now, or never came. `None` where the file
/// is not what was written here.
pub(crate) fn read(mirror: &Path) -> Option<BTreeSet<Oid>> {
    match fs::read_to_string(mirror.join(FILE)) {
        Ok(text) => text.lines().map(object_id).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(BTreeSet::new()),
        Err(_) => None,
    }
}

/// Adds commits. They are written before the pack that has them: one that is killed in between leaves a boundary with
/// commits that are not here, and never a commit without its parents that is not in the boundary.
pub(super) fn add(mirror: &Path, commits: &BTreeSet<Oid>) -> Result<(), GitError> {
    let known = read(mirror).unwrap_or_default();
    if commits.is_subset(&known) {
        return Ok(());
    }
    write(mirror, &known.union(commits).copied().collect())
}

/// The boundary as it is: commits that are here, and a parent of which is not.
pub(super) fn now(mirror: &Path, repository: &git2::Repository, odb: &Odb<'_>) -> BTreeSet<Oid> {
    let mut boundary = read(mirror).unwrap_or_default();
    boundary.retain(|commit| !missing_parents(repository, odb, *commit).is_empty());
    boundary
}

/// The parents of a commit that are not here; none where it is not here itself.
pub(crate) fn missing_parents(repository: &git2::Repository, odb: &Odb<'_>, commit: Oid) -> Vec<Oid> {
    if !odb.exists_ext(commit, OdbLookupFlags::NO_REFRESH) {
        return Vec::new();
    }
    let Ok(commit) = repository.find_commit(commit) else { return Vec::new() };
    commit.parent_ids().filter(|parent| !odb.exists_ext(*parent, OdbLookupFlags::NO_REFRESH)).collect()
}

/// Forgets what is not in the boundary any more.
pub(super) fn settle(mirror: &Path, repository: &git2::Repository, odb: &Odb<'_>) -> Result<(), GitError> {
    let now = now(mirror, repository, odb);
    if read(mirror).is_some_and(|known| known == now) {
        return Ok(());
    }
    write(mirror, &now)
}

fn write(mirror: &Path, boundary: &BTreeSet<Oid>) -> Result<(), GitError> {
    let text: String = boundary.iter().map(|commit| format!("{commit}\n")).collect();
    room::replace(&mirror.join(FILE), &text)
}
