//! A configuration's targets by what they are looked for by, so that a search costs what it finds.

use std::collections::{BTreeSet, HashMap};

use super::{Configuration, TargetConfiguration};
use crate::names::{ClusterName, FollowedRef, Target};

/// The targets of a configuration, by the ref that they follow and by where their objects may live.
#[derive(Debug, Default)]
pub struct Index {
    following: HashMap<FollowedRef, Followers>,
    in_namespace: HashMap<(ClusterName, String), Vec<Target>>,
    of_kind: HashMap<(ClusterName, String), Vec<Target>>,
}

/// The targets that follow one ref.
#[derive(Debug, Default)]
pub struct Followers {
    all: Vec<Target>,
    by_path: HashMap<String, Vec<Target>>,
}

impl Index {
    /// Orders the targets of a configuration.
    #[must_use]
    pub fn new(configuration: &Configuration) -> Self {
        let mut index = Self::default();
        for found in configuration.targets() {
            if let Some(follows) = found.follows() {
                index.following.entry(follows).or_default().add(&found);
            }
            let place = |name: &String| (found.target.cluster.clone(), name.clone());
            for namespace in &found.placement.namespaces {
                index.in_namespace.entry(place(namespace)).or_default().push(found.target.clone());
            }
            for kind in &found.application.cluster_kinds {
                index.of_kind.entry(place(kind)).or_default().push(found.target.clone());
            }
        }
        index
    }

    /// The targets that follow a ref; none where no target does.
    #[must_use]
    pub fn following(&self, follows: &FollowedRef) -> Option<&Followers> {
        self.following.get(follows)
    }

    /// The other targets that could own an object of this one: on the same cluster, with a namespace or a cluster-scoped
    /// kind in common.
    #[must_use]
    pub fn neighbors(&self, ours: &TargetConfiguration<'_>) -> BTreeSet<&Target> {
        let place = |name: &String| (ours.target.cluster.clone(), name.clone());
        let namespaces =
            ours.placement.namespaces.iter().filter_map(|name| self.in_namespace.get(&place(name)));
        let kinds = ours.application.cluster_kinds.iter().filter_map(|kind| self.of_kind.get(&place(kind)));
        namespaces.chain(kinds).flatten().filter(|other| **other != ours.target).collect()
    }
}

impl Followers {
    fn add(&mut self, found: &TargetConfiguration<'_>) {
        self.all.push(found.target.clone());
        let path = found.placement.path.trim_matches('/').to_owned();
        self.by_path.entry(path).or_default().push(found.target.clone());
    }

    /// All of them, in the order of their names.
    #[must_use]
    pub fn all(&self) -> &[Target] {
        &self.all
    }

    /// Those whose own path is exactly this one, without slashes at its ends.
    #[must_use]
    pub fn at_path(&self, path: &str) -> &[Target] {
        self.by_path.get(path).map_or(&[], Vec::as_slice)
    }
}

impl<'a, 'c: 'a> FromIterator<&'a TargetConfiguration<'c>> for Followers {
    fn from_iter<T: IntoIterator<Item = &'a TargetConfiguration<'c>>>(targets: T) -> Self {
        let mut followers = Self::default();
        targets.into_iter().for_each(|found| followers.add(found));
        followers
    }
}

#[cfg(test)]
mod tests;
