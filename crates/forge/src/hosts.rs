//! The forges of all configured hosts, as one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::active::ConfigurationCache;
use countersign_core::configuration::{Host, HostKind};
use countersign_core::names::{HostName, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::secrets::Secrets;
use countersign_core::ports::store::Store;

use crate::gitea::Gitea;
use crate::github::Github;
use crate::gitlab::Gitlab;
use crate::host::Clock;

/// The forges that the active configuration names. A host of plain Git is none: people speak there by signed statements
/// alone, and nobody is told.
pub struct Hosts<S, K> {
    store: S,
    secrets: K,
    clock: Clock,
    configurations: ConfigurationCache,
    /// A forge's client keeps connections and answers, so one serves all of a host's repositories.
    kept: Mutex<BTreeMap<HostName, (Host, Forge<K>)>>,
}

/// One host's forge, as its kind asks for.
enum Forge<K> {
    Gitea(Arc<Gitea<K>>),
    Github(Arc<Github<K>>),
    Gitlab(Arc<Gitlab<K>>),
    /// Nothing is read there, and nobody is told.
    Silent,
}

impl<K> Clone for Forge<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Gitea(forge) => Self::Gitea(Arc::clone(forge)),
            Self::Github(forge) => Self::Github(Arc::clone(forge)),
            Self::Gitlab(forge) => Self::Gitlab(Arc::clone(forge)),
            Self::Silent => Self::Silent,
        }
    }
}

impl<S: Store, K: Secrets + Clone + Send> Hosts<S, K> {
    /// The forges of the hosts that the active configuration in `store` names.
    #[must_use]
    pub fn new(store: S, secrets: K, clock: Clock) -> Self {
        Self { store, secrets, clock, configurations: ConfigurationCache::default(), kept: Mutex::default() }
    }

    async fn of(&self, id: &RepositoryId) -> Result<Forge<K>, PortError> {
        let active = self.configurations.active(&self.store).await?;
        let active = active.ok_or_else(|| PortError::Unavailable("no bundle is active yet".to_owned()))?;
        match active.configuration.hosts.get(&id.host) {
            Some(host) => self.kept(&id.host, host),
            None => Ok(Forge::Silent),
        }
    }

    /// The client of a host; a new one when the host is configured otherwise than before.
    fn kept(&self, name: &HostName, host: &Host) -> Result<Forge<K>, PortError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, forge)) = kept.get(name).filter(|(known, _)| known == host) {
            return Ok(forge.clone());
        }
        let forge = self.connect(name, host)?;
        kept.insert(name.clone(), (host.clone(), forge.clone()));
        Ok(forge)
    }

    fn connect(&self, name: &HostName, host: &Host) -> Result<Forge<K>, PortError> {
        let (secrets, clock) = (self.secrets.clone(), Arc::clone(&self.clock));
        // Without a credential a forge tells nothing that counts.
        Ok(match host.kind {
            HostKind::Gitea if host.token.is_some() => {
                Forge::Gitea(Arc::new(Gitea::new(name, host, secrets, clock)?))
            }
            HostKind::Github if host.token.is_some() || host.app.is_some() => {
                Forge::Github(Arc::new(Github::new(name, host, secrets, clock)?))
            }
            HostKind::Gitlab if host.token.is_some() => {
                Forge::Gitlab(Arc::new(Gitlab::new(name, host, secrets, clock)?))
            }
            HostKind::Gitea | HostKind::Github | HostKind::Gitlab | HostKind::Plain => Forge::Silent,
        })
    }
}

#[cfg(feature = "read")]
mod read {
    use std::collections::BTreeSet;

    use countersign_core::git_access::GitAccess;
    use countersign_core::names::{CommitId, Reference};
    use countersign_core::ports::forge::{Evidence, ForgeRead, GitCredential, OpenPullRequest};
    use countersign_core::review::Status;

    use super::{Forge, Hosts, PoisonError, PortError, RepositoryId, Secrets, Store};

    impl<S: Store, K: Secrets + Clone + Send> ForgeRead for Hosts<S, K> {
        async fn git_credential(
            &self,
            repository: &RepositoryId,
        ) -> Result<Option<GitCredential>, PortError> {
            let Some(active) = self.configurations.active(&self.store).await? else { return Ok(None) };
            match (GitAccess::of(&active.configuration, repository), self.of(repository).await?) {
                (Some(GitAccess::App), Forge::Github(forge)) => forge.git_credential(repository).await,
                (Some(access), _) => access.read(&self.secrets).await,
                (None, _) => Ok(None),
            }
        }

        fn git_denied(&self, repository: &RepositoryId) {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, Forge::Github(forge))) = kept.get(&repository.host) {
                forge.git_denied(repository);
            }
        }

        async fn open_pull_requests(
            &self,
            repository: &RepositoryId,
        ) -> Result<Option<Vec<OpenPullRequest>>, PortError> {
            match self.of(repository).await? {
                Forge::Gitea(forge) => forge.open_pull_requests(repository).await,
                Forge::Github(forge) => forge.open_pull_requests(repository).await,
                Forge::Gitlab(forge) => forge.open_pull_requests(repository).await,
                Forge::Silent => Ok(None),
            }
        }

        async fn statuses(
            &self,
            repository: &RepositoryId,
            commit: &CommitId,
            contexts: &BTreeSet<String>,
        ) -> Result<Vec<Status>, PortError> {
            match self.of(repository).await? {
                Forge::Gitea(forge) => forge.statuses(repository, commit, contexts).await,
                Forge::Github(forge) => forge.statuses(repository, commit, contexts).await,
                Forge::Gitlab(forge) => forge.statuses(repository, commit, contexts).await,
                Forge::Silent => Ok(Vec::new()),
            }
        }

        async fn evidence(
            &self,
            repository: &RepositoryId,
            base: &Reference,
            commits: &[CommitId],
        ) -> Result<Evidence, PortError> {
            match self.of(repository).await? {
                Forge::Gitea(forge) => forge.evidence(repository, base, commits).await,
                Forge::Github(forge) => forge.evidence(repository, base, commits).await,
                Forge::Gitlab(forge) => forge.evidence(repository, base, commits).await,
                Forge::Silent => Ok(Evidence::default()),
            }
        }
    }
}

#[cfg(feature = "report")]
mod report {
    use countersign_core::ports::forge::{ForgeReport, Report};

    use super::{Forge, Hosts, PortError, Secrets, Store};

    impl<S: Store, K: Secrets + Clone + Send> ForgeReport for Hosts<S, K> {
        async fn report(&self, report: &Report) -> Result<(), PortError> {
            match self.of(&report.repository).await? {
                Forge::Gitea(forge) => forge.report(report).await,
                Forge::Github(forge) => forge.report(report).await,
                Forge::Gitlab(forge) => forge.report(report).await,
                Forge::Silent => Ok(()),
            }
        }
    }
}
