//! What a receive hook lets pass: statements are only ever added, and nobody pushes reports.

use std::path::Path;

use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::statement::{MAX_STATEMENT, STATEMENTS, SignedStatement};
use git2::{ErrorCode, ObjectType, Oid};

use crate::error::GitError;
use crate::repository::Repository;
use crate::statements;

/// Below this, only Countersign and its people write.
const OURS: &str = "refs/countersign";

/// Why an update is refused, for the person who pushes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reference}: {reason}")]
pub struct Refusal {
    /// The reference.
    pub reference: String,
    /// Why, and what to do.
    pub reason: String,
}

/// Whether `reference` may move from `old` to `new` (`None`: it does not exist). Everything outside
/// `refs/countersign` may. `read_blob` gives the bytes of a blob of at most so many bytes, `None` if the
/// object is no blob or larger.
///
/// # Errors
/// With the reason why it may not.
pub fn check_update(
    repository: &RepositoryId,
    reference: &str,
    old: Option<&CommitId>,
    new: Option<&CommitId>,
    read_blob: impl Fn(&CommitId, u64) -> Result<Option<Vec<u8>>, GitError>,
) -> Result<(), Refusal> {
    let refuse = |reason: String| Err(Refusal { reference: reference.to_owned(), reason });
    if !is_ours(reference) {
        return Ok(());
    }
    if !reference.starts_with(STATEMENTS) {
        return refuse(format!("only Countersign writes below {OURS}/, people push below {STATEMENTS}"));
    }
    let new = match (old, new) {
        (None, Some(new)) => new,
        (Some(_), Some(_)) => {
            return refuse("a statement never changes: push a new one under its own name".to_owned());
        }
        (_, None) => {
            return refuse(
                "a statement is never deleted: take it back with a signed dismissal or close".to_owned(),
            );
        }
    };
    let bytes = match read_blob(new, MAX_STATEMENT as u64) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return refuse(format!("a statement is a blob of at most {MAX_STATEMENT} bytes")),
        Err(error) => return refuse(error.to_string()),
    };
    match statements::parse(reference, &bytes, repository) {
        Ok(_) => Ok(()),
        Err(reason) => refuse(reason),
    }
}

/// Whether a reference is ours to guard. Case is not looked at: some file systems do not either.
fn is_ours(reference: &str) -> bool {
    let lower = reference.to_ascii_lowercase();
    lower.strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Reads a pushed blob for [`check_update`]. While a hook runs, new objects lie in `quarantine` (Git's
/// `GIT_QUARANTINE_PATH`).
///
/// # Errors
/// When the repository or the object cannot be read.
pub fn read_blob(
    repository: &Path,
    quarantine: Option<&Path>,
    id: &CommitId,
    limit: u64,
) -> Result<Option<Vec<u8>>, GitError> {
    let repository = Repository::open(repository)?;
    let failed = |error: git2::Error| repository.failed(&format!("reading the pushed object {id}"), &error);
    let odb = repository.git.odb().map_err(failed)?;
    if let Some(quarantine) = quarantine.and_then(Path::to_str) {
        odb.add_disk_alternate(quarantine).map_err(failed)?;
    }
    let id = Oid::from_str(id.as_str()).map_err(failed)?;
    let (size, kind) = odb.read_header(id).map_err(failed)?;
    if kind != ObjectType::Blob || size as u64 > limit {
        return Ok(None);
    }
    Ok(Some(odb.read(id).map_err(failed)?.data().to_vec()))
}

/// Keeps a statement in the repository at `path`, so that its owner can push the reference that comes back.
/// Keeping one twice changes nothing.
///
/// # Errors
/// When the repository cannot be written.
pub fn write_statement(path: &Path, statement: &SignedStatement) -> Result<Reference, GitError> {
    let repository = Repository::open(path)?;
    let name = format!("{STATEMENTS}{}", statement.id().hex());
    let failed = |error: git2::Error| repository.failed(&format!("writing {name}"), &error);
    let blob = repository.git.blob(&statement.to_bytes()).map_err(failed)?;
    match repository.git.reference(&name, blob, false, "countersign: statement") {
        Ok(_) => {}
        Err(error) if error.code() == ErrorCode::Exists => {}
        Err(error) => return Err(failed(error)),
    }
    name.parse().map_err(|error| GitError::Final(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests;
