//! A repository behind a server, and mirrors of it.

use std::sync::Arc;

use countersign_core::names::RepositoryId;

use super::server::{Served, serve};
use super::{Place, has_git};
use crate::error::GitError;
use crate::mirror::{Depths, GiveUp, Limits, Repositories, Source};
use crate::repository::Repository;

/// A repository to serve, the server, and where mirrors go.
pub(crate) struct World {
    pub(crate) origin: Place,
    pub(crate) served: Served,
    pub(crate) kept: tempfile::TempDir,
    pub(crate) depths: Depths,
}

pub(crate) fn never() -> GiveUp {
    Arc::new(|| false)
}

pub(crate) fn id() -> RepositoryId {
    "forge/team/shop".parse().unwrap()
}

impl World {
    /// With what is fetched of histories at a time; none where there is no `git` to serve with.
    pub(crate) fn new(depths: Depths) -> Option<Self> {
        let origin = Place::new();
        let served = serve(origin.folder.path());
        has_git().then(|| Self { origin, served, kept: tempfile::tempdir().unwrap(), depths })
    }

    pub(crate) fn repositories(&self) -> Repositories {
        Repositories::new(self.kept.path()).reaching(self.depths)
    }

    pub(crate) fn source(&self, mode: &str) -> Source {
        Source { url: format!("{}/{mode}", self.served.base), credential: None, also: vec![] }
    }

    pub(crate) fn fetch(&self, mode: &str) -> Result<Repository, GitError> {
        self.repositories().fetch(&id(), &self.source(mode), &Limits::default(), &never())
    }

    /// The requests since this was asked last.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.served.requests.lock().unwrap())
    }
}
