//! Finds what is configured: targets, references, addresses.

use std::collections::BTreeSet;

use super::{ClusterState, Configuration, Environment, HostKind, TargetConfiguration};
use crate::names::{FollowedRef, Reference, RepositoryId, Target};

impl Configuration {
    /// Every target on a cluster that is not retired, in the order of its names.
    pub fn targets(&self) -> impl Iterator<Item = TargetConfiguration<'_>> {
        self.applications.iter().flat_map(move |(name, application)| {
            application.environments.iter().flat_map(move |(environment_name, placement)| {
                let environment = self.environments.get(environment_name);
                let clusters = match (placement.clusters.as_slice(), environment) {
                    ([], Some(environment)) => environment.clusters.as_slice(),
                    (own, _) => own,
                };
                clusters.iter().filter_map(move |cluster_name| {
                    let cluster = self.clusters.get(cluster_name)?;
                    (cluster.state == ClusterState::Active).then_some(TargetConfiguration {
                        target: Target {
                            application: name.clone(),
                            environment: environment_name.clone(),
                            cluster: cluster_name.clone(),
                        },
                        application,
                        placement,
                        environment: environment?,
                        cluster,
                    })
                })
            })
        })
    }

    /// One target, if it is configured on a cluster that is not retired.
    #[must_use]
    pub fn target(&self, target: &Target) -> Option<TargetConfiguration<'_>> {
        let application = self.applications.get(&target.application)?;
        let placement = application.environments.get(&target.environment)?;
        let environment = self.environments.get(&target.environment)?;
        let cluster = self.clusters.get(&target.cluster)?;
        let clusters =
            if placement.clusters.is_empty() { &environment.clusters } else { &placement.clusters };
        let runs_there = clusters.contains(&target.cluster) && cluster.state == ClusterState::Active;
        runs_there.then(|| TargetConfiguration {
            target: target.clone(),
            application,
            placement,
            environment,
            cluster,
        })
    }

    /// The reference of the control repository that counts.
    #[must_use]
    pub fn control_ref(&self) -> Option<FollowedRef> {
        let reference = branch_reference(&self.control.branch)?;
        Some(FollowedRef { repository: self.control.repository.clone(), reference })
    }

    /// Every reference that is followed, each once, the control repository's first.
    #[must_use]
    pub fn followed_refs(&self) -> Vec<FollowedRef> {
        let mut followed: Vec<_> = self.control_ref().into_iter().collect();
        let others: BTreeSet<_> = self.targets().filter_map(|target| target.follows()).collect();
        followed.extend(others.into_iter().filter(|other| Some(other) != self.control_ref().as_ref()));
        followed
    }

    /// Whether `repository` is named here, as a source or as the control repository.
    #[must_use]
    pub fn knows(&self, repository: &RepositoryId) -> bool {
        self.control.repository == *repository || self.repositories.contains_key(repository)
    }

    /// The contexts of the statuses that an environment asks for.
    #[must_use]
    pub fn status_contexts(&self, environment: &Environment) -> BTreeSet<&str> {
        let asked = environment.statuses.iter().filter_map(|name| self.statuses.get(name));
        asked.map(|status| status.context.as_str()).collect()
    }

    /// The contexts of the statuses that any environment asks for which the repository's targets are in.
    #[must_use]
    pub fn status_contexts_of(&self, repository: &RepositoryId) -> BTreeSet<String> {
        if self.statuses.is_empty() {
            return BTreeSet::new();
        }
        let targets = self.targets().filter(|target| target.application.repository == *repository);
        targets.flat_map(|target| self.status_contexts(target.environment)).map(str::to_owned).collect()
    }

    /// Whether an environment asks for a status of this context; without one, whether it asks for any.
    #[must_use]
    pub fn asks_for_status(&self, environment: &Environment, context: Option<&str>) -> bool {
        let asked = self.status_contexts(environment);
        context.map_or(!asked.is_empty(), |context| asked.contains(context))
    }

    /// The references of `repository` that a target follows whose environment asks for a status of this context;
    /// without one, for any.
    #[must_use]
    pub fn refs_asking_for_status(
        &self,
        repository: &RepositoryId,
        context: Option<&str>,
    ) -> BTreeSet<FollowedRef> {
        self.targets()
            .filter(|target| target.application.repository == *repository)
            .filter(|target| self.asks_for_status(target.environment, context))
            .filter_map(|target| target.follows())
            .collect()
    }

    /// The Git URL of `repository`: its own, or its host's URL and its path.
    #[must_use]
    pub fn git_url(&self, repository: &RepositoryId) -> Option<String> {
        let own = self.repositories.get(repository).and_then(|entry| entry.url.clone());
        own.or_else(|| {
            let host = self.hosts.get(&repository.host)?;
            let suffix = if host.kind == HostKind::Plain { "" } else { ".git" };
            Some(format!("{}/{}{suffix}", host.url.trim_end_matches('/'), repository.path))
        })
    }
}

impl TargetConfiguration<'_> {
    /// The reference that this target follows.
    #[must_use]
    pub fn follows(&self) -> Option<FollowedRef> {
        let reference = branch_reference(&self.placement.branch)?;
        Some(FollowedRef { repository: self.application.repository.clone(), reference })
    }
}

/// The full reference of a branch's short name.
fn branch_reference(branch: &str) -> Option<Reference> {
    format!("refs/heads/{branch}").parse().ok()
}
