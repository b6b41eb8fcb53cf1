//! Finds the forge of a repository: what people said there, and where they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use countersign_core::active::ConfigurationCache;
use countersign_core::configuration::HostKind;
use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{
    Evidence, ForgeRead, ForgeReport, GitCredential, OpenPullRequest, Report,
};
use countersign_core::review::Status;
use countersign_forge::host::Clock;
use countersign_forge::hosts::Hosts;
use countersign_git::plain::PlainForge;
use countersign_git::plain::known::KnownStatements;
use countersign_local::fault;
use countersign_local::secrets::LocalSecrets;
use countersign_local::store::LocalStore;

/// The forges of all configured hosts, plain Git included, whose repositories are folders here.
pub struct HostForges {
    store: LocalStore,
    configurations: ConfigurationCache,
    statements: KnownStatements,
    others: Hosts<LocalStore, LocalSecrets>,
}

impl HostForges {
    /// The forges of the hosts that the active configuration names.
    #[must_use]
    pub fn new(store: LocalStore, clock: Clock) -> Self {
        Self {
            others: Hosts::new(store.clone(), LocalSecrets, clock),
            store,
            configurations: ConfigurationCache::default(),
            statements: KnownStatements::default(),
        }
    }

    /// Plain Git's forge of a repository; none where the host is of another kind.
    async fn plain(&self, id: &RepositoryId) -> Result<Option<PlainForge>, PortError> {
        let active = self.configurations.active(&self.store).await?;
        let active = active.ok_or_else(|| PortError::Unavailable("no bundle is active yet".to_owned()))?;
        let host = active.configuration.hosts.get(&id.host);
        let Some(url) = active.configuration.git_url(id) else { return Ok(None) };
        let is_plain = host.is_some_and(|host| host.kind == HostKind::Plain);
        let folder = url.strip_prefix("file://").unwrap_or(&url);
        let folders = BTreeMap::from([(id.clone(), PathBuf::from(folder))]);
        Ok(is_plain.then(|| PlainForge::new(folders).knowing(self.statements.clone())))
    }
}

impl ForgeRead for HostForges {
    async fn git_credential(&self, repository: &RepositoryId) -> Result<Option<GitCredential>, PortError> {
        fault::call("forge.git-credential", self.others.git_credential(repository)).await
    }

    fn git_denied(&self, repository: &RepositoryId) {
        self.others.git_denied(repository);
    }

    async fn open_pull_requests(
        &self,
        repository: &RepositoryId,
    ) -> Result<Option<Vec<OpenPullRequest>>, PortError> {
        fault::call("forge.open-pull-requests", self.others.open_pull_requests(repository)).await
    }

    async fn statuses(
        &self,
        repository: &RepositoryId,
        commit: &CommitId,
        contexts: &BTreeSet<String>,
    ) -> Result<Vec<Status>, PortError> {
        fault::call("forge.statuses", self.others.statuses(repository, commit, contexts)).await
    }

    async fn evidence(
        &self,
        repository: &RepositoryId,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Evidence, PortError> {
        let read = async {
            match self.plain(repository).await? {
                Some(forge) => forge.evidence(repository, base, commits).await,
                None => self.others.evidence(repository, base, commits).await,
            }
        };
        fault::call("forge.evidence", read).await
    }
}

impl ForgeReport for HostForges {
    async fn report(&self, report: &Report) -> Result<(), PortError> {
        let told = async {
            match self.plain(&report.repository).await? {
                Some(forge) => forge.report(report).await,
                None => self.others.report(report).await,
            }
        };
        fault::call("forge.report", told).await
    }
}
