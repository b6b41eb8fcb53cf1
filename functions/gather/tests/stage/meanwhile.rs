//! A forge that tells what a test says, and during whose answers something else may happen.

use std::collections::BTreeSet;

use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{Evidence, ForgeRead, GitCredential, OpenPullRequest};
use countersign_core::review::{PullRequest, PullRequestState, Status};
use countersign_git::plain::PlainForge;

/// Plain Git, while something else happens.
pub struct Meanwhile<'a> {
    pub plain: PlainForge,
    pub pull_requests: Vec<PullRequest>,
    pub statuses: Vec<Status>,
    pub happens: &'a (dyn Fn() -> Result<(), PortError> + Sync),
    pub credential: Option<GitCredential>,
}

impl ForgeRead for Meanwhile<'_> {
    async fn git_credential(&self, _: &RepositoryId) -> Result<Option<GitCredential>, PortError> {
        Ok(self.credential.clone())
    }

    async fn open_pull_requests(&self, _: &RepositoryId) -> Result<Option<Vec<OpenPullRequest>>, PortError> {
        let open = self.pull_requests.iter().filter(|request| request.state == PullRequestState::Open);
        let listed = open.map(|request| OpenPullRequest {
            id: request.id.clone(),
            base: request.base.clone(),
            head: request.head.clone(),
            fork: request.fork,
            version: String::new(),
        });
        Ok(Some(listed.collect()))
    }

    async fn statuses(
        &self,
        _: &RepositoryId,
        commit: &CommitId,
        contexts: &BTreeSet<String>,
    ) -> Result<Vec<Status>, PortError> {
        (self.happens)()?;
        let found = self.statuses.iter();
        let found = found.filter(|status| status.commit == *commit && contexts.contains(&status.context));
        Ok(found.cloned().collect())
    }

    async fn evidence(
        &self,
        repository: &RepositoryId,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Evidence, PortError> {
        (self.happens)()?;
        let mut evidence = self.plain.evidence(repository, base, commits).await?;
        evidence.pull_requests.extend(self.pull_requests.clone());
        Ok(evidence)
    }
}
