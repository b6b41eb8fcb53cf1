//! Finds the forge of a repository: what people said there, and where they are told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::active::{BundleConfiguration, ConfigurationCache};
use countersign_core::configuration::{Host, HostKind};
use countersign_core::git_access::GitAccess;
use countersign_core::names::{CommitId, HostName, Reference, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{
    Evidence, ForgeRead, ForgeReport, GitCredential, OpenPullRequest, Report,
};
use countersign_forge::gitea::Gitea;
use countersign_forge::github::Github;
use countersign_forge::gitlab::Gitlab;
use countersign_forge::host::Clock;
use countersign_git::plain::PlainForge;
use countersign_git::plain::known::KnownStatements;
use countersign_local::fault;
use countersign_local::secrets::LocalSecrets;
use countersign_local::store::LocalStore;

/// The forges of all configured hosts.
pub struct HostForges {
    store: LocalStore,
    configurations: ConfigurationCache,
    statements: KnownStatements,
    clock: Clock,
    /// A forge's client keeps connections and answers, so one serves all of a host's repositories.
    kept: Mutex<BTreeMap<HostName, (Host, Forge)>>,
}

/// One host's forge, as its kind asks for.
#[derive(Clone)]
enum Forge {
    Plain(Arc<PlainForge>),
    Gitea(Arc<Gitea<LocalSecrets>>),
    Github(Arc<Github<LocalSecrets>>),
    Gitlab(Arc<Gitlab<LocalSecrets>>),
    /// Nothing is read there, and nobody is told.
    Silent,
}

impl HostForges {
    /// The forges of the hosts that the active configuration names.
    #[must_use]
    pub fn new(store: LocalStore, clock: Clock) -> Self {
        Self {
            store,
            configurations: ConfigurationCache::default(),
            statements: KnownStatements::default(),
            clock,
            kept: Mutex::default(),
        }
    }

    async fn of(&self, id: &RepositoryId) -> Result<Forge, PortError> {
        let active = self.configurations.active(&self.store).await?;
        let active = active.ok_or_else(|| PortError::Unavailable("no bundle is active yet".to_owned()))?;
        match active.configuration.hosts.get(&id.host) {
            None => Ok(Forge::Silent),
            Some(host) if host.kind == HostKind::Plain => Ok(self.plain(&active, id)),
            Some(host) => self.kept(&id.host, host),
        }
    }

    /// Plain Git's forge of one repository, which is a folder.
    fn plain(&self, active: &BundleConfiguration, id: &RepositoryId) -> Forge {
        let Some(url) = active.configuration.git_url(id) else { return Forge::Silent };
        let folder = url.strip_prefix("file://").unwrap_or(&url);
        let folders = BTreeMap::from([(id.clone(), PathBuf::from(folder))]);
        Forge::Plain(Arc::new(PlainForge::new(folders).knowing(self.statements.clone())))
    }

    /// The client of a host; a new one when the host is configured otherwise than before.
    fn kept(&self, name: &HostName, host: &Host) -> Result<Forge, PortError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, forge)) = kept.get(name).filter(|(known, _)| known == host) {
            return Ok(forge.clone());
        }
        let forge = self.connect(name, host)?;
        kept.insert(name.clone(), (host.clone(), forge.clone()));
        Ok(forge)
    }

    /// A client that reads its credential by reference at every use. Without one a forge tells nothing that counts:
    /// people speak by signed statements alone.
    fn connect(&self, name: &HostName, host: &Host) -> Result<Forge, PortError> {
        let clock = Arc::clone(&self.clock);
        Ok(match host.kind {
            HostKind::Github if host.token.is_some() || host.app.is_some() => {
                Forge::Github(Arc::new(Github::new(name, host, LocalSecrets, clock)?))
            }
            HostKind::Gitea if host.token.is_some() => {
                Forge::Gitea(Arc::new(Gitea::new(name, host, LocalSecrets, clock)?))
            }
            HostKind::Gitlab if host.token.is_some() => {
                Forge::Gitlab(Arc::new(Gitlab::new(name, host, LocalSecrets, clock)?))
            }
            HostKind::Gitea | HostKind::Github | HostKind::Gitlab | HostKind::Plain => Forge::Silent,
        })
    }
}

impl ForgeRead for HostForges {
    async fn git_credential(&self, repository: &RepositoryId) -> Result<Option<GitCredential>, PortError> {
        let Some(active) = self.configurations.active(&self.store).await? else { return Ok(None) };
        match (GitAccess::of(&active.configuration, repository), self.of(repository).await?) {
            (Some(GitAccess::App), Forge::Github(forge)) => forge.git_credential(repository).await,
            (Some(access), _) => access.read(&LocalSecrets).await,
            (None, _) => Ok(None),
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
            Forge::Plain(_) | Forge::Silent => Ok(None),
        }
    }

    async fn evidence(
        &self,
        repository: &RepositoryId,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Evidence, PortError> {
        match self.of(repository).await? {
            Forge::Plain(forge) => forge.evidence(repository, base, commits).await,
            Forge::Gitea(forge) => forge.evidence(repository, base, commits).await,
            Forge::Github(forge) => forge.evidence(repository, base, commits).await,
            Forge::Gitlab(forge) => forge.evidence(repository, base, commits).await,
            Forge::Silent => Ok(Evidence::default()),
        }
    }
}

impl ForgeReport for HostForges {
    async fn report(&self, report: &Report) -> Result<(), PortError> {
        fault::pass(|| "forge.report/before".to_owned())?;
        let told = match self.of(&report.repository).await? {
            Forge::Plain(forge) => forge.report(report).await,
            Forge::Gitea(forge) => forge.report(report).await,
            Forge::Github(forge) => forge.report(report).await,
            Forge::Gitlab(forge) => forge.report(report).await,
            Forge::Silent => {
                tracing::debug!(repository = %report.repository, "this host is told nothing: see countersign status");
                Ok(())
            }
        };
        told.and_then(|()| fault::pass(|| "forge.report/after".to_owned()))
    }
}
