//! Plain Git as a forge: proposals and approvals are signed statements, and results are told in references.

mod evidence;
pub mod known;
mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;

use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{Evidence, ForgeRead, ForgeReport, Report};

use self::known::KnownStatements;
use crate::repository::Repository;

/// Bare repositories on this machine.
#[derive(Clone, Debug, Default)]
pub struct PlainForge {
    folders: BTreeMap<RepositoryId, PathBuf>,
    known: KnownStatements,
}

impl PlainForge {
    /// With the folder of each repository.
    #[must_use]
    pub fn new(folders: BTreeMap<RepositoryId, PathBuf>) -> Self {
        Self { folders, known: KnownStatements::default() }
    }

    /// The same, with what is known from before.
    #[must_use]
    pub fn knowing(self, known: KnownStatements) -> Self {
        Self { known, ..self }
    }

    fn open(&self, repository: &RepositoryId) -> Result<Repository, PortError> {
        let folder = self.folders.get(repository).ok_or_else(|| {
            PortError::Refused(format!(
                "{repository}: no folder is known for this repository: name it under `repositories` in countersign.yaml, on a host of kind `plain`"
            ))
        })?;
        Ok(Repository::open(folder)?)
    }
}

impl ForgeRead for PlainForge {
    /// Statements only: in plain Git a pull request is a signed proposal. What was left unread is left out
    /// here, as it is no statement of this repository.
    async fn evidence(
        &self,
        repository: &RepositoryId,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Evidence, PortError> {
        let found = self.open(repository)?;
        let mut known = self.known.lock();
        let known = known.entry(repository.clone()).or_default();
        let statements = evidence::taking_part(&found, repository, base, commits, known)?;
        Ok(Evidence { pull_requests: Vec::new(), statements })
    }
}

impl ForgeReport for PlainForge {
    /// Writes `refs/countersign/reports/<commit>`: a commit with a Markdown and a JSON file for each
    /// environment, which `git show` displays.
    async fn report(&self, report: &Report) -> Result<(), PortError> {
        let found = self.open(&report.repository)?;
        Ok(report::write(&found, report)?)
    }
}

#[cfg(test)]
mod tests;
