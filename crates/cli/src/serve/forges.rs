//! Finds the forge of a repository: what people said there, and where they are told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use countersign_core::active::ConfigurationCache;
use countersign_core::configuration::HostKind;
use countersign_core::git_access::GitAccess;
use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{Evidence, ForgeRead, ForgeReport, GitCredential, Report};
use countersign_git::plain::PlainForge;
use countersign_git::plain::known::KnownStatements;
use countersign_local::secrets::LocalSecrets;
use countersign_local::store::LocalStore;

/// The forges of all configured hosts.
pub struct HostForges {
    store: LocalStore,
    configurations: ConfigurationCache,
    statements: KnownStatements,
}

impl HostForges {
    /// The forges of the hosts that the active configuration names.
    #[must_use]
    pub fn new(store: LocalStore) -> Self {
        Self { store, configurations: ConfigurationCache::default(), statements: KnownStatements::default() }
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
        let Some(active) = self.configurations.active(&self.store).await? else { return Ok(None) };
        match GitAccess::of(&active.configuration, repository) {
            Some(access) => access.read(&LocalSecrets).await.map(Some),
            None => Ok(None),
        }
    }

    async fn evidence(
        &self,
        repository: &RepositoryId,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Evidence, PortError> {
        match self.plain(repository).await? {
            Some(forge) => forge.evidence(repository, base, commits).await,
            // On a host whose pull requests are not read, people speak by signed statements alone.
            None => Ok(Evidence::default()),
        }
    }
}

impl ForgeReport for HostForges {
    async fn report(&self, report: &Report) -> Result<(), PortError> {
        match self.plain(&report.repository).await? {
            Some(forge) => forge.report(report).await,
            None => {
                tracing::debug!(repository = %report.repository, "this host is told nothing: see countersign status");
                Ok(())
            }
        }
    }
}
